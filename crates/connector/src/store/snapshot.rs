//! Every account known of a domain, for consumers who lost track of the events.

use api::directory::v1 as proto;
use api::name::DomainName;
use directory::{DomainId, ObjectId, Presence};
use prost::Message;
use storage::{Reader, Row, Sql, params};
use uuid::Uuid;

use super::{Error, Store, codec, plan};

/// People known of a domain, by presence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct People {
    pub members: i64,
    pub rotation_only: i64,
    pub left: i64,
    pub deleted: i64,
}

/// A view of one instant, read page by page.
pub struct Snapshot {
    db: Reader,
    domain: DomainId,
    generation_base: i64,
    pinned: Option<proto::DirectoryPinned>,
    after: Option<ObjectId>,
}

/// How many accounts are read at once.
const PAGE: i64 = 500;

impl Snapshot {
    /// What the domain's settings turned out to mean; none before the first success. To be taken once.
    pub fn take_pinned(&mut self) -> Option<proto::DirectoryPinned> {
        self.pinned.take()
    }

    /// The next accounts, in the order of object ids; none at the end.
    pub async fn next(&mut self) -> Result<Vec<proto::Account>, Error> {
        let after = self.after.map_or(Uuid::nil(), |object| object.as_uuid());
        let rows = self
            .db
            .query(
                "SELECT object_id, generation, presence, in_rotation_group, state, unreadable FROM accounts
                 WHERE domain_id = $1 AND object_id > $2 ORDER BY object_id LIMIT $3",
                params![self.domain.as_str(), after, PAGE],
            )
            .await?;
        let mut accounts = Vec::with_capacity(rows.len());
        for row in &rows {
            let object = codec::object(row.get("object_id")?)?;
            let known = plan::known(&self.domain, object, row)?;
            accounts.push(codec::told(&self.domain, &known, self.generation_base));
            self.after = Some(object);
        }
        Ok(accounts)
    }
}

/// The pins as they were last told.
fn pinned(domain: &DomainId, row: &Row) -> Result<Option<proto::DirectoryPinned>, Error> {
    let Some(identity) = row.get::<Option<Vec<u8>>>("identity")? else {
        return Ok(None);
    };
    let group = |column: &str| -> Result<Option<proto::PinnedGroup>, Error> {
        let stored: Option<Vec<u8>> = row.get(column)?;
        Ok(stored.and_then(|stored| proto::PinnedGroup::decode(stored.as_slice()).ok()))
    };
    Ok(Some(proto::DirectoryPinned {
        domain: DomainName(domain.clone()).to_string(),
        identity: proto::DirectoryIdentity::decode(identity.as_slice()).ok(),
        sync_group: group("sync_group")?,
        rotation_group: group("rotation_group")?,
        generation: row.get("pin_generation")?,
    }))
}

impl Store {
    /// Absent for a domain never met.
    pub async fn snapshot(&self, domain: &DomainId) -> Result<Option<Snapshot>, Error> {
        let mut db = self.db.read().await?;
        let row = db
            .query_optional(
                "SELECT generation_base, identity, sync_group, rotation_group, pin_generation FROM domains
                 WHERE domain_id = $1",
                params![domain.as_str()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Snapshot {
            generation_base: row.get("generation_base")?,
            pinned: pinned(domain, &row)?,
            db,
            domain: domain.clone(),
            after: None,
        }))
    }

    pub async fn people(&self, domain: &DomainId) -> Result<People, Error> {
        let rows = self
            .db
            .read()
            .await?
            .query(
                "SELECT presence, COUNT(*) AS people FROM accounts WHERE domain_id = $1 GROUP BY presence",
                params![domain.as_str()],
            )
            .await?;
        let mut people = People::default();
        for row in &rows {
            let count = match codec::presence(row.get("presence")?)? {
                Presence::Member => &mut people.members,
                Presence::RotationOnly => &mut people.rotation_only,
                Presence::Left => &mut people.left,
                Presence::Deleted => &mut people.deleted,
            };
            *count = row.get("people")?;
        }
        Ok(people)
    }
}
