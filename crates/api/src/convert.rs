//! Between protobuf and the pure types, one file a type. Protobuf stops here.

pub mod account;
pub mod status;
pub mod time;

/// Why a message does not hold a valid value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` {problem}")]
pub struct ConvertError {
    /// Dotted path of the field.
    pub field: &'static str,
    /// What is wrong with it, as the end of a sentence.
    pub problem: String,
}

impl ConvertError {
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }
}
