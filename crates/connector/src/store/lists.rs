//! Runs and plans, page by page.

use api::connector::v1 as proto;
use directory::DomainId;
use storage::{Sql, params};
use sync::RunId;
use uuid::Uuid;

use super::runs::{Run, select_runs};
use super::{Error, Store, view};

/// A page of a list, and whether more follows.
#[derive(Clone, Debug, PartialEq)]
pub struct PageOf<T> {
    pub items: Vec<T>,
    pub more: bool,
}

impl Store {
    /// Runs of one domain or all, newest first, older than `before`.
    pub async fn runs(
        &self,
        domain: Option<&DomainId>,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<PageOf<Run>, Error> {
        let before = before.map_or(Uuid::max(), |run| run.0);
        let fetch = i64::from(limit) + 1;
        let mut db = self.db.read().await?;
        let rows = match domain {
            Some(domain) => {
                db.query(
                    select_runs!(
                        "WHERE domain_id = $1 AND run_id < $2 ORDER BY run_id DESC LIMIT $3"
                    ),
                    params![domain.as_str(), before, fetch],
                )
                .await?
            }
            None => {
                db.query(
                    select_runs!("WHERE run_id < $1 ORDER BY run_id DESC LIMIT $2"),
                    params![before, fetch],
                )
                .await?
            }
        };
        let items = rows.iter().map(view::run).collect::<Result<Vec<_>, _>>()?;
        Ok(PageOf::cut(items, limit))
    }

    /// The run that a domain's state is shown by: the newest whose plan no other took the place of.
    pub async fn last_run(&self, domain: &DomainId) -> Result<Option<Run>, Error> {
        let row = self
            .db
            .read()
            .await?
            .query_optional(
                select_runs!(
                    "WHERE domain_id = $1 AND state <> 'SUPERSEDED' ORDER BY run_id DESC LIMIT 1"
                ),
                params![domain.as_str()],
            )
            .await?;
        row.as_ref().map(view::run).transpose()
    }

    /// A plan's items after `number`, in the plan's order.
    pub async fn items(
        &self,
        run: &Run,
        after: i64,
        limit: u32,
    ) -> Result<PageOf<proto::PlanItem>, Error> {
        let rows = self
            .db
            .read()
            .await?
            .query(
                "SELECT number, object_id, logon_name, kind, changes, applied FROM plan_items
                 WHERE run_id = $1 AND number > $2 AND ready = 1 ORDER BY number LIMIT $3",
                params![run.id.0, after, i64::from(limit) + 1],
            )
            .await?;
        let items = rows
            .iter()
            .map(|row| view::item(&run.domain, row))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(PageOf::cut(items, limit))
    }
}

impl<T> PageOf<T> {
    fn cut(mut items: Vec<T>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}
