//! A stored domain as the contract shows it: everything but secrets.

use api::config::v1::{CredentialStatus, Domain};
use api::convert::time;
use api::name::DomainName;
use directory::DomainId;

use crate::store::{CredentialRow, DomainRow};

pub(crate) fn domain_name(id: &DomainId) -> String {
    DomainName(id.clone()).to_string()
}

pub(crate) fn domain_message(row: &DomainRow) -> Domain {
    let pinned = row.pinned.clone().unwrap_or_default();
    Domain {
        name: domain_name(&row.id),
        credential_status: Some(status_message(&row.credential)),
        identity: pinned.identity,
        pinned_sync_group: pinned.sync_group,
        pinned_rotation_group: pinned.rotation_group,
        group_revision: row.group_revision,
        etag: etag(row.revision),
        create_time: Some(time::to_proto(row.created)),
        update_time: Some(time::to_proto(row.updated)),
        delete_time: row.deleted.map(time::to_proto),
        purge_time: row.purges.map(time::to_proto),
        ..row.settings.clone()
    }
}

fn status_message(row: &CredentialRow) -> CredentialStatus {
    CredentialStatus {
        state: row.state.into(),
        kind: row.kind.into(),
        changed_by: row.changed_by.clone(),
        change_time: Some(time::to_proto(row.changed)),
        expire_time: row.expires.map(time::to_proto),
        version: row.version,
    }
}

pub(super) fn etag(revision: i64) -> String {
    format!("r{revision}")
}
