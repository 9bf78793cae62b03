//! The connection test, as the contract tells it.

use ad_client::check::{Check, Checks, Grade, Plan};
use api::config::v1 as config;
use api::directory::v1 as proto;
use connector::Credentials;
use directory::ObjectId;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;

use crate::settings::Directory;
use crate::{no_secret, plan};

/// Every check, as it finishes. Settings that can't be used at all fail the first check.
pub(crate) fn checks(
    domain: &config::Domain,
    credentials: Option<Credentials>,
    settings: &Directory,
    now: Timestamp,
) -> BoxStream<'static, proto::Check> {
    let wanted = match plan::of(domain, settings) {
        Ok(wanted) => wanted,
        Err(failure) => return failed(&failure),
    };
    let logon = match &credentials {
        Some(credentials) => plan::logon(credentials, &wanted.dns_domain),
        None => Ok(ad_client::Credentials::new(String::new(), no_secret())),
    };
    let credentials = match logon {
        Ok(credentials) => credentials,
        Err(failure) => return failed(&failure),
    };
    let defaults = sync::Settings::default();
    let or = |value: &str, default: String| match value {
        "" => default,
        value => value.to_owned(),
    };
    let pinned = domain.identity.as_ref();
    let plan = Plan {
        target: wanted.target,
        credentials,
        dns_domain: wanted.dns_domain,
        sync_group: or(&domain.sync_group, defaults.sync_group),
        rotation_group: or(&domain.rotation_group, defaults.rotation_group),
        nested_groups: wanted.nested_groups,
        scope: wanted.scope,
        pinned_domain: pinned.and_then(|identity| identity.directory_id.parse::<ObjectId>().ok()),
        now,
    };
    Checks::new(plan).into_stream().map(told).boxed()
}

fn failed(failure: &connector::Failure) -> BoxStream<'static, proto::Check> {
    let check = proto::Check {
        id: "settings".to_owned(),
        grade: proto::Grade::Failed.into(),
        message: failure.message.clone(),
        remedy: failure.remedy.clone(),
        ..proto::Check::default()
    };
    stream::iter([check]).boxed()
}

fn told(check: Check) -> proto::Check {
    let grade = match check.grade {
        Grade::Ok => proto::Grade::Ok,
        Grade::Warning => proto::Grade::Warning,
        Grade::Failed => proto::Grade::Failed,
        Grade::Unknown => proto::Grade::Unknown,
        Grade::Skipped => proto::Grade::Skipped,
    };
    proto::Check {
        id: check.id.to_owned(),
        grade: grade.into(),
        message: check.message,
        remedy: check.what_to_do,
        server: check
            .server
            .map(|server| server.to_string())
            .unwrap_or_default(),
        details: check
            .details
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}
