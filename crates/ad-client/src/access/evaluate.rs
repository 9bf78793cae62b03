//! The access check ([MS-ADTS] 5.1.3.3): entries in order, the first that speaks of the right decides.

use std::collections::HashSet;

use directory::Sid;
use uuid::{Uuid, uuid};

use super::descriptor::{Ace, AceKind, SecurityDescriptor};
use super::schema::AttributeSchema;

/// The extended right "Reset Password" (User-Force-Change-Password).
pub const RESET_PASSWORD: Uuid = uuid!("00299570-246d-11d0-a768-00aa006e0529");

/// May the account do it?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    Granted,
    Denied,
    /// It can't be told, and why.
    Unknown(&'static str),
}

/// As whom the directory sees the bind account: its own SID, its groups', and the well-known ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(HashSet<Sid>);

/// The object acted upon.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    pub descriptor: &'a SecurityDescriptor,
    /// Its own SID, for entries about SELF.
    pub sid: Option<&'a Sid>,
    /// schemaIDGUIDs of its classes.
    pub classes: &'a [Uuid],
}

const READ_PROPERTY: u32 = 0x10;
const CONTROL_ACCESS: u32 = 0x100;

impl Token {
    /// Everyone and Authenticated Users are added: who bound is both.
    pub fn new(sids: impl IntoIterator<Item = Sid>) -> Self {
        let mut sids: HashSet<Sid> = sids.into_iter().collect();
        sids.extend(
            [EVERYONE, AUTHENTICATED_USERS]
                .iter()
                .filter_map(|sid| sid.parse().ok()),
        );
        Self(sids)
    }

    pub fn contains(&self, sid: &Sid) -> bool {
        self.0.contains(sid)
    }
}

const EVERYONE: &str = "S-1-1-0";
const AUTHENTICATED_USERS: &str = "S-1-5-11";
const OWNER_RIGHTS: &str = "S-1-3-4";
const PRINCIPAL_SELF: &str = "S-1-5-10";

/// Whether an extended right may be used.
pub fn may_control(subject: &Subject<'_>, token: &Token, right: Uuid) -> Access {
    check(subject, token, CONTROL_ACCESS, &[right])
}

/// Whether an attribute may be read: by itself or as part of its property set. A confidential one takes the control
/// access right to it as well.
pub fn may_read(subject: &Subject<'_>, token: &Token, attribute: &AttributeSchema) -> Access {
    let types: Vec<Uuid> = [Some(attribute.id), attribute.property_set]
        .into_iter()
        .flatten()
        .collect();
    let read = check(subject, token, READ_PROPERTY, &types);
    if !attribute.confidential || read != Access::Granted {
        return read;
    }
    check(subject, token, CONTROL_ACCESS, &types)
}

fn check(subject: &Subject<'_>, token: &Token, right: u32, types: &[Uuid]) -> Access {
    let Some(dacl) = &subject.descriptor.dacl else {
        return Access::Unknown("its security descriptor came without an access list");
    };
    let deciding = dacl
        .iter()
        .find(|ace| speaks_of(ace, subject, token, right, types));
    match deciding {
        None => Access::Denied,
        Some(ace) if ace.conditional => {
            Access::Unknown("a conditional entry of its access list decides")
        }
        Some(ace) => match ace.kind {
            AceKind::Allow => Access::Granted,
            AceKind::Deny => Access::Denied,
        },
    }
}

fn speaks_of(ace: &Ace, subject: &Subject<'_>, token: &Token, right: u32, types: &[Uuid]) -> bool {
    // An entry for another class isn't effective here. Should a directory hold it to be, then to deny is the mistake
    // that hurts less.
    let for_class = match (ace.kind, ace.inherited_object_type) {
        (AceKind::Allow, Some(class)) => subject.classes.contains(&class),
        (AceKind::Deny, _) | (AceKind::Allow, None) => true,
    };
    !ace.inherit_only
        && for_class
        && specific(ace.mask) & right != 0
        && ace.object_type.is_none_or(|kind| types.contains(&kind))
        && names(&ace.sid, subject, token)
}

/// Whether the entry's SID is one of the account's, here.
fn names(sid: &Sid, subject: &Subject<'_>, token: &Token) -> bool {
    if token.contains(sid) {
        return true;
    }
    let is = |well_known: &str| well_known.parse().as_ref() == Ok(sid);
    let holds = |sid: Option<&Sid>| sid.is_some_and(|sid| token.contains(sid));
    is(PRINCIPAL_SELF) && holds(subject.sid)
        || is(OWNER_RIGHTS) && holds(subject.descriptor.owner.as_ref())
}

/// Generic rights, as the directory maps them ([MS-ADTS] 5.1.3.2).
fn specific(mask: u32) -> u32 {
    [
        (0x8000_0000, 0x2_0094),
        (0x4000_0000, 0x2_0028),
        (0x2000_0000, 0x2_0004),
        (0x1000_0000, 0xf_01ff),
    ]
    .into_iter()
    .filter(|(generic, _)| mask & generic != 0)
    .fold(mask, |mask, (_, rights)| mask | rights)
}
