//! What only `hes up` has: a data directory, and secrets that it makes itself.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use anyhow::{Result, ensure};
use e2e::{Hes, Ran};
use testkit::programs;

#[tokio::test]
async fn a_data_directory_has_one_process_and_a_token_that_only_its_owner_reads() -> Result<()> {
    let mut hes = Hes::up().await?;
    let data = hes.data();
    let up = |name: &str, value: &str| -> Result<Command> {
        let mut command = programs::hes_command(["up", "--listen", "127.0.0.1:0", "--data-dir"])?;
        command.arg(&data).env(name, value);
        Ok(command)
    };

    let second = Ran::of(up("UNUSED", "")?).await?;
    e2e::refused(&second, 1, "another `hes up` uses");
    e2e::refused(&second, 1, "serving on https://127.0.0.1:");
    let misspelt = Ran::of(up("HES__GRPC__LISTN", "127.0.0.1:0")?).await?;
    e2e::refused(&misspelt, 1, "did you mean `HES__GRPC__LISTEN`?");

    let token = data.join("admin.token");
    assert_eq!(
        std::fs::metadata(&token)?.permissions().mode() & 0o777,
        0o600
    );
    let token = std::fs::read_to_string(token)?.trim().to_owned();
    ensure!(token.len() > 20, "a short token");
    assert_eq!(hes.words("domain list").await?.code, 0);
    for entry in std::fs::read_dir(&data)? {
        let path = entry?.path();
        if path.ends_with("admin.token") {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let holds = bytes
            .windows(token.len())
            .any(|part| part == token.as_bytes());
        assert!(!holds, "the token stands in {}", path.display());
    }
    assert!(!hes.log().contains(&token));
    assert_eq!(hes.terminate().await?, Some(0));
    Ok(())
}
