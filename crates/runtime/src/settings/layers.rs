//! The layers, and their merge into one value for each key.

use std::{collections::BTreeMap, path::PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{
    error::{Error, Origin},
    typed,
};

const PREFIX: &str = "HES__";

/// Where settings come from. Later layers win.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    defaults: String,
    file: Option<PathBuf>,
    environment: Vec<(String, String)>,
    flags: Vec<(String, Value)>,
}

/// The environment of this process: the one place that reads it.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The settings, or the first thing wrong with them.
pub fn load<S: DeserializeOwned>(layers: &Layers) -> Result<S, Error> {
    let merged = layers.merge()?;
    let tree = merged.tree(|_| true);
    tree.try_into().map_err(|error| merged.blame::<S>(&error))
}

impl Layers {
    /// Starts with the compiled-in defaults, in as many fragments as there are crates with settings. A fragment
    /// begins with a section header.
    pub fn new(defaults: &[&str]) -> Self {
        Self {
            defaults: defaults.join("\n"),
            ..Self::default()
        }
    }

    /// A TOML file. `None`: there is no file, which is well.
    #[must_use]
    pub fn file(mut self, path: Option<PathBuf>) -> Self {
        self.file = path;
        self
    }

    /// Environment variables; those that don't begin with `HES__` are not ours.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(
            variables
                .into_iter()
                .filter(|(name, _)| name.starts_with(PREFIX)),
        );
        self
    }

    /// A value from the command line, by its dotted key.
    #[must_use]
    pub fn flag(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.flags.push((key.into(), value.into()));
        self
    }

    pub(super) fn merge(&self) -> Result<Merged, Error> {
        let defaults: Table = toml::from_str(&self.defaults).map_err(Error::Defaults)?;
        let mut merged = Merged(BTreeMap::new());
        for (key, value) in leaves(defaults) {
            merged.0.insert(
                key,
                Setting {
                    default: value.clone(),
                    value,
                    origin: Origin::Default,
                },
            );
        }
        self.merge_file(&mut merged)?;
        for (name, text) in &self.environment {
            let key = name
                .strip_prefix(PREFIX)
                .unwrap_or(name)
                .replace("__", ".")
                .to_lowercase();
            let origin = Origin::Environment(name.clone());
            let setting = merged.setting(&key, &origin)?;
            setting.value = typed::parsed(&key, &origin, &setting.default, text)?;
            setting.origin = origin;
        }
        for (key, value) in &self.flags {
            merged.set(key, value.clone(), &Origin::Flag)?;
        }
        Ok(merged)
    }

    fn merge_file(&self, merged: &mut Merged) -> Result<(), Error> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        let text = std::fs::read_to_string(path).map_err(|source| Error::ReadFile {
            path: path.clone(),
            source,
        })?;
        let table: Table = toml::from_str(&text).map_err(|error| Error::ParseFile {
            path: path.clone(),
            line: line_of(&text, error.span().map_or(0, |span| span.start)),
            what: error.message().to_owned(),
        })?;
        let origin = Origin::File(path.clone());
        for (key, value) in leaves(table) {
            merged.set(&key, value, &origin)?;
        }
        Ok(())
    }
}

fn line_of(text: &str, position: usize) -> usize {
    let before = text.as_bytes().get(..position).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// Every key with its default, its value, and where that came from.
pub(super) struct Merged(pub(super) BTreeMap<String, Setting>);

pub(super) struct Setting {
    default: Value,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

impl Merged {
    fn setting(&mut self, key: &str, origin: &Origin) -> Result<&mut Setting, Error> {
        if !self.0.contains_key(key) {
            return Err(self.unknown(key, origin));
        }
        // The lookup twice: a borrow returned early from a match would last to the end of the function.
        self.0.get_mut(key).ok_or_else(|| Error::UnknownKey {
            key: key.to_owned(),
            origin: origin.clone(),
            nearest: None,
        })
    }

    fn set(&mut self, key: &str, value: Value, origin: &Origin) -> Result<(), Error> {
        let is_section = value.is_table() || self.is_section(key);
        if is_section && !self.0.contains_key(key) {
            return self.set_section(key, &value, origin);
        }
        let setting = self.setting(key, origin)?;
        setting.value = typed::checked(key, origin, &setting.default, value)?;
        setting.origin = origin.clone();
        Ok(())
    }

    /// An empty section changes nothing; a plain value in a section's place is a mistake.
    fn set_section(&self, key: &str, value: &Value, origin: &Origin) -> Result<(), Error> {
        match (self.is_section(key), value) {
            (true, Value::Table(_)) => Ok(()),
            (true, _) => Err(Error::WrongType {
                key: key.to_owned(),
                origin: origin.clone(),
                expected: "a section",
                found: "a plain value",
            }),
            (false, _) => Err(self.unknown(key, origin)),
        }
    }

    fn is_section(&self, key: &str) -> bool {
        let prefix = format!("{key}.");
        self.0.keys().any(|known| known.starts_with(&prefix))
    }

    fn unknown(&self, key: &str, origin: &Origin) -> Error {
        let nearest = self
            .0
            .keys()
            .map(|known| (distance(key, known), known))
            .min()
            .filter(|(distance, known)| *distance <= known.len().max(key.len()) / 3)
            .map(|(_, known)| match origin {
                Origin::Environment(_) => {
                    format!("{PREFIX}{}", known.replace('.', "__").to_uppercase())
                }
                Origin::Default | Origin::File(_) | Origin::Flag => known.clone(),
            });
        Error::UnknownKey {
            key: key.to_owned(),
            origin: origin.clone(),
            nearest,
        }
    }

    /// The values as a tree; where `given` says no, the default instead.
    fn tree(&self, given: impl Fn(&str) -> bool) -> Table {
        let mut root = Table::new();
        for (key, setting) in &self.0 {
            let value = if given(key) {
                &setting.value
            } else {
                &setting.default
            };
            insert(&mut root, key, value.clone());
        }
        root
    }

    /// Which key made the tree unreadable. Serde doesn't say, so each is tried alone among the defaults.
    fn blame<S: DeserializeOwned>(&self, error: &toml::de::Error) -> Error {
        for (key, setting) in &self.0 {
            if setting.origin == Origin::Default {
                continue;
            }
            if let Err(alone) = self.tree(|other| other == key).try_into::<S>() {
                return Error::Invalid {
                    key: key.clone(),
                    origin: setting.origin.clone(),
                    problem: problem(key, &alone),
                };
            }
        }
        Error::Inconsistent(error.message().to_owned())
    }
}

fn problem(key: &str, error: &toml::de::Error) -> String {
    if super::describe::is_secret(key) {
        "what is wrong is not shown, because the value is secret".to_owned()
    } else {
        error.message().to_owned()
    }
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The values of a tree by their dotted keys. An empty table is a leaf: it must still be known.
fn leaves(table: Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        if let Value::Table(inner) = &value
            && !inner.is_empty()
        {
            let inner = leaves(inner.clone()).into_iter();
            found.extend(inner.map(|(rest, value)| (format!("{key}.{rest}"), value)));
        } else {
            found.push((key, value));
        }
    }
    found
}

/// How many letters must be put in, left out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((b, pair), left) in other.iter().zip(row.windows(2)).zip(0..) {
            let (diagonal, up): (usize, usize) = match pair {
                [diagonal, up] => (*diagonal, *up),
                _ => continue,
            };
            let left = next.get(left).copied().unwrap_or(usize::MAX - 1);
            next.push((diagonal + usize::from(a != *b)).min(up + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
