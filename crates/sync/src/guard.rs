//! Whether a plan may be applied without asking anybody.
//!
//! The guard compares, class by class, what the plan does plus what was done in the last 24 hours with what a domain of
//! this size may do unattended. It never changes a plan and never lets a part of one through: all or hold.
//!
//! What each class is measured against: people joining, leaving or being disabled, and attributes being cleared,
//! against the active (members of the sync group that are not disabled); members lost by a group, against that group's
//! own members before the plan. Groups within the two groups have no limit of their own: only who is in the two groups
//! in effect has consequences.

use std::fmt;

use directory::Attribute;

use crate::{Base, Counts, GroupRole};

mod limits;

pub use limits::{Key, Limit, Limits, ParseError};

/// What became of a group that the domain follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Under its configured name; or it never was there, and nobody depends on it.
    AsConfigured,
    /// Resolved before, and now gone.
    Missing,
    /// Resolved before, and now called something else.
    Renamed { now: String },
    /// Resolved before, now gone, and another group has its name: only a person may adopt it.
    Replaced,
}

/// What a guard decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence<'a> {
    pub plan: &'a Counts,
    /// What was applied in the last 24 hours, except by a first import or with an approval.
    pub recent: &'a Counts,
    pub base: Base,
    /// How many the sync group has now.
    pub sync_members: u64,
    pub sync_group: Condition,
    pub rotation_group: Condition,
}

/// A guard's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Apply,
    Hold { reasons: Vec<Reason> },
}

/// A class that has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// People leaving or deleted.
    Removals,
    Disables,
    MembersLost(GroupRole),
    Cleared(Attribute),
    /// People joining or returning.
    Joins,
}

/// Why a plan is held. Its text is a sentence with the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    TooMany {
        measure: Measure,
        planned: u64,
        recent: u64,
        allowed: u64,
        limit: Limit,
        /// What the percentage is taken of.
        of: u64,
    },
    /// The plan would leave nobody: the sync group is empty, or a scope or filter excludes all of its members.
    NobodyLeft {
        removals: u64,
        members: u64,
    },
    Missing {
        group: GroupRole,
        lost: u64,
    },
    Renamed {
        group: GroupRole,
        now: String,
        lost: u64,
    },
    Replaced {
        group: GroupRole,
    },
}

impl Reason {
    /// Stable: part of the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooMany { measure, .. } => match measure {
                Measure::Removals => "TOO_MANY_REMOVALS",
                Measure::Disables => "TOO_MANY_DISABLES",
                Measure::MembersLost(_) => "TOO_MANY_MEMBERS_LOST",
                Measure::Cleared(_) => "TOO_MANY_CLEARED",
                Measure::Joins => "TOO_MANY_JOINS",
            },
            Self::NobodyLeft { members: 0, .. } => "GROUP_EMPTY",
            Self::NobodyLeft { .. } => "NOBODY_LEFT",
            Self::Missing { .. } => "GROUP_MISSING",
            Self::Renamed { .. } => "GROUP_RENAMED",
            Self::Replaced { .. } => "GROUP_REPLACED",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany {
                measure,
                planned,
                recent,
                allowed,
                limit,
                of,
            } => {
                match measure {
                    Measure::Removals => write!(f, "{} leaving or deleted", people(*planned)),
                    Measure::Disables => write!(f, "{} disabled", people(*planned)),
                    Measure::MembersLost(group) => {
                        write!(f, "{} lost by the {group}", members(*planned))
                    }
                    Measure::Cleared(attribute) => {
                        write!(f, "{} losing their {}", people(*planned), attribute.name())
                    }
                    Measure::Joins => write!(f, "{} joining", people(*planned)),
                }?;
                if *recent > 0 {
                    write!(f, ", and {recent} in the last 24 hours")?;
                }
                write!(
                    f,
                    ": more than the {allowed} allowed without approval ({}% of {of}, at least {}, at most {})",
                    limit.percent, limit.min, limit.max
                )
            }
            Self::NobodyLeft {
                removals,
                members: 0,
            } => write!(
                f,
                "the sync group is empty: {} would be removed, and nobody left",
                people(*removals)
            ),
            Self::NobodyLeft {
                removals,
                members: count,
            } => write!(
                f,
                "the sync group has {}, but none of them is in scope: {} would be removed, and nobody left; check the \
                 domain's filter and its organizational units",
                members(*count),
                people(*removals)
            ),
            Self::Missing { group, lost } => write!(
                f,
                "the {group} no longer exists, or the account used to log on may not see it: it would lose {}",
                members(*lost)
            ),
            Self::Renamed { group, now, lost } => write!(
                f,
                "the {group} is now called {now:?}: it would lose {}",
                members(*lost)
            ),
            Self::Replaced { group } => write!(
                f,
                "the {group} is another group of the same name than before: approving adopts it"
            ),
        }
    }
}

fn people(n: u64) -> String {
    match n {
        1 => "1 person".to_owned(),
        n => format!("{n} people"),
    }
}

fn members(n: u64) -> String {
    match n {
        1 => "1 member".to_owned(),
        n => format!("{n} members"),
    }
}

/// Decides on a plan.
pub fn guard(evidence: &Evidence<'_>, limits: &Limits) -> Verdict {
    let Evidence { plan, base, .. } = evidence;
    let mut reasons = Vec::new();

    let removals = plan.removals();
    let members = evidence.sync_members;
    let left = (base.sync_members + plan.joiners()).saturating_sub(plan.lost(GroupRole::Sync));
    let is_missing = evidence.sync_group == Condition::Missing;
    if removals > 0 && !is_missing && (members == 0 || left == 0) {
        reasons.push(Reason::NobodyLeft { removals, members });
    }
    for (group, condition) in [
        (GroupRole::Sync, &evidence.sync_group),
        (GroupRole::Rotation, &evidence.rotation_group),
    ] {
        let lost = plan.lost(group);
        match condition {
            Condition::Missing if lost > 0 => reasons.push(Reason::Missing { group, lost }),
            Condition::Renamed { now } if lost > 0 => reasons.push(Reason::Renamed {
                group,
                now: now.clone(),
                lost,
            }),
            Condition::Replaced => reasons.push(Reason::Replaced { group }),
            Condition::AsConfigured | Condition::Missing | Condition::Renamed { .. } => {}
        }
    }

    let measures = [
        (Measure::Removals, limits.removals, base.active),
        (Measure::Disables, limits.disables, base.active),
        (
            Measure::MembersLost(GroupRole::Sync),
            limits.members_lost,
            base.sync_members,
        ),
        (
            Measure::MembersLost(GroupRole::Rotation),
            limits.members_lost,
            base.rotation_members,
        ),
    ];
    let cleared =
        Attribute::ALL.map(|attribute| (Measure::Cleared(attribute), limits.cleared, base.active));
    // Before the first import there is nobody to compare with, and nothing to lose.
    let joins = (base.known > 0).then_some((Measure::Joins, limits.joins, base.active));
    for (measure, limit, of) in measures.into_iter().chain(cleared).chain(joins) {
        let planned = measured(plan, measure);
        let recent = measured(evidence.recent, measure);
        let allowed = limit.allows(of);
        // What a plan does not do, it cannot do too much of.
        if planned > 0 && planned + recent > allowed {
            reasons.push(Reason::TooMany {
                measure,
                planned,
                recent,
                allowed,
                limit,
                of,
            });
        }
    }

    if reasons.is_empty() {
        Verdict::Apply
    } else {
        Verdict::Hold { reasons }
    }
}

fn measured(counts: &Counts, measure: Measure) -> u64 {
    match measure {
        Measure::Removals => counts.removals(),
        Measure::Disables => counts.disables(),
        Measure::MembersLost(group) => counts.lost(group),
        Measure::Cleared(attribute) => counts.cleared(attribute),
        Measure::Joins => counts.joiners(),
    }
}

#[cfg(test)]
mod tests;
