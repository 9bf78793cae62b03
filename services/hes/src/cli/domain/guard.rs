//! `--guard KEY=VALUE`: one bound of one class of the guard.

use std::{fmt, str::FromStr};

use api::config::v1::{GuardLimit, GuardLimits};

const CLASSES: [&str; 5] = [
    "removals",
    "disables",
    "members_lost",
    "attribute_cleared",
    "joins",
];
const BOUNDS: [&str; 3] = ["percent", "least", "most"];

/// One `KEY=VALUE`, such as `removals.percent=10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    class: &'static str,
    bound: &'static str,
    /// `None` is the default.
    value: Option<i32>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BoundError(String);

impl Bound {
    /// The field's path in the contract, such as `guard_limits.members_lost.most`.
    pub(super) fn path(&self) -> String {
        format!("guard_limits.{}.{}", self.class, self.bound)
    }

    pub(super) fn set(&self, limits: &mut GuardLimits) {
        let limit = match self.class {
            "removals" => &mut limits.removals,
            "disables" => &mut limits.disables,
            "members_lost" => &mut limits.members_lost,
            "attribute_cleared" => &mut limits.attribute_cleared,
            _ => &mut limits.joins,
        };
        let limit = limit.get_or_insert_with(GuardLimit::default);
        match self.bound {
            "percent" => limit.percent = self.value,
            "least" => limit.least = self.value,
            _ => limit.most = self.value,
        }
    }
}

impl FromStr for Bound {
    type Err = BoundError;

    fn from_str(text: &str) -> Result<Self, BoundError> {
        let (key, value) = text.split_once('=').ok_or_else(|| expected("KEY=VALUE"))?;
        let key = key.trim().replace('-', "_");
        let (class, bound) = key.split_once('.').unwrap_or((&key, ""));
        let one_of =
            |names: &[&'static str], name: &str| names.iter().copied().find(|known| *known == name);
        let class = one_of(&CLASSES, class).ok_or_else(|| {
            expected(&format!(
                "a key that begins with one of {}",
                CLASSES.join(", ")
            ))
        })?;
        let bound = one_of(&BOUNDS, bound)
            .ok_or_else(|| expected(&format!("{class}.percent, {class}.least or {class}.most")))?;
        let value = match value.trim().trim_end_matches('%') {
            "default" => None,
            number => Some(
                number
                    .parse()
                    .map_err(|_| expected("a whole number, or `default`"))?,
            ),
        };
        Ok(Self {
            class,
            bound,
            value,
        })
    }
}

fn expected(what: &str) -> BoundError {
    BoundError(format!("expected {what}; for example removals.percent=10"))
}

impl fmt::Display for BoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BoundError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_and_bound_is_a_field_of_the_contract() {
        let message = api::descriptor_pool()
            .get_message_by_name("hes.config.v1.GuardLimits")
            .unwrap();
        let mut limits = GuardLimits::default();
        for class in CLASSES {
            assert!(message.get_field_by_name(class).is_some(), "{class}");
            for bound in BOUNDS {
                format!("{class}.{bound}=7")
                    .parse::<Bound>()
                    .unwrap()
                    .set(&mut limits);
            }
        }
        let seven = Some(GuardLimit {
            percent: Some(7),
            least: Some(7),
            most: Some(7),
        });
        let all = [
            limits.removals,
            limits.disables,
            limits.members_lost,
            limits.attribute_cleared,
            limits.joins,
        ];
        assert!(all.iter().all(|limit| *limit == seven));
    }

    #[test]
    fn a_wrong_bound_says_what_is_right() {
        for (text, hint) in [
            ("removals", "KEY=VALUE"),
            ("removal.percent=5", "removals, disables"),
            ("removals=5", "removals.least"),
            ("removals.percent=many", "whole number"),
        ] {
            let error = text.parse::<Bound>().unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
