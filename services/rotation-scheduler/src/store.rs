//! The service's own database: SQL and rows, one file a concern. Absence is an answer (`None`), not an error.

mod account;
mod client;
mod delivery;
mod domain;
mod incident;
mod rotation;
mod target;
mod work;

pub(crate) use account::{
    AccountRow, account, accounts_of_domain, accounts_of_employee, accounts_to_plan,
    count_rotating, forecast_due, forecast_not_rotated, is_employee, next_due, not_rotated,
    note_employee, put_account,
};
pub(crate) use client::{
    ClientRow, client, clients, insert_client, insert_offer, offers_since, prune_offers,
    revoke_client,
};
pub(crate) use delivery::{
    DeliveryRow, confirm_deliveries, deliveries_of_target, delivery, forget_deliveries_to_others,
    forget_older_deliveries, insert_delivery, mark_accepted, mark_acknowledged,
    withdraw_deliveries,
};
pub(crate) use domain::{
    Breaker, DomainRow, domain, domains, pause_of_all, put_breaker, put_clock_skew, put_eligible,
    put_pause, put_pause_of_all, put_settings,
};
pub(crate) use incident::{
    Kind, insert_incident, most_since, prune_incidents, recent_sends, subjects_since,
};
pub(crate) use rotation::{
    Filter, RotationRow, SealedValue, count_overdue, count_prepared_since, count_proven,
    count_state, count_unacknowledged, count_under_way, count_under_way_for, count_with_value,
    insert_rotation, next_wake_after, open_rotation_of, open_rotations_to_do, planned_to_prepare,
    planned_to_tell, prune_rotations, put_rotation, rotation, rotation_ids_not_under,
    rotations_page, wake_planned_of_employee,
};
pub(crate) use target::{
    TargetRow, has_present_target, insert_target, is_acceptor_present, leave, prove_presence,
    put_revoked, target, targets_of_employee, targets_page,
};
pub(crate) use work::{Work, ask_work, finish_work, pending_work};

/// Why the database gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database failed")]
    Database(#[from] storage::Error),
    /// Damage, or a row of a newer version of this service.
    #[error("{what} `{key}` is stored in a form that can't be read")]
    Corrupt { what: &'static str, key: String },
}

impl StoreError {
    pub(crate) fn corrupt(what: &'static str, key: impl ToString) -> Self {
        Self::Corrupt {
            what,
            key: key.to_string(),
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// A protobuf message out of a column.
fn decode<M: prost::Message + Default>(bytes: &[u8], what: &'static str, key: &str) -> Result<M> {
    M::decode(bytes).map_err(|_| StoreError::corrupt(what, key))
}

/// A count, which never comes near the end of the type.
fn count(row: &storage::Row) -> Result<u32> {
    Ok(u32::try_from(row.get::<i64>("count")?).unwrap_or(u32::MAX))
}
