//! From an object as sent to an account or a group.

use directory::{Account, AccountState, Flag, Group, Kind, ObjectId, Sid};
use jiff::Timestamp;

use crate::issue::{Issue, IssueKind};
use crate::object::Object;
use crate::time;

/// What is asked for of a person. Constructed attributes come only when named.
pub(crate) const ACCOUNT_ATTRIBUTES: &[&str] = &[
    "objectClass",
    "objectGUID",
    "objectSid",
    "sAMAccountName",
    "userPrincipalName",
    "displayName",
    "givenName",
    "sn",
    "mail",
    "telephoneNumber",
    "department",
    "company",
    "title",
    "userAccountControl",
    "msDS-User-Account-Control-Computed",
    "msDS-SecondaryKrbTgtNumber",
    "pwdLastSet",
    "accountExpires",
    "adminCount",
    "isCriticalSystemObject",
    "primaryGroupID",
];

pub(crate) const GROUP_ATTRIBUTES: &[&str] = &[
    "objectGUID",
    "objectSid",
    "sAMAccountName",
    "cn",
    "uSNChanged",
];

/// userAccountControl ([MS-ADTS] 2.2.16).
mod uac {
    pub(super) const DISABLED: i64 = 0x2;
    /// In the computed attribute only: the stored bit is not live.
    pub(super) const LOCKED: i64 = 0x10;
    /// Trust accounts of domains, workstations and domain controllers.
    pub(super) const TRUST: i64 = 0x800 | 0x1000 | 0x2000;
    pub(super) const NEVER_EXPIRES: i64 = 0x10000;
    pub(super) const SMARTCARD: i64 = 0x40000;
    /// In the computed attribute only.
    pub(super) const PASSWORD_EXPIRED: i64 = 0x80_0000;
}

/// RID of krbtgt, whose password is the domain's own secret.
const KRBTGT: u32 = 502;
/// RID of the built-in administrator: privileged though no attribute said so.
const ADMINISTRATOR: u32 = 500;

/// What an object turned out to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Person {
    Account {
        account: Box<Account>,
        primary_group: Option<u32>,
    },
    /// No person: a computer, a managed service account, a trust, krbtgt.
    Other,
    Issue(Issue),
}

/// What decoding needs beside the object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// By the directory's clock.
    pub(crate) now: Timestamp,
    /// Whether an absent adminCount means that there is none.
    pub(crate) admin_count_is_readable: bool,
}

/// Decodes a person. What is always there and yet isn't was withheld: an issue, not a change.
pub(crate) fn person(object: &Object, context: Context) -> Person {
    let id = object_id(object);
    let issue = |kind, reason: &str| {
        Person::Issue(Issue {
            kind,
            object: id,
            dn: object.dn.clone(),
            reason: reason.to_owned(),
        })
    };
    let has_class = |class: &str| {
        object
            .texts("objectClass")
            .any(|found| found.eq_ignore_ascii_case(class))
    };
    if has_class("computer") || has_class("msDS-GroupManagedServiceAccount") {
        return Person::Other;
    }
    let sid = object
        .bytes("objectSid")
        .and_then(|bytes| Sid::from_bytes(bytes).ok());
    let rid = sid.as_ref().and_then(Sid::rid);
    if rid == Some(KRBTGT) || object.text("msDS-SecondaryKrbTgtNumber").is_some() {
        return Person::Other;
    }
    if is_conflict(&object.dn) {
        return issue(
            IssueKind::Conflict,
            "it is the losing copy of a replication conflict",
        );
    }
    let Some(id) = id else {
        return issue(IssueKind::Unreadable, "its objectGUID cannot be read");
    };
    let Some(control) = object.number("userAccountControl") else {
        return issue(
            IssueKind::Unreadable,
            "its userAccountControl cannot be read",
        );
    };
    if control & uac::TRUST != 0 {
        return Person::Other;
    }
    let Some(logon_name) = object
        .text("sAMAccountName")
        .filter(|name| !name.is_empty())
    else {
        return issue(IssueKind::Unreadable, "its sAMAccountName cannot be read");
    };
    let computed = object.number("msDS-User-Account-Control-Computed");
    let password_expired = match computed {
        Some(computed) => computed & uac::PASSWORD_EXPIRED != 0,
        None => false,
    };
    let last_set = object.number("pwdLastSet");
    let must_change_password = last_set == Some(0)
        && (password_expired || computed.is_none() && control & uac::NEVER_EXPIRES == 0);
    let expires = object.number("accountExpires").and_then(time::filetime);
    let flagged = object.number("adminCount").is_some_and(|count| count > 0)
        || object.is_true("isCriticalSystemObject")
        || rid == Some(ADMINISTRATOR);
    let privileged = match (flagged, context.admin_count_is_readable) {
        (true, _) => Flag::Yes,
        (false, true) => Flag::No,
        (false, false) => Flag::Unknown,
    };
    let text = |name: &str| {
        object
            .text(name)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let account = Account {
        id,
        kind: Kind::Member,
        logon_name: logon_name.to_owned(),
        dn: object.dn.clone(),
        user_principal_name: text("userPrincipalName"),
        display_name: text("displayName"),
        given_name: text("givenName"),
        surname: text("sn"),
        mail: text("mail"),
        phone: text("telephoneNumber"),
        department: text("department"),
        company: text("company"),
        title: text("title"),
        state: AccountState {
            disabled: control & uac::DISABLED != 0,
            locked: computed.is_some_and(|computed| computed & uac::LOCKED != 0),
            expired: expires.is_some_and(|expires| expires <= context.now),
            password_expired: password_expired && !must_change_password,
            must_change_password,
            smartcard_required: control & uac::SMARTCARD != 0,
            privileged,
        },
        password_last_set: last_set.and_then(time::filetime),
        expires,
        unreadable: Vec::new(),
        sid,
    };
    Person::Account {
        account: Box::new(account),
        primary_group: object
            .number("primaryGroupID")
            .and_then(|rid| u32::try_from(rid).ok()),
    }
}

/// Whether an account is locked out now: the stored bit is not live.
pub(crate) fn is_locked(object: &Object) -> bool {
    object
        .number("msDS-User-Account-Control-Computed")
        .is_some_and(|computed| computed & uac::LOCKED != 0)
}

/// Decodes a group, without its members.
pub(crate) fn group(object: &Object) -> Result<Group, Issue> {
    let id = object_id(object);
    let issue = |kind, reason: &str| Issue {
        kind,
        object: id,
        dn: object.dn.clone(),
        reason: reason.to_owned(),
    };
    if is_conflict(&object.dn) {
        return Err(issue(
            IssueKind::Conflict,
            "it is the losing copy of a replication conflict",
        ));
    }
    let id = id.ok_or_else(|| issue(IssueKind::Unreadable, "its objectGUID cannot be read"))?;
    let name = object
        .text("sAMAccountName")
        .or_else(|| object.text("cn"))
        .ok_or_else(|| issue(IssueKind::Unreadable, "its name cannot be read"))?;
    Ok(Group {
        id,
        sid: object
            .bytes("objectSid")
            .and_then(|bytes| Sid::from_bytes(bytes).ok()),
        name: name.to_owned(),
        dn: object.dn.clone(),
    })
}

pub(crate) fn object_id(object: &Object) -> Option<ObjectId> {
    ObjectId::from_guid_bytes(object.bytes("objectGUID")?).ok()
}

/// `CN=name\0ACNF:guid`: replication renamed it so because another object took its name.
fn is_conflict(dn: &str) -> bool {
    dn.contains("\\0ACNF:")
}

#[cfg(test)]
mod tests;
