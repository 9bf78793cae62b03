//! What differs between two settings, in words for the audit log. Settings hold no secrets.

use std::collections::{BTreeMap, BTreeSet};

use prost::{Message, Name};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Longer values are told by their length and fingerprint: a certificate in the log helps nobody, and which one it was
/// must be provable all the same.
const LONGEST: usize = 200;

/// Each differing field by its path, `before → after`.
pub(super) fn between<M: Message + Name>(before: &M, after: &M) -> BTreeMap<String, String> {
    let (before, after) = (flat(before), flat(after));
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| {
            (
                path.clone(),
                format!("{} → {}", shown(before.get(path)), shown(after.get(path))),
            )
        })
        .collect()
}

fn shown(value: Option<&String>) -> String {
    match value {
        None => "(none)".to_owned(),
        Some(long) if long.len() > LONGEST => {
            let hash = Sha256::digest(long.as_bytes());
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("({} bytes, SHA-256 {hash})", long.len())
        }
        Some(value) => value.clone(),
    }
}

/// A message that can't be mapped differs in nothing: the change itself is audited all the same.
fn flat<M: Message + Name>(message: &M) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    if let Ok(value) = api::json::to_value(message) {
        flatten(String::new(), &value, &mut fields);
    }
    fields
}

fn flatten(path: String, value: &Value, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                flatten(path, member, fields);
            }
        }
        Value::String(text) => drop(fields.insert(path, text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            drop(fields.insert(path, value.to_string()));
        }
    }
}
