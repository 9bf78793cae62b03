//! Employees as the command line shows them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::Hes;

/// Employees by the logon name of their first account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People(pub BTreeMap<String, Person>);

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
        list.iter()
            .map(|json| {
                let text = |pointer: &str| {
                    json.pointer(pointer)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                let person = Person {
                    name: text("/name"),
                    generation: text("/generation"),
                    active: json.get("active") == Some(&Value::Bool(true)),
                    json: json.clone(),
                };
                Ok((text("/accounts/0/account/logonName"), person))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    pub fn active(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(_, person)| person.active)
            .map(|(logon, _)| logon.as_str())
            .collect()
    }

    pub fn get(&self, logon: &str) -> Result<&Person> {
        self.0
            .get(logon)
            .with_context(|| format!("no employee {logon} in {:?}", self.0.keys()))
    }
}

impl Person {
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
