//! One stream, from the first challenge to its end.

use api::rotation::v1 as proto;
use api::rotation::v1::deliver_request::Message as Say;
use api::rotation::v1::deliver_response::Message as Said;
use api::rotation::v1::delivery_service_client::DeliveryServiceClient;
use runtime::Channel;
use sealing::Purpose;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::store::{Kept, Store};
use crate::{failure::Failure, output::note};

/// Answers that wait to be sent.
const AHEAD: usize = 16;

/// Why a stream ended before its time.
pub(super) enum Ended {
    Call {
        status: Status,
        /// It had proven presence before.
        is_proven: bool,
    },
    /// The store can't be used: going on would answer for what is not kept.
    Store(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

/// Holds one stream. Whether presence was proven on it.
pub(super) async fn hold(
    mut client: DeliveryServiceClient<Channel>,
    store: &Store,
) -> Result<bool, Ended> {
    let target = store.target()?.ok_or_else(|| {
        Failure::new("the target is not enrolled")
            .next("an administrator enrols it: hes delivery target add EMPLOYEE --store DIR")
    })?;
    let (answers, requests) = mpsc::channel(AHEAD);
    let mut is_proven = false;
    let call = |status, is_proven| Ended::Call { status, is_proven };
    let mut said = client
        .deliver(ReceiverStream::new(requests))
        .await
        .map_err(|status| call(status, false))?
        .into_inner();
    loop {
        let response = match said.message().await {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(is_proven),
            Err(status) => return Err(call(status, is_proven)),
        };
        let answer = match response.message {
            Some(Said::Challenge(challenge)) => {
                let present = prove(store, &target, &challenge)?;
                if !std::mem::replace(&mut is_proven, true) {
                    note(&format!("present as {target}"));
                }
                Some(Say::Present(present))
            }
            Some(Said::Offer(offer)) => offered(store, &target, &offer)?.map(Say::Accept),
            Some(Said::Confirm(confirm)) => {
                confirmed(store, &target, &confirm)?.map(Say::Acknowledge)
            }
            Some(Said::Withdraw(withdraw)) => {
                withdrawn(store, &withdraw)?;
                None
            }
            // Of a newer server: what it means is not known, and nothing may follow from it.
            None => None,
        };
        if let Some(message) = answer {
            let request = proto::DeliverRequest {
                message: Some(message),
            };
            if answers.send(request).await.is_err() {
                return Ok(is_proven);
            }
        }
    }
}

/// Signs the challenge, and says what is stored: what the server takes back, it takes back by that.
fn prove(
    store: &Store,
    target: &str,
    challenge: &proto::Challenge,
) -> Result<proto::Present, Failure> {
    let stored = store
        .all()?
        .into_iter()
        .map(|slots| proto::Stored {
            current_generation: slots.current.as_ref().map_or(0, |kept| kept.generation),
            pending_generation: slots.pending.as_ref().map_or(0, |kept| kept.generation),
            pending_candidate: slots.pending.as_ref().map_or(0, |kept| kept.candidate),
            account: slots.account,
        })
        .collect();
    Ok(proto::Present {
        target: target.to_owned(),
        signature: store.signing.prove(&challenge.nonce, target),
        stored,
    })
}

/// What was sealed to this target for this very password; nothing where it does not open.
fn open(
    store: &Store,
    target: &str,
    (account, generation, candidate): (&str, i64, i32),
    sealed: &[u8],
) -> Option<SecretString> {
    let purpose = Purpose {
        account,
        generation: u64::try_from(generation).ok()?,
        candidate: u32::try_from(candidate).ok()?,
        target,
    };
    let opened = store.sealing.open(&purpose, sealed).ok()?;
    let text = std::str::from_utf8(opened.expose_secret()).ok()?;
    (!text.is_empty()).then(|| SecretString::from(text))
}

/// Stores a candidate as pending. Accepted only once that is durable: from then on it may become the password.
fn offered(
    store: &Store,
    target: &str,
    offer: &proto::Offer,
) -> Result<Option<proto::Accept>, Failure> {
    let place = (offer.account.as_str(), offer.generation, offer.candidate);
    let Some(value) = open(store, target, place, &offer.sealed) else {
        note(&format!(
            "an offer for {} does not open with this target's key; not accepted",
            offer.logon_name
        ));
        return Ok(None);
    };
    let mut slots = store.slots(&offer.account)?;
    slots.logon_name.clone_from(&offer.logon_name);
    let offered = Kept {
        generation: offer.generation,
        candidate: offer.candidate,
        value,
    };
    if !slots.offer(offered) {
        return Ok(None);
    }
    store.put(&slots)?;
    runtime::points::reached("candidate stored");
    note(&format!(
        "{}: password {} is pending",
        offer.logon_name, offer.generation
    ));
    Ok(Some(proto::Accept {
        account: offer.account.clone(),
        generation: offer.generation,
        candidate: offer.candidate,
    }))
}

/// Makes a password current. Acknowledged only once that is durable: the server destroys its copy by it.
fn confirmed(
    store: &Store,
    target: &str,
    confirm: &proto::Confirm,
) -> Result<Option<proto::Acknowledge>, Failure> {
    let place = (
        confirm.account.as_str(),
        confirm.generation,
        confirm.candidate,
    );
    let acknowledge = proto::Acknowledge {
        account: confirm.account.clone(),
        generation: confirm.generation,
    };
    // What is sealed here is the password itself; what is pending may be another candidate.
    let Some(value) = open(store, target, place, &confirm.sealed) else {
        note(&format!(
            "a confirmation for {} does not open with this target's key; not acknowledged",
            confirm.logon_name
        ));
        return Ok(None);
    };
    let mut slots = store.slots(&confirm.account)?;
    slots.logon_name.clone_from(&confirm.logon_name);
    let is_new = slots.confirm(Kept {
        generation: confirm.generation,
        candidate: confirm.candidate,
        value,
    });
    if is_new {
        store.put(&slots)?;
        runtime::points::reached("password made current");
        note(&format!(
            "{}: password {} is current",
            confirm.logon_name, confirm.generation
        ));
    }
    Ok(Some(acknowledge))
}

fn withdrawn(store: &Store, withdraw: &proto::Withdraw) -> Result<(), Failure> {
    let mut slots = store.slots(&withdraw.account)?;
    if slots.withdraw(withdraw.generation, withdraw.candidate) {
        store.put(&slots)?;
        note(&format!(
            "{}: password {} was taken back",
            slots.logon_name, withdraw.generation
        ));
    }
    Ok(())
}
