//! Provisioned domains kept between runs: provisioning takes seconds, copying one takes a twentieth of a second.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use super::config;
use super::helper::Helper;
use super::options::Options;
use crate::place;

/// Raise it when what is provisioned changes.
const FORMAT: u32 = 1;
const FACTS: &str = "facts.json";

/// What is known of a provisioned domain.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) administrator_password: String,
    pub(crate) service_password: String,
    pub(crate) base_dn: String,
    pub(crate) domain_sid: String,
    pub(crate) domain_guid: Uuid,
}

/// Fills `dir` with the database of the domain of `options`, provisioned now or earlier by any test.
pub(crate) async fn copy_into(dir: &Path, options: &Options) -> Result<Facts> {
    check_machine()?;
    let version = samba_version()?;
    let key = format!(
        "{FORMAT}-{version}-{}-{}",
        options.dns_domain, options.netbios
    );
    let templates = place::cache_dir().join("domains");
    std::fs::create_dir_all(&templates)
        .with_context(|| format!("failed to create {}", templates.display()))?;
    let template = templates.join(&key);
    let lock = lock(templates.join(format!("{key}.lock"))).await?;
    if !template.join(FACTS).exists() {
        provision(&templates, &template, options).await?;
    }
    // The template never changes again.
    drop(lock);
    copy(&template, dir)?;
    Facts::read(&template)
}

/// Waits for other tests that provision the same domain.
async fn lock(path: PathBuf) -> Result<File> {
    tokio::task::spawn_blocking(move || {
        let file =
            File::create(&path).with_context(|| format!("failed to open {}", path.display()))?;
        file.lock()
            .with_context(|| format!("failed to lock {}", path.display()))?;
        Ok(file)
    })
    .await?
}

fn check_machine() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "a Samba domain controller needs root: run the tests as root, or with `cargo xtask test`, which uses sudo"
    );
    Ok(())
}

fn samba_version() -> Result<String> {
    let output = Command::new("samba").arg("--version").output().context(
        "failed to run `samba`: run `cargo xtask test`, which installs what the tests need",
    )?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace()
        .nth(1)
        .map(str::to_owned)
        .with_context(|| format!("`samba --version` said {text:?}"))
}

async fn provision(templates: &Path, template: &Path, options: &Options) -> Result<()> {
    // Elsewhere first: a template that exists is complete.
    let work = tempfile::Builder::new()
        .prefix("provisioning-")
        .tempdir_in(templates)?;
    let administrator_password = password();
    let ip = Ipv4Addr::LOCALHOST;
    let empty = work.path().join("empty.conf");
    std::fs::write(&empty, "")?;
    run(samba_tool(["domain", "provision"], &empty)
        .args(["--server-role=dc", "--dns-backend=NONE"])
        .args(["--host-name", &options.host, "--host-ip", &ip.to_string()])
        .args(["--realm", &options.dns_domain.to_uppercase()])
        .args(["--domain", &options.netbios])
        .args(["--adminpass", &administrator_password])
        .args(["--option=ldb:nosync=true", "--option=interfaces=lo"])
        .arg("--targetdir")
        .arg(work.path()))
    .await?;
    let smb_conf = write_config(work.path(), options, ip)?;
    let helper = Helper::start(&smb_conf)?;
    let service_password = password();
    helper
        .call(
            "create_user",
            json!({
                "name": super::SERVICE_ACCOUNT,
                "password": service_password,
                "never_expires": true,
            }),
        )
        .await?;
    let mut facts = helper.call("identity", json!({})).await?;
    if let Value::Object(fields) = &mut facts {
        fields.insert(
            "administrator_password".to_owned(),
            json!(administrator_password),
        );
        fields.insert("service_password".to_owned(), json!(service_password));
    }
    drop(helper);
    std::fs::write(work.path().join(FACTS), facts.to_string())?;
    if template.exists() {
        std::fs::remove_dir_all(template)?;
    }
    std::fs::rename(work.keep(), template)?;
    Ok(())
}

/// Writes the configuration of a server whose databases are in `dir`, and makes the folders it names.
pub(crate) fn write_config(dir: &Path, options: &Options, ip: Ipv4Addr) -> Result<PathBuf> {
    for folder in config::FOLDERS {
        std::fs::create_dir_all(dir.join(folder))?;
    }
    let file = dir.join(config::FILE);
    std::fs::write(&file, config::smb_conf(dir, options, ip))
        .with_context(|| format!("failed to write {}", file.display()))?;
    Ok(file)
}

pub(crate) fn copy(from: &Path, into: &Path) -> Result<()> {
    let output = Command::new("cp")
        .args(["-a", "--reflink=auto", "--"])
        .arg(from.join("."))
        .arg(into)
        .output()
        .context("failed to run `cp`")?;
    ensure!(
        output.status.success(),
        "failed to copy {}: {}",
        from.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

pub(crate) fn samba_tool(subcommand: [&str; 2], smb_conf: &Path) -> Command {
    let mut command = Command::new("samba-tool");
    command
        .args(subcommand)
        .arg("--configfile")
        .arg(smb_conf)
        .stdin(Stdio::null());
    command
}

/// Runs a command off the async threads; what it said is in the error.
pub(crate) async fn run(command: &mut Command) -> Result<()> {
    let mut command = std::mem::replace(command, Command::new("false"));
    let output = tokio::task::spawn_blocking(move || command.output())
        .await?
        .context("failed to run samba-tool: run `cargo xtask test`, which installs it")?;
    if !output.status.success() {
        bail!(
            "samba-tool failed: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// Long, and of every kind of character that a password policy asks for.
fn password() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the kit knows no `runtime::Ids`, and no test depends on the value"
    )]
    let random = Uuid::new_v4();
    format!("Aa1-{}", random.simple())
}

impl Facts {
    fn read(template: &Path) -> Result<Self> {
        let path = template.join(FACTS);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let value: Value = serde_json::from_str(&text)?;
        let field = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .with_context(|| format!("{} lacks {name}", path.display()))
        };
        Ok(Self {
            administrator_password: field("administrator_password")?,
            service_password: field("service_password")?,
            base_dn: field("base_dn")?,
            domain_sid: field("domain_sid")?,
            domain_guid: field("domain_guid")?.parse()?,
        })
    }
}
