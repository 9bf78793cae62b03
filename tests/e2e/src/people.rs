//! Employees as the command line shows them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::Hes;

/// Employees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    pub all: Vec<Person>,
    /// By the logon name of their first account; of several with one name, one who is active.
    pub by_logon: BTreeMap<String, Person>,
}

/// One employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// `employees/{uuid}`.
    pub name: String,
    pub generation: String,
    pub active: bool,
    /// The whole message.
    pub json: Value,
}

impl People {
    pub async fn of(hes: &Hes) -> Result<Self> {
        let list = hes.json("employee list --limit 0").await?;
        let list = list.as_array().context("a list is an array")?;
        let all: Vec<_> = list.iter().map(Person::read).collect();
        let mut by_logon = BTreeMap::new();
        for person in &all {
            let logon = person.text("/accounts/0/account/logonName").to_owned();
            if person.active || !by_logon.contains_key(&logon) {
                by_logon.insert(logon, person.clone());
            }
        }
        Ok(Self { all, by_logon })
    }

    /// The employee of this resource name.
    pub fn named(&self, name: &str) -> Option<&Person> {
        self.all.iter().find(|person| person.name == name)
    }

    /// How many have an account that is a member of the group, disabled or not.
    pub fn members(&self) -> usize {
        let is_member =
            |person: &&Person| person.text("/accounts/0/account/presence") == "PRESENCE_MEMBER";
        self.all.iter().filter(is_member).count()
    }

    pub fn active(&self) -> Vec<&str> {
        self.by_logon
            .iter()
            .filter(|(_, person)| person.active)
            .map(|(logon, _)| logon.as_str())
            .collect()
    }

    pub fn get(&self, logon: &str) -> Result<&Person> {
        self.by_logon
            .get(logon)
            .with_context(|| format!("no employee {logon} in {:?}", self.by_logon.keys()))
    }
}

impl Person {
    fn read(json: &Value) -> Self {
        let person = Self {
            name: String::new(),
            generation: String::new(),
            active: false,
            json: json.clone(),
        };
        Self {
            name: person.text("/name").to_owned(),
            generation: person.text("/generation").to_owned(),
            active: person.flag("/active"),
            ..person
        }
    }

    pub fn text(&self, pointer: &str) -> &str {
        self.json
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub fn flag(&self, pointer: &str) -> bool {
        self.json.pointer(pointer) == Some(&Value::Bool(true))
    }
}
