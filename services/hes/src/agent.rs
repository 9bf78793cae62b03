//! The reference client of DeliveryService: what keeps a person's passwords beside their key. `docs/delivery.md` gives the
//! reasons for every rule that is kept here.
//!
//! A folder stands for the keys. A real client keeps the same three slots, and the same order of writing and answering,
//! inside the security key.

mod session;
mod store;

use std::time::Duration;

use api::rotation::v1::delivery_service_client::DeliveryServiceClient;
use runtime::grpc::Reason;
use runtime::{Channel, Ids, Shutdown};
use tonic::{Code, Status};

pub(crate) use self::store::{Kept, Slots, Store};
use crate::{failure::Failure, output::note};

/// Keeps a stream open until shutdown. A connection that is lost is made anew; a refusal that will not change ends it.
pub(crate) async fn run(
    client: &DeliveryServiceClient<Channel>,
    store: &Store,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let ids = Ids::system();
    let mut failures = 0;
    loop {
        let ended = tokio::select! {
            ended = session::hold(client.clone(), store) => ended,
            () = shutdown.signalled() => return Ok(()),
        };
        let status = match ended {
            Ok(is_proven) => {
                // The server ended it in good order, or its time was over: streams last an hour.
                if is_proven {
                    failures = 0;
                }
                None
            }
            Err(session::Ended::Store(failure)) => return Err(failure),
            Err(session::Ended::Call { status, is_proven }) => {
                if is_proven {
                    failures = 0;
                }
                Some(status)
            }
        };
        failures += 1;
        if let Some(status) = &status
            && is_final(status, failures)
        {
            return Err(Failure::call("the delivery stream was refused", status));
        }
        let pause = match failures {
            1 => Duration::from_millis(200),
            failures => ids.backoff(failures - 1),
        };
        if let Some(status) = status {
            note(&format!(
                "the stream ended: {}; trying again in {pause:.1?}",
                status.message()
            ));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.signalled() => return Ok(()),
        }
    }
}

/// Attempts with a token that is not known: one that was just made is known to every server after a few seconds.
const UNKNOWN_TOKEN: u32 = 4;

/// Whether trying again can't help: somebody has to do something first.
fn is_final(status: &Status, failures: u32) -> bool {
    if Reason::of(status) == Some(Reason::Unauthenticated) {
        return failures >= UNKNOWN_TOKEN;
    }
    matches!(
        status.code(),
        Code::Unauthenticated | Code::PermissionDenied | Code::NotFound | Code::Unimplemented
    )
}
