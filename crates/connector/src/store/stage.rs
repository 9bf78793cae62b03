//! What a run reads, kept apart from what is known until the plan is applied.

use std::collections::{BTreeMap, BTreeSet};

use directory::{DomainId, Group, ObjectId};
use storage::{Bulk, Sql, Transaction, params};
use sync::{Expansion, Issue, Page, Roots, RunId};

use super::{Error, codec};

static ACCOUNTS: Bulk = Bulk::insert(
    "INSERT INTO staged_accounts (run_id, object_id, state, unreadable) VALUES",
    4,
    "",
);

static GROUPS: Bulk = Bulk::insert(
    "INSERT INTO seen_groups (run_id, object_id, sid, name, dn) VALUES",
    5,
    "ON CONFLICT (run_id, object_id) DO UPDATE SET sid = excluded.sid, name = excluded.name, dn = excluded.dn",
);

static EDGES: Bulk = Bulk::insert(
    "INSERT INTO staged_edges (run_id, group_id, member_id) VALUES",
    3,
    "",
);

static FLAWED: Bulk = Bulk::insert(
    "INSERT INTO seen_flawed (run_id, object_id) VALUES",
    2,
    "ON CONFLICT DO NOTHING",
);

/// Keeps a page, and counts it for whoever watches.
pub(super) async fn page(
    tx: &mut Transaction,
    domain: &DomainId,
    RunId(run): RunId,
    page: &Page,
) -> Result<(), Error> {
    let accounts = page.accounts.iter().map(|account| {
        params![
            run,
            account.id.as_uuid(),
            codec::state(domain, account),
            codec::attribute_names(&account.unreadable)
        ]
    });
    ACCOUNTS.execute(tx, Vec::new(), accounts).await?;
    // Each once, for a statement may not meet a row twice.
    let groups: BTreeMap<ObjectId, &Group> = by_id(&page.groups, |group| group.id);
    let groups = groups.into_values().map(|group| {
        params![
            run,
            group.id.as_uuid(),
            group.sid.as_ref().map(ToString::to_string),
            group.name.clone(),
            group.dn.clone()
        ]
    });
    GROUPS.execute(tx, Vec::new(), groups).await?;
    let edges = page
        .edges
        .iter()
        .map(|edge| params![run, edge.group.as_uuid(), edge.member.as_uuid()]);
    EDGES.execute(tx, Vec::new(), edges).await?;
    let flawed: BTreeSet<ObjectId> = page
        .issues
        .iter()
        .filter_map(|issue| issue.object)
        .collect();
    let flawed = flawed
        .into_iter()
        .map(|object| params![run, object.as_uuid()]);
    FLAWED.execute(tx, Vec::new(), flawed).await?;
    issues(tx, RunId(run), &page.issues).await?;
    tx.execute(
        "UPDATE runs SET read_pages = read_pages + 1, read_accounts = read_accounts + $2, read_groups = read_groups + $3,
                read_memberships = read_memberships + $4
         WHERE run_id = $1",
        params![
            run,
            codec::number(page.accounts.len() as u64),
            codec::number(page.groups.len() as u64),
            codec::number(page.edges.len() as u64)
        ],
    )
    .await?;
    Ok(())
}

fn by_id<T>(items: &[T], id: impl Fn(&T) -> ObjectId) -> BTreeMap<ObjectId, &T> {
    items.iter().map(|item| (id(item), item)).collect()
}

/// Puts what was staged into the order of ids, each object as it was read last. Again after more was staged.
pub(super) async fn sort(tx: &mut Transaction, RunId(run): RunId) -> Result<(), Error> {
    for sql in [
        "INSERT INTO seen_accounts (run_id, object_id, state, unreadable)
         SELECT newest.run_id, newest.object_id, newest.state, newest.unreadable
         FROM (SELECT run_id, object_id, state, unreadable,
                      ROW_NUMBER() OVER (PARTITION BY object_id ORDER BY seq DESC) AS nth
               FROM staged_accounts WHERE run_id = $1) newest
         WHERE newest.nth = 1 ORDER BY newest.object_id
         ON CONFLICT (run_id, object_id) DO UPDATE SET state = excluded.state, unreadable = excluded.unreadable",
        "INSERT INTO seen_edges (run_id, group_id, member_id)
         SELECT run_id, group_id, member_id FROM staged_edges WHERE run_id = $1 ORDER BY group_id, member_id
         ON CONFLICT DO NOTHING",
        "DELETE FROM staged_accounts WHERE run_id = $1",
        "DELETE FROM staged_edges WHERE run_id = $1",
    ] {
        tx.execute(sql, params![run]).await?;
    }
    Ok(())
}

/// How many issues of a run are kept whole; the rest are counted.
const KEPT_ISSUES: i64 = 100;

pub(super) async fn issues(
    tx: &mut Transaction,
    RunId(run): RunId,
    issues: &[Issue],
) -> Result<(), Error> {
    if issues.is_empty() {
        return Ok(());
    }
    let row = tx
        .query_one(
            "SELECT issue_count FROM runs WHERE run_id = $1",
            params![run],
        )
        .await?;
    let had: i64 = row.get("issue_count")?;
    let room = usize::try_from(KEPT_ISSUES.saturating_sub(had)).unwrap_or(0);
    for (number, issue) in (had + 1..).zip(issues.iter().take(room)) {
        tx.execute(
            "INSERT INTO issues (run_id, number, object_id, reason, message) VALUES ($1, $2, $3, $4, $5)",
            params![
                run,
                number,
                issue.object.map(|object| object.as_uuid()),
                issue.code.name(),
                issue.reason.clone()
            ],
        )
        .await?;
    }
    tx.execute(
        "UPDATE runs SET issue_count = issue_count + $2 WHERE run_id = $1",
        params![run, codec::number(issues.len() as u64)],
    )
    .await?;
    Ok(())
}

/// Everything below a group, groups in groups included; `UNION` drops what was reached before, so cycles end.
///
/// CROSS JOIN, because SQLite keeps its order: left to choose, it walks all edges for each object reached, which for a
/// group of 10,000 takes half a minute instead of a tenth of a second. COALESCE with what is never there gives the group's
/// id the collation of a column, without which PostgreSQL refuses the union.
const NESTED_SYNC: &str = "
    INSERT INTO seen_members (run_id, object_id, in_sync_group, in_rotation_group)
    WITH RECURSIVE reached (object_id) AS (
        SELECT COALESCE((SELECT run_id FROM seen_groups WHERE 1 = 0), $2)
        UNION
        SELECT edge.member_id FROM reached CROSS JOIN seen_edges edge
        WHERE edge.run_id = $1 AND edge.group_id = reached.object_id
    )
    SELECT $1, object_id, 1, 0 FROM reached
    WHERE object_id <> $2 AND NOT EXISTS (
        SELECT 1 FROM seen_groups grp WHERE grp.run_id = $1 AND grp.object_id = reached.object_id
    )
    ORDER BY object_id
    ON CONFLICT (run_id, object_id) DO UPDATE SET in_sync_group = 1";

const NESTED_ROTATION: &str = "
    INSERT INTO seen_members (run_id, object_id, in_sync_group, in_rotation_group)
    WITH RECURSIVE reached (object_id) AS (
        SELECT COALESCE((SELECT run_id FROM seen_groups WHERE 1 = 0), $2)
        UNION
        SELECT edge.member_id FROM reached CROSS JOIN seen_edges edge
        WHERE edge.run_id = $1 AND edge.group_id = reached.object_id
    )
    SELECT $1, object_id, 0, 1 FROM reached
    WHERE object_id <> $2 AND NOT EXISTS (
        SELECT 1 FROM seen_groups grp WHERE grp.run_id = $1 AND grp.object_id = reached.object_id
    )
    ORDER BY object_id
    ON CONFLICT (run_id, object_id) DO UPDATE SET in_rotation_group = 1";

const DIRECT_SYNC: &str = "
    INSERT INTO seen_members (run_id, object_id, in_sync_group, in_rotation_group)
    SELECT $1, edge.member_id, 1, 0 FROM seen_edges edge
    WHERE edge.run_id = $1 AND edge.group_id = $2 AND NOT EXISTS (
        SELECT 1 FROM seen_groups grp WHERE grp.run_id = $1 AND grp.object_id = edge.member_id
    )
    ON CONFLICT (run_id, object_id) DO UPDATE SET in_sync_group = 1";

const DIRECT_ROTATION: &str = "
    INSERT INTO seen_members (run_id, object_id, in_sync_group, in_rotation_group)
    SELECT $1, edge.member_id, 0, 1 FROM seen_edges edge
    WHERE edge.run_id = $1 AND edge.group_id = $2 AND NOT EXISTS (
        SELECT 1 FROM seen_groups grp WHERE grp.run_id = $1 AND grp.object_id = edge.member_id
    )
    ON CONFLICT (run_id, object_id) DO UPDATE SET in_rotation_group = 1";

/// Computes who is in the two groups.
pub(super) async fn expand(
    tx: &mut Transaction,
    RunId(run): RunId,
    roots: Roots,
) -> Result<Expansion, Error> {
    let (sync, rotation) = if roots.nested {
        (NESTED_SYNC, NESTED_ROTATION)
    } else {
        (DIRECT_SYNC, DIRECT_ROTATION)
    };
    sort(tx, RunId(run)).await?;
    tx.execute("DELETE FROM seen_members WHERE run_id = $1", params![run])
        .await?;
    let mut root = async |sql: &'static str, group: Option<ObjectId>| match group {
        Some(group) => tx.execute(sql, params![run, group.as_uuid()]).await,
        None => Ok(0),
    };
    let sync_members = root(sync, roots.sync_group).await?;
    let rotation_members = root(rotation, roots.rotation_group).await?;
    tx.execute(
        "UPDATE runs SET read_members = $2 WHERE run_id = $1",
        params![run, codec::number(sync_members)],
    )
    .await?;
    Ok(Expansion {
        sync_members,
        rotation_members,
    })
}

/// Makes the staged groups and memberships the known ones, writing only what differs.
pub(super) async fn adopt(
    tx: &mut Transaction,
    domain: &DomainId,
    RunId(run): RunId,
) -> Result<(), Error> {
    for sql in [
        "DELETE FROM known_edges WHERE domain_id = $1 AND NOT EXISTS (
             SELECT 1 FROM seen_edges seen
             WHERE seen.run_id = $2 AND seen.group_id = known_edges.group_id AND seen.member_id = known_edges.member_id)",
        "INSERT INTO known_edges (domain_id, group_id, member_id)
         SELECT $1, seen.group_id, seen.member_id FROM seen_edges seen
         WHERE seen.run_id = $2 AND NOT EXISTS (
             SELECT 1 FROM known_edges known
             WHERE known.domain_id = $1 AND known.group_id = seen.group_id AND known.member_id = seen.member_id)",
        "DELETE FROM known_groups WHERE domain_id = $1 AND NOT EXISTS (
             SELECT 1 FROM seen_groups seen WHERE seen.run_id = $2 AND seen.object_id = known_groups.object_id)",
        "INSERT INTO known_groups (domain_id, object_id, sid, name, dn)
         SELECT $1, seen.object_id, seen.sid, seen.name, seen.dn FROM seen_groups seen
         WHERE seen.run_id = $2 AND NOT EXISTS (
             SELECT 1 FROM known_groups known
             WHERE known.domain_id = $1 AND known.object_id = seen.object_id AND known.name = seen.name
                   AND known.dn = seen.dn AND COALESCE(known.sid, '') = COALESCE(seen.sid, ''))
         ON CONFLICT (domain_id, object_id) DO UPDATE SET sid = excluded.sid, name = excluded.name, dn = excluded.dn",
    ] {
        tx.execute(sql, params![domain.as_str(), run]).await?;
    }
    Ok(())
}

/// Forgets what the run has read.
pub(super) async fn clear(tx: &mut Transaction, RunId(run): RunId) -> Result<(), Error> {
    for sql in [
        "DELETE FROM staged_accounts WHERE run_id = $1",
        "DELETE FROM staged_edges WHERE run_id = $1",
        "DELETE FROM seen_accounts WHERE run_id = $1",
        "DELETE FROM seen_groups WHERE run_id = $1",
        "DELETE FROM seen_edges WHERE run_id = $1",
        "DELETE FROM seen_flawed WHERE run_id = $1",
        "DELETE FROM seen_members WHERE run_id = $1",
        "UPDATE runs SET staged = 0 WHERE run_id = $1",
    ] {
        tx.execute(sql, params![run]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use storage::{Database, Settings};

    use super::*;
    use crate::store::MIGRATIONS;

    #[tokio::test]
    async fn an_object_that_came_twice_is_as_it_came_last_and_order_is_no_matter() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::at(folder.path().join("test.db"));
        let database = Database::open_migrated(&settings, &MIGRATIONS)
            .await
            .unwrap();
        let run = RunId(uuid::Uuid::from_u128(1));
        let mut tx = database.begin().await.unwrap();
        for (object, state) in [("b", "first"), ("a", "only"), ("b", "last")] {
            let row = params![run.0, object, state.as_bytes(), ""];
            ACCOUNTS.execute(&mut tx, Vec::new(), [row]).await.unwrap();
        }

        // More may come after what is there was sorted.
        sort(&mut tx, run).await.unwrap();
        let row = params![run.0, "a", "changed".as_bytes(), ""];
        ACCOUNTS.execute(&mut tx, Vec::new(), [row]).await.unwrap();
        sort(&mut tx, run).await.unwrap();

        let sql = "SELECT object_id, state FROM seen_accounts ORDER BY object_id";
        let rows = tx.query(sql, params![]).await.unwrap();
        let found: Vec<(String, Vec<u8>)> = rows
            .iter()
            .map(|row| (row.get("object_id").unwrap(), row.get("state").unwrap()))
            .collect();
        let expected = [("a", "changed"), ("b", "last")]
            .map(|(object, state)| (object.to_owned(), state.as_bytes().to_vec()));
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn expansion_looks_members_up_by_their_group() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::at(folder.path().join("test.db"));
        let database = Database::open_migrated(&settings, &MIGRATIONS)
            .await
            .unwrap();
        let mut reader = database.read().await.unwrap();

        for sql in [NESTED_SYNC, NESTED_ROTATION, DIRECT_SYNC, DIRECT_ROTATION] {
            let explain: &'static str =
                Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
            let rows = reader
                .query(explain, params!["run", "group"])
                .await
                .unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail").unwrap()).collect();

            let lookup = "SEARCH edge USING PRIMARY KEY (run_id=? AND group_id=?)";
            assert!(plan.iter().any(|step| step == lookup), "{sql}\n{plan:#?}");
        }
    }
}
