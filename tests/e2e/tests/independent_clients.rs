//! Clients that share no code with the suite: Python's grpcio, which learns the contracts by reflection, and `buf curl`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use e2e::{Hes, World};
use serde_json::{Value, json};

/// A tool that `cargo xtask test` installs and names in the environment.
fn tool(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable).with_context(|| {
        format!("{variable} isn't set: run `cargo xtask test`, which installs what it names")
    })?;
    Ok(path.into())
}

async fn python(script: &str, input: Value) -> Result<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(script);
    let mut command = Command::new(tool("HES_TEST_PYTHON")?);
    command
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        stdin.write_all(input.to_string().as_bytes())?;
        drop(stdin);
        Ok::<_, anyhow::Error>(child.wait_with_output()?)
    })
    .await??;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[tokio::test]
async fn pythons_grpcio_learns_by_reflection_lists_creates_tests_and_reads_error_details()
-> Result<()> {
    let world = World::new().await?;
    world.fill(2).await?;
    let logon = world.samba.service();

    let found = python(
        "by_reflection.py",
        json!({
            "target": world.hes.api().trim_start_matches("https://"),
            "ca_file": world.hes.data().join("ca.pem"),
            "token_file": world.hes.data().join("admin.token"),
            "domain_name": world.samba.dns_domain(),
            "server": world.samba.ldaps_url(),
            "server_ca": world.samba.ca().pem(),
            "logon_name": logon.upn,
            "password": logon.password,
        }),
    )
    .await?;

    let services = found["services"].to_string();
    for service in [
        "hes.config.v1.DomainService",
        "hes.connector.v1.SyncService",
        "grpc.health.v1.Health",
    ] {
        assert!(services.contains(service), "{services}");
    }
    assert_eq!(found["before"], 0);
    assert_eq!(found["pages"], json!([["domains/corp"], ["domains/known"]]));
    assert_eq!(
        found["known"]["credentialStatus"]["state"],
        "CREDENTIAL_STATE_SKIPPED"
    );
    assert_eq!(
        found["created"]["credentialStatus"]["state"],
        "CREDENTIAL_STATE_SET"
    );
    assert_eq!(found["read"]["syncGroup"], "Security Key Owners");
    for secret in [logon.password.as_str(), logon.upn.as_str()] {
        assert!(!found.to_string().contains(secret), "{secret} came back");
    }
    for check in ["tcp", "tls", "bind", "identity", "sync-group", "members"] {
        assert_eq!(
            found["checks"][check], "GRADE_OK",
            "{check} in {}",
            found["checks"]
        );
    }
    let refused = &found["refused"];
    let expected = [
        ("the same again", "ALREADY_EXISTS", "ALREADY_EXISTS"),
        ("invalid", "INVALID_ARGUMENT", "INVALID_FIELD"),
        ("missing", "NOT_FOUND", "NOT_FOUND"),
        ("foreign page", "INVALID_ARGUMENT", "INVALID_PAGE_TOKEN"),
        ("no token", "UNAUTHENTICATED", "UNAUTHENTICATED"),
    ];
    for (mistake, code, reason) in expected {
        let error = &refused[mistake];
        assert_eq!(
            (&error["code"], &error["reason"]),
            (&json!(code), &json!(reason)),
            "{error}"
        );
        assert_eq!(error["domain"], "hes", "{error}");
    }
    assert_eq!(
        refused["invalid"]["fields"],
        json!(["active_directory.servers[0]"])
    );
    Ok(())
}

#[tokio::test]
async fn buf_curl_lists_services_methods_and_domains() -> Result<()> {
    let hes = Hes::up().await?;
    hes.json(
        "domain add ad lab --domain-name lab.test --server ldaps://dc1.lab.test --skip-credentials",
    )
    .await?;
    let token = std::fs::read_to_string(hes.data().join("admin.token"))?;
    // A file, because a process list shows arguments.
    let headers = hes.file(
        "headers",
        &format!("authorization: Bearer {}\n", token.trim()),
    )?;
    let curl = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new(tool("HES_TEST_BUF")?);
        command
            .args(["curl", "--protocol", "grpc", "--cacert"])
            .arg(hes.data().join("ca.pem"))
            .arg("--header")
            .arg(format!("@{}", headers.display()))
            .args(["--reflect-header", "*"])
            .args(arguments)
            .stdin(Stdio::null());
        let output = command.output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    };
    let api = hes.api();

    let services = curl(&["--list-services", &api])?;
    let methods = curl(&["--list-methods", &api])?;
    let method = format!("{api}/hes.config.v1.DomainService/ListDomains");
    let domains: Value = serde_json::from_str(&curl(&["--data", "{}", &method])?)?;

    assert!(
        services.contains("hes.config.v1.EmployeeService"),
        "{services}"
    );
    assert!(
        methods.contains("hes.config.v1.DomainService/CreateDomain"),
        "{methods}"
    );
    assert_eq!(domains["domains"][0]["name"], "domains/lab");
    Ok(())
}
