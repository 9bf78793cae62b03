//! Security descriptors: what they are as bytes ([MS-DTYP] 2.4.6), and what they let somebody do ([MS-ADTS] 5.1.3).

use std::collections::HashSet;

use uuid::Uuid;

use crate::schema::{Attr, Class};
use crate::sid::Sid;

/// Rights to an object ([MS-ADTS] 5.1.3.2).
pub mod right {
    pub const CREATE_CHILD: u32 = 0x1;
    pub const DELETE_CHILD: u32 = 0x2;
    pub const LIST_CONTENTS: u32 = 0x4;
    pub const READ_PROPERTY: u32 = 0x10;
    pub const WRITE_PROPERTY: u32 = 0x20;
    pub const CONTROL_ACCESS: u32 = 0x100;
    pub const DELETE: u32 = 0x1_0000;
    pub const READ_CONTROL: u32 = 0x2_0000;
    pub const WRITE_DAC: u32 = 0x4_0000;
    /// Everything.
    pub const FULL: u32 = 0xf_01ff;
    /// Reading everything.
    pub const READ: u32 = 0x2_0094;
}

/// Extended rights, by their rightsGuid ([MS-ADTS] 5.1.3.2.1).
pub mod extended {
    use uuid::Uuid;

    pub const RESET_PASSWORD: Uuid = Uuid::from_u128(0x00299570_246d_11d0_a768_00aa006e0529);
    pub const CHANGE_PASSWORD: Uuid = Uuid::from_u128(0xab721a53_1e2f_11d0_9819_00aa0040529b);
    pub const GET_CHANGES: Uuid = Uuid::from_u128(0x1131f6aa_9c07_11d1_f79f_00c04fc2dcd2);
}

/// Flags of an entry.
pub(crate) mod flag {
    pub(crate) const CONTAINER_INHERIT: u8 = 0x02;
    pub(crate) const INHERIT_ONLY: u8 = 0x08;
    pub(crate) const INHERITED: u8 = 0x10;
}

/// One entry of an access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ace {
    pub allow: bool,
    pub sid: Sid,
    pub rights: u32,
    /// Limits it to an attribute, a property set or an extended right, by GUID.
    pub object: Option<Uuid>,
    /// Goes on to everything below, of this class or of all.
    pub inherit: Inherit,
    flags: u8,
}

/// What an entry says of the objects below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    No,
    /// This object and everything below.
    All,
    /// Only what is below, of this class.
    Only(Class),
}

impl Ace {
    pub fn allow(sid: &Sid, rights: u32) -> Self {
        Self {
            allow: true,
            sid: sid.clone(),
            rights,
            object: None,
            inherit: Inherit::No,
            flags: 0,
        }
    }

    pub fn deny(sid: &Sid, rights: u32) -> Self {
        Self {
            allow: false,
            ..Self::allow(sid, rights)
        }
    }

    #[must_use]
    pub fn on(mut self, object: Uuid) -> Self {
        self.object = Some(object);
        self
    }

    #[must_use]
    pub fn inherited_by(mut self, inherit: Inherit) -> Self {
        self.inherit = inherit;
        self
    }

    pub(crate) fn is_inherited(&self) -> bool {
        self.flags & flag::INHERITED != 0
    }

    fn wire_flags(&self) -> u8 {
        self.flags
            | match self.inherit {
                Inherit::No => 0,
                Inherit::All => flag::CONTAINER_INHERIT,
                Inherit::Only(_) => flag::CONTAINER_INHERIT | flag::INHERIT_ONLY,
            }
    }

    fn class(&self) -> Option<u128> {
        match self.inherit {
            Inherit::Only(class) => Some(class.guid()).filter(|guid| *guid != 0),
            Inherit::No | Inherit::All => None,
        }
    }

    /// As an object of a class below gets it, if it does.
    pub(crate) fn inherited(&self, class: Class) -> Option<Self> {
        let applies = match self.inherit {
            Inherit::No => false,
            Inherit::All => true,
            Inherit::Only(only) => only == class,
        };
        applies.then(|| Self {
            inherit: Inherit::No,
            flags: flag::INHERITED,
            ..self.clone()
        })
    }

    fn write(&self, into: &mut Vec<u8>) {
        let class = self.class();
        let objects = u32::from(self.object.is_some()) | u32::from(class.is_some()) << 1;
        let kind = match (self.allow, objects) {
            (true, 0) => 0,
            (false, 0) => 1,
            (true, _) => 5,
            (false, _) => 6,
        };
        let start = into.len();
        into.extend([kind, self.wire_flags(), 0, 0]);
        into.extend(self.rights.to_le_bytes());
        if objects != 0 {
            into.extend(objects.to_le_bytes());
            for guid in [self.object, class.map(Uuid::from_u128)]
                .into_iter()
                .flatten()
            {
                into.extend(guid.to_bytes_le());
            }
        }
        into.extend(self.sid.to_bytes());
        let size = u16::try_from(into.len() - start).unwrap_or(u16::MAX);
        if let Some(place) = into.get_mut(start + 2..start + 4) {
            place.copy_from_slice(&size.to_le_bytes());
        }
    }
}

/// Who owns an object, and who may do what with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) owner: Sid,
    /// Takes nothing from above.
    pub(crate) protected: bool,
    pub(crate) aces: Vec<Ace>,
}

/// Which parts of a descriptor are wanted (the control LDAP_SERVER_SD_FLAGS).
pub(crate) mod part {
    pub(crate) const OWNER: i64 = 1;
    pub(crate) const GROUP: i64 = 2;
    pub(crate) const DACL: i64 = 4;
    /// Without the control: all, system list included, which takes a privilege.
    pub(crate) const ALL: i64 = 0xf;
}

impl Descriptor {
    /// Self-relative.
    pub(crate) fn to_bytes(&self, parts: i64) -> Vec<u8> {
        let mut control: u16 = 0x8000;
        let mut body = Vec::<u8>::new();
        let mut offsets = [0u32; 4];
        let owner = self.owner.to_bytes();
        let mut put = |slot: usize, bytes: &[u8]| {
            if let Some(offset) = offsets.get_mut(slot) {
                *offset = u32::try_from(20 + body.len()).unwrap_or(u32::MAX);
            }
            body.extend(bytes);
        };
        if parts & part::DACL != 0 {
            control |= 0x0004 | 0x0400;
            if self.protected {
                control |= 0x1000;
            }
            put(3, &self.list());
        }
        if parts & part::OWNER != 0 {
            put(0, &owner);
        }
        if parts & part::GROUP != 0 {
            put(1, &owner);
        }
        let mut bytes = vec![1, 0];
        bytes.extend(control.to_le_bytes());
        for offset in offsets {
            bytes.extend(offset.to_le_bytes());
        }
        bytes.extend(body);
        bytes
    }

    fn list(&self) -> Vec<u8> {
        let mut aces = Vec::new();
        for ace in &self.aces {
            ace.write(&mut aces);
        }
        // Revision 4: there may be entries that are limited to objects.
        let mut list = vec![4, 0];
        let size = u16::try_from(8 + aces.len()).unwrap_or(u16::MAX);
        list.extend(size.to_le_bytes());
        let count = u16::try_from(self.aces.len()).unwrap_or(u16::MAX);
        list.extend(count.to_le_bytes());
        list.extend([0, 0]);
        list.extend(aces);
        list
    }

    /// Whether all of `wanted` is granted, to the object or to one of the things in it that `objects` names.
    pub(crate) fn grants(
        &self,
        token: &Token,
        is_self: bool,
        wanted: u32,
        objects: &[Uuid],
    ) -> bool {
        let mut missing = wanted;
        for ace in &self.aces {
            if matches!(ace.inherit, Inherit::Only(_)) {
                continue;
            }
            let meant =
                token.sids.contains(&ace.sid) || (is_self && ace.sid == Sid::principal_self());
            let concerns = ace.object.is_none_or(|object| objects.contains(&object));
            if !meant || !concerns {
                continue;
            }
            if !ace.allow && ace.rights & missing != 0 {
                return false;
            }
            if ace.allow {
                missing &= !ace.rights;
            }
            if missing == 0 {
                return true;
            }
        }
        false
    }
}

/// Who is logged on: an account's own identifier, and those of the groups it is in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Token {
    pub(crate) sids: HashSet<Sid>,
}

impl Token {
    pub(crate) fn is_anonymous(&self) -> bool {
        self.sids.is_empty()
    }

    pub(crate) fn is_administrator(&self) -> bool {
        self.sids.contains(&Sid::builtin(544))
    }
}

/// What names an attribute in an access list: itself, or the property set it is in.
pub(crate) fn objects_of(attribute: Attr) -> Vec<Uuid> {
    let attribute = attribute.of();
    [attribute.guid, attribute.property_set]
        .into_iter()
        .filter(|guid| *guid != 0)
        .map(Uuid::from_u128)
        .collect()
}

/// What objects have as long as nobody says otherwise.
pub(crate) fn default(domain: &Sid, class: Class) -> Descriptor {
    let admins = domain.with_rid(512);
    let mut aces = vec![
        Ace::allow(&admins, right::FULL),
        Ace::allow(&Sid::system(), right::FULL),
        Ace::allow(&Sid::builtin(544), right::FULL),
        Ace::allow(&Sid::authenticated_users(), right::READ),
    ];
    if class.is_account() {
        aces.push(
            Ace::allow(&Sid::everyone(), right::CONTROL_ACCESS).on(extended::CHANGE_PASSWORD),
        );
        aces.push(Ace::allow(&Sid::principal_self(), right::READ));
    }
    Descriptor {
        owner: admins,
        protected: false,
        aces,
    }
}

/// Of protected accounts and groups, whatever stands above them: AdminSDHolder's.
pub(crate) fn admin_sd_holder(domain: &Sid) -> Descriptor {
    Descriptor {
        protected: true,
        ..default(domain, Class::User)
    }
}

/// Of the container of deleted objects: administrators only.
pub(crate) fn deleted_objects(domain: &Sid) -> Descriptor {
    Descriptor {
        owner: domain.with_rid(512),
        protected: true,
        aces: vec![
            Ace::allow(&Sid::builtin(544), right::FULL),
            Ace::allow(&Sid::system(), right::FULL),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Sid {
        Sid::new(&[21, 1, 2, 3])
    }

    fn token(sids: &[Sid]) -> Token {
        Token {
            sids: sids.iter().cloned().collect(),
        }
    }

    #[test]
    fn a_right_to_a_property_set_is_a_right_to_what_is_in_it() {
        let me = domain().with_rid(1104);
        let mail = objects_of(Attr::MAIL);
        let mut descriptor = default(&domain(), Class::User);
        let write = |descriptor: &Descriptor| {
            descriptor.grants(
                &token(std::slice::from_ref(&me)),
                false,
                right::WRITE_PROPERTY,
                &mail,
            )
        };

        assert!(!write(&descriptor));
        let set = Uuid::from_u128(Attr::MAIL.of().property_set);
        descriptor
            .aces
            .push(Ace::allow(&me, right::WRITE_PROPERTY).on(set));
        assert!(write(&descriptor));
        descriptor
            .aces
            .insert(0, Ace::deny(&me, right::WRITE_PROPERTY).on(mail[0]));
        assert!(!write(&descriptor));
    }

    #[test]
    fn only_the_class_that_is_meant_inherits() {
        let ace = Ace::allow(&domain(), right::CONTROL_ACCESS)
            .on(extended::RESET_PASSWORD)
            .inherited_by(Inherit::Only(Class::User));

        assert!(ace.inherited(Class::Group).is_none());
        let got = ace.inherited(Class::User).unwrap();
        assert_eq!(got.wire_flags(), flag::INHERITED);
        let bytes = Descriptor {
            owner: domain(),
            protected: false,
            aces: vec![ace],
        }
        .to_bytes(part::DACL);
        // Header, list header, and one entry that names a right and a class.
        assert_eq!(bytes[20..22], [4, 0]);
        assert_eq!(
            bytes[28..30],
            [5, flag::CONTAINER_INHERIT | flag::INHERIT_ONLY]
        );
        assert_eq!(bytes[36], 3);
    }
}
