//! The data directory of `hes up`: one process at a time, and nobody else's to read.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
};

use crate::{failure::Failure, output::note};

/// Held as long as this lives: the lock goes with the process, however it ends.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    lock: File,
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    Owner,
    Everyone,
}

impl DataDir {
    /// Makes the directory if it is missing, and takes it for this process.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| unusable(path).caused_by(&error))?;
        // Its absolute path is what people need from another directory or shell.
        let path = path
            .canonicalize()
            .map_err(|error| unusable(path).caused_by(&error))?;
        let metadata = fs::metadata(&path).map_err(|error| unusable(&path).caused_by(&error))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            note(&format!(
                "warning: other accounts of this machine may read {0}; run: chmod 700 {0}",
                path.display()
            ));
        }
        let lock = take_lock(&path)?;
        let dir = Self { path, lock };
        dir.say_who("starting")?;
        Ok(dir)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Leaves word for whoever finds the directory locked.
    pub(super) fn say_who(&self, what: &str) -> Result<(), Failure> {
        let mut lock = &self.lock;
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "process {}, {what}", process::id()))
            .map_err(|error| unusable(&self.path).caused_by(&error))
    }

    /// What a file holds; `None` when there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.file(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Failure::new(format!("could not read {}", path.display())).caused_by(&error))
            }
        }
    }

    /// Replaces a file: after a crash it is the old one or the new one, whole.
    pub(super) fn write(&self, name: &str, bytes: &[u8], readers: Readers) -> Result<(), Failure> {
        let path = self.file(name);
        self.replace(name, bytes, readers).map_err(|error| {
            Failure::new(format!("could not write {}", path.display())).caused_by(&error)
        })
    }

    fn replace(&self, name: &str, bytes: &[u8], readers: Readers) -> io::Result<()> {
        let fresh = self.file(&format!("{name}.new"));
        // One left behind by a crash may have another mode.
        if let Err(error) = fs::remove_file(&fresh)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mode = match readers {
            Readers::Owner => 0o600,
            Readers::Everyone => 0o644,
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, self.file(name))?;
        File::open(&self.path)?.sync_all()
    }
}

fn take_lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join("lock");
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| unusable(dir).caused_by(&error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let mut who = String::new();
            // Without the word left there, the refusal is still right.
            drop(lock.read_to_string(&mut who));
            Err(
                Failure::new(format!("another `hes up` uses {}", dir.display()))
                    .because(format!("it is {}", who.trim()))
                    .next("stop that one, or give another --data-dir"),
            )
        }
        Err(TryLockError::Error(error)) => Err(unusable(dir).caused_by(&error)),
    }
}

fn unusable(path: &Path) -> Failure {
    Failure::new(format!(
        "could not use the data directory {}",
        path.display()
    ))
    .next("give a --data-dir that this account may write to")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_directory_and_its_secrets_are_the_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&parent.path().join("a/b")).unwrap();
        dir.write("key", b"one", Readers::Owner).unwrap();
        dir.write("key", b"two", Readers::Owner).unwrap();
        dir.write("ca.pem", b"", Readers::Everyone).unwrap();

        assert_eq!(mode(dir.path()), 0o700);
        assert_eq!(mode(&dir.file("key")), 0o600);
        assert_eq!(mode(&dir.file("lock")), 0o600);
        assert_eq!(dir.read("key").unwrap().unwrap(), b"two");
        assert_eq!(dir.read("none").unwrap(), None);
        assert!(!dir.file("key.new").exists());
    }

    #[test]
    fn a_directory_has_one_process_at_a_time_and_says_which() {
        let parent = tempfile::tempdir().unwrap();
        let first = DataDir::open(parent.path()).unwrap();
        first.say_who("serving on https://127.0.0.1:1").unwrap();

        let refusal = format!("{:?}", DataDir::open(parent.path()).unwrap_err());
        assert!(refusal.contains(&process::id().to_string()), "{refusal}");
        assert!(refusal.contains("https://127.0.0.1:1"), "{refusal}");

        drop(first);
        DataDir::open(parent.path()).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_says_which_and_what_to_do() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();

        let failure = format!("{:?}", DataDir::open(&file.join("dir")).unwrap_err());
        assert!(
            failure.contains("file/dir") && failure.contains("--data-dir"),
            "{failure}"
        );
    }
}
