//! Why a key file was not taken, and what to do about it. Names lines by number: their text is a key, or a mistyped one.

use std::path::PathBuf;

/// A failed load or create of a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("failed to open the key file {}; create one, or correct its path in the settings", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("failed to read the key file {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is no key file: it is not a regular file, or far too long", path.display())]
    NotAKeyFile { path: PathBuf },
    #[error("the key file {} may be read or changed by others (mode {mode:04o}); `chmod 600` it, and consider its keys known", path.display())]
    ReadableByOthers { path: PathBuf, mode: u32 },
    #[error("the key file {} is in the data directory {}, where every copy of the data has the key with it; move it elsewhere", path.display(), directory.display())]
    InDataDirectory { path: PathBuf, directory: PathBuf },
    #[error("line {line} of the key file {} is refused: {reason}", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        reason: &'static str,
    },
    #[error("the key file {} has no key: its first line must be 32 random bytes in base64", path.display())]
    NoKey { path: PathBuf },
    #[error("there is a key file {} already; overwriting it would make every sealed secret unreadable", path.display())]
    Exists { path: PathBuf },
    #[error("failed to create the key file {}", path.display())]
    Create {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl KeyFileError {
    /// There is no such file: the caller may want to create it.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Open { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}
