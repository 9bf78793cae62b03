//! A key's type is its default's type.

use toml::Value;

use super::error::{Error, Origin};

/// A value from a file or a flag, checked against the default; a whole number will do for a fraction.
pub(super) fn checked(
    key: &str,
    origin: &Origin,
    default: &Value,
    given: Value,
) -> Result<Value, Error> {
    match (default, given) {
        (Value::Float(_), Value::Integer(whole)) => Ok(Value::Float(whole as f64)),
        (Value::Array(defaults), Value::Array(given)) => {
            if let Some(default) = defaults.first()
                && let Some(odd) = given.iter().find(|item| !same_type(default, item))
            {
                return Err(wrong(key, origin, name(default), name(odd)));
            }
            Ok(Value::Array(given))
        }
        (default, given) if same_type(default, &given) => Ok(given),
        (default, given) => Err(wrong(key, origin, name(default), name(&given))),
    }
}

/// An environment variable's text, read as the default's type.
pub(super) fn parsed(
    key: &str,
    origin: &Origin,
    default: &Value,
    text: &str,
) -> Result<Value, Error> {
    let wrong = || wrong(key, origin, name(default), "other text");
    match default {
        Value::String(_) => Ok(Value::String(text.to_owned())),
        Value::Integer(_) => text.trim().parse().map(Value::Integer).map_err(|_| wrong()),
        Value::Float(_) => text.trim().parse().map(Value::Float).map_err(|_| wrong()),
        Value::Boolean(_) => text.trim().parse().map(Value::Boolean).map_err(|_| wrong()),
        Value::Datetime(_) => text
            .trim()
            .parse()
            .map(Value::Datetime)
            .map_err(|_| wrong()),
        Value::Array(defaults) => {
            let text_item = Value::String(String::new());
            let item = defaults.first().unwrap_or(&text_item);
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| parsed(key, origin, item, part))
                .collect::<Result<_, _>>()
                .map(Value::Array)
        }
        Value::Table(_) => Err(wrong()),
    }
}

fn same_type(default: &Value, given: &Value) -> bool {
    default.same_type(given)
}

fn wrong(key: &str, origin: &Origin, expected: &'static str, found: &'static str) -> Error {
    Error::WrongType {
        key: key.to_owned(),
        origin: origin.clone(),
        expected,
        found,
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}
