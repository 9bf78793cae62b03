//! What an administrator may write: pure, one file a value. Every complaint names the field and says what to do.

pub(crate) mod certificate;
pub(crate) mod credentials;
pub(crate) mod dn;
pub(crate) mod dns;
pub(crate) mod domain;
pub(crate) mod filter;
pub(crate) mod guard;
pub(crate) mod passwordless;
mod rotation;
pub(crate) mod server;
#[cfg(test)]
mod tests;
pub(crate) mod text;

/// One field that can't be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Dotted path of the field in the message, list elements as `[0]`.
    pub field: String,
    /// What is wrong and what to do, as a sentence. Never the value of a secret.
    pub problem: String,
}

/// Gathers every complaint, so that an administrator mends a form once, not field by field.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<Violation>);

impl Violations {
    pub(crate) fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Violation {
            field: field.into(),
            problem: problem.into(),
        });
    }

    /// Notes the complaint of a check, if it has one.
    pub(crate) fn check<T>(&mut self, field: &str, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.add(field, problem);
                None
            }
        }
    }

    /// Takes over the complaints of another check.
    pub(crate) fn extend(&mut self, result: Result<(), Vec<Violation>>) {
        if let Err(more) = result {
            self.0.extend(more);
        }
    }

    pub(crate) fn into_result(self) -> Result<(), Vec<Violation>> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.0)
        }
    }
}
