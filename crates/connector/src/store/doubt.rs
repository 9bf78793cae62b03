//! Groups that count and may not have shown everything.

use directory::{DomainId, ObjectId};
use storage::{Sql, params};
use sync::{Read, RunId};

use super::{Error, codec};

/// Groups among those that count, of what was staged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupsInDoubt {
    /// Known as groups, still members, and not staged as groups.
    pub vanished: Vec<ObjectId>,
    /// Staged without a member, and whether they are known with some. The two groups themselves are always among them.
    pub empty: Vec<(ObjectId, bool)>,
}

/// The group and every group within it, as staged. CROSS JOIN, because SQLite keeps its order: left to choose, it walks all
/// edges for each group. COALESCE: as in `stage`.
macro_rules! below {
    ($before:literal) => {
        concat!(
            $before,
            "
    WITH RECURSIVE reached (object_id) AS (
        SELECT COALESCE((SELECT run_id FROM seen_groups WHERE 1 = 0), $3)
        UNION
        SELECT edge.member_id FROM reached CROSS JOIN seen_edges edge
        WHERE edge.run_id = $2 AND edge.group_id = reached.object_id AND (
            EXISTS (SELECT 1 FROM seen_groups grp WHERE grp.run_id = $2 AND grp.object_id = edge.member_id)
            OR EXISTS (SELECT 1 FROM known_groups grp WHERE grp.domain_id = $1 AND grp.object_id = edge.member_id))
    )
    SELECT reached.object_id,
           CASE WHEN EXISTS (
               SELECT 1 FROM seen_groups grp WHERE grp.run_id = $2 AND grp.object_id = reached.object_id
           ) THEN 1 ELSE 0 END AS is_staged,
           CASE WHEN EXISTS (
               SELECT 1 FROM seen_edges edge WHERE edge.run_id = $2 AND edge.group_id = reached.object_id
           ) THEN 1 ELSE 0 END AS has_members,
           CASE WHEN EXISTS (
               SELECT 1 FROM known_edges edge WHERE edge.domain_id = $1 AND edge.group_id = reached.object_id
           ) THEN 1 ELSE 0 END AS had_members
    FROM reached ORDER BY reached.object_id"
        )
    };
}

pub(super) async fn groups(
    db: &mut impl Sql,
    domain: &DomainId,
    RunId(run): RunId,
    read: &Read,
) -> Result<GroupsInDoubt, Error> {
    let mut doubts = GroupsInDoubt::default();
    for root in [read.sync_group, read.rotation_group].into_iter().flatten() {
        let rows = db
            .query(below!(""), params![domain.as_str(), run, root.as_uuid()])
            .await?;
        for row in rows {
            let group = codec::object(row.get("object_id")?)?;
            if group != root && !read.nested {
                continue;
            }
            if !row.get::<bool>("is_staged")? && group != root {
                doubts.vanished.push(group);
            } else if !row.get::<bool>("has_members")? || group == root {
                doubts.empty.push((group, row.get("had_members")?));
            }
        }
    }
    doubts.empty.sort_unstable();
    doubts.empty.dedup();
    Ok(doubts)
}

#[cfg(test)]
mod tests {
    use storage::{Database, Settings};
    use uuid::Uuid;

    use super::*;

    /// Or groups are looked for among all memberships, once for each group. SQLite alone: its planner keeps no statistics.
    #[tokio::test]
    async fn groups_are_followed_by_their_own_memberships_alone() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::at(dir.path().join("connector.db"));
        let db = Database::open_migrated(&settings, &crate::MIGRATIONS)
            .await
            .unwrap();

        let rows = db
            .read()
            .await
            .unwrap()
            .query(
                below!("EXPLAIN QUERY PLAN "),
                params!["corp", Uuid::nil(), Uuid::nil()],
            )
            .await
            .unwrap();

        let steps: Vec<String> = rows.iter().map(|row| row.get("detail").unwrap()).collect();
        let edges: Vec<&String> = steps.iter().filter(|step| step.contains("edge")).collect();
        assert!(edges.len() >= 3, "{steps:?}");
        for edge in edges {
            assert!(edge.contains("=? AND group_id=?)"), "{steps:?}");
        }
        db.close().await;
    }
}
