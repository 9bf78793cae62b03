//! What a domain may do unattended, and how an administrator says so.

use std::fmt;
use std::str::FromStr;

/// At most `percent` of something, but at least `min` and at most `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// 0 to 100.
    pub percent: u32,
    pub min: u32,
    /// Not below `min`.
    pub max: u32,
}

impl Limit {
    const fn new(percent: u32, min: u32, max: u32) -> Self {
        Self { percent, min, max }
    }

    /// How many of `of` it allows. Fractions round down.
    pub fn allows(self, of: u64) -> u64 {
        let share = u128::from(of) * u128::from(self.percent) / 100;
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        share.max(self.min.into()).min(self.max.into())
    }
}

/// The limits of each class. The defaults: 5 %, at least 3, at most 200; for joiners 25 %, at least 20, at most 2000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub removals: Limit,
    pub disables: Limit,
    pub members_lost: Limit,
    pub cleared: Limit,
    pub joins: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        let losing = Limit::new(5, 3, 200);
        Self {
            removals: losing,
            disables: losing,
            members_lost: losing,
            cleared: losing,
            joins: Limit::new(25, 20, 2000),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Class {
    Removals,
    Disables,
    MembersLost,
    Cleared,
    Joins,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Percent,
    Min,
    Max,
}

/// The name of one number of the limits: `removals.percent`. The set is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    class: Class,
    part: Part,
}

/// Why a guard setting is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("{0:?} is not KEY=VALUE, such as removals.percent=10")]
    Form(String),
    #[error("{0:?} is not a guard setting; they are {keys}", keys = Key::list())]
    Key(String),
    #[error("{key}={value:?} is not a whole number")]
    Number { key: Key, value: String },
    #[error("{key}={value} is more than 100 percent")]
    Percent { key: Key, value: u32 },
    #[error(
        "{class}.least={min} is more than {class}.most={max}: lower the first or raise the second"
    )]
    Order {
        class: &'static str,
        min: u32,
        max: u32,
    },
}

impl Class {
    const ALL: [Self; 5] = [
        Self::Removals,
        Self::Disables,
        Self::MembersLost,
        Self::Cleared,
        Self::Joins,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Removals => "removals",
            Self::Disables => "disables",
            Self::MembersLost => "members_lost",
            Self::Cleared => "attribute_cleared",
            Self::Joins => "joins",
        }
    }
}

impl Part {
    const ALL: [Self; 3] = [Self::Percent, Self::Min, Self::Max];

    fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Min => "least",
            Self::Max => "most",
        }
    }
}

impl Key {
    /// Every key, in the order they are documented.
    pub fn all() -> impl Iterator<Item = Self> {
        Class::ALL
            .into_iter()
            .flat_map(|class| Part::ALL.map(|part| Self { class, part }))
    }

    /// What the key sets, for help texts.
    pub fn doc(self) -> String {
        let what = match self.class {
            Class::Removals => "people who may leave or be deleted",
            Class::Disables => "people who may be disabled",
            Class::MembersLost => "members a group may lose",
            Class::Cleared => "people who may lose one attribute",
            Class::Joins => "people who may join or return",
        };
        let of = match self.class {
            Class::MembersLost => "the group",
            Class::Removals | Class::Disables | Class::Cleared | Class::Joins => "the active",
        };
        match self.part {
            Part::Percent => format!("{what} without approval in 24 hours, in percent of {of}"),
            Part::Min => format!("{what} without approval in 24 hours, however few there are"),
            Part::Max => format!("{what} without approval in 24 hours, however many there are"),
        }
    }

    fn list() -> String {
        let names: Vec<String> = Self::all().map(|key| key.to_string()).collect();
        names.join(", ")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.class.name(), self.part.name())
    }
}

impl FromStr for Key {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|key| key.to_string() == text)
            .ok_or_else(|| ParseError::Key(text.to_owned()))
    }
}

impl Limits {
    pub fn get(&self, key: Key) -> u32 {
        let limit = match key.class {
            Class::Removals => &self.removals,
            Class::Disables => &self.disables,
            Class::MembersLost => &self.members_lost,
            Class::Cleared => &self.cleared,
            Class::Joins => &self.joins,
        };
        match key.part {
            Part::Percent => limit.percent,
            Part::Min => limit.min,
            Part::Max => limit.max,
        }
    }

    pub fn set(&mut self, key: Key, value: u32) {
        let limit = match key.class {
            Class::Removals => &mut self.removals,
            Class::Disables => &mut self.disables,
            Class::MembersLost => &mut self.members_lost,
            Class::Cleared => &mut self.cleared,
            Class::Joins => &mut self.joins,
        };
        *match key.part {
            Part::Percent => &mut limit.percent,
            Part::Min => &mut limit.min,
            Part::Max => &mut limit.max,
        } = value;
    }

    /// Changes what `settings` name (`KEY=VALUE` each) and checks the whole: the order of settings does not matter.
    pub fn with<'a>(
        mut self,
        settings: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ParseError> {
        for setting in settings {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| ParseError::Form(setting.to_owned()))?;
            let key: Key = key.trim().parse()?;
            let value = value.trim();
            let number = value.parse().map_err(|_| ParseError::Number {
                key,
                value: value.to_owned(),
            })?;
            self.set(key, number);
        }
        self.check()?;
        Ok(self)
    }

    /// Whether every percentage is one, and no minimum is above its maximum.
    pub fn check(&self) -> Result<(), ParseError> {
        for class in Class::ALL {
            let get = |part| self.get(Key { class, part });
            let (percent, min, max) = (get(Part::Percent), get(Part::Min), get(Part::Max));
            if percent > 100 {
                let key = Key {
                    class,
                    part: Part::Percent,
                };
                return Err(ParseError::Percent {
                    key,
                    value: percent,
                });
            }
            if min > max {
                let class = class.name();
                return Err(ParseError::Order { class, min, max });
            }
        }
        Ok(())
    }
}
