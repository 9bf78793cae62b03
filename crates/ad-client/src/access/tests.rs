use directory::Sid;
use uuid::{Uuid, uuid};

use super::*;

const USER: Uuid = uuid!("bf967aba-0de6-11d0-a285-00aa003049e2");
const COMPUTER: Uuid = uuid!("bf967a86-0de6-11d0-a285-00aa003049e2");
const MAIL: Uuid = uuid!("bf967961-0de6-11d0-a285-00aa003049e2");
const PUBLIC_INFORMATION: Uuid = uuid!("e48d0154-bcf8-11d1-8702-00c04fb96050");
const OTHER: Uuid = uuid!("ab721a53-1e2f-11d0-9819-00aa0040529b");

const ME: &str = "S-1-5-21-1-2-3-1105";
const MY_GROUP: &str = "S-1-5-21-1-2-3-1200";
const SOMEBODY: &str = "S-1-5-21-1-2-3-1300";
const CONTROL: u32 = 0x100;
const READ: u32 = 0x10;

fn sid(text: &str) -> Sid {
    text.parse().unwrap()
}

/// Entries written in the wire form, so that the parser is what every case goes through.
#[derive(Clone, Copy)]
struct Entry {
    kind: u8,
    flags: u8,
    mask: u32,
    types: [Option<Uuid>; 2],
    sid: &'static str,
}

fn allow(sid: &'static str, mask: u32) -> Entry {
    Entry {
        kind: 0,
        flags: 0,
        mask,
        types: [None, None],
        sid,
    }
}

fn deny(sid: &'static str, mask: u32) -> Entry {
    Entry {
        kind: 1,
        ..allow(sid, mask)
    }
}

impl Entry {
    fn to(self, object_type: Uuid) -> Self {
        Self {
            types: [Some(object_type), self.types[1]],
            ..self
        }
    }

    fn for_class(self, class: Uuid) -> Self {
        Self {
            types: [self.types[0], Some(class)],
            ..self
        }
    }

    fn flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    fn conditional(self) -> Self {
        Self {
            kind: self.kind + 9,
            ..self
        }
    }

    fn encode(self) -> Vec<u8> {
        let has_types = self.types.iter().any(Option::is_some);
        let kind = match (has_types, self.kind) {
            (true, kind @ 0..=1) => kind + 5,
            (true, kind) => kind + 2,
            (false, kind) => kind,
        };
        let mut body = self.mask.to_le_bytes().to_vec();
        if has_types {
            let present =
                u32::from(self.types[0].is_some()) | u32::from(self.types[1].is_some()) << 1;
            body.extend(present.to_le_bytes());
            for guid in self.types.iter().flatten() {
                body.extend(guid.to_bytes_le());
            }
        }
        body.extend(sid(self.sid).to_bytes());
        let size = u16::try_from(body.len() + 4).unwrap();
        [vec![kind, self.flags], size.to_le_bytes().to_vec(), body].concat()
    }
}

fn descriptor_bytes(owner: &str, entries: &[Entry]) -> Vec<u8> {
    let owner = sid(owner).to_bytes();
    let aces: Vec<u8> = entries.iter().flat_map(|entry| entry.encode()).collect();
    let dacl_at = 20 + u32::try_from(owner.len()).unwrap();
    let size = u16::try_from(aces.len() + 8).unwrap();
    let count = u16::try_from(entries.len()).unwrap();
    [
        vec![1, 0, 0x04, 0x80],
        20_u32.to_le_bytes().to_vec(),
        0_u32.to_le_bytes().to_vec(),
        0_u32.to_le_bytes().to_vec(),
        dacl_at.to_le_bytes().to_vec(),
        owner,
        vec![4, 0],
        size.to_le_bytes().to_vec(),
        count.to_le_bytes().to_vec(),
        vec![0, 0],
        aces,
    ]
    .concat()
}

fn judged(entries: &[Entry], decide: impl Fn(&Subject<'_>, &Token) -> Access) -> Access {
    let descriptor = SecurityDescriptor::parse(&descriptor_bytes(SOMEBODY, entries)).unwrap();
    let own = sid("S-1-5-21-1-2-3-1400");
    let subject = Subject {
        descriptor: &descriptor,
        sid: Some(&own),
        classes: &[USER],
    };
    decide(&subject, &Token::new([sid(ME), sid(MY_GROUP)]))
}

#[test]
fn the_first_entry_that_speaks_of_the_right_decides() {
    use Access::{Denied, Granted, Unknown};
    let conditional = Unknown("a conditional entry of its access list decides");
    let reset = allow(MY_GROUP, CONTROL).to(RESET_PASSWORD);
    #[rustfmt::skip]
    let cases: &[(&str, Vec<Entry>, Access)] = &[
        ("nothing said is nothing granted", vec![], Denied),
        ("the right itself", vec![reset], Granted),
        ("all extended rights", vec![allow(ME, CONTROL)], Granted),
        ("generic all", vec![allow(ME, 0x1000_0000)], Granted),
        ("generic read is not enough", vec![allow(ME, 0x8000_0000)], Denied),
        ("to everyone", vec![allow("S-1-1-0", CONTROL)], Granted),
        ("to authenticated users", vec![allow("S-1-5-11", CONTROL)], Granted),
        ("to somebody else", vec![allow(SOMEBODY, CONTROL)], Denied),
        ("another right", vec![allow(ME, CONTROL).to(OTHER)], Denied),
        ("another mask", vec![allow(ME, READ).to(RESET_PASSWORD)], Denied),
        ("denied before allowed", vec![deny(ME, CONTROL).to(RESET_PASSWORD), reset], Denied),
        ("allowed before denied", vec![reset, deny(ME, CONTROL)], Granted),
        ("denied to somebody else", vec![deny(SOMEBODY, CONTROL), reset], Granted),
        ("another right denied", vec![deny(ME, CONTROL).to(OTHER), reset], Granted),
        ("inherit-only is for children", vec![reset.flags(0x0a).for_class(USER)], Denied),
        ("an inherit-only denial too", vec![deny(ME, CONTROL).flags(0x0a), reset], Granted),
        ("inherited for its class", vec![reset.flags(0x12).for_class(USER)], Granted),
        ("inherited for another class", vec![reset.flags(0x12).for_class(COMPUTER)], Denied),
        ("class without object type", vec![allow(ME, CONTROL).for_class(USER)], Granted),
        ("self is somebody else", vec![allow("S-1-5-10", CONTROL)], Denied),
        ("conditional", vec![reset.conditional()], conditional),
        ("conditional denial", vec![deny(ME, CONTROL).conditional(), reset], conditional),
        ("conditional for somebody else", vec![deny(SOMEBODY, CONTROL).conditional(), reset], Granted),
        ("conditional after the decision", vec![reset, deny(ME, CONTROL).conditional()], Granted),
    ];

    for (case, entries, expected) in cases {
        let access = judged(entries, |subject, token| {
            may_control(subject, token, RESET_PASSWORD)
        });
        assert_eq!(access, *expected, "{case}");
    }
}

#[test]
fn an_attribute_is_readable_by_itself_or_by_its_property_set() {
    let mail = AttributeSchema {
        id: MAIL,
        property_set: Some(PUBLIC_INFORMATION),
        confidential: false,
    };
    let may = |entries: &[Entry], attribute: &AttributeSchema| {
        judged(entries, |subject, token| {
            may_read(subject, token, attribute)
        })
    };

    assert_eq!(may(&[allow(ME, READ)], &mail), Access::Granted);
    assert_eq!(may(&[allow(ME, READ).to(MAIL)], &mail), Access::Granted);
    assert_eq!(
        may(&[allow(ME, READ).to(PUBLIC_INFORMATION)], &mail),
        Access::Granted
    );
    assert_eq!(may(&[allow(ME, READ).to(OTHER)], &mail), Access::Denied);
    assert_eq!(
        may(
            &[
                deny(ME, READ).to(MAIL),
                allow(ME, READ).to(PUBLIC_INFORMATION)
            ],
            &mail
        ),
        Access::Denied
    );
    let secret = AttributeSchema {
        confidential: true,
        ..mail
    };
    assert_eq!(may(&[allow(ME, READ)], &secret), Access::Denied);
    assert_eq!(may(&[allow(ME, READ | CONTROL)], &secret), Access::Granted);
}

#[test]
fn self_and_owner_rights_follow_the_object() {
    let own: Sid = sid(ME);
    for (owner, entry, expected) in [
        (SOMEBODY, allow("S-1-5-10", CONTROL), Access::Granted),
        (SOMEBODY, allow("S-1-3-4", CONTROL), Access::Denied),
        (MY_GROUP, allow("S-1-3-4", CONTROL), Access::Granted),
    ] {
        let descriptor = SecurityDescriptor::parse(&descriptor_bytes(owner, &[entry])).unwrap();
        let subject = Subject {
            descriptor: &descriptor,
            sid: Some(&own),
            classes: &[USER],
        };
        let token = Token::new([sid(ME), sid(MY_GROUP)]);
        assert_eq!(
            may_control(&subject, &token, RESET_PASSWORD),
            expected,
            "{owner}"
        );
    }
}

#[test]
fn a_descriptor_without_a_list_decides_nothing_and_damage_is_refused() {
    let whole = descriptor_bytes(ME, &[allow(ME, CONTROL).to(MAIL), deny(ME, READ)]);
    let mut bare = whole.clone();
    bare[2] = 0;

    let bare = SecurityDescriptor::parse(&bare).unwrap();
    let subject = Subject {
        descriptor: &bare,
        sid: None,
        classes: &[],
    };
    assert!(matches!(
        may_control(&subject, &Token::new([]), RESET_PASSWORD),
        Access::Unknown(_)
    ));
    for length in 0..whole.len() {
        assert!(
            SecurityDescriptor::parse(&whole[..length]).is_err(),
            "{length}"
        );
    }
    let mut zero_sized = whole;
    let first_entry = 20 + sid(ME).to_bytes().len() + 8;
    zero_sized[first_entry + 2] = 0;
    assert!(SecurityDescriptor::parse(&zero_sized).is_err());
}
