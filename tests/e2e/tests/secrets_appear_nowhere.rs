//! K2: canaries in the credentials, looked for everywhere the suite writes, in every form a program would write them.

use anyhow::{Context, Result};
use e2e::{GROUP, Hes, ROTATION_GROUP, World};
use std::path::Path;
use testkit::Samba;
use testkit::samba::{NewUser, Options};

const LOGON: &str = "CORP\\svc-canary-7f3a";
const PASSWORD: &str = "Canary-Pa55word-9d41!";

/// Raw, UTF-16LE, base64 at each of its three alignments (without the characters that depend on neighbours), hex.
fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let mut forms = vec![
        ("raw", bytes.to_vec()),
        ("UTF-16LE", utf16.clone()),
        ("hex", hex(bytes).into_bytes()),
        ("HEX", hex(bytes).to_uppercase().into_bytes()),
        ("hex of UTF-16LE", hex(&utf16).into_bytes()),
    ];
    for text in [bytes, &utf16] {
        for skip in 0..3 {
            let whole = text
                .get(skip..)
                .unwrap_or_default()
                .chunks_exact(3)
                .flat_map(base64_group)
                .collect();
            forms.push(("base64", whole));
        }
    }
    forms
}

fn base64_group(group: &[u8]) -> [u8; 4] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = group
        .iter()
        .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
    let digit = |shift: usize| {
        ALPHABET
            .get(bits >> shift & 63)
            .copied()
            .unwrap_or_default()
    };
    [18, 12, 6, 0].map(digit)
}

/// Where a secret stands in `haystack`.
fn found(place: &str, haystack: &[u8], secrets: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets {
        for (form, needle) in forms(secret) {
            if haystack
                .windows(needle.len())
                .any(|window| window == needle)
            {
                found.push(format!("{secret} as {form} in {place}"));
            }
        }
    }
    found
}

/// Every file below a folder. Those of a running database come and go.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if let Ok(content) = std::fs::read(&path) {
            found.push((path.display().to_string(), content));
        }
    }
    Ok(())
}

#[test]
fn the_search_itself_finds_each_form() {
    let secret = "Canary-Pa55word-9d41!";
    let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for haystack in [
        b"..Canary-Pa55word-9d41!..".to_vec(),
        [b"x".as_slice(), &utf16].concat(),
        // `a:Canary-Pa55word-9d41!` in base64.
        b"YTpDYW5hcnktUGE1NXdvcmQtOWQ0MSE=".to_vec(),
        b"43616e6172792d50613535776f72642d3964343121".to_vec(),
    ] {
        assert!(!found("here", &haystack, &[secret]).is_empty());
    }
    assert_eq!(found("here", b"nothing", &[secret]), Vec::<String>::new());
}

#[tokio::test]
async fn credentials_appear_in_no_file_log_answer_error_or_process_list() -> Result<()> {
    let samba = Samba::start(Options::default()).await?;
    samba.create_group(GROUP).await?;
    samba.create_group(ROTATION_GROUP).await?;
    let service = NewUser::named("svc-canary-7f3a").password(PASSWORD);
    samba.create_user(service).await?;
    samba.create_user("one").await?;
    samba.add_members(GROUP, &["one"]).await?;
    let hes = Hes::up_with(&[("HES__TELEMETRY__FILTER", "trace")]).await?;
    let (name, password) = (hes.file("name", LOGON)?, hes.file("password", PASSWORD)?);
    let wrong = hes.file("wrong", &PASSWORD.to_lowercase())?;
    let secrets = [LOGON, PASSWORD, &PASSWORD.to_lowercase()];
    let credentials = |password: &Path| -> Vec<String> {
        [
            "--logon-name-file",
            &name.to_string_lossy(),
            "--password-file",
            &password.to_string_lossy(),
        ]
        .map(str::to_owned)
        .into()
    };
    let line = |words: &str| -> Vec<String> { words.split(' ').map(str::to_owned).collect() };
    let add = line(&format!(
        "domain add ad corp --domain-name corp.test --server {} --ca-file {}",
        samba.ldaps_url(),
        samba.ca_file().display()
    ));

    let mut said = String::new();
    for command in [
        [add, credentials(&password)].concat(),
        line("domain test corp"),
        line("sync run corp --wait"),
        line("domain get corp -o json"),
        [line("domain set-credentials corp"), credentials(&wrong)].concat(),
        line("sync run corp --wait"),
        line("domain test corp -o json"),
        line("sync list corp -o yaml"),
        line("audit list -o json"),
    ] {
        let ran = hes.run(&command).await?;
        said += &format!("{ran:?}\n");
    }

    let mut places = Vec::new();
    for folder in hes.stored() {
        files(&folder, &mut places)?;
    }
    assert!(
        places
            .iter()
            .any(|(_, content)| contains(content, b"corp.test")),
        "the databases are looked at"
    );
    let log = hes.log();
    assert!(log.len() > 10_000, "everything is traced");
    places.push(("the log".to_owned(), log.into_bytes()));
    places.push(("answers and errors".to_owned(), said.into_bytes()));
    for process in std::fs::read_dir("/proc")? {
        let path = process?.path();
        for part in ["cmdline", "environ"] {
            // Processes come and go.
            if let Ok(content) = std::fs::read(path.join(part)) {
                places.push((format!("{}/{part}", path.display()), content));
            }
        }
    }
    let leaks: Vec<_> = places
        .iter()
        // The kernel shows the testkit's own processes too: only the suite's are ours.
        .filter(|(place, content)| !place.starts_with("/proc") || contains(content, b"hes"))
        .flat_map(|(place, content)| found(place, content, &secrets))
        .collect();
    assert_eq!(leaks, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn passwords_that_change_appear_nowhere_but_in_the_key() -> Result<()> {
    let settings = [
        ("HES__TELEMETRY__FILTER", "trace"),
        ("HES__ROTATION_SCHEDULER__QUIESCENCE", "0s"),
    ];
    let (world, mut keys) = World::with_keys(1, &settings).await?;
    let key = keys.first_mut().context("a key")?;
    let mut values = Vec::new();
    let mut said = String::new();
    for generation in 1..=2 {
        world.hes.come(key, &[])?;
        said += &format!("{:?}", world.hes.rotate_now(key).await?);
        world.hes.until_rotation(key, generation, "CLOSED").await?;
        let slots = key.slots()?;
        values.push(slots.current.context("a current password")?.value);
        key.go();
        said += &format!("{:?}", world.hes.rotations(key).await?);
    }
    for command in [
        "rotation list --all -o yaml",
        "rotation forecast corp",
        "rotation held",
        "delivery target list -o json",
        "delivery client list",
        "audit list -o json",
        "domain get corp",
        "status -o json",
    ] {
        said += &format!("{:?}", world.hes.words(command).await?);
    }
    let store = format!("delivery store --store {}", key.store.display());
    said += &format!("{:?}", world.hes.words(&store).await?);

    let mut places = Vec::new();
    for folder in world.hes.stored() {
        files(&folder, &mut places)?;
    }
    let own = key.store.display().to_string();
    assert!(places.iter().any(|(place, _)| place.starts_with(&own)));
    places.retain(|(place, _)| !place.starts_with(&own));
    let log = world.hes.log();
    assert!(log.contains("PasswordService/Set"), "everything is traced");
    places.push(("the log".to_owned(), log.into_bytes()));
    places.push(("the client's output".to_owned(), key.said().into_bytes()));
    places.push(("answers and errors".to_owned(), said.into_bytes()));
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let leaks: Vec<_> = places
        .iter()
        .flat_map(|(place, content)| found(place, content, &values))
        .collect();
    assert_eq!(leaks, Vec::<String>::new());
    Ok(())
}

fn contains(content: &[u8], needle: &[u8]) -> bool {
    content.windows(needle.len()).any(|window| window == needle)
}
