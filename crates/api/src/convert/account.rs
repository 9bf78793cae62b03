//! Accounts.

use directory::{Account, AccountKey, AccountState, DomainId, Flag, Kind, ObjectId, Presence};

use super::{ConvertError, time};
use crate::directory::v1 as proto;
use crate::name::AccountName;

/// What surrounds an account when it is told to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAccount {
    pub domain: DomainId,
    pub account: Account,
    pub presence: Presence,
    pub in_sync_group: bool,
    pub in_rotation_group: bool,
    /// Grows with every change of this account.
    pub generation: i64,
}

impl KnownAccount {
    pub fn key(&self) -> AccountKey {
        AccountKey {
            domain: self.domain.clone(),
            object: self.account.id,
        }
    }
}

impl From<&KnownAccount> for proto::Account {
    fn from(known: &KnownAccount) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let account = &known.account;
        Self {
            name: AccountName(known.key()).to_string(),
            generation: known.generation,
            presence: presence_to_proto(known.presence).into(),
            kind: match account.kind {
                Kind::Member => proto::AccountKind::Member,
                Kind::Guest => proto::AccountKind::Guest,
            }
            .into(),
            logon_name: account.logon_name.clone(),
            user_principal_name: text(&account.user_principal_name),
            distinguished_name: account.dn.clone(),
            security_identifier: account
                .sid
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            display_name: text(&account.display_name),
            given_name: text(&account.given_name),
            surname: text(&account.surname),
            mail: text(&account.mail),
            phone: text(&account.phone),
            department: text(&account.department),
            company: text(&account.company),
            title: text(&account.title),
            state: Some(state_to_proto(account.state)),
            password_set_time: account.password_last_set.map(time::to_proto),
            account_expire_time: account.expires.map(time::to_proto),
            in_sync_group: known.in_sync_group,
            in_rotation_group: known.in_rotation_group,
        }
    }
}

impl TryFrom<proto::Account> for KnownAccount {
    type Error = ConvertError;

    fn try_from(message: proto::Account) -> Result<Self, ConvertError> {
        let presence = presence_from_proto(message.presence())?;
        let kind = match message.kind() {
            proto::AccountKind::Member => Kind::Member,
            proto::AccountKind::Guest => Kind::Guest,
            proto::AccountKind::Unspecified => {
                return Err(ConvertError::new("kind", "must be specified"));
            }
        };
        let AccountName(AccountKey { domain, object }) = message
            .name
            .parse()
            .map_err(|error| ConvertError::new("name", format!("is invalid: {error}")))?;
        let sid = match message.security_identifier.as_str() {
            "" => None,
            sid => Some(sid.parse().map_err(|error| {
                ConvertError::new("security_identifier", format!("is invalid: {error}"))
            })?),
        };
        let account = Account {
            id: object,
            sid,
            kind,
            logon_name: message.logon_name,
            dn: message.distinguished_name,
            user_principal_name: non_empty(message.user_principal_name),
            display_name: non_empty(message.display_name),
            given_name: non_empty(message.given_name),
            surname: non_empty(message.surname),
            mail: non_empty(message.mail),
            phone: non_empty(message.phone),
            department: non_empty(message.department),
            company: non_empty(message.company),
            title: non_empty(message.title),
            state: state_from_proto(message.state.unwrap_or_default())?,
            password_last_set: message
                .password_set_time
                .map(|value| time::from_proto("password_set_time", &value))
                .transpose()?,
            expires: message
                .account_expire_time
                .map(|value| time::from_proto("account_expire_time", &value))
                .transpose()?,
            unreadable: Vec::new(),
        };
        Ok(Self {
            domain,
            account,
            presence,
            in_sync_group: message.in_sync_group,
            in_rotation_group: message.in_rotation_group,
            generation: message.generation,
        })
    }
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// The object id in an account's resource name.
pub fn object_id(account: &proto::Account) -> Result<ObjectId, ConvertError> {
    account
        .name
        .parse()
        .map(|AccountName(key)| key.object)
        .map_err(|error| ConvertError::new("name", format!("is invalid: {error}")))
}

pub fn presence_to_proto(presence: Presence) -> proto::Presence {
    match presence {
        Presence::Member => proto::Presence::Member,
        Presence::RotationOnly => proto::Presence::RotationOnly,
        Presence::Left => proto::Presence::Left,
        Presence::Deleted => proto::Presence::Deleted,
    }
}

pub fn presence_from_proto(presence: proto::Presence) -> Result<Presence, ConvertError> {
    match presence {
        proto::Presence::Member => Ok(Presence::Member),
        proto::Presence::RotationOnly => Ok(Presence::RotationOnly),
        proto::Presence::Left => Ok(Presence::Left),
        proto::Presence::Deleted => Ok(Presence::Deleted),
        proto::Presence::Unspecified => Err(ConvertError::new("presence", "must be specified")),
    }
}

fn state_to_proto(state: AccountState) -> proto::AccountState {
    proto::AccountState {
        disabled: state.disabled,
        locked: state.locked,
        expired: state.expired,
        password_expired: state.password_expired,
        must_change_password: state.must_change_password,
        smartcard_required: state.smartcard_required,
        privileged: match state.privileged {
            Flag::No => proto::Privilege::No,
            Flag::Yes => proto::Privilege::Yes,
            Flag::Unknown => proto::Privilege::Unknown,
        }
        .into(),
    }
}

fn state_from_proto(state: proto::AccountState) -> Result<AccountState, ConvertError> {
    Ok(AccountState {
        privileged: match state.privileged() {
            proto::Privilege::No => Flag::No,
            proto::Privilege::Yes => Flag::Yes,
            // Not told is not "ordinary".
            proto::Privilege::Unknown | proto::Privilege::Unspecified => Flag::Unknown,
        },
        disabled: state.disabled,
        locked: state.locked,
        expired: state.expired,
        password_expired: state.password_expired,
        must_change_password: state.must_change_password,
        smartcard_required: state.smartcard_required,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_survives_the_trip_through_protobuf() {
        let known = KnownAccount {
            domain: "corp.example.com".parse().unwrap(),
            account: Account {
                id: "8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e".parse().unwrap(),
                sid: Some("S-1-5-21-1-2-3-1104".parse().unwrap()),
                kind: Kind::Member,
                logon_name: "ada".into(),
                dn: "CN=Ada,DC=corp".into(),
                user_principal_name: Some("ada@corp.example.com".into()),
                display_name: Some("Ada".into()),
                given_name: None,
                surname: Some("Lovelace".into()),
                mail: Some("ada@corp.example.com".into()),
                phone: None,
                department: None,
                company: None,
                title: None,
                state: AccountState {
                    locked: true,
                    privileged: Flag::Unknown,
                    ..AccountState::enabled()
                },
                password_last_set: Some("2026-01-01T00:00:00Z".parse().unwrap()),
                expires: None,
                unreadable: vec![],
            },
            presence: Presence::Left,
            in_sync_group: false,
            in_rotation_group: true,
            generation: 7,
        };

        let message = proto::Account::from(&known);

        assert_eq!(KnownAccount::try_from(message), Ok(known));
    }
}
