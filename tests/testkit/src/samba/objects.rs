//! What tests put into a directory, and what they get back.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use uuid::Uuid;

/// An object of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    /// As a directory tool prints it, the first three fields swapped.
    pub guid: Uuid,
    pub sid: Option<String>,
    /// `sAMAccountName`, or the name where there is none.
    pub name: String,
}

/// A user to create.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    pub(crate) name: String,
    pub(crate) cn: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) disabled: bool,
    pub(crate) must_change_password: bool,
    pub(crate) attributes: BTreeMap<String, Vec<String>>,
}

/// A group to create.
#[derive(Clone, Debug)]
pub struct NewGroup {
    pub(crate) name: String,
    pub(crate) cn: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) scope: GroupScope,
    pub(crate) is_security: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupScope {
    Global,
    DomainLocal,
    Universal,
}

/// Many alike users: `PREFIX000000` and on, each with a mail address and a display name, none with a password.
#[derive(Clone, Debug)]
pub struct BulkUsers {
    pub prefix: String,
    pub count: u32,
    /// The group they become members of.
    pub group: Option<String>,
    /// The DN of the container; by default `CN=Users`.
    pub parent: Option<String>,
}

impl NewUser {
    /// An enabled user with this logon name and common name, and no password, which is fastest.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A common name other than the logon name.
    #[must_use]
    pub fn cn(mut self, cn: impl Into<String>) -> Self {
        self.cn = Some(cn.into());
        self
    }

    #[must_use]
    pub fn mail(self, mail: impl Into<String>) -> Self {
        self.attribute("mail", mail)
    }

    #[must_use]
    pub fn display_name(self, name: impl Into<String>) -> Self {
        self.attribute("displayName", name)
    }

    /// Sets an attribute; again for further values.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes
            .entry(name.into())
            .or_default()
            .push(value.into());
        self
    }

    /// The DN of the container; by default `CN=Users`.
    #[must_use]
    pub fn within(mut self, parent: impl Into<String>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The password must be changed at the next logon; needs one.
    #[must_use]
    pub fn must_change_password(mut self) -> Self {
        self.must_change_password = true;
        self
    }

    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }
}

impl From<&str> for NewUser {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl NewGroup {
    /// A global security group with this logon name and common name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cn: None,
            parent: None,
            scope: GroupScope::Global,
            is_security: true,
        }
    }

    /// A common name other than the logon name: two groups in different containers may share it.
    #[must_use]
    pub fn cn(mut self, cn: impl Into<String>) -> Self {
        self.cn = Some(cn.into());
        self
    }

    #[must_use]
    pub fn within(mut self, parent: impl Into<String>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    #[must_use]
    pub fn scope(mut self, scope: GroupScope) -> Self {
        self.scope = scope;
        self
    }

    /// A distribution group.
    #[must_use]
    pub fn distribution(mut self) -> Self {
        self.is_security = false;
        self
    }
}

impl From<&str> for NewGroup {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl GroupScope {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::DomainLocal => "domain_local",
            Self::Universal => "universal",
        }
    }
}

impl BulkUsers {
    pub fn new(prefix: impl Into<String>, count: u32) -> Self {
        Self {
            prefix: prefix.into(),
            count,
            group: None,
            parent: None,
        }
    }

    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }
}

impl Entry {
    pub(crate) fn read(value: &Value) -> Result<Self> {
        let field = |name: &str| value.get(name).and_then(Value::as_str);
        Ok(Self {
            dn: field("dn").context("an entry without DN")?.to_owned(),
            guid: field("guid").context("an entry without GUID")?.parse()?,
            sid: field("sid").map(str::to_owned),
            name: field("name").unwrap_or_default().to_owned(),
        })
    }
}
