//! How rotation stands in one domain.

use api::convert::time;
use api::rotation::v1 as proto;
use jiff::SignedDuration;
use rotation::Opening;
use storage::Sql;
use tonic::Status;

use super::RotationHandler;
use crate::grpc::status;
use crate::message;
use crate::policy::{Policy, stop_of};
use crate::store::{self, DomainRow};
use crate::worker::CLOCK_SKEW;

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl RotationHandler {
    pub(super) async fn domain_rotation(
        &self,
        sql: &mut impl Sql,
        row: &DomainRow,
    ) -> Result<proto::DomainRotation, Status> {
        let now = self.ledger.now();
        let policy = Policy::of(&row.settings);
        let (open, changes) = match policy.at(now) {
            Opening::Open { until } => (true, Some(until)),
            Opening::Closed { until } => (false, until),
        };
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let id = &row.id;
        let pause_of_all = store::pause_of_all(sql).await.map_err(status)?;
        let paused_by = row.paused_by.clone().or(pause_of_all);
        let not_rotated = store::not_rotated(sql, id).await.map_err(status)?;
        let day_ago = now.saturating_sub(DAY).unwrap_or_default();
        let breaker = row.breaker.as_ref();
        let is_off = stop_of(&row.settings).is_some();
        Ok(proto::DomainRotation {
            domain: message::domain_name(id),
            days: match is_off {
                true => 0,
                false => i32::from(policy.schedule.days),
            },
            lead: std::time::Duration::try_from(policy.schedule.lead)
                .ok()
                .map(time::duration_to_proto),
            open,
            open_change_time: changes
                .filter(|at| at.duration_since(now) < DAY * 400)
                .map(time::to_proto),
            accounts: number(store::count_rotating(sql, id).await.map_err(status)?),
            not_rotated: not_rotated
                .into_iter()
                .map(|(reason, accounts)| proto::NotRotated {
                    reason,
                    accounts: number(accounts),
                })
                .collect(),
            under_way: number(store::count_under_way(sql, id).await.map_err(status)?),
            held: number(
                store::count_state(sql, id, "ROTATION_STATE_HELD")
                    .await
                    .map_err(status)?,
            ),
            waiting: number(
                store::count_state(sql, id, "ROTATION_STATE_PLANNED")
                    .await
                    .map_err(status)?,
            ),
            overdue: number(
                store::count_overdue(sql, id, day_ago)
                    .await
                    .map_err(status)?,
            ),
            next_due_time: store::next_due(sql, id)
                .await
                .map_err(status)?
                .map(time::to_proto),
            paused: paused_by.is_some(),
            paused_by: paused_by.unwrap_or_default(),
            breaker: breaker
                .map(|breaker| breaker.name.clone())
                .unwrap_or_default(),
            breaker_message: breaker
                .map(|breaker| breaker.message.clone())
                .unwrap_or_default(),
            breaker_time: breaker.map(|breaker| time::to_proto(breaker.since)),
            clock_skew: Some(prost_types::Duration {
                seconds: row.clock_skew.as_secs(),
                nanos: row.clock_skew.subsec_nanos(),
            }),
            open_rotations: number(store::count_with_value(sql, id).await.map_err(status)?),
            clock_skewed: row.clock_skew.abs() > CLOCK_SKEW,
        })
    }
}
