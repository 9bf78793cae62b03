//! What a domain's settings mean for its rotation.

use api::config::v1::{Domain, RotationPolicy, Weekday as Named};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rotation::calendar::{Blackout, Window};
use rotation::{Calendar, Limits, Opening, Schedule, Stop};

/// When and how fast passwords of a domain change.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) schedule: Schedule,
    /// None where it can't be read, as what a newer version wrote: then never.
    calendar: Option<Calendar>,
    pub(crate) limits: Limits,
}

impl Policy {
    pub(crate) fn of(domain: &Domain) -> Self {
        let given = domain.rotation_policy.clone().unwrap_or_default();
        let lead = given.lead.and_then(|lead| {
            SignedDuration::try_from(std::time::Duration::try_from(lead).ok()?).ok()
        });
        let or = |value: Option<i32>, default: u32| {
            value
                .and_then(|value| value.try_into().ok())
                .unwrap_or(default)
        };
        let defaults = Limits::default();
        Self {
            schedule: Schedule {
                days: u16::try_from(domain.auto_password_change_days()).unwrap_or_default(),
                lead: lead.unwrap_or(Schedule::LEAD),
            },
            limits: Limits {
                at_once: or(given.at_once, defaults.at_once),
                per_hour: or(given.per_hour, defaults.per_hour),
                canaries: or(given.canaries, defaults.canaries),
                percent_per_hour: or(given.percent_per_hour, defaults.percent_per_hour),
            },
            calendar: calendar(&given),
        }
    }

    /// Whether passwords may change at `now`, and until when that holds.
    pub(crate) fn at(&self, now: Timestamp) -> Opening {
        match &self.calendar {
            Some(calendar) => calendar.at(now),
            None => Opening::Closed { until: None },
        }
    }

    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        match self.at(now) {
            Opening::Open { .. } => true,
            Opening::Closed { .. } => false,
        }
    }
}

fn calendar(given: &RotationPolicy) -> Option<Calendar> {
    let zone = match given.time_zone.as_str() {
        "" => TimeZone::UTC,
        name => TimeZone::get(name).ok()?,
    };
    let windows = given
        .windows
        .iter()
        .map(|window| {
            let days: Option<Vec<Weekday>> = window.days().map(weekday).collect();
            Some(Window {
                days: match days? {
                    days if days.is_empty() => WEEK.to_vec(),
                    days => days,
                },
                from: time(&window.from)?,
                to: time(&window.to)?,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let blackouts = given
        .blackouts
        .iter()
        .map(|blackout| {
            let first: Date = blackout.first.parse().ok()?;
            let last = match blackout.last.as_str() {
                "" => first,
                last => last.parse().ok()?,
            };
            Some(Blackout { first, last })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Calendar {
        zone,
        windows,
        blackouts,
    })
}

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn weekday(named: Named) -> Option<Weekday> {
    Some(match named {
        Named::Monday => Weekday::Monday,
        Named::Tuesday => Weekday::Tuesday,
        Named::Wednesday => Weekday::Wednesday,
        Named::Thursday => Weekday::Thursday,
        Named::Friday => Weekday::Friday,
        Named::Saturday => Weekday::Saturday,
        Named::Sunday => Weekday::Sunday,
        Named::Unspecified => return None,
    })
}

/// `HH:MM`.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// Why nothing rotates in a domain, where nothing does.
pub(crate) fn stop_of(domain: &Domain) -> Option<Stop> {
    use api::config::v1::CredentialState;
    let credentials = domain
        .credential_status
        .as_ref()
        .map(|status| status.state())
        .unwrap_or_default();
    if domain.delete_time.is_some() || credentials != CredentialState::Set {
        return Some(Stop::NoCredentials);
    }
    (domain.auto_password_change_days() == 0).then_some(Stop::RotationOff)
}

#[cfg(test)]
mod tests {
    use api::config::v1::{RotationBlackout, RotationWindow};

    use super::*;

    fn domain(policy: RotationPolicy) -> Domain {
        Domain {
            auto_password_change_days: Some(28),
            rotation_policy: Some(policy),
            ..Domain::default()
        }
    }

    #[test]
    fn windows_are_in_the_domains_own_time() {
        let policy = Policy::of(&domain(RotationPolicy {
            time_zone: "Europe/Berlin".to_owned(),
            windows: vec![RotationWindow {
                days: vec![Named::Thursday.into()],
                from: "22:00".to_owned(),
                to: "02:00".to_owned(),
            }],
            blackouts: vec![RotationBlackout {
                first: "2026-12-24".to_owned(),
                last: "2027-01-01".to_owned(),
            }],
            ..RotationPolicy::default()
        }));
        for (time, open) in [
            // Thursday, 22:00 in Berlin.
            ("2026-11-26T20:59:59Z", false),
            ("2026-11-26T21:00:00Z", true),
            ("2026-11-27T00:59:59Z", true),
            ("2026-11-27T01:00:00Z", false),
            ("2026-12-24T21:30:00Z", false),
        ] {
            assert_eq!(policy.is_open(time.parse().unwrap()), open, "{time}");
        }
    }

    #[test]
    fn what_can_not_be_read_opens_never_and_what_is_absent_always() {
        let always = Policy::of(&domain(RotationPolicy::default()));
        assert!(always.is_open(Timestamp::UNIX_EPOCH));
        assert_eq!(always.limits, Limits::default());
        assert_eq!(always.schedule.lead, Schedule::LEAD);
        let never = Policy::of(&domain(RotationPolicy {
            time_zone: "Europe/Atlantis".to_owned(),
            ..RotationPolicy::default()
        }));
        assert!(!never.is_open(Timestamp::UNIX_EPOCH));
    }
}
