//! When passwords may change: windows of the week and days without, in one time zone.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Days looked at for the next opening. A calendar without one in that time has none.
const HORIZON: i32 = 400;

/// A time of some days of the week. One that ends before it starts ends on the day after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub days: Vec<Weekday>,
    pub from: Time,
    /// Where it equals `from`, the window takes 24 hours.
    pub to: Time,
}

/// Days without rotation, the first and the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blackout {
    pub first: Date,
    pub last: Date,
}

/// When rotation may happen. By default always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    pub zone: TimeZone,
    /// None: all of every day.
    pub windows: Vec<Window>,
    pub blackouts: Vec<Blackout>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            windows: Vec::new(),
            blackouts: Vec::new(),
        }
    }
}

/// Whether a moment lies in a time that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Open, at least until then.
    Open { until: Timestamp },
    /// Closed until then; none where it never opens.
    Closed { until: Option<Timestamp> },
}

impl Calendar {
    /// Whether rotation may happen at `now`.
    pub fn at(&self, now: Timestamp) -> Opening {
        let today = self.zone.to_datetime(now).date();
        let mut until = None;
        // A window of yesterday may reach into today.
        for day in -1..=HORIZON {
            let Ok(date) = today.checked_add(day.days()) else {
                break;
            };
            for (from, to) in self.openings(date) {
                if from <= now && now < to {
                    return Opening::Open { until: to };
                }
                if from > now && until.is_none_or(|until| from < until) {
                    until = Some(from);
                }
            }
            // Windows of one day start on that day: a later one has none that is earlier.
            if until.is_some() {
                break;
            }
        }
        Opening::Closed { until }
    }

    /// The first moment from `time` on at which rotation may happen; none where there is none within 400 days.
    pub fn next_open(&self, time: Timestamp) -> Option<Timestamp> {
        match self.at(time) {
            Opening::Open { .. } => Some(time),
            Opening::Closed { until } => until,
        }
    }

    /// The open times that start on a day. A window that a blackout cuts ends, or starts, at that midnight.
    fn openings(&self, date: Date) -> Vec<(Timestamp, Timestamp)> {
        let whole = [Window {
            days: vec![date.weekday()],
            from: Time::midnight(),
            to: Time::midnight(),
        }];
        let windows = match self.windows.is_empty() {
            true => whole.as_slice(),
            false => self.windows.as_slice(),
        };
        windows
            .iter()
            .filter(|window| window.days.contains(&date.weekday()))
            .flat_map(|window| self.parts(date, window))
            .collect()
    }

    fn parts(&self, date: Date, window: &Window) -> Vec<(Timestamp, Timestamp)> {
        let Ok(next) = date.tomorrow() else {
            return Vec::new();
        };
        let mut parts = Vec::new();
        let overnight = window.to <= window.from;
        if !self.is_black(date) {
            let end = match overnight {
                true => next.to_datetime(Time::midnight()),
                false => date.to_datetime(window.to),
            };
            parts.push((date.to_datetime(window.from), end));
        }
        if overnight && window.to > Time::midnight() && !self.is_black(next) {
            parts.push((
                next.to_datetime(Time::midnight()),
                next.to_datetime(window.to),
            ));
        }
        parts
            .into_iter()
            .filter_map(|(from, to)| Some((self.moment(from)?, self.moment(to)?)))
            // A window that the clock jumps over is none.
            .filter(|(from, to)| from < to)
            .collect()
    }

    /// A time that a clock change skips is the one as much later; one that comes twice is the first.
    fn moment(&self, time: DateTime) -> Option<Timestamp> {
        self.zone.to_timestamp(time).ok()
    }

    fn is_black(&self, date: Date) -> bool {
        self.blackouts
            .iter()
            .any(|blackout| (blackout.first..=blackout.last).contains(&date))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: [Weekday; 5] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
    ];

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn nights() -> Calendar {
        Calendar {
            zone: berlin(),
            windows: vec![Window {
                days: DAYS.to_vec(),
                from: Time::constant(22, 0, 0, 0),
                to: Time::constant(2, 30, 0, 0),
            }],
            blackouts: Vec::new(),
        }
    }

    #[test]
    fn no_windows_are_always_open() {
        let now = time("2026-11-26T12:00:00Z");
        assert_eq!(Calendar::default().next_open(now), Some(now));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_starts_on() {
        let nights = nights();
        // Friday night reaches into Saturday; Saturday night is none.
        let cases = [
            ("2026-11-27T20:59:59Z", Some("2026-11-27T21:00:00Z")),
            ("2026-11-28T01:29:59Z", Some("2026-11-28T01:29:59Z")),
            ("2026-11-28T01:30:00Z", Some("2026-11-30T21:00:00Z")),
        ];
        for (now, open) in cases {
            assert_eq!(nights.next_open(time(now)), open.map(time), "{now}");
        }
    }

    #[test]
    fn a_window_follows_the_zones_clock_over_its_changes() {
        let nights = Calendar {
            windows: vec![Window {
                days: vec![Weekday::Saturday, Weekday::Sunday],
                ..nights().windows.remove(0)
            }],
            ..nights()
        };
        // On 2026-03-29 the clock jumps from 2:00 to 3:00: half past two is half past three, which is 1:30 UTC.
        assert_eq!(
            nights.at(time("2026-03-29T00:59:59Z")),
            Opening::Open {
                until: time("2026-03-29T01:30:00Z")
            }
        );
        // In summer, 22:00 is 20:00 UTC.
        assert_eq!(
            nights.next_open(time("2026-07-04T12:00:00Z")),
            Some(time("2026-07-04T20:00:00Z"))
        );
    }

    #[test]
    fn a_blackout_cuts_the_window_at_midnight() {
        let calendar = Calendar {
            blackouts: vec![Blackout {
                first: Date::constant(2026, 12, 24),
                last: Date::constant(2027, 1, 1),
            }],
            ..nights()
        };
        // Wednesday the 23rd: open until midnight only.
        assert_eq!(
            calendar.at(time("2026-12-23T22:30:00Z")),
            Opening::Open {
                until: time("2026-12-23T23:00:00Z")
            }
        );
        assert_eq!(
            calendar.at(time("2026-12-23T23:00:00Z")),
            Opening::Closed {
                // What is left of the night of Friday the 1st.
                until: Some(time("2027-01-01T23:00:00Z"))
            }
        );
    }

    #[test]
    fn a_calendar_that_never_opens_says_so() {
        let calendar = Calendar {
            blackouts: vec![Blackout {
                first: Date::constant(2026, 1, 1),
                last: Date::constant(2030, 1, 1),
            }],
            ..Calendar::default()
        };
        assert_eq!(
            calendar.at(time("2026-11-26T12:00:00Z")),
            Opening::Closed { until: None }
        );
    }
}
