//! Where things lie: the target directory of the running test, and folders that live as long as one test.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

/// `target/<profile>` of the running test executable, which lies in its `deps` folder.
pub(crate) fn profile_dir() -> Option<PathBuf> {
    let executable = std::env::current_exe().ok()?;
    let folder = executable.parent()?;
    if folder.file_name()? == "deps" {
        return folder.parent().map(Path::to_owned);
    }
    // A program, and not a test, lies beside that folder.
    folder.join("deps").is_dir().then(|| folder.to_owned())
}

/// A folder that outlives the test run: `target/testkit`, or one in the system's temp folder when the running executable
/// doesn't lie in a target directory (a documentation test).
pub(crate) fn cache_dir() -> PathBuf {
    profile_dir()
        .and_then(|profile| profile.parent().map(|target| target.join("testkit")))
        .unwrap_or_else(|| std::env::temp_dir().join("hes-testkit"))
}

/// Waits for its standard input to end, which it does however this process ends, then removes the folder `$0`, in which
/// servers that are just being killed may still write.
const JANITOR: &str = r#"read _; n=0
until rm -rf -- "$0" 2>/dev/null || [ $n -ge 100 ]; do n=$((n + 1)); sleep 0.1; done"#;

/// The folder of all temporary folders of this process, and the process that removes it.
struct Root {
    dir: PathBuf,
    _janitor: Child,
}

static ROOT: Mutex<Option<Root>> = Mutex::new(None);

/// A folder that is removed when dropped, or else when this process ends, even killed.
///
/// It lies in the system's temp folder because paths there are short: Samba's Unix sockets have names of at most 107
/// bytes.
pub fn temp_dir(purpose: &str) -> Result<TempDir> {
    let mut root = ROOT
        .lock()
        .map_err(|_| anyhow!("making a temporary folder failed before"))?;
    let root = match root.as_mut() {
        Some(root) => root,
        None => root.insert(Root::new()?),
    };
    tempfile::Builder::new()
        .prefix(&format!("{purpose}-"))
        .tempdir_in(&root.dir)
        .context("failed to create a temporary folder")
}

/// Lets servers that run as somebody else reach a folder of [`temp_dir`] by its path: temporary folders are their makers'
/// alone.
pub(crate) fn let_others_pass(dir: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let temp = std::env::temp_dir();
    for folder in dir
        .ancestors()
        .take_while(|folder| folder.starts_with(&temp))
    {
        let mode = std::fs::metadata(folder)?.permissions().mode();
        if mode & 0o001 == 0 {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode | 0o011))
                .with_context(|| format!("failed to open {}", folder.display()))?;
        }
    }
    Ok(())
}

/// A port of 127.0.0.1 for a server that must have the same one after a restart. Not one that the kernel gives to clients:
/// while the server is down another could get it, or a client that keeps trying could connect to itself.
pub(crate) fn free_port() -> Result<u16> {
    const FIRST: u32 = 12_000;
    const PORTS: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..PORTS {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let spread = std::process::id().wrapping_mul(7_919).wrapping_add(number);
        let port = u16::try_from(FIRST + spread % PORTS)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(anyhow!("no port of 127.0.0.1 is free"))
}

impl Root {
    fn new() -> Result<Self> {
        use std::os::unix::process::CommandExt as _;

        let dir = tempfile::Builder::new()
            .prefix("hes-")
            .tempdir()
            .context("failed to create a temporary folder")?;
        let janitor = Command::new("/bin/sh")
            .args(["-c", JANITOR])
            .arg(dir.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("failed to start the janitor of temporary folders")?;
        Ok(Self {
            dir: dir.keep(),
            _janitor: janitor,
        })
    }
}
