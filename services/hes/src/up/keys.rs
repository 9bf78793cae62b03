//! The key that seals credentials (K1).

use std::path::{Path, PathBuf};

use sealing::{FileKeyProvider, KeyFileError, Placement};

use super::data_dir::DataDir;
use crate::{failure::Failure, output::note};

const DEFAULT: &str = "kek";

/// The key in `file`, or in the data directory. A first start makes it; later a missing one is an error, because a new
/// one would open nothing.
pub(super) fn open(
    dir: &DataDir,
    file: Option<&Path>,
    is_first_start: bool,
) -> Result<FileKeyProvider, Failure> {
    let path: PathBuf = file.map_or_else(|| dir.file(DEFAULT), Path::to_owned);
    if is_first_start && !path.exists() {
        FileKeyProvider::create(&path).map_err(|error| failed(&path, &error))?;
        note(&format!(
            "made a new key in {}; keep it: credentials can't be read without it",
            path.display()
        ));
    }
    let keys = FileKeyProvider::load(&path, &Placement::Anywhere).map_err(|error| {
        let failure = failed(&path, &error);
        if path.exists() {
            failure
        } else {
            failure.next("give --kek-file the file that was used so far")
        }
    })?;
    if path
        .canonicalize()
        .is_ok_and(|path| path.starts_with(dir.path()))
    {
        note(&format!(
            "warning: the key {} lies beside the data it seals; for anything but a trial, move it elsewhere and give \
             --kek-file",
            path.display()
        ));
    }
    Ok(keys)
}

fn failed(path: &Path, error: &KeyFileError) -> Failure {
    Failure::new(format!("could not use the key file {}", path.display())).caused_by(error)
}
