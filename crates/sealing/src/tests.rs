//! Sealing, with keys from real files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::ExposeSecret as _;

use crate::{Error, FileKeyProvider, Placement, Record, Sealed, Sealer};

const SECRET: &[u8] = b"correct horse battery staple";
const RECORD: Record<'_> = Record::new("corp.example.com", "bind-password", 7);
const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

struct World {
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn key_file(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    fn sealer(&self, lines: &[&str]) -> Sealer {
        let path = self.key_file();
        fs::write(&path, lines.join("\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        loaded(&path)
    }
}

fn loaded(path: &Path) -> Sealer {
    let keys = FileKeyProvider::load(path, &Placement::Anywhere).unwrap();
    Sealer::new(Arc::new(keys))
}

async fn opened(sealer: &Sealer, record: &Record<'_>, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let secret = sealer.open(record, &Sealed::from_bytes(bytes)?).await?;
    Ok(secret.expose_secret().to_vec())
}

#[tokio::test]
async fn what_was_sealed_opens_after_a_trip_through_bytes_and_a_restart() {
    let world = World::new();
    FileKeyProvider::create(&world.key_file()).unwrap();

    for secret in [SECRET, b"", &[0; 100_000]] {
        let sealed = loaded(&world.key_file())
            .seal(&RECORD, secret)
            .await
            .unwrap();
        let bytes = sealed.to_bytes();

        assert_eq!(Sealed::from_bytes(&bytes).unwrap(), sealed);
        let again = loaded(&world.key_file());
        assert_eq!(opened(&again, &RECORD, &bytes).await.unwrap(), secret);
    }
}

#[tokio::test]
async fn a_value_opens_in_no_other_record() {
    let sealer = World::new().sealer(&[OLD]);
    let bytes = sealer.seal(&RECORD, SECRET).await.unwrap().to_bytes();
    let others = [
        Record::new("corp.example.co", "bind-password", 7),
        Record::new("corp.example.com", "bind-passwor", 7),
        Record::new("corp.example.com", "bind-password", 8),
        // The same texts, cut elsewhere.
        Record::new("corp.example.combind", "-password", 7),
        Record::new("", "corp.example.combind-password", 7),
    ];

    for other in others {
        let refused = opened(&sealer, &other, &bytes).await;

        assert!(matches!(refused, Err(Error::Unopenable(_))), "{other:?}");
        let sealed = Sealed::from_bytes(&bytes).unwrap();
        let rewrapped = sealer.rewrap(&other, &sealed).await;
        assert!(matches!(rewrapped, Err(Error::Unopenable(_))), "{other:?}");
    }
}

#[tokio::test]
async fn a_value_with_any_bit_flipped_does_not_open() {
    // The other key has an id one bit away, and the very same bytes.
    let twin = OLD.replacen("old", "ole", 1);
    let sealer = World::new().sealer(&[OLD, &twin]);
    let bytes = sealer.seal(&RECORD, SECRET).await.unwrap().to_bytes();

    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);

        assert!(
            opened(&sealer, &RECORD, &altered).await.is_err(),
            "bit {bit}"
        );
    }
}

#[tokio::test]
async fn a_value_cut_anywhere_or_with_more_behind_it_does_not_open() {
    let sealer = World::new().sealer(&[OLD]);
    let bytes = sealer.seal(&RECORD, SECRET).await.unwrap().to_bytes();

    for length in 0..bytes.len() {
        let cut = opened(&sealer, &RECORD, &bytes[..length]).await;
        assert!(cut.is_err(), "{length} bytes");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(opened(&sealer, &RECORD, &longer).await.is_err());
}

#[tokio::test]
async fn layers_of_two_values_do_not_mix() {
    let sealer = World::new().sealer(&[OLD]);
    let one = sealer.seal(&RECORD, SECRET).await.unwrap();
    let two = sealer.seal(&RECORD, SECRET).await.unwrap();

    let mixed = Sealed {
        wrapped: two.wrapped.clone(),
        ..one.clone()
    };

    assert!(matches!(
        sealer.open(&RECORD, &mixed).await,
        Err(Error::Unopenable(_))
    ));
}

#[tokio::test]
async fn sealing_a_secret_twice_shares_no_bytes_but_the_header() {
    let sealer = World::new().sealer(&[OLD]);

    let one = sealer.seal(&RECORD, SECRET).await.unwrap();
    let two = sealer.seal(&RECORD, SECRET).await.unwrap();

    assert_ne!(one.wrapped.bytes, two.wrapped.bytes);
    assert_ne!(one.nonce, two.nonce);
    assert_ne!(one.body, two.body);
    let bytes = one.to_bytes();
    assert!(!bytes.windows(8).any(|window| SECRET.starts_with(window)));
}

#[tokio::test]
async fn a_rewrapped_value_opens_without_the_old_key_and_its_ciphertext_is_untouched() {
    let world = World::new();
    let sealed = world.sealer(&[OLD]).seal(&RECORD, SECRET).await.unwrap();
    let rotating = world.sealer(&[NEW, OLD]);
    assert!(rotating.needs_rewrap(&sealed).await.unwrap());

    let rewrapped = rotating.rewrap(&RECORD, &sealed).await.unwrap();

    assert!(!rotating.needs_rewrap(&rewrapped).await.unwrap());
    assert_eq!(rewrapped.nonce, sealed.nonce);
    assert_eq!(rewrapped.body, sealed.body);
    let after = world.sealer(&[NEW]);
    let secret = opened(&after, &RECORD, &rewrapped.to_bytes()).await;
    assert_eq!(secret.unwrap(), SECRET);
    let left_behind = opened(&after, &RECORD, &sealed.to_bytes()).await;
    assert!(matches!(left_behind, Err(Error::UnknownKey(id)) if id.as_str() == "old"));
}

#[tokio::test]
async fn rewrapping_again_after_an_interruption_does_the_rows_that_are_left() {
    let world = World::new();
    let before = world.sealer(&[OLD]);
    let mut rows = Vec::new();
    for version in 0..5 {
        let record = Record::new("corp", "secret", version);
        rows.push(before.seal(&record, SECRET).await.unwrap());
    }
    let rotating = world.sealer(&[NEW, OLD]);
    for version in [3, 1] {
        let record = Record::new("corp", "secret", version);
        let row = &mut rows[version as usize];
        *row = rotating.rewrap(&record, row).await.unwrap();
    }

    let mut done = 0;
    for (version, row) in rows.iter_mut().enumerate() {
        if rotating.needs_rewrap(row).await.unwrap() {
            let record = Record::new("corp", "secret", version as u64);
            *row = rotating.rewrap(&record, row).await.unwrap();
            done += 1;
        }
    }

    assert_eq!(done, 3);
    let after = world.sealer(&[NEW]);
    for (version, row) in rows.iter().enumerate() {
        let record = Record::new("corp", "secret", version as u64);
        after.open(&record, row).await.unwrap();
    }
}

#[tokio::test]
async fn another_key_of_the_same_id_opens_nothing() {
    let world = World::new();
    let sealed = world.sealer(&[OLD]).seal(&RECORD, SECRET).await.unwrap();

    let replaced = world.sealer(&[&NEW.replacen("new", "old", 1)]);

    let refused = replaced.open(&RECORD, &sealed).await;
    assert!(matches!(refused, Err(Error::Unopenable(_))));
}

#[tokio::test]
async fn a_value_of_the_first_format_still_opens() {
    // Sealed once, when the format was made. If this fails, the secrets in every installed database are lost.
    let sealer = World::new().sealer(&[OLD]);
    let bytes: Vec<u8> = include_str!("tests/sealed-1.hex")
        .split_whitespace()
        .flat_map(|line| line.as_bytes().chunks(2))
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();

    assert_eq!(opened(&sealer, &RECORD, &bytes).await.unwrap(), SECRET);
}

#[tokio::test]
async fn nothing_that_can_be_printed_holds_a_secret() {
    let world = World::new();
    let sealer = world.sealer(&[OLD]);
    let sealed = sealer.seal(&RECORD, SECRET).await.unwrap();
    let keys = FileKeyProvider::load(&world.key_file(), &Placement::Anywhere).unwrap();
    let key = crate::DataKey::from_bytes(&[1; 32]).unwrap();
    let secret = sealer.open(&RECORD, &sealed).await.unwrap();
    let other = Record::new("other", "kind", 1);
    let refused = sealer.open(&other, &sealed).await.unwrap_err();

    let printed =
        format!("{sealer:?} {sealed:?} {keys:?} {key:?} {secret:?} {refused:?} {refused}");

    for planted in ["correct horse", "AQEB", "1, 1, 1", "0101", "99, 111"] {
        assert!(!printed.contains(planted), "{planted} in {printed}");
    }
}
