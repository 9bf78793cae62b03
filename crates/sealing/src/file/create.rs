//! A new key file: whole or not there at all, and never in the place of another.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{KeyFileError, line};
use crate::random;

const HEADER: &str = "# Key-encryption keys, one a line; the first one seals. Back this file up, apart from the data:\n\
                      # without it every sealed secret is lost.\n";

type Cause = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn create(path: &Path) -> Result<(), KeyFileError> {
    match try_create(path) {
        Ok(true) => Ok(()),
        Ok(false) => Err(KeyFileError::Exists {
            path: path.to_owned(),
        }),
        Err(source) => Err(KeyFileError::Create {
            path: path.to_owned(),
            source,
        }),
    }
}

/// False: there is a file already.
fn try_create(path: &Path) -> Result<bool, Cause> {
    let mut key = Zeroizing::new([0; 32]);
    random::fill(key.as_mut_slice())?;
    let line = line::write(&key)?;

    let draft = Draft::new(path)?;
    draft.fill(&line)?;
    // A link, unlike a rename, fails where a file is.
    match fs::hard_link(&draft.path, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    drop(draft);
    File::open(folder(path))?.sync_all()?;
    Ok(true)
}

/// A file beside the one to be, removed when dropped.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn new(path: &Path) -> Result<Self, Cause> {
        let mut suffix = [0; 8];
        random::fill(&mut suffix)?;
        let name = format!(".key-{:016x}.draft", u64::from_be_bytes(suffix));
        Ok(Self {
            path: folder(path).join(name),
        })
    }

    fn fill(&self, line: &str) -> Result<(), std::io::Error> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)?;
        file.write_all(HEADER.as_bytes())?;
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It may never have been made; otherwise nothing can be done about it here.
        let _ = fs::remove_file(&self.path);
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}
