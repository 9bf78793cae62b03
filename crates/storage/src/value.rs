//! Parameters of queries: the types both engines store alike.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

/// One parameter.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    /// BIGINT; also truth values (0, 1) and times (microseconds since the epoch).
    Int(i64),
    /// TEXT; also UUIDs, in canonical form.
    Text(String),
    /// BLOB.
    Bytes(Vec<u8>),
}

/// The kind alone: values are people's data.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Int(_) => "Int(..)",
            Self::Text(_) => "Text(..)",
            Self::Bytes(_) => "Bytes(..)",
        })
    }
}

macro_rules! from {
    ($($from:ty: $value:pat => $into:expr;)+) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        })+
    };
}

from! {
    i64: value => Self::Int(value);
    i32: value => Self::Int(value.into());
    u32: value => Self::Int(value.into());
    bool: value => Self::Int(value.into());
    Timestamp: value => Self::Int(value.as_microsecond());
    String: value => Self::Text(value);
    &String: value => Self::Text(value.clone());
    &str: value => Self::Text(value.to_owned());
    Uuid: value => Self::Text(value.as_hyphenated().to_string());
    Vec<u8>: value => Self::Bytes(value);
    &[u8]: value => Self::Bytes(value.to_vec());
    &Vec<u8>: value => Self::Bytes(value.clone());
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The parameters of a query, in the order of `$1`, `$2`, …
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::Value::from($value)),*]
    };
}
