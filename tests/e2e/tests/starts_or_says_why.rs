//! What a newcomer and an operator see first: the demo, from its start to its end, and settings that can't be right.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use testkit::programs;

const DEADLINE: Duration = Duration::from_secs(240);
/// Nothing is asked over a network, so nothing is waited for.
const AT_ONCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_demo_tells_its_story_and_leaves_nothing_behind() -> Result<()> {
    let folder = TempDir::new()?;
    let mut command = programs::hes_command(["demo", "--once"])?;
    command.env("TMPDIR", folder.path());

    let output = programs::run(command, DEADLINE).await?;

    let told = String::from_utf8(output.stdout)?;
    let problems = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{told}\n{problems}");
    for part in [
        "2008 people have become employees",
        "plan       2008 join",
        "Barbara Liskov-Hamilton",
        "2 change, 1 leave",
        "held because",
        "2006 employees are active, as before",
        "That was it.",
    ] {
        assert!(told.contains(part), "`{part}` isn't in\n{told}");
    }
    assert!(!problems.contains("error"), "{problems}");
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn wrong_settings_are_refused_before_anything_is_waited_for() -> Result<()> {
    let folder = TempDir::new()?;
    let kek = folder.path().join("kek");
    let made = programs::hes_command(["generate", "kek", "--file", &kek.display().to_string()])?;
    assert!(programs::run(made, AT_ONCE).await?.status.success());
    let not_pem = folder.path().join("not.pem");
    std::fs::write(&not_pem, "no certificate")?;
    let kek = format!("[sealing]\nkek_file = \"{}\"\n", kek.display());
    let database = |rest: &str| format!("{kek}[database.postgres]\nuser = \"hes\"\n{rest}\n");
    let missing = folder.path().join("missing").display().to_string();

    for (settings, told) in [
        (String::new(), "`sealing.kek_file` is not set"),
        (database(""), "`database.postgres.name` is not set"),
        (
            database(&format!("name = \"hes\"\npassword_file = \"{missing}\"")),
            "failed to read the password",
        ),
        (
            database(&format!(
                "name = \"hes\"\nca_file = \"{}\"",
                not_pem.display()
            )),
            "it holds no certificate as PEM",
        ),
    ] {
        let file = folder.path().join("settings.toml");
        // A port that is free: what is wrong must be told whatever else runs here.
        std::fs::write(
            &file,
            format!("[grpc]\nlisten = \"127.0.0.1:0\"\n{settings}"),
        )?;
        let mut command = programs::command("config-service")?;
        command.arg("--settings").arg(&file);

        let output = programs::run(command, AT_ONCE)
            .await
            .with_context(|| format!("it waited instead of saying: {told}"))?;

        let problems = String::from_utf8(output.stderr)?;
        assert!(
            !output.status.success() && problems.contains(told),
            "`{told}` isn't in {problems}"
        );
    }
    Ok(())
}
