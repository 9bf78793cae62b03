//! Runs: asked for, decided, found again after a restart, listed.

use api::connector::v1 as proto;
use directory::DomainId;
use jiff::Timestamp;
use storage::{Sql, Transaction, params};
use sync::{RunEvent, RunId, RunState};
use uuid::Uuid;

use super::outbox::Teller;
use super::{Error, Store, view};
use crate::failure::Failure;

/// A run as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub domain: DomainId,
    pub state: RunState,
    /// As the contract shows it.
    pub message: proto::SyncRun,
    /// The trace of who asked for it.
    pub traceparent: Option<String>,
}

/// A run that is asked for.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub domain: DomainId,
    pub mode: proto::SyncMode,
    pub dry_run: bool,
    pub requested_by: String,
    pub request_id: Option<Uuid>,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    Queued(Run),
    /// The same was asked before, or one like it waits already.
    Already(Run),
    /// The request id was used for another question.
    Reused,
}

/// What came of deciding.
#[derive(Clone, Debug, PartialEq)]
pub enum Decided {
    Done(Box<Run>),
    NotHeld(RunState),
}

/// A query over runs with all columns that [`view::run`] reads.
macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "SELECT run_id, domain_id, mode, state, dry_run, requested_by, create_time, start_time, end_time,
                    CASE state WHEN 'HELD' THEN expire_time END AS expire_time, server, full_read_reason, read_pages,
                    read_accounts, read_groups, read_memberships, read_members, planned_items, planned_classes,
                    applied_items, issue_count, hold_reasons, failure_reason, failure_message, failure_remedy,
                    decided_by, decide_time, traceparent
             FROM runs ",
            $rest
        )
    };
}
pub(super) use select_runs;

pub(super) async fn load(db: &mut impl Sql, RunId(run): RunId) -> Result<Option<Run>, Error> {
    let row = db
        .query_optional(select_runs!("WHERE run_id = $1"), params![run])
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut found = view::run(&row)?;
    if found.message.issue_count > 0 {
        let rows = db
            .query(
                "SELECT object_id, reason, message FROM issues WHERE run_id = $1 ORDER BY number",
                params![run],
            )
            .await?;
        found.message.issues = rows.iter().map(view::issue).collect::<Result<_, _>>()?;
    }
    Ok(Some(found))
}

/// Moves a run, if its stored state leads there. Whoever calls writes the rest and tells.
pub(super) async fn step(
    tx: &mut Transaction,
    RunId(run): RunId,
    event: RunEvent,
    now: Timestamp,
) -> Result<RunState, Error> {
    let row = tx
        .query_optional("SELECT state FROM runs WHERE run_id = $1", params![run])
        .await?
        .ok_or(Error::NoSuchRun)?;
    let from = view::state(&row)?;
    let to = from.after(event).ok_or(Error::Moved(from))?;
    let end = to.is_final().then_some(now);
    tx.execute(
        "UPDATE runs SET state = $2, end_time = $3, retry_time = NULL WHERE run_id = $1",
        params![run, to.name(), end],
    )
    .await?;
    Ok(to)
}

/// Tells of a run that was moved in this transaction.
pub(super) async fn tell(
    tx: &mut Transaction,
    teller: Teller<'_>,
    run: RunId,
    state: RunState,
) -> Result<(), Error> {
    let found = load(tx, run).await?.ok_or(Error::NoSuchRun)?;
    teller.run(tx, state, found.message).await
}

/// Ends a run in failure, for the reason given.
pub(super) async fn fail(
    tx: &mut Transaction,
    teller: Teller<'_>,
    run: RunId,
    failure: &Failure,
) -> Result<(), Error> {
    let state = step(tx, run, RunEvent::Fail, teller.now).await?;
    tx.execute(
        "UPDATE runs SET failure_reason = $2, failure_message = $3, failure_remedy = $4 WHERE run_id = $1",
        params![
            run.0,
            failure.reason.name(),
            failure.message.clone(),
            failure.remedy.clone()
        ],
    )
    .await?;
    tx.execute(
        "UPDATE domains SET consecutive_failures = consecutive_failures + 1
         WHERE domain_id = $1 AND EXISTS (SELECT 1 FROM runs WHERE run_id = $2 AND dry_run = 0)",
        params![teller.domain.as_str(), run.0],
    )
    .await?;
    tell(tx, teller, run, state).await
}

impl Store {
    fn teller<'a>(&'a self, domain: &'a DomainId) -> Teller<'a> {
        Teller {
            ids: &self.ids,
            now: self.clock.now(),
            domain,
        }
    }

    pub async fn run(&self, run: RunId) -> Result<Option<Run>, Error> {
        load(&mut self.db.read().await?, run).await
    }

    /// Queues a run, unless the same was asked before or one like it waits already.
    pub async fn ask(&self, new: &NewRun) -> Result<Asked, Error> {
        let mut tx = self.db.begin().await?;
        let domain = new.domain.as_str();
        let mode = i64::from(i32::from(new.mode));
        if let Some(request) = new.request_id {
            let row = tx
                .query_optional(
                    "SELECT run_id, mode, dry_run FROM runs WHERE domain_id = $1 AND request_id = $2",
                    params![domain, request],
                )
                .await?;
            if let Some(row) = row {
                let (was, dry): (i64, bool) = (row.get("mode")?, row.get("dry_run")?);
                if (was, dry) != (mode, new.dry_run) {
                    return Ok(Asked::Reused);
                }
                let run = RunId(row.get("run_id")?);
                let run = load(&mut tx, run).await?.ok_or(Error::NoSuchRun)?;
                return Ok(Asked::Already(run));
            }
        }
        // A waiting full read answers every question; others only their own.
        let row = tx
            .query_optional(
                "SELECT run_id FROM runs
                 WHERE domain_id = $1 AND state = 'QUEUED' AND dry_run = $2 AND (mode = $3 OR mode = $4)
                 ORDER BY run_id LIMIT 1",
                params![
                    domain,
                    new.dry_run,
                    mode,
                    i64::from(i32::from(proto::SyncMode::Full))
                ],
            )
            .await?;
        if let Some(row) = row {
            let run = RunId(row.get("run_id")?);
            let run = load(&mut tx, run).await?.ok_or(Error::NoSuchRun)?;
            return Ok(Asked::Already(run));
        }
        let now = self.clock.now();
        let run = RunId(self.ids.uuid_at(now));
        tx.execute(
            "INSERT INTO runs (run_id, domain_id, mode, state, dry_run, requested_by, request_id, create_time,
                               traceparent)
             VALUES ($1, $2, $3, 'QUEUED', $4, $5, $6, $7, $8)",
            params![
                run.0,
                domain,
                mode,
                new.dry_run,
                new.requested_by.clone(),
                new.request_id,
                now,
                runtime::telemetry::current_traceparent()
            ],
        )
        .await?;
        let queued = load(&mut tx, run).await?.ok_or(Error::NoSuchRun)?;
        tx.commit().await?;
        self.tell();
        Ok(Asked::Queued(queued))
    }

    /// Approves or rejects a held plan.
    pub async fn decide(&self, run: RunId, approve: bool, by: &str) -> Result<Decided, Error> {
        let mut tx = self.db.begin().await?;
        let found = load(&mut tx, run).await?.ok_or(Error::NoSuchRun)?;
        let (event, teller) = (
            if approve {
                RunEvent::Approve
            } else {
                RunEvent::Reject
            },
            self.teller(&found.domain),
        );
        let state = match step(&mut tx, run, event, teller.now).await {
            Ok(state) => state,
            Err(Error::Moved(state)) => return Ok(Decided::NotHeld(state)),
            Err(error) => return Err(error),
        };
        tx.execute(
            "UPDATE runs SET decided_by = $2, decide_time = $3 WHERE run_id = $1",
            params![run.0, by, teller.now],
        )
        .await?;
        tell(&mut tx, teller, run, state).await?;
        let decided = load(&mut tx, run).await?.ok_or(Error::NoSuchRun)?;
        tx.commit().await?;
        self.tell();
        Ok(Decided::Done(Box::new(decided)))
    }

    /// Ends plans that nobody decided on in time, and tells when the next one is due.
    pub async fn expire(&self, domain: &DomainId) -> Result<Option<Timestamp>, Error> {
        let now = self.clock.now();
        let rows = self
            .db
            .read()
            .await?
            .query(
                "SELECT run_id, expire_time FROM runs
                 WHERE domain_id = $1 AND state IN ('HELD', 'APPROVED') AND expire_time IS NOT NULL",
                params![domain.as_str()],
            )
            .await?;
        let mut next: Option<Timestamp> = None;
        for row in rows {
            let (run, due) = (
                RunId(row.get("run_id")?),
                row.get::<Timestamp>("expire_time")?,
            );
            if due > now {
                next = Some(next.map_or(due, |next| next.min(due)));
                continue;
            }
            let mut tx = self.db.begin().await?;
            match step(&mut tx, run, RunEvent::Expire, now).await {
                Ok(state) => tell(&mut tx, self.teller(domain), run, state).await?,
                // Decided meanwhile.
                Err(Error::Moved(_)) => continue,
                Err(error) => return Err(error),
            }
            tx.commit().await?;
            self.tell();
        }
        Ok(next)
    }

    /// The run to work on next: one that was interrupted, one that was approved, one that waits. And when one that
    /// failed for a passing reason may be tried again.
    pub async fn next(&self, domain: &DomainId) -> Result<(Option<Run>, Option<Timestamp>), Error> {
        let mut db = self.db.read().await?;
        let now = self.clock.now();
        let row = db
            .query_optional(
                select_runs!(
                    "WHERE domain_id = $1 AND state IN ('APPLYING', 'READING', 'PLANNING', 'APPROVED', 'QUEUED')
                           AND COALESCE(retry_time, 0) <= $2
                     ORDER BY CASE state WHEN 'APPLYING' THEN 0 WHEN 'QUEUED' THEN 3 WHEN 'APPROVED' THEN 2 ELSE 1 END,
                              run_id
                     LIMIT 1"
                ),
                params![domain.as_str(), now],
            )
            .await?;
        let later = db
            .query_one(
                "SELECT MIN(retry_time) AS retry_time FROM runs
                 WHERE domain_id = $1 AND state IN ('APPLYING', 'READING', 'PLANNING', 'APPROVED', 'QUEUED')
                       AND retry_time > $2",
                params![domain.as_str(), now],
            )
            .await?;
        let run = row.as_ref().map(view::run).transpose()?;
        Ok((run, later.get("retry_time")?))
    }

    /// How many plans wait for a decision.
    pub async fn held(&self, domain: &DomainId) -> Result<u64, Error> {
        let row = self
            .db
            .read()
            .await?
            .query_one(
                "SELECT COUNT(*) AS held FROM runs WHERE domain_id = $1 AND state = 'HELD'",
                params![domain.as_str()],
            )
            .await?;
        Ok(row.get("held")?)
    }

    /// Notes that work on a run begins, or begins again.
    pub async fn begin(&self, run: RunId) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        tx.execute(
            "UPDATE runs SET start_time = COALESCE(start_time, $2), retry_time = NULL WHERE run_id = $1",
            params![run.0, self.clock.now()],
        )
        .await?;
        tx.commit().await?;
        self.tell();
        Ok(())
    }

    /// Notes who answers, and how the read is made.
    pub async fn reads(&self, run: RunId, server: &str, full_because: &str) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        tx.execute(
            "UPDATE runs SET server = $2, full_read_reason = $3 WHERE run_id = $1",
            params![run.0, server, full_because],
        )
        .await?;
        tx.commit().await?;
        self.tell();
        Ok(())
    }

    /// Leaves a run as it is, to be tried again no earlier than `at`.
    pub async fn retry(&self, run: RunId, at: Timestamp) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        tx.execute(
            "UPDATE runs SET retry_time = $2 WHERE run_id = $1",
            params![run.0, at],
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends a run in failure, if it hasn't ended otherwise.
    pub async fn fail(
        &self,
        domain: &DomainId,
        run: RunId,
        failure: &Failure,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        match fail(&mut tx, self.teller(domain), run, failure).await {
            Ok(()) => tx.commit().await?,
            Err(Error::Moved(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
        self.tell();
        Ok(())
    }

    /// Ends everything that waits or runs in a domain whose sync is off. Held plans stay until they expire: nothing of
    /// them can be applied meanwhile.
    pub async fn stop(&self, domain: &DomainId, failure: &Failure) -> Result<u64, Error> {
        let rows = self
            .db
            .read()
            .await?
            .query(
                "SELECT run_id FROM runs
                 WHERE domain_id = $1 AND state IN ('APPLYING', 'READING', 'PLANNING', 'APPROVED', 'QUEUED')",
                params![domain.as_str()],
            )
            .await?;
        for row in &rows {
            self.fail(domain, RunId(row.get("run_id")?), failure)
                .await?;
        }
        Ok(rows.len() as u64)
    }
}
