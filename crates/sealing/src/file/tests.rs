//! Which key files are taken.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{FileKeyProvider, KeyFileError, Placement};
use crate::KeyProvider as _;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const OTHER_KEY: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn write(directory: &Path, text: &str, mode: u32) -> PathBuf {
    let path = directory.join("keys");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn load(path: &Path) -> Result<FileKeyProvider, KeyFileError> {
    FileKeyProvider::load(path, &Placement::Anywhere)
}

#[tokio::test]
async fn the_first_key_is_active_and_a_bare_key_keeps_its_id_when_others_come_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let bare = load(&write(directory.path(), KEY, 0o600)).unwrap();
    let id = bare.active_key().await.unwrap();

    let text = format!("# rotated in May\r\n\n next : {OTHER_KEY} \r\n{KEY}\n");
    let rotated = load(&write(directory.path(), &text, 0o400)).unwrap();

    assert_eq!(rotated.active_key().await.unwrap().as_str(), "next");
    assert!(rotated.find(&id).is_some());
}

#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666] {
        let refused = load(&write(directory.path(), KEY, mode)).unwrap_err();

        assert!(
            matches!(refused, KeyFileError::ReadableByOthers { mode: told, .. } if told == mode)
        );
        assert!(refused.to_string().contains("chmod 600"));
    }
}

#[test]
fn a_file_in_the_data_directory_is_refused_however_it_is_named() {
    let data = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let inside = write(data.path(), KEY, 0o600);
    let linked_file = elsewhere.path().join("link");
    symlink(&inside, &linked_file).unwrap();
    let linked_directory = elsewhere.path().join("data");
    symlink(data.path(), &linked_directory).unwrap();
    let roundabout = data.path().join("../").join(data.path()).join("./keys");
    let production = Placement::Outside(data.path().to_owned());

    for path in [
        &inside,
        &linked_file,
        &linked_directory.join("keys"),
        &roundabout,
    ] {
        let refused = FileKeyProvider::load(path, &production).unwrap_err();
        assert!(matches!(refused, KeyFileError::InDataDirectory { .. }));
    }
    let named_by_link = Placement::Outside(linked_directory);
    assert!(FileKeyProvider::load(&inside, &named_by_link).is_err());

    let outside = write(elsewhere.path(), KEY, 0o600);
    FileKeyProvider::load(&outside, &production).unwrap();
    FileKeyProvider::load(&inside, &Placement::Anywhere).unwrap();
}

#[test]
fn a_line_that_is_no_key_is_refused_by_its_number_and_never_shown() {
    let directory = tempfile::tempdir().unwrap();
    let short = &KEY[..40];
    let table = [
        (format!("{KEY}\n{short}"), 2),
        (format!("{KEY}:id"), 1),
        (format!("a b:{KEY}"), 1),
        (format!(":{KEY}"), 1),
        (format!("one:{KEY}\none:{OTHER_KEY}"), 2),
        (format!("{KEY}\n{KEY}"), 2),
        (format!("{KEY}{OTHER_KEY}"), 1),
        ("A".repeat(43) + "=", 1),
        ("correct horse battery staple".to_owned(), 1),
    ];
    for (text, number) in table {
        let refused = load(&write(directory.path(), &text, 0o600)).unwrap_err();

        let printed = format!("{refused} {refused:?}");
        assert!(
            matches!(refused, KeyFileError::Line { line, .. } if line == number),
            "{printed}"
        );
        assert!(!printed.contains("AQEB") && !printed.contains("horse"));
    }
}

#[test]
fn what_is_no_key_file_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let missing = load(&directory.path().join("missing")).unwrap_err();
    assert!(missing.is_not_found());

    let folder = load(directory.path()).unwrap_err();
    assert!(matches!(folder, KeyFileError::NotAKeyFile { .. }));

    let empty = load(&write(directory.path(), "# nothing\n", 0o600)).unwrap_err();
    assert!(matches!(empty, KeyFileError::NoKey { .. }));

    let long = format!("{KEY}\n").repeat(2_000);
    let long = load(&write(directory.path(), &long, 0o600)).unwrap_err();
    assert!(matches!(long, KeyFileError::NotAKeyFile { .. }));
}

#[tokio::test]
async fn a_created_file_is_its_owners_alone_and_never_replaces_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kek");

    FileKeyProvider::create(&path).unwrap();

    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let id = load(&path).unwrap().active_key().await.unwrap();
    let before = fs::read(&path).unwrap();
    let again = FileKeyProvider::create(&path).unwrap_err();
    assert!(matches!(again, KeyFileError::Exists { .. }));
    assert_eq!(fs::read(&path).unwrap(), before);
    // Neither attempt leaves a draft, which would be a key nobody knows of.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);

    let other = directory.path().join("other");
    FileKeyProvider::create(&other).unwrap();
    assert_ne!(load(&other).unwrap().active_key().await.unwrap(), id);
}

#[test]
fn of_many_creators_at_once_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kek");

    let made = std::thread::scope(|scope| {
        let creators: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| FileKeyProvider::create(&path).is_ok()))
            .collect();
        creators
            .into_iter()
            .map(|creator| creator.join().unwrap())
            .filter(|won| *won)
            .count()
    });

    assert_eq!(made, 1);
    load(&path).unwrap();
}
