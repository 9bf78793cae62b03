//! Guard limits, and the defaults of absent ones.

use api::config::v1::{GuardLimit, GuardLimits};

use super::Violations;

/// The limits with every absent number filled in.
pub(crate) fn normalize(limits: Option<GuardLimits>, violations: &mut Violations) -> GuardLimits {
    let limits = limits.unwrap_or_default();
    let mut limit = |name: &str, given: Option<GuardLimit>, default: (i32, i32, i32)| {
        Some(one(
            &format!("guard_limits.{name}"),
            given,
            default,
            violations,
        ))
    };
    const LEAVING: (i32, i32, i32) = (5, 3, 200);
    const JOINING: (i32, i32, i32) = (25, 20, 2000);
    GuardLimits {
        removals: limit("removals", limits.removals, LEAVING),
        disables: limit("disables", limits.disables, LEAVING),
        members_lost: limit("members_lost", limits.members_lost, LEAVING),
        attribute_cleared: limit("attribute_cleared", limits.attribute_cleared, LEAVING),
        joins: limit("joins", limits.joins, JOINING),
    }
}

fn one(
    field: &str,
    given: Option<GuardLimit>,
    default: (i32, i32, i32),
    violations: &mut Violations,
) -> GuardLimit {
    let given = given.unwrap_or_default();
    let percent = given.percent.unwrap_or(default.0);
    let least = given.least.unwrap_or(default.1);
    // A floor above the default ceiling lifts the ceiling; a ceiling written down is taken at its word.
    let most = given.most.unwrap_or(default.2.max(least));
    if !(0..=100).contains(&percent) {
        violations.add(format!("{field}.percent"), "is not a share; give 0 to 100");
    }
    if least < 0 {
        violations.add(format!("{field}.least"), "is negative; give 0 or more");
    }
    if most < least {
        violations.add(
            format!("{field}.most"),
            format!("is less than the least ({least}); raise it, or lower `least`"),
        );
    }
    GuardLimit {
        percent: Some(percent),
        least: Some(least),
        most: Some(most),
    }
}
