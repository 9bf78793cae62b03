use directory::Attribute;

use super::*;

const DN: &str = "CN=Jane,OU=Staff,DC=corp,DC=test";
const GUID: &[u8] = b"0123456789abcdef";

type Changes<'a> = &'a [(&'static str, Option<&'a str>)];

fn context() -> Context {
    Context {
        now: "2026-11-23T12:00:00Z".parse().unwrap(),
        admin_count_is_readable: true,
    }
}

/// An ordinary user, with these attributes added, or replaced, or (without a value) withheld.
fn user(changes: Changes<'_>) -> Object {
    let sid = "S-1-5-21-1-2-3-1105".parse::<Sid>().unwrap().to_bytes();
    let mut attributes: Vec<(&str, Vec<u8>)> = [
        ("sAMAccountName", "jane"),
        ("userAccountControl", "512"),
        ("msDS-User-Account-Control-Computed", "0"),
        ("pwdLastSet", "134000000000000000"),
        ("accountExpires", "9223372036854775807"),
        ("primaryGroupID", "513"),
        ("mail", "jane@corp.test"),
    ]
    .map(|(name, value)| (name, value.as_bytes().to_vec()))
    .into();
    attributes.push(("objectGUID", GUID.to_vec()));
    attributes.push(("objectSid", sid));
    for (name, value) in changes {
        attributes.retain(|(found, _)| found != name);
        attributes.extend(value.map(|value| (*name, value.as_bytes().to_vec())));
    }
    let values: Vec<[&[u8]; 1]> = attributes
        .iter()
        .map(|(_, value)| [value.as_slice()])
        .collect();
    let pairs: Vec<(&str, &[&[u8]])> = attributes
        .iter()
        .zip(&values)
        .map(|((name, _), value)| (*name, value.as_slice()))
        .collect();
    Object::of(DN, &pairs)
}

fn account(changes: Changes<'_>) -> Account {
    match person(&user(changes), context()) {
        Person::Account { account, .. } => *account,
        other @ (Person::Other | Person::Issue(_)) => panic!("{changes:?}: {other:?}"),
    }
}

#[test]
fn an_ordinary_user_is_an_enabled_account() {
    let Person::Account {
        account,
        primary_group,
    } = person(&user(&[]), context())
    else {
        panic!("no account");
    };

    assert_eq!(account.state, AccountState::enabled());
    // Its sixteen bytes happen to be text.
    assert_eq!(account.id.to_guid_bytes(), GUID);
    assert_eq!(account.attribute(Attribute::Mail), Some("jane@corp.test"));
    assert_eq!((account.expires, primary_group), (None, Some(513)));
    assert!(account.password_last_set.is_some());
}

#[test]
fn states_are_read_from_the_bits_that_are_live() {
    let enabled = AccountState::enabled();
    let uac = "userAccountControl";
    let computed = "msDS-User-Account-Control-Computed";
    let expired = "116444736000000000";
    #[rustfmt::skip]
    let cases: &[(Changes<'_>, AccountState)] = &[
        (&[(uac, Some("514"))], AccountState { disabled: true, ..enabled }),
        // Disabled, password not required, never expires: disabled is a bit, not a value.
        (&[(uac, Some("66082"))], AccountState { disabled: true, ..enabled }),
        (&[(uac, Some("262656"))], AccountState { smartcard_required: true, ..enabled }),
        // The stored lockout bit is not live.
        (&[(uac, Some("528"))], enabled),
        (&[(computed, Some("16"))], AccountState { locked: true, ..enabled }),
        (&[(computed, Some("8388608"))], AccountState { password_expired: true, ..enabled }),
        (&[(computed, Some("8388608")), ("pwdLastSet", Some("0"))], AccountState { must_change_password: true, ..enabled }),
        // A password that never expires need not be changed either.
        (&[(uac, Some("66048")), ("pwdLastSet", Some("0"))], enabled),
        (&[("accountExpires", Some("0"))], enabled),
        (&[("accountExpires", Some(expired))], AccountState { expired: true, ..enabled }),
        (&[("adminCount", Some("1"))], AccountState { privileged: Flag::Yes, ..enabled }),
        (&[("adminCount", Some("0"))], enabled),
        (&[("isCriticalSystemObject", Some("TRUE"))], AccountState { privileged: Flag::Yes, ..enabled }),
    ];

    for (changes, expected) in cases {
        assert_eq!(account(changes).state, *expected, "{changes:?}");
    }
    let blind = Context {
        admin_count_is_readable: false,
        ..context()
    };
    assert!(matches!(
        person(&user(&[]), blind),
        Person::Account { account, .. } if account.state.privileged == Flag::Unknown
    ));
}

#[test]
fn what_is_always_there_and_is_not_was_withheld() {
    for (name, known) in [
        ("userAccountControl", true),
        ("sAMAccountName", true),
        ("objectGUID", false),
    ] {
        match person(&user(&[(name, None)]), context()) {
            Person::Issue(issue) => {
                assert_eq!(issue.kind, IssueKind::Unreadable);
                assert_eq!(issue.object.is_some(), known, "{name}");
                assert!(issue.reason.contains(name));
            }
            other @ (Person::Other | Person::Account { .. }) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn computers_trusts_and_krbtgt_are_no_people_and_a_conflict_is_told() {
    for changes in [
        ("objectClass", "computer"),
        ("objectClass", "msDS-GroupManagedServiceAccount"),
        ("userAccountControl", "2080"),
        ("msDS-SecondaryKrbTgtNumber", "27000"),
    ] {
        let object = user(&[(changes.0, Some(changes.1))]);
        assert_eq!(person(&object, context()), Person::Other, "{changes:?}");
    }
    let mut conflict = user(&[]);
    conflict.dn = "CN=Jane\\0ACNF:8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e,DC=corp,DC=test".to_owned();
    assert!(matches!(
        person(&conflict, context()),
        Person::Issue(Issue {
            kind: IssueKind::Conflict,
            ..
        })
    ));
}
