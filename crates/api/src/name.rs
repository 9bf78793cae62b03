//! Resource names (AIP-122): `domains/corp/accounts/<uuid>` and their parts.

use std::fmt;
use std::str::FromStr;

use directory::{AccountKey, DomainId, ObjectId};
use uuid::Uuid;

/// Why a text is not the resource name expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a resource name of the form `{expected}`")]
pub struct NameError {
    given: String,
    expected: &'static str,
}

fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split('/').collect::<Vec<_>>().try_into().ok()
}

macro_rules! resource_name {
    ($(#[$doc:meta])* $name:ident, $form:literal, $parse:expr, |$this:ident, $f:ident| $write:expr) => {
        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let parse: fn(&str) -> Option<Self> = $parse;
                parse(text).ok_or_else(|| NameError {
                    given: text.to_owned(),
                    expected: $form,
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, $f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $this = self;
                $write
            }
        }
    };
}

/// `domains/{domain}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(pub DomainId);

resource_name!(
    DomainName,
    "domains/{domain}",
    |text| match parts(text)? {
        ["domains", domain] => Some(Self(domain.parse().ok()?)),
        _ => None,
    },
    |this, f| write!(f, "domains/{}", this.0)
);

/// `domains/{domain}/passwordlessSettings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordlessSettingsName(pub DomainId);

resource_name!(
    PasswordlessSettingsName,
    "domains/{domain}/passwordlessSettings",
    |text| match parts(text)? {
        ["domains", domain, "passwordlessSettings"] => Some(Self(domain.parse().ok()?)),
        _ => None,
    },
    |this, f| write!(f, "domains/{}/passwordlessSettings", this.0)
);

/// `domains/{domain}/accounts/{object id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName(pub AccountKey);

resource_name!(
    AccountName,
    "domains/{domain}/accounts/{object id}",
    |text| match parts(text)? {
        ["domains", domain, "accounts", object] => Some(Self(AccountKey {
            domain: domain.parse().ok()?,
            object: object.parse().ok()?,
        })),
        _ => None,
    },
    |this, f| write!(f, "domains/{}/accounts/{}", this.0.domain, this.0.object)
);

/// `domains/{domain}/groups/{object id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName {
    pub domain: DomainId,
    pub group: ObjectId,
}

resource_name!(
    GroupName,
    "domains/{domain}/groups/{object id}",
    |text| match parts(text)? {
        ["domains", domain, "groups", group] => Some(Self {
            domain: domain.parse().ok()?,
            group: group.parse().ok()?,
        }),
        _ => None,
    },
    |this, f| write!(f, "domains/{}/groups/{}", this.domain, this.group)
);

/// `domains/{domain}/syncRuns/{run}`; in requests `-` stands for any domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRunName {
    /// `None` is `-`, any domain.
    pub domain: Option<DomainId>,
    pub run: Uuid,
}

resource_name!(
    SyncRunName,
    "domains/{domain}/syncRuns/{run id}",
    |text| match parts(text)? {
        ["domains", domain, "syncRuns", run] => Some(Self {
            domain: match domain {
                "-" => None,
                domain => Some(domain.parse().ok()?),
            },
            run: run.parse().ok()?,
        }),
        _ => None,
    },
    |this, f| match &this.domain {
        Some(domain) => write!(f, "domains/{domain}/syncRuns/{}", this.run),
        None => write!(f, "domains/-/syncRuns/{}", this.run),
    }
);

/// `employees/{uuid}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmployeeName(pub Uuid);

resource_name!(
    EmployeeName,
    "employees/{uuid}",
    |text| match parts(text)? {
        ["employees", employee] => Some(Self(employee.parse().ok()?)),
        _ => None,
    },
    |this, f| write!(f, "employees/{}", this.0)
);

/// `linkProposals/{uuid}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkProposalName(pub Uuid);

resource_name!(
    LinkProposalName,
    "linkProposals/{uuid}",
    |text| match parts(text)? {
        ["linkProposals", proposal] => Some(Self(proposal.parse().ok()?)),
        _ => None,
    },
    |this, f| write!(f, "linkProposals/{}", this.0)
);

/// `rotations/{uuid}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RotationName(pub Uuid);

resource_name!(
    RotationName,
    "rotations/{uuid}",
    |text| match parts(text)? {
        ["rotations", rotation] => Some(Self(rotation.parse().ok()?)),
        _ => None,
    },
    |this, f| write!(f, "rotations/{}", this.0)
);

/// `targets/{uuid}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetName(pub Uuid);

resource_name!(
    TargetName,
    "targets/{uuid}",
    |text| match parts(text)? {
        ["targets", target] => Some(Self(target.parse().ok()?)),
        _ => None,
    },
    |this, f| write!(f, "targets/{}", this.0)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_they_are_read() {
        fn same<N: FromStr<Err = NameError> + fmt::Display>(text: &str) {
            assert_eq!(
                text.parse::<N>().map(|name| name.to_string()),
                Ok(text.to_owned())
            );
        }
        let id = "8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e";

        same::<DomainName>("domains/corp.example.com");
        same::<PasswordlessSettingsName>("domains/corp/passwordlessSettings");
        same::<AccountName>(&format!("domains/corp/accounts/{id}"));
        same::<GroupName>(&format!("domains/corp/groups/{id}"));
        same::<SyncRunName>(&format!("domains/-/syncRuns/{id}"));
        same::<EmployeeName>(&format!("employees/{id}"));
        same::<LinkProposalName>(&format!("linkProposals/{id}"));
        same::<RotationName>(&format!("rotations/{id}"));
        same::<TargetName>(&format!("targets/{id}"));
    }

    #[test]
    fn a_foreign_name_says_what_was_expected() {
        let error = "domains/A".parse::<DomainName>().unwrap_err();

        assert_eq!(
            error.to_string(),
            "`domains/A` is not a resource name of the form `domains/{domain}`"
        );
    }
}
