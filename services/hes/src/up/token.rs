//! The bootstrap administrator's token: made once. The file is the operator's copy, the server keeps its hash.

use runtime::{
    Ids,
    auth::{BootstrapToken, TokenHash},
};
use secrecy::ExposeSecret;

use super::data_dir::{DataDir, Readers};
use crate::failure::Failure;

pub(super) const TOKEN: &str = "admin.token";
const HASH: &str = "admin.token.sha256";

/// The hash to know the administrator by. The operator may move the token elsewhere, or delete both files to have
/// another one made at the next start.
pub(super) fn open(dir: &DataDir, ids: &Ids) -> Result<TokenHash, Failure> {
    if let Some(bytes) = dir.read(HASH)? {
        let text = String::from_utf8_lossy(&bytes);
        return text.trim().parse().map_err(|error| {
            Failure::new(format!("could not use {}", dir.file(HASH).display()))
                .caused_by(&error)
                .next(format!(
                    "delete it and {TOKEN}; the next start makes another token"
                ))
        });
    }
    // A token without its hash is that of a first start that was cut short, or is to be replaced.
    let token = BootstrapToken::generate(ids);
    let line = format!("{}\n", token.secret().expose_secret());
    dir.write(
        TOKEN,
        zeroize::Zeroizing::new(line).as_bytes(),
        Readers::Owner,
    )?;
    let hash = token.hash();
    dir.write(
        HASH,
        format!("{}\n", hash.to_hex()).as_bytes(),
        Readers::Owner,
    )?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use runtime::{Caller, auth::Tokens};

    use super::*;

    fn token(dir: &DataDir) -> String {
        String::from_utf8(dir.read(TOKEN).unwrap().unwrap())
            .unwrap()
            .trim()
            .to_owned()
    }

    #[test]
    fn the_token_is_made_once_and_survives_the_loss_of_the_operators_copy() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        let ids = Ids::system();

        let first = open(&dir, &ids).unwrap();
        let token = token(&dir);
        assert_eq!(first.caller(&token), Some(Caller::Administrator));

        std::fs::remove_file(dir.file(TOKEN)).unwrap();
        assert_eq!(
            open(&dir, &ids).unwrap().caller(&token),
            Some(Caller::Administrator)
        );
        assert_eq!(dir.read(TOKEN).unwrap(), None);
    }

    #[test]
    fn a_deleted_hash_replaces_the_token() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        open(&dir, &Ids::system()).unwrap();
        let old = token(&dir);

        std::fs::remove_file(dir.file(HASH)).unwrap();
        let hash = open(&dir, &Ids::system()).unwrap();

        assert_ne!(token(&dir), old);
        assert_eq!(hash.caller(&old), None);
    }
}
