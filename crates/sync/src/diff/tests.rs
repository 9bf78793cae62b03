use directory::{Flag, Sid};
use jiff::Timestamp;

use super::*;
use crate::testing::{account, object};
use crate::{Class, GroupRole, Seen};

const NOBODY: Membership = Membership {
    in_sync_group: false,
    in_rotation_group: false,
};
const SYNC: Membership = Membership {
    in_sync_group: true,
    in_rotation_group: false,
};
const ROTATION: Membership = Membership {
    in_sync_group: false,
    in_rotation_group: true,
};
const BOTH: Membership = Membership {
    in_sync_group: true,
    in_rotation_group: true,
};

fn ada() -> Account {
    account(object(1), "ada")
}

fn known(presence: Presence, in_rotation_group: bool) -> Known {
    Known {
        account: ada(),
        presence,
        in_rotation_group,
        generation: 7,
    }
}

fn seen(account: Account, membership: Membership) -> Sighting {
    Sighting::Seen(Box::new(Seen {
        account,
        membership,
    }))
}

fn changed(change: impl FnOnce(&mut Account)) -> Sighting {
    let mut account = ada();
    change(&mut account);
    seen(account, SYNC)
}

/// The change from a member to what was seen, as (kind, fields' names).
fn from_member(sighting: &Sighting) -> Option<(ChangeKind, Vec<&'static str>)> {
    let change = diff(Some(&known(Presence::Member, false)), sighting)?;
    let names = change.fields.iter().map(|field| field.field.name());
    Some((change.kind, names.collect()))
}

#[test]
fn every_way_from_what_was_known_to_what_was_seen() {
    use ChangeKind as K;
    use Presence as P;
    let sightings = [
        seen(ada(), SYNC),
        seen(ada(), ROTATION),
        seen(ada(), NOBODY),
        Sighting::OutOfScope,
        Sighting::Deleted,
        Sighting::Gone,
    ];
    #[rustfmt::skip]
    let table = [
        //                                 member           rotation alone         no group                     out of scope                 deleted                      gone
        (None,                            [Some(K::Join),   Some(K::RotationOnly), None,                        None,                        None,                        None]),
        (Some((P::Member, false)),        [None,            Some(K::Leave),        Some(K::Leave),              Some(K::Leave),              Some(K::Delete),             Some(K::Delete)]),
        (Some((P::RotationOnly, true)),   [Some(K::Join),   None,                  Some(K::RotationOnlyEnded),  Some(K::RotationOnlyEnded),  Some(K::RotationOnlyEnded),  Some(K::RotationOnlyEnded)]),
        (Some((P::Left, false)),          [Some(K::Return), Some(K::RotationOnly), None,                        None,                        None,                        None]),
        (Some((P::Deleted, false)),       [Some(K::Return), Some(K::RotationOnly), None,                        None,                        None,                        None]),
    ];

    for (from, expected) in table {
        let before = from.map(|(presence, rotation)| known(presence, rotation));
        for (sighting, expected) in sightings.iter().zip(expected) {
            let change = diff(before.as_ref(), sighting);

            let case = format!("{from:?} -> {sighting:?}");
            assert_eq!(
                change.as_ref().map(|change| change.kind),
                expected,
                "{case}"
            );
            let Some(change) = change else { continue };
            let generation = before.as_ref().map_or(1, |_| 8);
            assert_eq!(change.after.generation, generation, "{case}");
            let again = diff(Some(&change.after), sighting);
            assert_eq!(again, None, "a second look finds nothing: {case}");
        }
    }
}

#[test]
fn the_same_account_is_no_change() {
    assert_eq!(from_member(&seen(ada(), SYNC)), None);
}

#[test]
fn a_rename_and_a_move_are_one_update() {
    let sighting = changed(|account| {
        account.logon_name = "ada.king".to_owned();
        account.dn = "CN=Ada King,OU=Married,DC=example,DC=com".to_owned();
        account.user_principal_name = Some("ada.king@example.com".to_owned());
    });

    let names = vec!["logon_name", "dn", "user_principal_name"];
    assert_eq!(from_member(&sighting), Some((ChangeKind::Update, names)));
}

#[test]
fn every_state_and_time_that_matters_is_a_change() {
    type Edit = fn(&mut Account);
    let edits: [(&str, Edit); 11] = [
        ("locked", |account| account.state.locked = true),
        ("expired", |account| account.state.expired = true),
        ("password_expired", |account| {
            account.state.password_expired = true;
        }),
        ("must_change_password", |account| {
            account.state.must_change_password = true;
        }),
        ("smartcard_required", |account| {
            account.state.smartcard_required = true;
        }),
        ("privileged", |account| account.state.privileged = Flag::Yes),
        ("password_last_set", |account| {
            account.password_last_set = Some(Timestamp::UNIX_EPOCH);
        }),
        ("expires", |account| {
            account.expires = Some(Timestamp::UNIX_EPOCH);
        }),
        ("sid", |account| account.sid = Some(sid())),
        ("kind", |account| account.kind = Kind::Guest),
        ("phone", |account| account.phone = Some("1".to_owned())),
    ];

    for (name, edit) in edits {
        let expected = Some((ChangeKind::Update, vec![name]));
        assert_eq!(from_member(&changed(edit)), expected);
    }
}

fn sid() -> Sid {
    "S-1-5-21-1-2-3-1104".parse().unwrap()
}

#[test]
fn a_disabled_account_is_disabled_and_an_enabled_one_enabled() {
    let mut disabled = known(Presence::Member, false);
    disabled.account.state.disabled = true;

    let off = from_member(&changed(|account| account.state.disabled = true));
    let on = diff(Some(&disabled), &seen(ada(), SYNC)).unwrap();

    assert_eq!(off, Some((ChangeKind::Disable, vec!["disabled"])));
    assert_eq!(on.kind, ChangeKind::Enable);
}

#[test]
fn an_unreadable_attribute_keeps_its_value_and_a_cleared_one_loses_it() {
    let hidden = changed(|account| {
        account.mail = None;
        account.unreadable = vec![Attribute::Mail];
    });
    let cleared = changed(|account| account.mail = None);

    assert_eq!(from_member(&hidden), None);
    let change = diff(Some(&known(Presence::Member, false)), &cleared).unwrap();
    assert_eq!(change.fields[0].cleared(), Some(Attribute::Mail));
    assert!(change.classes().contains(&Class::Cleared(Attribute::Mail)));
}

#[test]
fn an_unreadable_attribute_is_kept_while_others_change() {
    let sighting = changed(|account| {
        account.mail = None;
        account.title = Some("Countess".to_owned());
        account.unreadable = vec![Attribute::Mail];
    });

    let change = diff(Some(&known(Presence::Member, false)), &sighting).unwrap();

    assert_eq!(change.after.account.mail, ada().mail);
    assert_eq!(change.after.account.title.as_deref(), Some("Countess"));
}

#[test]
fn a_privilege_is_not_forgotten_by_not_seeing_it_but_its_absence_is() {
    let unknown = changed(|account| account.state.privileged = Flag::Unknown);
    let mut privileged = known(Presence::Member, false);
    privileged.account.state.privileged = Flag::Yes;

    assert_eq!(diff(Some(&privileged), &unknown), None);
    let expected = Some((ChangeKind::Update, vec!["privileged"]));
    assert_eq!(from_member(&unknown), expected);
}

#[test]
fn blanks_and_sub_microseconds_are_noise() {
    let mut before = known(Presence::Member, false);
    before.account.password_last_set = Some("2024-01-01T00:00:00.123456Z".parse().unwrap());
    let sighting = changed(|account| {
        account.title = Some("  ".to_owned());
        account.password_last_set = Some("2024-01-01T00:00:00.1234567Z".parse().unwrap());
    });

    assert_eq!(diff(Some(&before), &sighting), None);
}

#[test]
fn a_change_counts_in_every_class_it_touches() {
    let mut account = ada();
    account.state.disabled = true;
    account.mail = None;

    let change = diff(Some(&known(Presence::Member, true)), &seen(account, NOBODY)).unwrap();

    assert_eq!(change.kind, ChangeKind::Leave);
    assert_eq!(change.cause, Some(Cause::LeftGroup));
    let classes = [
        Class::Kind(ChangeKind::Leave),
        Class::Kind(ChangeKind::Disable),
        Class::Kind(ChangeKind::Update),
        Class::Lost(GroupRole::Sync),
        Class::Lost(GroupRole::Rotation),
        Class::Cleared(Attribute::Mail),
    ];
    assert_eq!(change.classes(), classes);
}

#[test]
fn leaving_only_the_rotation_group_is_an_update_that_the_group_loses_by() {
    let change = diff(Some(&known(Presence::Member, true)), &seen(ada(), SYNC)).unwrap();

    assert_eq!(change.kind, ChangeKind::Update);
    assert!(change.classes().contains(&Class::Lost(GroupRole::Rotation)));
    assert!(!change.classes().contains(&Class::Lost(GroupRole::Sync)));
}

#[test]
fn who_is_seen_in_both_groups_joins_with_both() {
    let change = diff(None, &seen(ada(), BOTH)).unwrap();

    assert!(change.after.in_rotation_group);
    assert_eq!(change.after.presence, Presence::Member);
    assert!(change.fields.is_empty());
}

#[test]
fn every_name_reads_back() {
    for kind in ChangeKind::ALL {
        assert_eq!(ChangeKind::from_name(kind.name()), Some(kind));
        let class = Class::Kind(kind);
        assert_eq!(Class::from_name(&class.name()), Some(class));
    }
    for attribute in Attribute::ALL {
        let class = Class::Cleared(attribute);
        assert_eq!(Class::from_name(&class.name()), Some(class));
    }
    for (field, _) in texts(&ada(), false) {
        assert_eq!(Field::from_name(field.name()), Some(field));
    }
}
