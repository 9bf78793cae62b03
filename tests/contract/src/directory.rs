//! A domain to be held to the contract, simulated or real.

use ad_sim::{Settings, Simulation};
use anyhow::{Context as _, Result};
use testkit::Samba;
use testkit::samba::Options;

use crate::client::{Client, unicode_password};

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Simulated,
    Samba,
}

/// A domain of one domain controller, `corp.test`, with an administrator.
pub struct Directory {
    pub kind: Kind,
    url: String,
    authority: String,
    administrator: (String, String),
    pub base: String,
    _running: Running,
}

#[expect(
    dead_code,
    reason = "what runs ends when it is dropped; nobody asks it anything"
)]
enum Running {
    Simulated(Simulation),
    Samba(Box<Samba>),
}

/// Of every account that a test makes.
const PASSWORD: &str = "Us3r-Passw0rd!";

impl Directory {
    pub async fn simulated() -> Result<Self> {
        let simulation = Simulation::start(Settings::new("corp.test")).await?;
        let controller = simulation.controller();
        Ok(Self {
            kind: Kind::Simulated,
            url: format!("ldaps://127.0.0.1:{}", controller.address().port()),
            authority: simulation.authority().to_owned(),
            administrator: (
                simulation.administrator(),
                simulation.administrator_password().to_owned(),
            ),
            base: controller.edit(|directory| directory.base()),
            _running: Running::Simulated(simulation),
        })
    }

    pub async fn samba() -> Result<Self> {
        let samba = Samba::start(Options::default()).await?;
        let administrator = samba.administrator();
        Ok(Self {
            kind: Kind::Samba,
            url: samba.ldaps_url(),
            authority: samba.ca().pem(),
            administrator: (administrator.upn, administrator.password),
            base: samba.base_dn().to_owned(),
            _running: Running::Samba(Box::new(samba)),
        })
    }

    /// Nobody's connection.
    pub async fn connect(&self) -> Result<Client> {
        Client::connect(&self.url, &self.authority).await
    }

    /// The administrator's connection.
    pub async fn administrator(&self) -> Result<Client> {
        let (name, password) = &self.administrator;
        self.log_on(name, password).await
    }

    /// An account's own connection, of those that [`Self::add_user`] made.
    pub async fn as_user(&self, logon: &str) -> Result<Client> {
        self.log_on(&format!("{logon}@corp.test"), PASSWORD).await
    }

    async fn log_on(&self, name: &str, password: &str) -> Result<Client> {
        let client = self.connect().await?;
        let (code, text) = client.bind(name, password).await?;
        anyhow::ensure!(code == 0, "{name} can't log on: {code} {text}");
        Ok(client)
    }

    /// The result code of a logon, and its sub-code.
    pub async fn try_logon(&self, logon: &str, password: &str) -> Result<(u32, String)> {
        let client = self.connect().await?;
        let (code, text) = client.bind(&format!("{logon}@corp.test"), password).await?;
        let data = text.split("data ").nth(1).unwrap_or_default();
        let data = data.split([',', '\0']).next().unwrap_or_default();
        Ok((code, data.trim().to_owned()))
    }

    /// `CN=Users`.
    pub fn users(&self) -> String {
        format!("CN=Users,{}", self.base)
    }

    pub fn user_dn(&self, name: &str) -> String {
        format!("CN={name},{}", self.users())
    }

    /// Adds an enabled user with the usual password and a mail address. Returns its name.
    pub async fn add_user(&self, client: &Client, logon: &str) -> Result<String> {
        let dn = self.user_dn(logon);
        let principal = format!("{logon}@corp.test");
        let mail = format!("{logon}@mail.test");
        let text = |value: &str| value.as_bytes().to_vec();
        let attributes = [
            ("objectClass", vec![text("user")]),
            ("sAMAccountName", vec![text(logon)]),
            ("userPrincipalName", vec![text(&principal)]),
            ("mail", vec![text(&mail)]),
            ("userAccountControl", vec![text("512")]),
            ("unicodePwd", vec![unicode_password(PASSWORD)]),
        ];
        let code = client.add(&dn, &attributes).await?;
        anyhow::ensure!(code == 0, "adding {logon} was refused with {code}");
        Ok(dn)
    }

    /// Adds a global security group. Returns its name.
    pub async fn add_group(&self, client: &Client, name: &str) -> Result<String> {
        let dn = self.user_dn(name);
        let text = |value: &str| value.as_bytes().to_vec();
        let attributes = [
            ("objectClass", vec![text("group")]),
            ("sAMAccountName", vec![text(name)]),
        ];
        let code = client.add(&dn, &attributes).await?;
        anyhow::ensure!(code == 0, "adding {name} was refused with {code}");
        Ok(dn)
    }

    /// Adds an organizational unit. Returns its name.
    pub async fn add_ou(&self, client: &Client, name: &str) -> Result<String> {
        let dn = format!("OU={name},{}", self.base);
        let attributes = [("objectClass", vec![b"organizationalUnit".to_vec()])];
        let code = client.add(&dn, &attributes).await?;
        anyhow::ensure!(code == 0, "adding {name} was refused with {code}");
        Ok(dn)
    }

    /// The domain's own object's value.
    pub async fn of_base(&self, client: &Client, attribute: &str) -> Result<Vec<u8>> {
        let entry = client.read(&self.base, &[attribute]).await?;
        entry
            .and_then(|entry| entry.values(attribute).first().cloned())
            .with_context(|| format!("the domain has no {attribute}"))
    }
}
