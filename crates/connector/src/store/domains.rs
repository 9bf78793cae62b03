//! Domains: what is pinned of each (S9), and what becomes of its state when its record goes or is made anew.

use api::directory::v1 as proto;
use api::directory::v1::DirectoryPinned;
use directory::{DomainId, ObjectId};
use jiff::Timestamp;
use prost::Message;
use storage::{Sql, Transaction, params};
use sync::{GroupPin, Identity, Pins};

use super::outbox::Teller;
use super::{Error, Store};

/// A domain's record at config-service, as far as the store cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    pub id: DomainId,
    /// When the record was made: another time under the same id is another domain.
    pub record_time: Timestamp,
    pub deleted: bool,
}

/// What was seen of the directory beside its pins, where it was looked at.
pub(super) struct Shown {
    pub(super) identity: Option<proto::DirectoryIdentity>,
    /// The names the groups have now.
    pub(super) sync_group: Option<String>,
    pub(super) rotation_group: Option<String>,
}

/// No group has this name: a pin under it is found anew.
const TO_BE_FOUND_ANEW: &str = "";

/// What the domain is held to. Groups pinned for older settings are to be found anew.
pub(super) async fn pins(
    db: &mut impl Sql,
    domain: &DomainId,
    group_revision: i64,
) -> Result<Option<Pins>, Error> {
    let row = db
        .query_optional(
            "SELECT identity_fields, sync_group, rotation_group, group_revision FROM domains WHERE domain_id = $1",
            params![domain.as_str()],
        )
        .await?
        .ok_or(Error::NoSuchDomain)?;
    let fields: Option<String> = row.get("identity_fields")?;
    let group: Option<Vec<u8>> = row.get("sync_group")?;
    let (Some(fields), Some(group)) = (fields, group) else {
        return Ok(None);
    };
    let is_current = row.get::<i64>("group_revision")? >= group_revision;
    let pin = |stored: &[u8]| {
        let group =
            proto::PinnedGroup::decode(stored).map_err(|_| Error::Corrupt("pinned group"))?;
        let id: ObjectId = group
            .id
            .parse()
            .map_err(|_| Error::Corrupt("pinned group"))?;
        Ok::<_, Error>(GroupPin {
            id,
            name: if is_current {
                group.configured_name
            } else {
                TO_BE_FOUND_ANEW.to_owned()
            },
        })
    };
    let rotation: Option<Vec<u8>> = row.get("rotation_group")?;
    Ok(Some(Pins {
        identity: Identity::new(fields.lines().filter_map(|line| line.split_once('='))),
        sync_group: pin(&group)?,
        rotation_group: rotation.as_deref().map(pin).transpose()?,
    }))
}

fn fields_text(identity: &Identity) -> String {
    let lines: Vec<String> = identity
        .fields()
        .map(|(field, value)| format!("{field}={value}"))
        .collect();
    lines.join("\n")
}

/// The other domain that is this directory.
pub(super) async fn owner_of(
    db: &mut impl Sql,
    domain: &DomainId,
    identity: &Identity,
) -> Result<Option<DomainId>, Error> {
    for (field, value) in identity.fields() {
        let row = db
            .query_optional(
                "SELECT domain_id FROM directory_claims WHERE field = $1 AND value = $2 AND domain_id <> $3",
                params![field, value, domain.as_str()],
            )
            .await?;
        if let Some(row) = row {
            let owner: String = row.get("domain_id")?;
            return Ok(Some(
                owner.parse().map_err(|_| Error::Corrupt("domain id"))?,
            ));
        }
    }
    Ok(None)
}

/// Claims the directory for the domain. Somebody else's claim stands.
async fn claim(tx: &mut Transaction, domain: &DomainId, identity: &Identity) -> Result<(), Error> {
    for (field, value) in identity.fields() {
        tx.execute(
            "INSERT INTO directory_claims (field, value, domain_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            params![field, value, domain.as_str()],
        )
        .await?;
    }
    match owner_of(tx, domain, identity).await? {
        Some(owner) => Err(Error::Taken(owner)),
        None => Ok(()),
    }
}

/// Pins what a run found, and tells if that is news.
pub(super) async fn pin(
    tx: &mut Transaction,
    teller: Teller<'_>,
    pins: &Pins,
    shown: Shown,
    group_revision: i64,
) -> Result<(), Error> {
    let domain = teller.domain;
    claim(tx, domain, &pins.identity).await?;
    let row = tx
        .query_one(
            "SELECT identity, sync_group, rotation_group, pin_generation FROM domains WHERE domain_id = $1",
            params![domain.as_str()],
        )
        .await?;
    let was: [Option<Vec<u8>>; 3] = [
        row.get("identity")?,
        row.get("sync_group")?,
        row.get("rotation_group")?,
    ];
    let named = |pin: &GroupPin, was: &Option<Vec<u8>>, now: Option<String>| {
        // A group that wasn't looked at, or wasn't there, keeps the name it had.
        let had = was
            .as_deref()
            .and_then(|was| proto::PinnedGroup::decode(was).ok())
            .map(|was| was.current_name);
        proto::PinnedGroup {
            id: pin.id.to_string(),
            configured_name: pin.name.clone(),
            current_name: now.or(had).unwrap_or_else(|| pin.name.clone()),
        }
    };
    let sync_group = named(&pins.sync_group, &was[1], shown.sync_group);
    let rotation_group = pins
        .rotation_group
        .as_ref()
        .map(|pin| named(pin, &was[2], shown.rotation_group));
    let identity = match (shown.identity, &was[0]) {
        (Some(identity), _) => Some(identity),
        (None, Some(was)) => proto::DirectoryIdentity::decode(was.as_slice()).ok(),
        (None, None) => None,
    };
    let now = [
        identity.as_ref().map(Message::encode_to_vec),
        Some(sync_group.encode_to_vec()),
        rotation_group.as_ref().map(Message::encode_to_vec),
    ];
    let is_news = now != was;
    let generation = row.get::<i64>("pin_generation")? + i64::from(is_news);
    let [identity_stored, sync_stored, rotation_stored] = now;
    tx.execute(
        "UPDATE domains SET identity_fields = $2, identity = $3, sync_group = $4, rotation_group = $5,
                group_revision = $6, pin_generation = $7
         WHERE domain_id = $1",
        params![
            domain.as_str(),
            fields_text(&pins.identity),
            identity_stored,
            sync_stored,
            rotation_stored,
            group_revision,
            generation
        ],
    )
    .await?;
    if is_news {
        let pinned = DirectoryPinned {
            domain: String::new(),
            identity,
            sync_group: Some(sync_group),
            rotation_group,
            generation,
        };
        teller.pinned(tx, pinned).await?;
    }
    Ok(())
}

impl Store {
    /// Takes note of a domain's record: makes room for a new one, begins anew for one that was made anew, and gives up
    /// a deleted one's claim on its directory.
    pub async fn meet(&self, domain: &Domain) -> Result<(), Error> {
        let id = domain.id.as_str();
        let mut tx = self.db.begin().await?;
        tx.execute(
            "INSERT INTO domains (domain_id, record_time) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            params![id, domain.record_time],
        )
        .await?;
        let row = tx
            .query_one(
                "SELECT record_time, identity_fields FROM domains WHERE domain_id = $1",
                params![id],
            )
            .await?;
        tx.execute(
            "UPDATE domains SET forgotten_time = NULL WHERE domain_id = $1 AND forgotten_time IS NOT NULL",
            params![id],
        )
        .await?;
        let known: Timestamp = row.get("record_time")?;
        if domain.record_time < known {
            // Listed before the record was made anew, and told late: another replica knows better.
            return Ok(());
        }
        if domain.record_time > known {
            begin_anew(&mut tx, domain, self.clock.now()).await?;
        } else if domain.deleted {
            release(&mut tx, id).await?;
        } else if let Some(fields) = row.get::<Option<String>>("identity_fields")? {
            // Undeleted, perhaps. If another domain took the directory meanwhile, the next run says so.
            let identity = Identity::new(fields.lines().filter_map(|line| line.split_once('=')));
            if owner_of(&mut tx, &domain.id, &identity).await?.is_none() {
                claim(&mut tx, &domain.id, &identity).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// Gives up the claim of a domain that config-service doesn't know any more, and notes since when it doesn't.
    pub async fn forget(&self, domain: &DomainId) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        release(&mut tx, domain.as_str()).await?;
        tx.execute(
            "UPDATE domains SET forgotten_time = $2 WHERE domain_id = $1 AND forgotten_time IS NULL",
            params![domain.as_str(), self.clock.now()],
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// Every domain ever met.
    pub async fn domains(&self) -> Result<Vec<DomainId>, Error> {
        let rows = self
            .db
            .read()
            .await?
            .query(
                "SELECT domain_id FROM domains ORDER BY domain_id",
                params![],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let id: String = row.get("domain_id")?;
                id.parse().map_err(|_| Error::Corrupt("domain id"))
            })
            .collect()
    }
}

async fn release(tx: &mut Transaction, domain: &str) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM directory_claims WHERE domain_id = $1",
        params![domain],
    )
    .await?;
    Ok(())
}

/// Another domain has the id now: nothing of the old one is known of it. Runs stay, as history.
pub(super) async fn begin_anew(
    tx: &mut Transaction,
    domain: &Domain,
    now: Timestamp,
) -> Result<(), Error> {
    let id = domain.id.as_str();
    let row = tx
        .query_one(
            "SELECT COALESCE(MAX(generation), 0) AS last FROM accounts WHERE domain_id = $1",
            params![id],
        )
        .await?;
    let last: i64 = row.get("last")?;
    for sql in [
        "DELETE FROM directory_claims WHERE domain_id = $1",
        "DELETE FROM accounts WHERE domain_id = $1",
        "DELETE FROM known_groups WHERE domain_id = $1",
        "DELETE FROM known_edges WHERE domain_id = $1",
        // They were of another directory, perhaps: their plans mean nothing here, their limits neither.
        "UPDATE runs SET counted = 0 WHERE domain_id = $1",
    ] {
        tx.execute(sql, params![id]).await?;
    }
    tx.execute(
        "UPDATE runs SET state = 'SUPERSEDED', end_time = $2 WHERE domain_id = $1
             AND state IN ('QUEUED', 'READING', 'PLANNING', 'HELD', 'APPROVED', 'APPLYING')",
        params![id, now],
    )
    .await?;
    tx.execute(
        "UPDATE domains SET record_time = $2, generation_base = generation_base + $3, identity_fields = NULL,
                identity = NULL, sync_group = NULL, rotation_group = NULL, group_revision = 0, next_run_at = NULL,
                consecutive_failures = 0, last_success_run = NULL, last_success_at = NULL, cursor_mechanism = NULL
         WHERE domain_id = $1",
        params![id, domain.record_time, last],
    )
    .await?;
    Ok(())
}
