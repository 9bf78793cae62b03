use super::*;
use crate::{ChangeKind, Class};

const NONE: [(Class, u64); 0] = [];

fn counts(classes: impl IntoIterator<Item = (Class, u64)>) -> Counts {
    Counts::from_parts(1, classes)
}

fn kind(kind: ChangeKind, n: u64) -> Counts {
    counts([(Class::Kind(kind), n)])
}

/// A domain with this many active people, two in three of them in the rotation group.
fn judge(plan: &Counts, recent: &Counts, active: u64) -> Verdict {
    let evidence = Evidence {
        plan,
        recent,
        base: Base {
            known: active,
            active,
            // That nobody is left is another matter.
            sync_members: active.max(1),
            rotation_members: active * 2 / 3,
        },
        sync_members: active + 1,
        sync_group: Condition::AsConfigured,
        rotation_group: Condition::AsConfigured,
    };
    guard(&evidence, &Limits::default())
}

fn holds(plan: &Counts, active: u64) -> bool {
    judge(plan, &counts(NONE), active) != Verdict::Apply
}

#[test]
fn losses_are_held_above_five_percent_but_never_below_three_nor_above_two_hundred() {
    let classes = [
        Class::Kind(ChangeKind::Leave),
        Class::Kind(ChangeKind::Delete),
        Class::Kind(ChangeKind::Disable),
        Class::Lost(GroupRole::Sync),
        Class::Cleared(Attribute::Mail),
        Class::Cleared(Attribute::Title),
    ];
    // (active, the most that is applied)
    let table = [
        (0, 3),
        (1, 3),
        (60, 3),
        (79, 3),
        (80, 4),
        (100, 5),
        (119, 5),
        (120, 6),
        (3_999, 199),
        (4_000, 200),
        (4_020, 200),
        (1_000_000, 200),
    ];

    for class in classes {
        for (active, most) in table {
            assert!(
                !holds(&counts([(class, most)]), active),
                "{class:?} {most} of {active}"
            );
            let more = counts([(class, most + 1)]);
            assert!(holds(&more, active), "{class:?} {} of {active}", most + 1);
        }
    }
}

#[test]
fn joiners_are_held_above_a_quarter_but_never_below_twenty_nor_above_two_thousand() {
    let table = [
        (1, 20),
        (83, 20),
        (84, 21),
        (400, 100),
        (8_000, 2_000),
        (100_000, 2_000),
    ];

    for (active, most) in table {
        for way in [ChangeKind::Join, ChangeKind::Return] {
            assert!(
                !holds(&kind(way, most), active),
                "{way:?} {most} to {active}"
            );
            assert!(
                holds(&kind(way, most + 1), active),
                "{way:?} {} to {active}",
                most + 1
            );
        }
    }
}

#[test]
fn the_first_import_has_no_limit_of_joiners() {
    assert!(!holds(&kind(ChangeKind::Join, 1_000_000), 0));
}

#[test]
fn the_rotation_group_is_measured_by_its_own_size() {
    let lost = |n| counts([(Class::Lost(GroupRole::Rotation), n)]);

    // 200 of 300 are in it: 5 % of them are 10.
    assert!(!holds(&lost(10), 300));
    assert!(holds(&lost(11), 300));
}

#[test]
fn leavers_and_deleted_count_together_and_with_those_of_the_last_day() {
    let plan = counts([
        (Class::Kind(ChangeKind::Leave), 1),
        (Class::Kind(ChangeKind::Delete), 1),
    ]);

    assert_eq!(
        judge(&plan, &kind(ChangeKind::Delete, 1), 10),
        Verdict::Apply
    );
    let verdict = judge(&plan, &kind(ChangeKind::Leave, 2), 10);

    let Verdict::Hold { reasons } = verdict else {
        panic!("not held");
    };
    let texts: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "2 people leaving or deleted, and 2 in the last 24 hours: more than the 3 allowed without approval (5% of \
             10, at least 3, at most 200)"
        ]
    );
}

#[test]
fn what_a_plan_does_not_do_is_not_held_for_what_was_done_before() {
    let many_left = kind(ChangeKind::Leave, 500);

    let verdict = judge(&kind(ChangeKind::Join, 1), &many_left, 1_000);

    assert_eq!(verdict, Verdict::Apply);
}

#[test]
fn updates_and_enables_have_no_limit() {
    assert!(!holds(&kind(ChangeKind::Update, 10_000), 10));
    assert!(!holds(&kind(ChangeKind::Enable, 10_000), 10));
}

fn one_of_a_thousand_leaves(sync_group: Condition, sync_members: u64) -> Vec<String> {
    let plan = counts([
        (Class::Kind(ChangeKind::Leave), 1),
        (Class::Lost(GroupRole::Sync), 1),
    ]);
    let evidence = Evidence {
        plan: &plan,
        recent: &counts(NONE),
        base: Base {
            known: 1_000,
            active: 1_000,
            sync_members: 1_000,
            rotation_members: 0,
        },
        sync_members,
        sync_group,
        rotation_group: Condition::AsConfigured,
    };
    match guard(&evidence, &Limits::default()) {
        Verdict::Apply => Vec::new(),
        Verdict::Hold { reasons } => reasons.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn one_leaver_is_held_when_the_group_is_empty_missing_or_renamed_away() {
    let renamed = Condition::Renamed {
        now: "Owners".to_owned(),
    };

    assert!(one_of_a_thousand_leaves(Condition::AsConfigured, 999).is_empty());
    assert_eq!(
        one_of_a_thousand_leaves(Condition::AsConfigured, 0),
        ["the sync group is empty: 1 person would be removed, and nobody left"]
    );
    assert_eq!(
        one_of_a_thousand_leaves(Condition::Missing, 0),
        [
            "the sync group no longer exists, or the account used to log on may not see it: it would lose 1 member"
        ]
    );
    assert_eq!(
        one_of_a_thousand_leaves(renamed, 999),
        ["the sync group is now called \"Owners\": it would lose 1 member"]
    );
    assert_eq!(
        one_of_a_thousand_leaves(Condition::Replaced, 999),
        ["the sync group is another group of the same name than before: approving adopts it"]
    );
}

#[test]
fn settings_change_the_limits_they_name() {
    let limits = Limits::default()
        .with(["removals.percent=10", "joins.least = 1", "joins.most=1"])
        .unwrap();

    assert_eq!(limits.removals.allows(1_000), 100);
    assert_eq!(limits.joins.allows(1_000), 1);
    assert_eq!(limits.disables, Limits::default().disables);
}

#[test]
fn a_wrong_setting_is_refused_with_what_would_be_right() {
    let refusal = |settings: &[&str]| {
        let refused = Limits::default().with(settings.iter().copied());
        refused.unwrap_err().to_string()
    };

    assert_eq!(
        refusal(&["leavers.most=1"]),
        "\"leavers.most\" is not a guard setting; they are removals.percent, removals.least, removals.most, \
         disables.percent, disables.least, disables.most, members_lost.percent, members_lost.least, members_lost.most, \
         attribute_cleared.percent, attribute_cleared.least, attribute_cleared.most, joins.percent, joins.least, joins.most"
    );
    assert_eq!(
        refusal(&["removals.most"]),
        "\"removals.most\" is not KEY=VALUE, such as removals.percent=10"
    );
    assert_eq!(
        refusal(&["removals.most=-1"]),
        "removals.most=\"-1\" is not a whole number"
    );
    assert_eq!(
        refusal(&["removals.percent=101"]),
        "removals.percent=101 is more than 100 percent"
    );
    assert_eq!(
        refusal(&["removals.most=2"]),
        "removals.least=3 is more than removals.most=2: lower the first or raise the second"
    );
}

#[test]
fn every_key_reads_back_and_is_explained() {
    for key in Key::all() {
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!(!key.doc().is_empty());
    }
}
