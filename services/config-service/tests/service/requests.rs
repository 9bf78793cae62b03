//! Requests that several tests make, and what is in their refusals.

use api::config::v1::{ActiveDirectorySettings, Domain, UpdateDomainRequest, domain::Directory};
use prost_types::FieldMask;
use tonic::Status;
use tonic_types::StatusExt as _;

pub(crate) fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask {
        paths: paths.iter().map(ToString::to_string).collect(),
    })
}

pub(crate) fn update(
    id: &str,
    paths: &[&str],
    change: impl FnOnce(&mut Domain),
) -> UpdateDomainRequest {
    let mut domain = Domain {
        name: format!("domains/{id}"),
        directory: Some(Directory::ActiveDirectory(
            ActiveDirectorySettings::default(),
        )),
        ..Default::default()
    };
    change(&mut domain);
    UpdateDomainRequest {
        domain: Some(domain),
        update_mask: mask(paths),
        validate_only: false,
    }
}

pub(crate) fn fields(status: &Status) -> Vec<String> {
    let violations = status
        .get_details_bad_request()
        .map(|bad| bad.field_violations);
    violations
        .unwrap_or_default()
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}
