//! The files of a server, kept between runs before its first start, and the process on them.

use std::fs::File;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::ca::Issued;
use crate::place;
use crate::process::Supervised;
use crate::samba::template;

/// Raise it when what is made changes.
const FORMAT: u32 = 1;
const LIBRARY: &str = "/usr/lib/postgresql";
const PASSWORD: &str = "superuser.password";

/// As whom the server runs: it refuses to be root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    ids: Option<(u32, u32)>,
}

impl Account {
    pub(super) fn find() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { ids: None });
        }
        let users = std::fs::read_to_string("/etc/passwd")?;
        let find = |name: &str| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next()? == name).then_some(())?;
                let (uid, gid) = (fields.nth(1)?, fields.next()?);
                Some((uid.parse().ok()?, gid.parse().ok()?))
            })
        };
        let ids = find("postgres").or_else(|| find("nobody"));
        ids.map(|ids| Self { ids: Some(ids) })
            .context("PostgreSQL refuses to run as root, and there is no user `postgres`")
    }

    fn run_as(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid);
        }
    }

    fn give(&self, path: &Path) -> Result<()> {
        if let Some((uid, gid)) = self.ids {
            chown(path, Some(uid), Some(gid))?;
        }
        Ok(())
    }
}

/// The newest installed server's program of that name.
pub(super) fn program(name: &str) -> Result<PathBuf> {
    let installed = std::fs::read_dir(LIBRARY).with_context(|| {
        format!("{LIBRARY} isn't there: run `cargo xtask test`, which installs PostgreSQL")
    })?;
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            let program = path.join("bin").join(name);
            path.join("bin/postgres")
                .exists()
                .then_some((version, program))
        })
        .collect();
    versions.sort();
    let (_, program) = versions
        .pop()
        .with_context(|| format!("no PostgreSQL server in {LIBRARY}"))?;
    Ok(program)
}

/// Makes the data directory `data`, as `initdb` made one now or in an earlier run. Returns the superuser's password.
pub(super) async fn copy_into(data: &Path, account: &Account) -> Result<String> {
    let initdb = program("initdb")?;
    let version = initdb.components().nth(4).map_or_else(String::new, |part| {
        part.as_os_str().to_string_lossy().into_owned()
    });
    let templates = place::cache_dir().join("postgres");
    std::fs::create_dir_all(&templates)?;
    let kept = templates.join(format!("{FORMAT}-{version}"));
    let lock = lock(templates.join("lock")).await?;
    if !kept.join(PASSWORD).exists() {
        make(&templates, &kept, &initdb, account).await?;
    }
    drop(lock);
    std::fs::create_dir(data)?;
    template::copy(&kept.join("data"), data)?;
    Ok(std::fs::read_to_string(kept.join(PASSWORD))?)
}

async fn lock(path: PathBuf) -> Result<File> {
    tokio::task::spawn_blocking(move || {
        let file = File::create(&path)?;
        file.lock()?;
        Ok(file)
    })
    .await?
}

/// Elsewhere first, where the server's account may write.
async fn make(templates: &Path, kept: &Path, initdb: &Path, account: &Account) -> Result<()> {
    let work: TempDir = place::temp_dir("initdb")?;
    place::let_others_pass(work.path())?;
    account.give(work.path())?;
    let password = super::secret();
    let file = work.path().join("password");
    std::fs::write(&file, &password)?;
    account.give(&file)?;
    let data = work.path().join("data");
    let mut command = Command::new(initdb);
    command
        .arg("--pgdata")
        .arg(&data)
        .arg("--pwfile")
        .arg(&file)
        .args(["--username", super::SUPERUSER, "--auth", "scram-sha-256"])
        .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"])
        .current_dir(work.path())
        .stdin(Stdio::null());
    account.run_as(&mut command);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(
        output.status.success(),
        "initdb failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let place = tempfile::Builder::new()
        .prefix("making-")
        .tempdir_in(templates)?;
    std::fs::create_dir(place.path().join("data"))?;
    template::copy(&data, &place.path().join("data"))?;
    std::fs::write(place.path().join(PASSWORD), password)?;
    if kept.exists() {
        std::fs::remove_dir_all(kept)?;
    }
    std::fs::rename(place.keep(), kept)?;
    Ok(())
}

/// Gives the server its certificate, and who may log on how.
pub(super) fn install(data: &Path, issued: &Issued, account: &Account) -> Result<()> {
    let files = [
        ("server.crt", issued.certificate.as_str()),
        ("server.key", issued.key.as_str()),
        (
            "pg_hba.conf",
            // Plaintext too, for whoever asks for it: refusing it is the client's business.
            "host all all 127.0.0.1/32 scram-sha-256\n",
        ),
    ];
    for (name, content) in files {
        let path = data.join(name);
        std::fs::write(&path, content)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        account.give(&path)?;
    }
    account.give(data)?;
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

pub(super) fn spawn(data: &Path, port: u16, account: &Account) -> Result<Supervised> {
    let Some(dir) = data.parent() else {
        bail!("{} has no parent", data.display());
    };
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.join("log"))?;
    let mut command = Command::new(program("postgres")?);
    command.arg("-D").arg(data).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "ssl=on",
        "max_connections=200",
        "shared_buffers=64MB",
        "log_min_messages=warning",
        "logging_collector=off",
    ] {
        command.args(["-c", setting]);
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .current_dir(data);
    account.run_as(&mut command);
    Supervised::spawn(&mut command)
}
