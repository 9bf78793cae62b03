//! A second domain controller of a domain. It learns of changes only when a test says so: lag on command.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::address::Address;
use super::options::Options;
use super::{Samba, config, template};
use crate::place;

const JOIN_DEADLINE: Duration = Duration::from_secs(120);

impl Samba {
    /// Joins another domain controller to this one's domain, on an address of its own, with the same authority.
    pub async fn second_dc(&self) -> Result<Self> {
        let options = Options {
            host: "dc2".to_owned(),
            ca: Some(self.ca.clone()),
            ..self.options.clone()
        };
        let address = Address::claim()?;
        let dir = place::temp_dir("dc")?;
        let empty = dir.path().join("empty.conf");
        std::fs::write(&empty, "")?;
        let administrator = self.administrator();
        let mut join = template::samba_tool(["domain", "join"], &empty);
        join.args([self.dns_domain(), "DC", "--dns-backend=NONE"])
            .arg(format!("--server={}", self.ip()))
            .arg(format!(
                "--user={}\\{}%{}",
                self.netbios(),
                administrator.name,
                administrator.password
            ))
            .arg("--targetdir")
            .arg(dir.path())
            .arg(format!("--option=interfaces={}/8", address.ip()))
            .arg("--option=bind interfaces only=yes")
            .arg(format!(
                "--option=netbios name={}",
                options.host.to_uppercase()
            ))
            .arg("--option=ldb:nosync=true");
        tokio::time::timeout(JOIN_DEADLINE, template::run(&mut join))
            .await
            .context("joining a second domain controller took too long")?
            .context("failed to join a second domain controller")?;
        // The join wrote a configuration of its own there; ours is what the server and the edits use.
        debug_assert!(!dir.path().join(config::FILE).exists());
        Self::run(options, self.facts.clone(), dir, address).await
    }

    /// Brings what `source` knows of the domain to this server, now. `source` must be running.
    pub async fn pull_from(&self, source: &Self) -> Result<()> {
        let invocation_id = source.invocation_id().await?;
        self.helper()?
            .call(
                "pull",
                json!({
                    "source_address": source.ip().to_string(),
                    "source_invocation_id": invocation_id,
                }),
            )
            .await
            .context("failed to replicate")
            .map(drop)
    }
}
