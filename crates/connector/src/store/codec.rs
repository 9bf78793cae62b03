//! Between the pure types and columns.

use api::convert::account::KnownAccount;
use api::directory::v1 as proto;
use api::name::AccountName;
use directory::{Account, AccountKey, Attribute, Cursor, DomainId, Mechanism, ObjectId, Presence};
use prost::Message;
use sync::Known;
use uuid::Uuid;

use super::Error;

pub(super) fn presence_number(presence: Presence) -> i64 {
    i32::from(api::convert::account::presence_to_proto(presence)).into()
}

pub(super) fn presence(number: i64) -> Result<Presence, Error> {
    i32::try_from(number)
        .ok()
        .and_then(|number| proto::Presence::try_from(number).ok())
        .and_then(|presence| api::convert::account::presence_from_proto(presence).ok())
        .ok_or(Error::Corrupt("presence"))
}

/// What the directory says of an account: what surrounds it is in other columns.
pub(super) fn state(domain: &DomainId, account: &Account) -> Vec<u8> {
    let message = proto::Account {
        name: String::new(),
        presence: 0,
        ..proto::Account::from(&KnownAccount {
            domain: domain.clone(),
            account: account.clone(),
            presence: Presence::Member,
            in_sync_group: false,
            in_rotation_group: false,
            generation: 0,
        })
    };
    message.encode_to_vec()
}

pub(super) fn account(
    domain: &DomainId,
    object: ObjectId,
    state: &[u8],
    unreadable: &str,
) -> Result<Account, Error> {
    let message = proto::Account {
        name: AccountName(AccountKey {
            domain: domain.clone(),
            object,
        })
        .to_string(),
        presence: proto::Presence::Member.into(),
        ..proto::Account::decode(state).map_err(|_| Error::Corrupt("account state"))?
    };
    let mut account = KnownAccount::try_from(message)
        .map_err(|_| Error::Corrupt("account state"))?
        .account;
    account.unreadable = attributes(unreadable)?;
    Ok(account)
}

/// The account as others are told of it.
pub(super) fn told(domain: &DomainId, known: &Known, generation_base: i64) -> proto::Account {
    proto::Account::from(&KnownAccount {
        domain: domain.clone(),
        account: known.account.clone(),
        presence: known.presence,
        in_sync_group: known.presence == Presence::Member,
        in_rotation_group: known.in_rotation_group,
        generation: generation_base.saturating_add(number(known.generation)),
    })
}

pub(super) fn attribute_names(attributes: &[Attribute]) -> String {
    let names: Vec<&str> = attributes
        .iter()
        .map(|attribute| attribute.name())
        .collect();
    names.join(",")
}

fn attributes(names: &str) -> Result<Vec<Attribute>, Error> {
    names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| Attribute::from_name(name).ok_or(Error::Corrupt("attribute name")))
        .collect()
}

pub(super) fn object(id: Uuid) -> Result<ObjectId, Error> {
    ObjectId::from_uuid(id).map_err(|_| Error::Corrupt("object id"))
}

/// Counts fit: no directory has 2⁶³ of anything.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn mechanism_name(cursor: &Cursor) -> &'static str {
    match cursor.mechanism {
        Mechanism::UpdateSequence => "UPDATE_SEQUENCE",
        Mechanism::DirSync => "DIR_SYNC",
        Mechanism::GraphDelta => "GRAPH_DELTA",
    }
}
