//! What a key keeps: its own two secrets, and three slots an account: the previous password, the current one, and one that
//! is pending.
//!
//! Every change is written to a new file, brought to disk, and put in the place of the old one, and the folder is brought to
//! disk too: after a crash at any moment there is the state before or the state after, and nothing in between. Only then is
//! anything answered.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use api::name::AccountName;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sealing::{PresenceSecret, TargetSecret};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::failure::Failure;

const KEYS: &str = "keys.json";
const TARGET: &str = "target";
const LOCK: &str = "lock";
const ACCOUNTS: &str = "accounts";

/// A key's store, held by one process.
pub(crate) struct Store {
    folder: PathBuf,
    pub(crate) sealing: TargetSecret,
    pub(crate) signing: PresenceSecret,
    /// Held while the store is.
    _lock: File,
}

/// The passwords of one account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    /// `domains/{domain}/accounts/{object id}`.
    pub(crate) account: String,
    pub(crate) logon_name: String,
    /// For a workstation that has not seen the domain since the change.
    pub(crate) previous: Option<Kept>,
    pub(crate) current: Option<Kept>,
    /// May be the password from the moment it is accepted: tried after the current one.
    pub(crate) pending: Option<Kept>,
}

/// One password.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) generation: i64,
    pub(crate) candidate: i32,
    pub(crate) value: SecretString,
}

/// On disk.
#[derive(Serialize, Deserialize)]
struct KeysFile {
    sealing: String,
    signing: String,
}

impl Drop for KeysFile {
    fn drop(&mut self) {
        self.sealing.zeroize();
        self.signing.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
struct SlotsFile {
    account: String,
    logon_name: String,
    previous: Option<KeptFile>,
    current: Option<KeptFile>,
    pending: Option<KeptFile>,
}

#[derive(Serialize, Deserialize)]
struct KeptFile {
    generation: i64,
    candidate: i32,
    value: String,
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl Slots {
    /// In which order passwords are tried before a confirmation: current, then pending; each once.
    pub(crate) fn to_try(&self) -> impl Iterator<Item = &Kept> {
        self.current.iter().chain(&self.pending)
    }

    /// Takes a candidate as pending. False where it is older than what is there.
    pub(crate) fn offer(&mut self, offered: Kept) -> bool {
        let generation = offered.generation;
        if self.is_current(generation)
            || self
                .pending
                .as_ref()
                .is_some_and(|pending| pending.generation > generation)
        {
            return false;
        }
        self.pending = Some(offered);
        true
    }

    /// Makes a confirmed password current; the one before becomes the previous. False where it is current already.
    pub(crate) fn confirm(&mut self, confirmed: Kept) -> bool {
        if self.is_current(confirmed.generation) {
            return false;
        }
        // One that is pending for a later change stays.
        if self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.generation <= confirmed.generation)
        {
            self.pending = None;
        }
        self.previous = self.current.replace(confirmed);
        true
    }

    /// Forgets a candidate that is not and will not be the password. False where it is not the one that is pending.
    pub(crate) fn withdraw(&mut self, generation: i64, candidate: i32) -> bool {
        self.pending
            .take_if(|pending| pending.generation == generation && pending.candidate == candidate)
            .is_some()
    }

    /// Whether this generation, or a later one, is current.
    fn is_current(&self, generation: i64) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.generation >= generation)
    }
}

impl Store {
    /// Opens a store; made with new keys where there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let failed = |what: &'static str| {
            let folder = folder.display();
            move |error: io::Error| {
                Failure::new(format!("could not {what} the store in {folder}")).caused_by(&error)
            }
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder.join(ACCOUNTS))
            .map_err(failed("make"))?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(LOCK))
            .map_err(failed("open"))?;
        lock.try_lock().map_err(|error| {
            Failure::new(format!("could not open the store in {}", folder.display()))
                .caused_by(&error)
                .next("one process holds a store at a time: end the other one")
        })?;
        let path = folder.join(KEYS);
        if !path.exists() {
            let keys = new_keys().map_err(|error| {
                Failure::new("could not make keys for the target").caused_by(&error)
            })?;
            write(&path, &keys).map_err(failed("write keys into"))?;
        }
        let (sealing, signing) = read_keys(&path)?;
        Ok(Self {
            folder: folder.to_owned(),
            sealing,
            signing,
            _lock: lock,
        })
    }

    /// The name it was enrolled by.
    pub(crate) fn target(&self) -> Result<Option<String>, Failure> {
        match fs::read_to_string(self.folder.join(TARGET)) {
            Ok(name) => Ok(Some(name.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read the target's name", &error)),
        }
    }

    pub(crate) fn put_target(&self, name: &str) -> Result<(), Failure> {
        write(&self.folder.join(TARGET), &format!("{name}\n"))
            .map_err(|error| self.failed("note the target's name", &error))
    }

    /// All accounts, by name.
    pub(crate) fn all(&self) -> Result<Vec<Slots>, Failure> {
        let failed = |error: io::Error| self.failed("read the accounts", &error);
        let mut all = Vec::new();
        for entry in fs::read_dir(self.folder.join(ACCOUNTS)).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                all.extend(self.read(&path)?);
            }
        }
        all.sort_by(|a: &Slots, b| a.account.cmp(&b.account));
        Ok(all)
    }

    /// One account's; empty where nothing was stored of it.
    pub(crate) fn slots(&self, account: &str) -> Result<Slots, Failure> {
        let slots = self.read(&self.path(account)?)?;
        Ok(slots.unwrap_or_else(|| Slots {
            account: account.to_owned(),
            ..Slots::default()
        }))
    }

    /// Durable when it returns.
    pub(crate) fn put(&self, slots: &Slots) -> Result<(), Failure> {
        let kept = |kept: &Option<Kept>| {
            kept.as_ref().map(|kept| KeptFile {
                generation: kept.generation,
                candidate: kept.candidate,
                value: kept.value.expose_secret().to_owned(),
            })
        };
        let file = SlotsFile {
            account: slots.account.clone(),
            logon_name: slots.logon_name.clone(),
            previous: kept(&slots.previous),
            current: kept(&slots.current),
            pending: kept(&slots.pending),
        };
        let text = serde_json::to_string_pretty(&file)
            .map(Zeroizing::new)
            .map_err(|error| Failure::new("could not store a password").caused_by(&error))?;
        write(&self.path(&slots.account)?, &text)
            .map_err(|error| self.failed("store a password", &error))
    }

    fn path(&self, account: &str) -> Result<PathBuf, Failure> {
        // Of a name that is read whole, nothing can lead out of the folder.
        let AccountName(key) = account.parse().map_err(|error| {
            Failure::new("the server named no account").caused_by(&error as &dyn std::error::Error)
        })?;
        let name = format!("{}--{}.json", key.domain, key.object);
        Ok(self.folder.join(ACCOUNTS).join(name))
    }

    fn read(&self, path: &Path) -> Result<Option<Slots>, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read an account", &error)),
        };
        // The error of a parser may quote what it read.
        let file: SlotsFile = serde_json::from_str(&text).map_err(|_| {
            Failure::new(format!("could not read {}", path.display()))
                .because("it is not what this program writes")
        })?;
        let kept = |file: &Option<KeptFile>| {
            file.as_ref().map(|file| Kept {
                generation: file.generation,
                candidate: file.candidate,
                value: SecretString::from(file.value.as_str()),
            })
        };
        Ok(Some(Slots {
            previous: kept(&file.previous),
            current: kept(&file.current),
            pending: kept(&file.pending),
            account: file.account,
            logon_name: file.logon_name,
        }))
    }

    fn failed(&self, what: &str, error: &io::Error) -> Failure {
        Failure::new(format!(
            "could not {what} in the store {}",
            self.folder.display()
        ))
        .caused_by(error)
    }
}

fn new_keys() -> Result<Zeroizing<String>, sealing::Error> {
    let text = |bytes: &secrecy::SecretSlice<u8>| BASE64_STANDARD.encode(bytes.expose_secret());
    let file = KeysFile {
        sealing: text(&TargetSecret::generate()?.to_bytes()),
        signing: text(&PresenceSecret::generate()?.to_bytes()),
    };
    Ok(Zeroizing::new(
        serde_json::to_string(&file).unwrap_or_default(),
    ))
}

fn read_keys(path: &Path) -> Result<(TargetSecret, PresenceSecret), Failure> {
    let failed = || Failure::new(format!("could not read the keys in {}", path.display()));
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| failed().caused_by(&error))?;
    let damaged = || failed().because("the file is damaged; have a new target enrolled");
    let file: KeysFile = serde_json::from_str(&text).map_err(|_| damaged())?;
    let bytes = |text: &str| {
        BASE64_STANDARD
            .decode(text)
            .map(secrecy::SecretSlice::<u8>::from)
            .map_err(|_| damaged())
    };
    let sealing = TargetSecret::from_bytes(&bytes(&file.sealing)?).map_err(|_| damaged())?;
    let signing = PresenceSecret::from_bytes(&bytes(&file.signing)?).map_err(|_| damaged())?;
    Ok((sealing, signing))
}

/// Puts a file in the place of another one, durably.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    runtime::points::reached("slot written");
    fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "domains/corp/accounts/8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e";

    fn kept(generation: i64, candidate: i32) -> Kept {
        Kept {
            generation,
            candidate,
            value: format!("value {generation}.{candidate}").into(),
        }
    }

    fn said(kept: &Option<Kept>) -> Option<(i64, i32)> {
        kept.as_ref().map(|kept| (kept.generation, kept.candidate))
    }

    #[test]
    fn a_password_goes_from_pending_to_current_to_previous() {
        let mut slots = Slots::default();
        assert!(slots.offer(kept(1, 1)));
        // Another candidate takes its place: the first was refused.
        assert!(slots.offer(kept(1, 2)));
        assert!(slots.confirm(kept(1, 2)));
        assert!(!slots.confirm(kept(1, 2)), "told twice, done once");
        assert!(slots.offer(kept(2, 1)));
        let tried: Vec<_> = slots.to_try().map(|kept| kept.generation).collect();
        assert_eq!(tried, [1, 2], "the current one first, then what is pending");
        assert!(slots.confirm(kept(2, 1)));
        assert_eq!(said(&slots.previous), Some((1, 2)));
        assert_eq!(said(&slots.current), Some((2, 1)));
        assert_eq!(said(&slots.pending), None);
        // What is late changes nothing.
        assert!(!slots.offer(kept(1, 1)));
        assert!(!slots.confirm(kept(1, 2)));
        assert!(
            !slots.withdraw(2, 1),
            "it is current, and not to be taken back"
        );
    }

    #[test]
    fn only_the_candidate_that_is_named_is_withdrawn() {
        let mut slots = Slots::default();
        slots.offer(kept(3, 2));
        assert!(!slots.withdraw(3, 1));
        assert!(!slots.withdraw(2, 2));
        assert!(slots.withdraw(3, 2));
        assert_eq!(said(&slots.pending), None);
    }

    #[test]
    fn what_was_put_is_there_after_a_restart_and_for_nobody_else() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let store = Store::open(&path).unwrap();
        assert!(Store::open(&path).is_err(), "one process at a time");
        let public = store.sealing.public();
        store
            .put(&Slots {
                account: ACCOUNT.to_owned(),
                pending: Some(kept(1, 1)),
                ..Slots::default()
            })
            .unwrap();
        store.put_target("targets/1").unwrap();
        drop(store);

        let store = Store::open(&path).unwrap();
        assert_eq!(store.sealing.public(), public);
        assert_eq!(store.target().unwrap().as_deref(), Some("targets/1"));
        let all = store.all().unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(said(&all[0].pending), Some((1, 1)));
        for entry in walk(&path) {
            let mode = fs::metadata(&entry).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", entry.display());
        }
        assert!(store.slots("domains/corp/accounts/../../etc").is_err());
    }

    fn walk(folder: &Path) -> Vec<PathBuf> {
        let mut found = vec![folder.to_owned()];
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => found.extend(walk(&path)),
                false => found.push(path),
            }
        }
        found
    }
}
