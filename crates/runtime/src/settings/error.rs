use std::{fmt, io, path::PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    /// The variable's name.
    Environment(String),
    Flag,
}

/// What is wrong with the settings. Says which key, where it stands and what was expected; never the value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the compiled-in defaults are not valid: this is a defect, please report it")]
    Defaults(#[source] toml::de::Error),
    #[error("failed to read the settings file {}", path.display())]
    ReadFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// TOML's own message quotes the offending line, which may hold a secret: only where it stands is kept.
    #[error("{} is not valid TOML: {what}, at line {line}", path.display())]
    ParseFile {
        path: PathBuf,
        line: usize,
        what: String,
    },
    #[error("unknown setting `{key}` in {origin}{}", suggestion(nearest.as_deref()))]
    UnknownKey {
        key: String,
        origin: Origin,
        nearest: Option<String>,
    },
    #[error("setting `{key}` in {origin} is {found}; expected {expected}")]
    WrongType {
        key: String,
        origin: Origin,
        expected: &'static str,
        found: &'static str,
    },
    #[error("setting `{key}` in {origin} is not valid: {problem}")]
    Invalid {
        key: String,
        origin: Origin,
        problem: String,
    },
    #[error("the settings don't fit together: {0}")]
    Inconsistent(String),
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest
        .map(|nearest| format!("; did you mean `{nearest}`?"))
        .unwrap_or_default()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::Flag => f.write_str("the command line"),
        }
    }
}
