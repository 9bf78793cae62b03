//! Streams: a run as it moves, and every account known.

use std::collections::VecDeque;
use std::time::Duration;

use api::connector::v1::SyncRun;
use api::directory::v1::Account;
use futures::Stream;
use futures::stream::{try_unfold, unfold};
use sync::RunState;
use tonic::Status;

use super::error::internal;
use crate::store::{Run, Snapshot, Store};

/// Another process's run is looked at this often; this one's tell by themselves.
const LOOK: Duration = Duration::from_secs(1);

/// At most this often is one told that pages come in.
const PACE: Duration = Duration::from_millis(100);

/// The run whenever it moves, from its present state until it ends or is held.
pub(super) fn moves(store: Store, run: Run) -> impl Stream<Item = Result<SyncRun, Status>> + Send {
    enum Next {
        Tell(Run),
        Wait(Run),
        End,
    }
    let watch = store.watch();
    try_unfold((Next::Tell(run), watch), move |(next, mut watch)| {
        let store = store.clone();
        async move {
            let mut told = match next {
                Next::Tell(run) => {
                    let message = run.message.clone();
                    let rests = run.state.is_final() || run.state == RunState::Held;
                    let next = if rests { Next::End } else { Next::Wait(run) };
                    return Ok(Some((message, (next, watch))));
                }
                Next::Wait(run) => run,
                Next::End => return Ok(None),
            };
            loop {
                tokio::time::sleep(PACE).await;
                tokio::select! {
                    changed = watch.changed() => if changed.is_err() { return Ok(None) },
                    () = tokio::time::sleep(LOOK) => {}
                }
                let found = store.run(told.id).await.map_err(internal)?;
                // Cleared away: it ended long ago.
                let Some(found) = found else { return Ok(None) };
                if found != told {
                    let message = found.message.clone();
                    let rests = found.state.is_final() || found.state == RunState::Held;
                    told = found;
                    let next = if rests { Next::End } else { Next::Wait(told) };
                    return Ok(Some((message, (next, watch))));
                }
            }
        }
    })
}

/// Every account of a snapshot, page by page.
pub(super) fn accounts(snapshot: Snapshot) -> impl Stream<Item = Result<Account, Status>> + Send {
    let state = (Some(snapshot), VecDeque::new());
    unfold(state, async |(mut snapshot, mut page)| {
        loop {
            if let Some(account) = page.pop_front() {
                return Some((Ok(account), (snapshot, page)));
            }
            match snapshot.as_mut()?.next().await {
                Ok(accounts) if accounts.is_empty() => return None,
                Ok(accounts) => page.extend(accounts),
                Err(error) => return Some((Err(internal(error)), (None, page))),
            }
        }
    })
}
