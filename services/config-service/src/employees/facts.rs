//! What employees depend on of the domains their accounts are in.

use std::collections::{BTreeSet, HashMap};

use api::config::v1 as proto;
use directory::{DirectoryKind, DomainId, Sid};
use jiff::{SignedDuration, Timestamp};
use sync::employee::RemovalPolicy;

use crate::store::DomainRow;

/// Of one domain.
#[derive(Clone, Debug)]
pub(crate) struct DomainFacts {
    pub(crate) kind: DirectoryKind,
    pub(crate) precedence: i32,
    pub(crate) policy: RemovalPolicy,
    /// When the policy last changed: who left earlier counts as having left then.
    pub(crate) policy_since: Timestamp,
    pub(crate) sid: Option<Sid>,
    /// Mail suffixes held authoritative, in lower case.
    pub(crate) suffixes: BTreeSet<String>,
}

impl DomainFacts {
    /// Of a domain whose record is gone. Who was a member stays one, for nobody tells otherwise any more; who had left
    /// never becomes active again, and is no longer deleted either.
    fn gone(kind: DirectoryKind) -> Self {
        Self {
            kind,
            precedence: 0,
            policy: RemovalPolicy::Deactivate,
            policy_since: Timestamp::MIN,
            sid: None,
            suffixes: BTreeSet::new(),
        }
    }

    /// What becomes of an account that left at `since`. KEEP is for those who leave under it: who left before was dealt
    /// with by the policy of that time, and a setting brings no leaver back.
    pub(crate) fn policy_for(&self, since: Timestamp) -> RemovalPolicy {
        match self.policy {
            RemovalPolicy::Keep if since < self.policy_since => RemovalPolicy::Deactivate,
            policy @ (RemovalPolicy::Keep
            | RemovalPolicy::Deactivate
            | RemovalPolicy::Delete { .. }) => policy,
        }
    }
}

impl From<&DomainRow> for DomainFacts {
    fn from(row: &DomainRow) -> Self {
        let settings = &row.settings;
        let grace = settings.removal_grace.unwrap_or_default().seconds;
        let identity = row
            .pinned
            .as_ref()
            .and_then(|pinned| pinned.identity.as_ref());
        let proven = identity.map(|identity| identity.proven_mail_suffixes.as_slice());
        // Written down, they replace what the directory proves.
        let suffixes = match settings.mail_suffixes.as_slice() {
            [] => proven.unwrap_or_default(),
            written => written,
        };
        Self {
            kind: row.kind,
            precedence: settings.precedence,
            policy: match settings.removal_policy() {
                proto::RemovalPolicy::Keep => RemovalPolicy::Keep,
                proto::RemovalPolicy::Delete => RemovalPolicy::Delete {
                    grace: SignedDuration::from_secs(grace),
                },
                proto::RemovalPolicy::Deactivate | proto::RemovalPolicy::Unspecified => {
                    RemovalPolicy::Deactivate
                }
            },
            policy_since: row.removal_changed,
            sid: identity.and_then(|identity| identity.security_identifier.parse().ok()),
            suffixes: suffixes
                .iter()
                .map(|suffix| suffix.to_ascii_lowercase())
                .collect(),
        }
    }
}

/// Of every domain there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts(HashMap<DomainId, DomainFacts>);

impl Facts {
    pub(crate) fn of(rows: &[DomainRow]) -> Self {
        Self(
            rows.iter()
                .map(|row| (row.id.clone(), row.into()))
                .collect(),
        )
    }

    pub(crate) fn knows(&self, domain: &DomainId) -> bool {
        self.0.contains_key(domain)
    }

    pub(crate) fn domain(&self, domain: &DomainId) -> DomainFacts {
        self.0
            .get(domain)
            .cloned()
            .unwrap_or_else(|| DomainFacts::gone(DirectoryKind::ActiveDirectory))
    }
}
