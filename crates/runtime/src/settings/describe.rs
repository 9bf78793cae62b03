//! What `--check-settings` prints.

use toml::Value;

use super::{
    error::{Error, Origin},
    layers::Layers,
};

/// Every key with its value and where that came from, a line each. Secrets are masked; files of secrets are named.
pub fn describe(layers: &Layers) -> Result<String, Error> {
    let mut text = String::new();
    for (key, setting) in layers.merge()?.0 {
        let value = shown(&key, &setting.value);
        let origin = match &setting.origin {
            Origin::Default => "default".to_owned(),
            Origin::File(path) => path.display().to_string(),
            Origin::Environment(name) => name.clone(),
            Origin::Flag => "command line".to_owned(),
        };
        text.push_str(&format!("{key} = {value}  # {origin}\n"));
    }
    Ok(text)
}

/// A secret belongs in a file; if one is given as a value all the same, it is not shown.
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    !name.ends_with("_file")
        && ["secret", "password", "token", "passphrase"]
            .iter()
            .any(|word| name.contains(word))
}

fn shown(key: &str, value: &Value) -> String {
    let empty = matches!(value, Value::String(text) if text.is_empty());
    if is_secret(key) && !empty {
        return "\"***\"".to_owned();
    }
    if let Value::String(text) = value {
        // A connection string may carry a password: `postgres://user:password@host/db`.
        return Value::String(without_userinfo(text)).to_string();
    }
    value.to_string()
}

fn without_userinfo(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://***@{host}{path}"),
                None => text.to_owned(),
            }
        }
        None => text.to_owned(),
    }
}
