//! When each account is due, and why others are not rotated.

use std::collections::HashMap;

use api::convert::time;
use api::name::{AccountName, EmployeeName};
use api::rotation::v1 as proto;
use directory::DomainId;
use jiff::{SignedDuration, Timestamp};
use rotation::Schedule;
use runtime::grpc::Page;
use storage::Sql;
use tonic::Status;
use uuid::Uuid;

use super::{RotationHandler, position};
use crate::enrolment::password_set;
use crate::grpc::status;
use crate::store::{self, AccountRow};

impl RotationHandler {
    pub(super) async fn forecast(
        &self,
        sql: &mut impl Sql,
        domain: &DomainId,
        days: u32,
        page: &Page,
        now: Timestamp,
    ) -> Result<(Vec<proto::Forecast>, String), Status> {
        let until = match days {
            0 => Timestamp::MAX,
            days => now
                .saturating_add(SignedDuration::from_hours(24 * i64::from(days)))
                .unwrap_or(Timestamp::MAX),
        };
        // First those that rotate, by time; then those that don't, by id, behind `-`.
        let mut rows = Vec::new();
        if !page.after.starts_with('-') {
            let behind = position(&page.after, (i64::MIN, ""))?;
            rows = store::forecast_due(sql, domain, behind, until, page.limit())
                .await
                .map_err(status)?;
        }
        let left = page.limit() - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        if days == 0 && left > 0 {
            let after = page.after.strip_prefix('-').unwrap_or_default();
            rows.extend(
                store::forecast_not_rotated(sql, domain, after, left)
                    .await
                    .map_err(status)?,
            );
        }
        let (rows, token) = page.cut(rows, |row| match row.enrolled {
            Some(_) => format!(
                "{}/{}",
                row.due.map_or(0, Timestamp::as_microsecond),
                row.key.object
            ),
            None => format!("-{}", row.key.object),
        });
        let mut targets: HashMap<Uuid, i32> = HashMap::new();
        let mut forecasts = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(employee) = row.employee
                && !targets.contains_key(&employee)
            {
                let theirs = store::targets_of_employee(sql, employee)
                    .await
                    .map_err(status)?;
                targets.insert(employee, i32::try_from(theirs.len()).unwrap_or(i32::MAX));
            }
            forecasts.push(forecast(&row, &targets, now));
        }
        Ok((forecasts, token))
    }
}

fn forecast(row: &AccountRow, targets: &HashMap<Uuid, i32>, now: Timestamp) -> proto::Forecast {
    let due = row.enrolled.map(|_| row.due.unwrap_or(now));
    let mut reason = row.not_rotated.clone().unwrap_or_default();
    if row.open_rotation.is_some() {
        reason = "under way".to_owned();
    } else if row.enrolled.is_some() && row.employee.is_none() {
        reason = "belongs to no employee yet".to_owned();
    }
    proto::Forecast {
        account: AccountName(row.key.clone()).to_string(),
        employee: row
            .employee
            .map(|employee| EmployeeName(employee).to_string())
            .unwrap_or_default(),
        logon_name: row.state.logon_name.clone(),
        due_time: due.map(time::to_proto),
        expire_time: Schedule::expires(password_set(row), row.max_age).map(time::to_proto),
        reason,
        targets: row
            .employee
            .and_then(|employee| targets.get(&employee).copied())
            .unwrap_or_default(),
    }
}
