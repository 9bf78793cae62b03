//! A domain as config-service tells it, as far as syncing it depends on it.

use std::time::Duration;

use api::config::v1 as proto;
use api::convert::{ConvertError, time};
use api::name::DomainName;
use directory::{DirectoryKind, DomainId};
use jiff::Timestamp;
use sync::Limits;
use sync::guard::Limit;

use crate::failure::{Failure, FailureReason};
use crate::store::Domain;

const DEFAULT_INTERVAL: Duration = Duration::from_hours(1);

/// A domain's settings. Two are equal when a run in progress need not care about the difference.
#[derive(Clone, Debug)]
pub(crate) struct Configured {
    pub(crate) id: DomainId,
    pub(crate) record_time: Timestamp,
    pub(crate) deleted: bool,
    pub(crate) credentials: proto::CredentialState,
    pub(crate) credentials_version: i64,
    pub(crate) group_revision: i64,
    pub(crate) interval: Duration,
    pub(crate) sync: sync::Settings,
    /// The settings the connector of this kind needs, without what is only shown.
    pub(crate) message: proto::Domain,
    /// When any of it was last changed.
    pub(crate) changed: Timestamp,
}

/// When it was changed is no difference by itself.
impl PartialEq for Configured {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            id,
            record_time,
            deleted,
            credentials,
            credentials_version,
            group_revision,
            interval,
            sync,
            message,
            changed: _,
        } = other;
        self.id == *id
            && self.record_time == *record_time
            && self.deleted == *deleted
            && self.credentials == *credentials
            && self.credentials_version == *credentials_version
            && self.group_revision == *group_revision
            && self.interval == *interval
            && self.sync == *sync
            && self.message == *message
    }
}

/// Which kind a domain is; nothing when its settings are of neither.
pub(crate) fn kind_of(domain: &proto::Domain) -> Option<DirectoryKind> {
    use proto::domain::Directory;
    Some(match domain.directory.as_ref()? {
        Directory::ActiveDirectory(_) => DirectoryKind::ActiveDirectory,
        Directory::Entra(_) => DirectoryKind::EntraId,
    })
}

impl Configured {
    pub(crate) fn parse(domain: proto::Domain, batch: u32) -> Result<Self, ConvertError> {
        let DomainName(id) = domain
            .name
            .parse()
            .map_err(|error| ConvertError::new("name", format!("is invalid: {error}")))?;
        let record_time = domain
            .create_time
            .as_ref()
            .map(|value| time::from_proto("create_time", value))
            .transpose()?
            .unwrap_or_default();
        let credentials = domain.credential_status.clone().unwrap_or_default();
        let time_of = |field, value: &Option<prost_types::Timestamp>| {
            value
                .as_ref()
                .map(|value| time::from_proto(field, value))
                .transpose()
        };
        let changed = time_of("update_time", &domain.update_time)?
            .max(time_of("change_time", &credentials.change_time)?)
            .unwrap_or(record_time);
        let interval = domain
            .sync_interval
            .and_then(|value| Duration::try_from(value).ok())
            .filter(|interval| !interval.is_zero());
        let defaults = sync::Settings::default();
        let or = |value: &str, default: String| match value {
            "" => default,
            value => value.to_owned(),
        };
        let sync = sync::Settings {
            sync_group: or(&domain.sync_group, defaults.sync_group),
            rotation_group: or(&domain.rotation_group, defaults.rotation_group),
            nested_groups: nested_groups(&domain),
            limits: limits(&domain.guard_limits.unwrap_or_default()),
            batch: usize::try_from(batch).unwrap_or(defaults.batch).max(1),
        };
        Ok(Self {
            id,
            record_time,
            deleted: domain.delete_time.is_some(),
            credentials: credentials.state(),
            credentials_version: credentials.version,
            group_revision: domain.group_revision,
            interval: interval.unwrap_or(DEFAULT_INTERVAL),
            sync,
            message: proto::Domain {
                name: domain.name,
                directory: domain.directory,
                ..proto::Domain::default()
            },
            changed,
        })
    }

    pub(crate) fn record(&self) -> Domain {
        Domain {
            id: self.id.clone(),
            record_time: self.record_time,
            deleted: self.deleted,
        }
    }

    /// Why nothing is synced, where nothing is.
    pub(crate) fn off_because(&self) -> Option<Failure> {
        if self.deleted {
            return Some(Failure::lasting(
                FailureReason::DomainDeleted,
                "the domain is deleted: its sync is off, and nobody was touched",
                "Undelete the domain to sync it again.",
            ));
        }
        let message = match self.credentials {
            proto::CredentialState::Set => return None,
            proto::CredentialState::Skipped => {
                "the domain's credentials were skipped: its sync is off"
            }
            proto::CredentialState::Removed => {
                "the domain's credentials were removed: its sync is off, and nobody was touched"
            }
            proto::CredentialState::Unspecified => "the domain has no credentials: its sync is off",
        };
        Some(Failure::lasting(
            FailureReason::CredentialsMissing,
            message,
            "Set the domain's credentials to sync it.",
        ))
    }
}

fn nested_groups(domain: &proto::Domain) -> bool {
    use proto::domain::Directory;
    match &domain.directory {
        Some(Directory::ActiveDirectory(settings)) => settings.nested_groups.unwrap_or(true),
        // Graph expands nested groups itself.
        Some(Directory::Entra(_)) | None => true,
    }
}

fn limits(given: &proto::GuardLimits) -> Limits {
    let defaults = Limits::default();
    let limit = |given: &Option<proto::GuardLimit>, default: Limit| {
        let given = given.unwrap_or_default();
        let or = |value: Option<i32>, default: u32| {
            value
                .and_then(|value| value.try_into().ok())
                .unwrap_or(default)
        };
        Limit {
            percent: or(given.percent, default.percent),
            min: or(given.least, default.min),
            max: or(given.most, default.max),
        }
    };
    Limits {
        removals: limit(&given.removals, defaults.removals),
        disables: limit(&given.disables, defaults.disables),
        members_lost: limit(&given.members_lost, defaults.members_lost),
        cleared: limit(&given.attribute_cleared, defaults.cleared),
        joins: limit(&given.joins, defaults.joins),
    }
}
