//! Writing: adding, changing, moving, deleting and restoring objects, as a domain controller allows it.

mod add;
mod delete;
mod modify;
mod rename;

use uuid::Uuid;

use crate::schema::{Attr, flag};
use crate::security::{Token, objects_of};
use crate::store::object::Id;
use crate::store::replica::Replica;
use crate::wire::outcome::{Outcome, code};

/// On whose behalf something is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Writer<'a> {
    /// The test itself: nothing is refused for want of a right.
    Owner,
    /// Somebody who is logged on.
    Caller(&'a Token),
}

impl Writer<'_> {
    pub(crate) fn may(self, replica: &Replica, id: Id, right: u32, objects: &[Uuid]) -> bool {
        match self {
            Self::Owner => true,
            Self::Caller(token) => replica.may(token, id, right, objects),
        }
    }

    fn may_write(self, replica: &Replica, id: Id, attribute: Attr) -> Result<(), Outcome> {
        let objects = objects_of(attribute);
        if self.may(
            replica,
            id,
            crate::security::right::WRITE_PROPERTY,
            &objects,
        ) {
            Ok(())
        } else {
            Err(Outcome::no_access())
        }
    }
}

impl Replica {
    /// Whether somebody has a right to an object, or to one of the things in it that `objects` names.
    pub(crate) fn may(&self, token: &Token, id: Id, right: u32, objects: &[Uuid]) -> bool {
        let is_self = self.sid_of(id).is_some_and(|sid| token.sids.contains(&sid));
        self.descriptor(id).grants(token, is_self, right, objects)
    }
}

/// The attribute of a name, if it is one that is written.
fn writable(name: &str) -> Result<Attr, Outcome> {
    let attribute = Attr::find(name).ok_or_else(|| {
        Outcome::attribute(
            code::NO_SUCH_ATTRIBUTE,
            0x57,
            "1001 (NO_ATTRIBUTE_OR_VAL)",
            name,
        )
    })?;
    let system_only = [
        Attr::OBJECT_GUID,
        Attr::OBJECT_SID,
        Attr::INSTANCE_TYPE,
        Attr::WHEN_CREATED,
        Attr::WHEN_CHANGED,
        Attr::USN_CREATED,
        Attr::USN_CHANGED,
        Attr::REPL_PROPERTY_META_DATA,
        Attr::SAM_ACCOUNT_TYPE,
        Attr::LAST_LOGON,
        Attr::LOGON_COUNT,
        Attr::BAD_PWD_COUNT,
        Attr::BAD_PASSWORD_TIME,
    ];
    if system_only.contains(&attribute) || attribute.is(flag::CONSTRUCTED | flag::BACKLINK) {
        return Err(Outcome::attribute(
            code::CONSTRAINT_VIOLATION,
            0x20b1,
            "1005 (CONSTRAINT_ATT_TYPE)",
            name,
        ));
    }
    Ok(attribute)
}

fn bad_syntax(attribute: Attr) -> Outcome {
    Outcome::attribute(
        code::INVALID_ATTRIBUTE_SYNTAX,
        0x57,
        "1006 (BAD_ATT_SYNTAX)",
        attribute.of().name,
    )
}

fn taken(error: u32) -> Outcome {
    Outcome::new(
        code::ENTRY_ALREADY_EXISTS,
        format!("{error:08X}: UpdErr: DSID-031A11E2, problem 6005 (ENTRY_EXISTS), data 0\n"),
    )
}
