//! A key and the client beside it, as honest as the test wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api::rotation::v1 as proto;
use api::rotation::v1::deliver_request::Message as Say;
use api::rotation::v1::deliver_response::Message as Said;
use api::rotation::v1::delivery_service_client::DeliveryServiceClient;
use runtime::Channel;
use runtime::grpc::Reason;
use sealing::{PresenceSecret, Purpose, TargetSecret};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

pub(crate) struct Key {
    pub(crate) sealing: TargetSecret,
    pub(crate) signing: PresenceSecret,
    pub(crate) target: String,
    slots: Mutex<HashMap<String, Slots>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    pub(crate) current: Option<String>,
    pub(crate) pending: Option<String>,
    pub(crate) withdrawn: u32,
}

/// One open stream.
pub(crate) struct Stream {
    pub(crate) say: mpsc::Sender<proto::DeliverRequest>,
    pub(crate) said: Streaming<proto::DeliverResponse>,
}

impl Stream {
    pub(crate) async fn open(channel: Channel) -> Result<Self, Status> {
        let (say, requests) = mpsc::channel(8);
        let said = DeliveryServiceClient::new(channel)
            .deliver(ReceiverStream::new(requests))
            .await?
            .into_inner();
        Ok(Self { say, said })
    }

    pub(crate) async fn nonce(&mut self) -> Vec<u8> {
        match self.said.message().await.unwrap().unwrap().message {
            Some(Said::Challenge(challenge)) => challenge.nonce,
            other => panic!("no challenge: {other:?}"),
        }
    }

    pub(crate) async fn present(&self, target: &str, signature: Vec<u8>) {
        self.answer(Say::Present(proto::Present {
            target: target.to_owned(),
            signature,
            stored: Vec::new(),
        }))
        .await;
    }

    pub(crate) async fn answer(&self, message: Say) {
        let request = proto::DeliverRequest {
            message: Some(message),
        };
        drop(self.say.send(request).await);
    }

    /// The error it ends with. Whatever comes before is shown.
    pub(crate) async fn end(&mut self) -> (Status, usize) {
        let mut before = 0;
        loop {
            match self.said.message().await {
                Ok(Some(_)) => before += 1,
                Ok(None) => panic!("it ended well"),
                Err(status) => return (status, before),
            }
        }
    }
}

impl Key {
    pub(crate) fn new(sealing: TargetSecret, signing: PresenceSecret, target: String) -> Self {
        Self {
            sealing,
            signing,
            target,
            slots: Mutex::default(),
        }
    }

    pub(crate) fn slots(&self, account: &str) -> Slots {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(account).cloned().unwrap_or_default()
    }

    fn change(&self, account: &str, change: impl FnOnce(&mut Slots)) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        change(slots.entry(account.to_owned()).or_default());
    }

    fn open(&self, account: &str, generation: i64, candidate: i32, sealed: &[u8]) -> String {
        let purpose = Purpose {
            account,
            generation: generation.try_into().unwrap(),
            candidate: candidate.try_into().unwrap(),
            target: &self.target,
        };
        let opened = self.sealing.open(&purpose, sealed).unwrap();
        String::from_utf8(opened.expose_secret().to_vec()).unwrap()
    }

    /// Serves the key until it is refused. A clock that is moved by hours makes challenges lapse: then it comes again.
    pub(crate) async fn serve(self: Arc<Self>, channel: Channel) -> Status {
        loop {
            let ended = self.serve_once(channel.clone()).await;
            if Reason::of(&ended) != Some(Reason::PresenceLapsed) {
                return ended;
            }
        }
    }

    async fn serve_once(&self, channel: Channel) -> Status {
        let mut stream = Stream::open(channel).await.unwrap();
        loop {
            let message = match stream.said.message().await {
                Ok(Some(response)) => response.message.unwrap(),
                Ok(None) => return Status::ok(""),
                Err(status) => return status,
            };
            match message {
                Said::Challenge(challenge) => {
                    let signature = self.signing.prove(&challenge.nonce, &self.target);
                    stream.present(&self.target, signature).await;
                }
                Said::Offer(offer) => {
                    let value = self.open(
                        &offer.account,
                        offer.generation,
                        offer.candidate,
                        &offer.sealed,
                    );
                    self.change(&offer.account, |slots| slots.pending = Some(value));
                    stream
                        .answer(Say::Accept(proto::Accept {
                            account: offer.account,
                            generation: offer.generation,
                            candidate: offer.candidate,
                        }))
                        .await;
                }
                Said::Confirm(confirm) => {
                    let value = self.open(
                        &confirm.account,
                        confirm.generation,
                        confirm.candidate,
                        &confirm.sealed,
                    );
                    self.change(&confirm.account, |slots| {
                        slots.pending = None;
                        slots.current = Some(value);
                    });
                    stream
                        .answer(Say::Acknowledge(proto::Acknowledge {
                            account: confirm.account,
                            generation: confirm.generation,
                        }))
                        .await;
                }
                Said::Withdraw(withdraw) => self.change(&withdraw.account, |slots| {
                    slots.pending = None;
                    slots.withdrawn += 1;
                }),
            }
        }
    }
}
