//! What the tests need from the system, installed from Debian's packages when it is missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run;

/// A file, and the packages that bring it.
struct Need {
    file: &'static str,
    packages: &'static [&'static str],
}

const SAMBA: &[&str] = &[
    "samba",
    "samba-ad-dc",
    "samba-ad-provision",
    "samba-common-bin",
    "samba-dsdb-modules",
    "python3-samba",
];
const POSTGRES: &[&str] = &["postgresql"];
const NATS: &[&str] = &["nats-server"];
const NEEDS: &[Need] = &[
    // Of any version: `*` is one folder.
    Need {
        file: "/usr/lib/postgresql/*/bin/postgres",
        packages: POSTGRES,
    },
    Need {
        file: "/usr/sbin/nats-server",
        packages: NATS,
    },
    Need {
        file: "/usr/sbin/samba",
        packages: SAMBA,
    },
    Need {
        file: "/usr/bin/samba-tool",
        packages: SAMBA,
    },
    Need {
        file: "/usr/share/samba/setup/provision_users.ldif",
        packages: SAMBA,
    },
    Need {
        file: "/usr/lib/python3/dist-packages/samba/__init__.py",
        packages: SAMBA,
    },
    // Makes the RSA keys of tests.
    Need {
        file: "/usr/bin/openssl",
        packages: &["openssl"],
    },
];
/// What those packages start, and would start at every boot.
const UNITS: &[&str] = &[
    "smbd",
    "nmbd",
    "winbind",
    "samba-ad-dc",
    "postgresql",
    "nats-server",
];
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing.
pub(crate) fn ensure_servers() -> Result<()> {
    let mut missing: Vec<_> = NEEDS
        .iter()
        .filter(|need| !exists(need.file))
        .flat_map(|need| need.packages)
        .copied()
        .collect();
    missing.sort_unstable();
    missing.dedup();
    // Older releases have some of them under another name.
    missing.retain(|package| !is_installed(package));
    if missing.is_empty() {
        return Ok(());
    }
    run::timed(&format!("install {}", missing.join(" ")), || {
        install(&missing)
    })
}

/// Installs the floor of a bench, OpenLDAP's client, where it is missing.
pub(crate) fn ensure_ldapsearch() -> Result<()> {
    if exists("/usr/bin/ldapsearch") {
        return Ok(());
    }
    run::timed("install ldap-utils", || install(&["ldap-utils"]))
}

/// Whether there is such a file; `*` stands for one folder.
fn exists(file: &str) -> bool {
    let Some((folder, rest)) = file.split_once("/*/") else {
        return Path::new(file).exists();
    };
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .any(|entry| entry.path().join(rest).exists())
}

/// Installs npm, with which buf comes.
pub(crate) fn ensure_npm() -> Result<()> {
    let has_npm = Command::new("npm")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if has_npm {
        return Ok(());
    }
    run::timed("install npm", || install(&["npm"]))
}

/// A Python that makes virtual environments.
pub(crate) fn ensure_python() -> Result<&'static str> {
    const DEBIANS: &str = "/usr/bin/python3";
    let works = |program: &str| {
        Command::new(program)
            .args(["-c", "import ensurepip, venv"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if works("python3") {
        return Ok("python3");
    }
    if !works(DEBIANS) {
        run::timed("install python3-venv", || {
            install(&["python3", "python3-venv"])
        })?;
    }
    Ok(DEBIANS)
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command run as root: with sudo when we aren't, which must not ask for a password.
pub(crate) fn as_root(program: &str) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", "--preserve-env", "--", program]);
    command
}

fn is_installed(package: &str) -> bool {
    let status = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output();
    status.is_ok_and(|output| output.stdout == b"installed")
}

fn install(packages: &[&str]) -> Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "this machine has no apt-get: install {} yourself, then run this again",
            packages.join(", ")
        );
    }
    let _quiet = NoServices::begin()?;
    apt(&["update"])?;
    let known: Vec<_> = packages
        .iter()
        .copied()
        .filter(|package| is_known(package))
        .collect();
    if known.is_empty() {
        bail!("apt knows none of {}", packages.join(", "));
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(&known);
    apt(&arguments)?;
    if NEEDS
        .iter()
        .any(|need| need.packages.iter().any(|package| known.contains(package)))
    {
        disable_services();
    }
    Ok(())
}

fn is_known(package: &str) -> bool {
    Command::new("apt-cache")
        .args(["show", "--no-all-versions", package])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = as_root("apt-get");
    command
        .args(["--quiet", "--option", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    run::quietly(&mut command).context(
        "apt-get failed: it needs root, or sudo that asks for no password, and the network",
    )
}

/// Keeps what we just installed from starting at the next boot; the tests start their own.
fn disable_services() {
    if !Path::new("/run/systemd/system").exists() {
        return;
    }
    for unit in UNITS {
        // A unit that isn't there is as good as disabled.
        let _ = as_root("systemctl")
            .args(["--quiet", "disable", unit])
            .stderr(Stdio::null())
            .status();
    }
}

/// While it lives, installed packages start no service. An existing policy of the machine is left alone.
struct NoServices {
    policy: Option<PathBuf>,
}

impl NoServices {
    fn begin() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { policy: None });
        }
        let ours = tempfile::NamedTempFile::new()?;
        // 101: the action is forbidden by policy.
        std::fs::write(ours.path(), "#!/bin/sh\nexit 101\n")?;
        let mut place = as_root("install");
        place.args(["--mode=755"]).arg(ours.path()).arg(POLICY);
        run::quietly(&mut place).context("failed to keep installed services from starting")?;
        Ok(Self {
            policy: Some(POLICY.into()),
        })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = &self.policy
            && let Err(error) = run::quietly(as_root("rm").arg("--force").arg(policy))
        {
            eprintln!("warning: {} is left behind: {error:#}", policy.display());
        }
    }
}
