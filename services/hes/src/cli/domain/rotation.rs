//! The flags of when and how fast passwords change.

use std::{fmt, str::FromStr};

use api::config::v1::{Domain, RotationBlackout, RotationPolicy, RotationWindow, Weekday};
use clap::Args;
use prost_types::Duration;

use super::settings::duration;

const HEADING: &str = "Password changes";

/// Each is taken only when its flag is given.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Rotation {
    /// How long before the directory itself expires a password it is changed at the latest, up to 30d [default: 3d]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = HEADING)]
    rotation_lead: Option<Duration>,
    /// Time zone of windows and blackouts, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE", help_heading = HEADING)]
    rotation_time_zone: Option<String>,
    /// Passwords change within this time only, such as 'mon-fri 22:00-05:00' or '12:00-13:00'; repeat for several, '' for
    /// at any time [default: at any time]
    #[arg(long, value_name = "WINDOW", help_heading = HEADING)]
    rotation_window: Option<Vec<Window>>,
    /// No password changes on these days, such as 2026-12-24..2027-01-01; repeat for several, '' for none
    #[arg(long, value_name = "DATES", help_heading = HEADING)]
    rotation_blackout: Option<Vec<Blackout>>,
    /// How fast; repeat for several. KEY is at_once, per_hour, percent_per_hour or canaries; a VALUE is a number or
    /// `default`. Canaries are the changes that must end well before more are begun [default: 8, 200, 25 and 3]
    #[arg(long, value_name = "KEY=VALUE", help_heading = HEADING)]
    rotation_limit: Vec<Limit>,
}

/// One window; empty for none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window(Option<RotationWindow>);

/// Some days; empty for none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Blackout(Option<RotationBlackout>);

/// One `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    key: &'static str,
    /// `None` is the default.
    value: Option<i32>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl Rotation {
    /// Sets what was given, and says which paths those are.
    pub(super) fn edit(&self, domain: &mut Domain, paths: &mut Vec<String>) {
        let mut policy = RotationPolicy::default();
        let before = paths.len();
        let mut took = |path: &str| paths.push(format!("rotation_policy.{path}"));
        if self.rotation_lead.is_some() {
            policy.lead = self.rotation_lead;
            took("lead");
        }
        if let Some(zone) = &self.rotation_time_zone {
            policy.time_zone.clone_from(zone);
            took("time_zone");
        }
        if let Some(windows) = &self.rotation_window {
            policy.windows = windows
                .iter()
                .filter_map(|window| window.0.clone())
                .collect();
            took("windows");
        }
        if let Some(blackouts) = &self.rotation_blackout {
            policy.blackouts = blackouts
                .iter()
                .filter_map(|blackout| blackout.0.clone())
                .collect();
            took("blackouts");
        }
        for limit in &self.rotation_limit {
            match limit.key {
                "at_once" => policy.at_once = limit.value,
                "per_hour" => policy.per_hour = limit.value,
                "percent_per_hour" => policy.percent_per_hour = limit.value,
                _ => policy.canaries = limit.value,
            }
            took(limit.key);
        }
        if paths.len() > before {
            domain.rotation_policy = Some(policy);
        }
    }
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A window as it is written on a command line.
pub(super) fn window(window: &RotationWindow) -> String {
    let days: Vec<&str> = window
        .days()
        .filter_map(|day| DAYS.iter().find(|(_, known)| *known == day))
        .map(|(name, _)| *name)
        .collect();
    let days = match days.as_slice() {
        [] => String::new(),
        days => format!("{} ", days.join(",")),
    };
    format!("{days}{}-{}", window.from, window.to)
}

impl FromStr for Window {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong =
            || Wrong("expected a window such as 'mon-fri 22:00-05:00' or '12:00-13:00'".to_owned());
        if text.trim().is_empty() {
            return Ok(Self(None));
        }
        let (days, times) = match text.trim().rsplit_once(' ') {
            Some((days, times)) => (days, times),
            None => ("", text.trim()),
        };
        let (from, to) = times.split_once('-').ok_or_else(wrong)?;
        let place = |name: &str| {
            let name = name.trim().to_lowercase();
            DAYS.iter().position(|(known, _)| *known == name)
        };
        let mut window = RotationWindow {
            from: from.to_owned(),
            to: to.to_owned(),
            ..RotationWindow::default()
        };
        for part in days.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (
                place(first).ok_or_else(wrong)?,
                place(last).ok_or_else(wrong)?,
            );
            // `sat-mon` goes over the week's end.
            let length = (last + 7 - first) % 7 + 1;
            let days = DAYS.iter().cycle().skip(first).take(length);
            window.days.extend(days.map(|(_, day)| i32::from(*day)));
        }
        Ok(Self(Some(window)))
    }
}

impl FromStr for Blackout {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self(None));
        }
        let (first, last) = text.split_once("..").unwrap_or((text, ""));
        Ok(Self(Some(RotationBlackout {
            first: first.to_owned(),
            last: last.to_owned(),
        })))
    }
}

const KEYS: [&str; 4] = ["at_once", "per_hour", "percent_per_hour", "canaries"];

impl FromStr for Limit {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = || {
            Wrong(format!(
                "expected KEY=VALUE, a key of {}, and a whole number or `default`",
                KEYS.join(", ")
            ))
        };
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let key = key.trim().replace('-', "_");
        let key = KEYS
            .into_iter()
            .find(|known| *known == key)
            .ok_or_else(wrong)?;
        let value = match value.trim().trim_end_matches('%') {
            "default" => None,
            number => Some(number.parse().map_err(|_| wrong())?),
        };
        Ok(Self { key, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_as_they_are_written() {
        for (text, written) in [
            ("mon-fri 22:00-05:00", "mon,tue,wed,thu,fri 22:00-05:00"),
            ("sat-mon,Wed 08:00-09:00", "sat,sun,mon,wed 08:00-09:00"),
            ("12:00-13:00", "12:00-13:00"),
        ] {
            let read: Window = text.parse().unwrap();
            assert_eq!(window(&read.0.unwrap()), written);
        }
        assert_eq!("".parse(), Ok(Window(None)));
        for text in ["mon", "funday 10:00-11:00", "10:00"] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_limit_is_a_field_of_the_contract() {
        let message = api::descriptor_pool()
            .get_message_by_name("hes.config.v1.RotationPolicy")
            .unwrap();
        for key in KEYS {
            assert!(message.get_field_by_name(key).is_some(), "{key}");
            assert!(format!("{key}=7").parse::<Limit>().is_ok());
        }
        assert!("speed=7".parse::<Limit>().is_err());
        assert!("at_once=many".parse::<Limit>().is_err());
    }
}
