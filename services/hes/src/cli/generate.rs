//! `hes generate`: the secrets that services running apart are given as files.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use runtime::{Ids, auth::BootstrapToken};
use sealing::FileKeyProvider;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use crate::{failure::Failure, output::note};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make an administrator's token, and the hash by which config-service knows it
    ///
    /// config-service gets the file of the hash (authentication.bootstrap_token_hash_file), the administrator the file of
    /// the token (HES_API_TOKEN_FILE). To have another token, make both anew and restart config-service.
    Token(Token),
    /// Make a key that seals credentials (sealing.kek_file of config-service)
    ///
    /// Keep it where the database and its backup aren't. Without it credentials can't be read, and have to be given again.
    Kek(Kek),
}

#[derive(Args, Debug)]
pub(crate) struct Token {
    /// Where the token goes, readable by its owner alone; must not exist
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Where its hash goes; must not exist
    #[arg(long, value_name = "FILE")]
    hash_file: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Kek {
    /// Where the key goes, readable by its owner alone; must not exist
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

impl Verb {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Token(token) => token.run(),
            Self::Kek(kek) => kek.run(),
        }
    }
}

impl Token {
    fn run(self) -> Result<(), Failure> {
        let token = BootstrapToken::generate(&Ids::system());
        let line = Zeroizing::new(format!("{}\n", token.secret().expose_secret()));
        // The hash first: without its token it lets nobody in.
        write(
            &self.hash_file,
            format!("{}\n", token.hash().to_hex()).as_bytes(),
        )?;
        write(&self.token_file, line.as_bytes())?;
        note(&format!(
            "made {} and {}",
            self.token_file.display(),
            self.hash_file.display()
        ));
        Ok(())
    }
}

impl Kek {
    fn run(self) -> Result<(), Failure> {
        FileKeyProvider::create(&self.file).map_err(|error| {
            Failure::new(format!("could not make {}", self.file.display())).caused_by(&error)
        })?;
        note(&format!("made {}", self.file.display()));
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error| {
        Failure::new(format!("could not make {}", path.display()))
            .caused_by(&error)
            .next("give a file that doesn't exist, in a folder that does")
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(failed)
}
