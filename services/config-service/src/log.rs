//! Reading the audit log, and finding out whether it is whole.

use api::config::v1::{
    AuditEvent, ListAuditEventsRequest, ListAuditEventsResponse, VerifyAuditLogResponse,
};
use api::convert::time;
use runtime::grpc::Reason;
use storage::Database;
use tonic::{Code, Status};

use crate::audit::chain::Verifier;
use crate::audit::{Entry, Hash, Outcome, Record};
use crate::store::{self, StoreError};
use runtime::grpc::{Page, PageError};

const BATCH: i64 = 1000;

/// Why the log can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error(transparent)]
    Page(#[from] PageError),
    #[error("failed to read the audit log")]
    Store(#[from] StoreError),
}

impl From<storage::Error> for LogError {
    fn from(error: storage::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The audit log.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) db: Database,
}

impl Log {
    pub(crate) async fn list(
        &self,
        request: &ListAuditEventsRequest,
    ) -> Result<ListAuditEventsResponse, LogError> {
        let query = ["audit", request.resource.as_str()];
        let page = Page::asked(&query, request.page_size, &request.page_token)?;
        let before = match page.after.as_str() {
            "" => i64::MAX,
            sequence => sequence.parse().map_err(|_| PageError::Token)?,
        };
        let mut reader = self.db.read().await?;
        let events =
            store::events_before(&mut reader, before, &request.resource, page.limit()).await?;
        let (events, next_page_token) = page.cut(events, |(entry, _)| entry.sequence.to_string());
        Ok(ListAuditEventsResponse {
            audit_events: events.into_iter().map(message).collect(),
            next_page_token,
        })
    }

    /// Recomputes the chain from its start. Batch by batch: the log only grows, and a long one must not keep a connection
    /// from everybody else.
    pub(crate) async fn verify(&self) -> Result<VerifyAuditLogResponse, LogError> {
        let mut verifier = Verifier::default();
        let (sequence, head) = loop {
            let mut reader = self.db.read().await?;
            let events = store::events_after(&mut reader, verifier.checked(), BATCH).await?;
            let last = events.is_empty();
            for event in events {
                match event {
                    Ok((entry, hash)) => drop(verifier.check(&entry, &hash)),
                    // Damage is the answer, not a failure to answer.
                    Err(StoreError::Corrupt { .. }) => verifier.unreadable(),
                    Err(error @ StoreError::Database(_)) => return Err(error.into()),
                }
            }
            if last || verifier.broken().is_some() {
                // Of the snapshot in which nothing came behind the last event.
                break store::head(&mut reader).await?;
            }
        };
        verifier.check_head(sequence, &head);
        Ok(VerifyAuditLogResponse {
            intact: verifier.broken().is_none(),
            events: verifier.checked(),
            broken_sequence: verifier.broken().unwrap_or_default(),
            head_hash: verifier.head().0.to_vec(),
        })
    }

    /// Audits a change that was refused or failed, and gives back what the caller is told.
    pub(crate) async fn failed(&self, record: Record, status: Status) -> Status {
        let outcome = if status.code() == Code::PermissionDenied {
            Outcome::Denied
        } else {
            Outcome::Failed
        };
        let reason = Reason::of(&status).map_or("UNKNOWN", Reason::name);
        let record = record.outcome(outcome).detail("reason", reason);
        let appended: store::Result<()> = async {
            let mut tx = self.db.begin().await?;
            store::append(&mut tx, record).await?;
            Ok(tx.commit().await?)
        }
        .await;
        if let Err(error) = appended {
            // Nothing was changed, and the caller is told why.
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "failed to audit a change that failed"
            );
        }
        status
    }

    /// The next part of an export, behind `sequence`.
    pub(crate) async fn part(&self, sequence: i64) -> Result<Vec<AuditEvent>, LogError> {
        let mut reader = self.db.read().await?;
        let events = store::events_after(&mut reader, sequence, BATCH).await?;
        let events = events.into_iter().collect::<store::Result<Vec<_>>>()?;
        Ok(events.into_iter().map(message).collect())
    }
}

fn message((entry, hash): (Entry, Hash)) -> AuditEvent {
    AuditEvent {
        sequence: entry.sequence,
        time: Some(time::to_proto(entry.time)),
        actor: entry.actor,
        action: entry.action,
        resource: entry.resource,
        outcome: entry.outcome.number(),
        details: entry.details.into_iter().collect(),
        hash: hash.0.to_vec(),
    }
}
