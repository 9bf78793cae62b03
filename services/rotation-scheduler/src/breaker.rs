//! When a domain stops by itself (R8): the rules of [`rotation::breaker`] on what the database holds.

use jiff::{SignedDuration, Timestamp};
use rotation::breaker::{RECENT, judge};
use rotation::{Breach, Tally};
use storage::Transaction;
use tracing::error;

use crate::announce::{self, Record};
use crate::ledger::{ACTOR, Ledger, LedgerError};
use crate::store::{self, DomainRow, Kind};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// False proofs of one client within an hour. One may be a key that was revoked this minute.
const FALSE_PROOFS: u32 = 3;

/// Looks at what happened lately, and opens the breaker where it is too much. Whether it is open.
pub(crate) async fn look(
    ledger: &Ledger,
    tx: &mut Transaction,
    domain: &mut DomainRow,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    if domain.breaker.is_some() {
        return Ok(true);
    }
    let tally = tally(tx, domain, now).await?;
    keep_baseline(tx, domain, &tally, now).await?;
    let Some(breach) = judge(&tally) else {
        return Ok(false);
    };
    open(ledger, tx, domain, breach, now).await?;
    Ok(true)
}

async fn open(
    ledger: &Ledger,
    tx: &mut Transaction,
    domain: &mut DomainRow,
    breach: Breach,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let message = breach.to_string();
    error!(
        domain = %domain.id,
        breaker = breach.name(),
        "rotation in `{}` has stopped: {message}; see to it, then: hes rotation resume {}", domain.id, domain.id
    );
    store::put_breaker(tx, &domain.id, Some((breach.name(), &message)), now).await?;
    domain.breaker = Some(store::Breaker {
        name: breach.name().to_owned(),
        message: message.clone(),
        since: now,
    });
    announce::domain(tx, &ledger.ids, now, domain, "stopped").await?;
    let record = Record::new(
        ACTOR,
        "rotation.stop",
        crate::message::domain_name(&domain.id),
    )
    .detail("breaker", breach.name())
    .detail("because", message);
    announce::audit(tx, &ledger.ids, now, record).await?;
    Ok(())
}

async fn tally(
    tx: &mut Transaction,
    domain: &DomainRow,
    now: Timestamp,
) -> Result<Tally, LedgerError> {
    let since = |span: SignedDuration| {
        now.saturating_sub(span)
            .unwrap_or(Timestamp::MIN)
            .max(domain.cleared)
    };
    let (day, hour) = (since(DAY), since(HOUR));
    let id = &domain.id;
    let (recent_sends, recent_failures) = store::recent_sends(tx, id, day, RECENT).await?;
    let eligible = store::count_rotating(tx, id).await?;
    let hour_ago = now.saturating_sub(HOUR).unwrap_or(Timestamp::MIN);
    // What was not acknowledged when a person closed the breaker is no reason to open it again at once.
    let unacknowledged = match domain.cleared < hour_ago {
        true => store::count_unacknowledged(tx, id, hour_ago).await?,
        false => 0,
    };
    Ok(Tally {
        logon_refused: store::subjects_since(tx, id, Kind::LogonRefused, day).await? > 0,
        recent_sends,
        recent_failures,
        without_right: store::subjects_since(tx, id, Kind::NoRight, day).await?,
        locked_out: store::subjects_since(tx, id, Kind::LockedOut, day).await?,
        external_changes: store::subjects_since(tx, id, Kind::ExternalChange, day).await?,
        unacknowledged,
        eligible,
        eligible_before: domain.eligible.map_or(0, |(eligible, _)| eligible),
        client_abuse: store::subjects_since(tx, id, Kind::Flood, hour).await? > 0
            || store::most_since(tx, id, Kind::FalseProof, hour).await? >= FALSE_PROOFS,
    })
}

/// What the number of accounts is compared with: as it was an hour after the domain came, or was resumed, and moved on
/// once a day. A first import takes its time, and is no jump.
async fn keep_baseline(
    tx: &mut Transaction,
    domain: &mut DomainRow,
    tally: &Tally,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let age = |since: Timestamp| now.duration_since(since);
    let is_due = match domain.eligible {
        None => age(domain.cleared) >= HOUR,
        Some((_, taken)) => age(taken) >= DAY && judge(tally).is_none(),
    };
    if is_due {
        store::put_eligible(tx, &domain.id, tally.eligible, now).await?;
        domain.eligible = Some((tally.eligible, now));
    }
    Ok(())
}
