//! When and how fast passwords change, and the defaults of absent settings.

use api::config::v1::{RotationBlackout, RotationPolicy, RotationWindow, Weekday};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use prost_types::Duration;

use super::Violations;

const DAY: i64 = 24 * 60 * 60;
const MOST_ENTRIES: usize = 100;

/// The policy with every absent setting filled in.
pub(crate) fn normalize(
    policy: Option<RotationPolicy>,
    violations: &mut Violations,
) -> RotationPolicy {
    let given = policy.unwrap_or_default();
    let lead = given.lead.unwrap_or(Duration {
        seconds: 3 * DAY,
        nanos: 0,
    });
    if lead.nanos != 0 || !(0..=30 * DAY).contains(&lead.seconds) {
        violations.add(
            "rotation_policy.lead",
            "is out of range; give 0 to 30 days, in whole seconds",
        );
    }
    let time_zone = match given.time_zone.as_str() {
        "" => "UTC".to_owned(),
        name => name.to_owned(),
    };
    if TimeZone::get(&time_zone).is_err() {
        violations.add(
            "rotation_policy.time_zone",
            format!("`{time_zone}` is no time zone; give an IANA name, such as `Europe/Berlin`"),
        );
    }
    for (field, entries) in [
        ("windows", given.windows.len()),
        ("blackouts", given.blackouts.len()),
    ] {
        if entries > MOST_ENTRIES {
            violations.add(
                format!("rotation_policy.{field}"),
                format!("has more than {MOST_ENTRIES} entries; give fewer"),
            );
        }
    }
    for (index, given) in given.windows.iter().enumerate() {
        violations.check(&format!("rotation_policy.windows[{index}]"), window(given));
    }
    for (index, given) in given.blackouts.iter().enumerate() {
        violations.check(
            &format!("rotation_policy.blackouts[{index}]"),
            blackout(given),
        );
    }
    let mut number = |name: &str, given: Option<i32>, default: i32, least: i32, most: i32| {
        let value = given.unwrap_or(default);
        if !(least..=most).contains(&value) {
            violations.add(
                format!("rotation_policy.{name}"),
                format!("is out of range; give {least} to {most}"),
            );
        }
        Some(value)
    };
    RotationPolicy {
        lead: Some(lead),
        time_zone,
        at_once: number("at_once", given.at_once, 8, 1, 100),
        per_hour: number("per_hour", given.per_hour, 200, 1, 100_000),
        percent_per_hour: number("percent_per_hour", given.percent_per_hour, 25, 1, 100_000),
        canaries: number("canaries", given.canaries, 3, 0, 100),
        windows: given.windows,
        blackouts: given.blackouts,
    }
}

fn window(given: &RotationWindow) -> Result<(), String> {
    for day in &given.days {
        match Weekday::try_from(*day) {
            Ok(Weekday::Unspecified) | Err(_) => {
                return Err("names a day that is none; give MONDAY to SUNDAY".into());
            }
            Ok(_) => {}
        }
    }
    for text in [&given.from, &given.to] {
        if time(text).is_none() {
            return Err(format!("`{text}` is no time; give HH:MM, 00:00 to 23:59"));
        }
    }
    Ok(())
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn blackout(given: &RotationBlackout) -> Result<(), String> {
    let date = |text: &str| {
        text.parse::<Date>()
            .map_err(|_| format!("`{text}` is no date; give YYYY-MM-DD"))
    };
    let first = date(&given.first)?;
    if !given.last.is_empty() && date(&given.last)? < first {
        return Err("ends before it begins".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violated(policy: RotationPolicy) -> Vec<String> {
        let mut violations = Violations::default();
        normalize(Some(policy), &mut violations);
        match violations.into_result() {
            Ok(()) => Vec::new(),
            Err(violations) => violations
                .into_iter()
                .map(|violation| violation.field)
                .collect(),
        }
    }

    fn window(from: &str, to: &str) -> RotationPolicy {
        RotationPolicy {
            windows: vec![RotationWindow {
                days: vec![Weekday::Friday.into()],
                from: from.into(),
                to: to.into(),
            }],
            ..RotationPolicy::default()
        }
    }

    fn blackout(first: &str, last: &str) -> RotationPolicy {
        RotationPolicy {
            blackouts: vec![RotationBlackout {
                first: first.into(),
                last: last.into(),
            }],
            ..RotationPolicy::default()
        }
    }

    #[test]
    fn what_can_not_be_kept_is_refused_by_its_field() {
        let zone = |name: &str| RotationPolicy {
            time_zone: name.into(),
            ..RotationPolicy::default()
        };
        let none: [&str; 0] = [];
        assert_eq!(violated(RotationPolicy::default()), none);
        assert_eq!(violated(zone("Europe/Berlin")), none);
        assert_eq!(
            violated(zone("Europe/Atlantis")),
            ["rotation_policy.time_zone"]
        );
        assert_eq!(violated(window("22:00", "02:00")), none);
        for (from, to) in [("22", "02:00"), ("24:00", "02:00"), ("22:00", "2:0")] {
            assert_eq!(
                violated(window(from, to)),
                ["rotation_policy.windows[0]"],
                "{from} {to}"
            );
        }
        assert_eq!(violated(blackout("2026-12-24", "")), none);
        assert_eq!(violated(blackout("2026-12-24", "2027-01-01")), none);
        for (first, last) in [("24.12.2026", ""), ("2026-12-24", "2026-12-23")] {
            assert_eq!(
                violated(blackout(first, last)),
                ["rotation_policy.blackouts[0]"]
            );
        }
        let too_many = RotationPolicy {
            at_once: Some(0),
            ..RotationPolicy::default()
        };
        assert_eq!(violated(too_many), ["rotation_policy.at_once"]);
    }
}
