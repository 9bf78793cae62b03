//! One stream of one target: presence is asked for and proven, again and again; candidates are offered, confirmed and
//! withdrawn by what the database holds. docs/delivery.md tells the same from the client's side.
//!
//! A session is a task of its own: a client that goes away drops its call, and must not drop what the target has said.

use std::collections::HashMap;
use std::time::Duration;

use api::name::{AccountName, TargetName};
use api::rotation::v1 as proto;
use api::rotation::v1::deliver_request::Message as Said;
use api::rotation::v1::deliver_response::Message as Say;
use directory::AccountKey;
use jiff::SignedDuration;
use rotation::{Event, HeldReason, State};
use runtime::Shutdown;
use runtime::grpc::{Failure, Reason};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::announce;
use crate::ledger::{Ledger, LedgerError};
use crate::store::{self, ClientRow, DeliveryRow, Kind, TargetRow};

/// How often a target is asked to prove that it is there, and how long it has to.
const ASK_AGAIN: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a proof counts: until the next one was asked for and not given, and a little.
const COUNTS_FOR: Duration = Duration::from_secs(45);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

pub(crate) type Answers = mpsc::Sender<Result<proto::DeliverResponse, Status>>;

pub(crate) struct Session {
    pub(crate) ledger: Ledger,
    pub(crate) client: ClientRow,
    /// Names the stream.
    pub(crate) id: Uuid,
    pub(crate) answers: Answers,
    pub(crate) requests: Streaming<proto::DeliverRequest>,
}

/// What was said to the target of one password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    candidate: u32,
    is_confirmed: bool,
}

/// How a session ends that the server ends.
#[derive(Debug)]
enum Ended {
    /// The client went, or the server does.
    Gone,
    Failed(Status),
}

impl From<LedgerError> for Ended {
    fn from(error: LedgerError) -> Self {
        Self::Failed(Failure::from(error).into())
    }
}

impl From<store::StoreError> for Ended {
    fn from(error: store::StoreError) -> Self {
        LedgerError::from(error).into()
    }
}

impl From<storage::Error> for Ended {
    fn from(error: storage::Error) -> Self {
        LedgerError::from(error).into()
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.into())
    }
}

impl Session {
    /// Runs until one of both sides ends it.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut target = None;
        let ended = tokio::select! {
            ended = self.converse(&mut target) => ended,
            () = shutdown.signalled() => {
                let failure = Failure::new(Reason::ShuttingDown, "the service is leaving; open the stream again");
                Err(Ended::Failed(failure.into()))
            }
        };
        if let Err(Ended::Failed(status)) = ended {
            debug!(client = %self.client.id, "a delivery stream ended: {}", status.message());
            // Nobody listening any more is no failure.
            drop(self.answers.send(Err(status)).await);
        }
        if let Some(target) = target {
            self.leave(target).await;
        }
    }

    async fn leave(&self, target: Uuid) {
        let left = async {
            let mut tx = self.ledger.db.begin().await?;
            store::leave(&mut tx, target, self.id).await?;
            Ok::<_, store::StoreError>(tx.commit().await?)
        };
        if let Err(error) = left.await {
            debug!(
                error = &error as &dyn std::error::Error,
                "a target's leaving was not noted; it lapses by itself"
            );
        }
    }

    async fn converse(&mut self, of: &mut Option<Uuid>) -> Result<(), Ended> {
        let nonce = self.challenge().await?;
        let present = self.first_proof().await?;
        let target = self.prove(&nonce, &present, None).await?;
        *of = Some(target.id);
        let mut bell = self.ledger.bells.listen(target.employee);
        let mut told: HashMap<(AccountKey, u64), Told> = HashMap::new();
        self.reconcile(&target, &present, &mut told).await?;
        self.tell(&target, &mut told).await?;

        let clock = self.ledger.clock.clone();
        let mut ask_at = clock.sleep(ASK_AGAIN);
        let mut asked: Option<Vec<u8>> = None;
        loop {
            tokio::select! {
                said = self.requests.message() => match said {
                    Ok(Some(request)) => match request.message {
                        Some(Said::Present(present)) => {
                            let Some(nonce) = asked.take() else {
                                self.note_false_proof("a proof that was not asked for").await?;
                                return Err(not_proven().into());
                            };
                            self.prove(&nonce, &present, Some(&target)).await?;
                            ask_at = clock.sleep(ASK_AGAIN);
                        }
                        Some(Said::Accept(accept)) => self.accept(&target, &accept).await?,
                        Some(Said::Acknowledge(acknowledge)) => {
                            self.acknowledge(&target, &acknowledge).await?;
                        }
                        None => return Err(Failure::invalid("message", "is empty").into()),
                    },
                    Ok(None) | Err(_) => return Err(Ended::Gone),
                },
                // The sender lives as long as the registry.
                _ = bell.changed() => self.tell(&target, &mut told).await?,
                () = &mut ask_at => {
                    if asked.is_some() {
                        return Err(lapsed().into());
                    }
                    asked = Some(self.challenge().await?);
                    ask_at = clock.sleep(PATIENCE);
                    self.tell(&target, &mut told).await?;
                }
            }
        }
    }

    async fn say(&self, message: Say) -> Result<(), Ended> {
        let response = proto::DeliverResponse {
            message: Some(message),
        };
        self.answers
            .send(Ok(response))
            .await
            .map_err(|_| Ended::Gone)
    }

    async fn challenge(&self) -> Result<Vec<u8>, Ended> {
        let mut nonce = vec![0; 32];
        sealing::fill_random(&mut nonce).map_err(|error| LedgerError::Sealing(self.id, error))?;
        self.say(Say::Challenge(proto::Challenge {
            nonce: nonce.clone(),
        }))
        .await?;
        Ok(nonce)
    }

    async fn first_proof(&mut self) -> Result<proto::Present, Ended> {
        let patience = self.ledger.clock.sleep(PATIENCE);
        tokio::select! {
            said = self.requests.message() => match said {
                Ok(Some(proto::DeliverRequest { message: Some(Said::Present(present)) })) => Ok(present),
                Ok(Some(_)) => Err(Failure::invalid(
                    "message",
                    "the first one is the answer to the challenge",
                )
                .into()),
                Ok(None) | Err(_) => Err(Ended::Gone),
            },
            () = patience => Err(lapsed().into()),
        }
    }

    /// Whether the target is there: its own signature over our nonce says so, and nothing else.
    async fn prove(
        &self,
        nonce: &[u8],
        present: &proto::Present,
        before: Option<&TargetRow>,
    ) -> Result<TargetRow, Ended> {
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await?;
        let claimed = match present.target.parse::<TargetName>() {
            Ok(TargetName(id)) => store::target(&mut tx, id).await?,
            Err(_) => None,
        };
        let problem = match &claimed {
            None => Some("an unknown target"),
            Some(target) if target.revoked.is_some() => Some("a revoked target"),
            Some(target) if before.is_some_and(|before| before.id != target.id) => {
                Some("another target on the same stream")
            }
            Some(target)
                if !target
                    .signing_key
                    .proves(nonce, &present.target, &present.signature) =>
            {
                Some("a false signature")
            }
            Some(_) => None,
        };
        let (Some(target), None) = (claimed, problem) else {
            drop(tx);
            self.note_false_proof(problem.unwrap_or_default()).await?;
            return Err(match problem {
                Some("an unknown target" | "a revoked target") => Failure::new(
                    Reason::NotFound,
                    format!(
                        "there is no target `{}`, or it is revoked; have it enrolled anew",
                        present.target
                    ),
                )
                .into(),
                _ => not_proven().into(),
            });
        };
        store::prove_presence(&mut tx, target.id, self.id, now, COUNTS_FOR).await?;
        let mut domains = Vec::new();
        if before.is_none() {
            store::wake_planned_of_employee(&mut tx, target.employee, now).await?;
            // Those too whose time to look had come before: they waited for nothing else.
            for account in store::accounts_of_employee(&mut tx, target.employee).await? {
                domains.push(account.key.domain);
            }
            let target = TargetRow {
                is_present: true,
                seen: Some(now),
                ..target.clone()
            };
            announce::target(&mut tx, &self.ledger.ids, now, &target, "present").await?;
        }
        tx.commit().await?;
        for domain in domains {
            self.ledger.bells.ring_domain(&domain);
        }
        self.ledger.relay.wake();
        Ok(target)
    }

    async fn note_false_proof(&self, what: &str) -> Result<(), Ended> {
        warn!(client = %self.client.id, "delivery client `{}` proved presence by {what}", self.client.id);
        self.note(Kind::FalseProof).await
    }

    async fn note(&self, kind: Kind) -> Result<(), Ended> {
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await?;
        for domain in self.domains() {
            store::insert_incident(&mut tx, &domain, kind, &self.client.id, now).await?;
        }
        tx.commit().await?;
        for domain in self.domains() {
            self.ledger.bells.ring_domain(&domain);
        }
        Ok(())
    }

    fn domains(&self) -> Vec<directory::DomainId> {
        self.client
            .domains
            .iter()
            .filter_map(|name| {
                let api::name::DomainName(id) = name.parse().ok()?;
                Some(id)
            })
            .collect()
    }

    fn may_have(&self, account: &AccountKey) -> bool {
        self.domains().contains(&account.domain)
    }

    /// Withdraws what the target still has as pending and is none any more; notes what it already has.
    async fn reconcile(
        &self,
        target: &TargetRow,
        present: &proto::Present,
        told: &mut HashMap<(AccountKey, u64), Told>,
    ) -> Result<(), Ended> {
        let mut reader = self.ledger.db.read().await?;
        let deliveries = store::deliveries_of_target(&mut reader, target.id).await?;
        drop(reader);
        for stored in &present.stored {
            let Ok(AccountName(account)) = stored.account.parse::<AccountName>() else {
                continue;
            };
            let (Ok(generation), Ok(candidate)) = (
                u64::try_from(stored.pending_generation),
                u32::try_from(stored.pending_candidate),
            ) else {
                continue;
            };
            if generation == 0 {
                continue;
            }
            let held = deliveries.iter().find(|delivery| {
                delivery.account == account
                    && delivery.generation == generation
                    && delivery.candidate == candidate
            });
            match held {
                Some(delivery) if delivery.accepted.is_some() => {
                    told.insert(
                        (account, generation),
                        Told {
                            candidate,
                            is_confirmed: false,
                        },
                    );
                }
                // Its acceptance was lost on the way: offered again, it accepts again.
                Some(_) => {}
                None => {
                    self.say(Say::Withdraw(proto::Withdraw {
                        account: stored.account.clone(),
                        generation: stored.pending_generation,
                        candidate: stored.pending_candidate,
                    }))
                    .await?;
                }
            }
        }
        Ok(())
    }

    /// Says what the target has not been told yet.
    async fn tell(
        &self,
        target: &TargetRow,
        told: &mut HashMap<(AccountKey, u64), Told>,
    ) -> Result<(), Ended> {
        let mut reader = self.ledger.db.read().await?;
        let Some(target) = store::target(&mut reader, target.id).await? else {
            return Err(Ended::Gone);
        };
        if target.revoked.is_some() {
            let failure = Failure::new(Reason::NotFound, "the target was revoked");
            return Err(failure.into());
        }
        let deliveries = store::deliveries_of_target(&mut reader, target.id).await?;
        drop(reader);
        let gone: Vec<_> = told
            .iter()
            .filter(|((account, generation), told)| {
                !told.is_confirmed
                    && !deliveries.iter().any(|delivery| {
                        delivery.account == *account
                            && delivery.generation == *generation
                            && delivery.candidate == told.candidate
                    })
            })
            .map(|(key, told)| (key.clone(), *told))
            .collect();
        for ((account, generation), Told { candidate, .. }) in gone {
            told.remove(&(account.clone(), generation));
            self.say(Say::Withdraw(proto::Withdraw {
                account: AccountName(account).to_string(),
                generation: number(generation),
                candidate: i32::try_from(candidate).unwrap_or(i32::MAX),
            }))
            .await?;
        }
        for delivery in deliveries {
            self.tell_one(delivery, told).await?;
        }
        Ok(())
    }

    async fn tell_one(
        &self,
        delivery: DeliveryRow,
        told: &mut HashMap<(AccountKey, u64), Told>,
    ) -> Result<(), Ended> {
        let key = (delivery.account.clone(), delivery.generation);
        let now = Told {
            candidate: delivery.candidate,
            is_confirmed: delivery.confirmed,
        };
        let Some(sealed) = &delivery.sealed else {
            return Ok(());
        };
        if delivery.acknowledged.is_some()
            || told.get(&key) == Some(&now)
            || !self.may_have(&delivery.account)
        {
            return Ok(());
        }
        if !told.contains_key(&key) {
            self.count_offer().await?;
        }
        let account = AccountName(delivery.account.clone()).to_string();
        let generation = number(delivery.generation);
        let candidate = i32::try_from(delivery.candidate).unwrap_or(i32::MAX);
        let message = if delivery.confirmed {
            Say::Confirm(proto::Confirm {
                account,
                generation,
                candidate,
                sealed: sealed.clone(),
                logon_name: delivery.logon_name.clone(),
            })
        } else {
            Say::Offer(proto::Offer {
                account,
                generation,
                candidate,
                sealed: sealed.clone(),
                logon_name: delivery.logon_name.clone(),
            })
        };
        self.say(message).await?;
        told.insert(key, now);
        Ok(())
    }

    /// Counts against what the client may be offered in an hour. More opens the breaker.
    async fn count_offer(&self) -> Result<(), Ended> {
        let now = self.ledger.now();
        let hour_ago = now.saturating_sub(HOUR).unwrap_or_default();
        let mut tx = self.ledger.db.begin().await?;
        let offered = store::offers_since(&mut tx, &self.client.id, hour_ago).await?;
        if offered >= self.client.offers_per_hour {
            drop(tx);
            warn!(client = %self.client.id, "delivery client `{}` had {offered} offers within an hour", self.client.id);
            self.note(Kind::Flood).await?;
            return Err(Failure::new(
                Reason::TooManyOffers,
                format!("the client was offered {offered} passwords within an hour, and may have no more"),
            )
            .retry_after(Duration::from_secs(3_600))
            .into());
        }
        store::insert_offer(&mut tx, &self.client.id, now).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn accept(&self, target: &TargetRow, said: &proto::Accept) -> Result<(), Ended> {
        let now = self.ledger.now();
        let Some((account, generation)) = key(&said.account, said.generation) else {
            return Err(Failure::invalid("accept", "names no password that was offered").into());
        };
        let mut tx = self.ledger.db.begin().await?;
        let delivery = store::delivery(&mut tx, target.id, &account, generation).await?;
        let Some(delivery) = delivery.filter(|delivery| {
            Ok(delivery.candidate) == u32::try_from(said.candidate) && self.may_have(&account)
        }) else {
            // Withdrawn meanwhile: the target hears of that next.
            return Ok(());
        };
        store::mark_accepted(&mut tx, &delivery, now).await?;
        let open = store::open_rotation_of(&mut tx, &account).await?;
        let mut moved = None;
        if let Some(mut row) = open.filter(|row| row.rotation.generation == generation) {
            let event = Event::Accepted {
                candidate: delivery.candidate,
            };
            match self.ledger.step(&mut tx, &mut row, event, now).await {
                Ok(_) => moved = Some(row),
                Err(LedgerError::Rejected(error)) => {
                    debug!(%error, "an acceptance changed nothing");
                }
                Err(error) => return Err(error.into()),
            }
        }
        tx.commit().await?;
        runtime::points::reached("acceptance committed");
        if let Some(row) = moved {
            self.ledger.ring(&row);
        }
        Ok(())
    }

    async fn acknowledge(
        &self,
        target: &TargetRow,
        said: &proto::Acknowledge,
    ) -> Result<(), Ended> {
        let now = self.ledger.now();
        let Some((account, generation)) = key(&said.account, said.generation) else {
            return Err(Failure::invalid("acknowledge", "names no password").into());
        };
        let mut tx = self.ledger.db.begin().await?;
        let delivery = store::delivery(&mut tx, target.id, &account, generation).await?;
        // What was never confirmed can't be current.
        let Some(delivery) = delivery.filter(|delivery| delivery.confirmed) else {
            return Ok(());
        };
        store::mark_acknowledged(&mut tx, &delivery, now).await?;
        let open = store::open_rotation_of(&mut tx, &account).await?;
        let mut moved = None;
        if let Some(mut row) = open.filter(|row| row.rotation.generation == generation) {
            match row.rotation.state {
                State::Confirmed | State::Held(HeldReason::Unacknowledged) => {
                    self.ledger
                        .step(&mut tx, &mut row, Event::Acknowledged, now)
                        .await?;
                    info!(rotation = %row.id, "changed and delivered");
                    moved = Some(row);
                }
                State::Planned
                | State::Prepared
                | State::Sent
                | State::Acked
                | State::Unknown
                | State::Committed
                | State::Held(_)
                | State::Closed
                | State::Aborted(_) => {}
            }
        }
        tx.commit().await?;
        runtime::points::reached("acknowledgement committed");
        if let Some(row) = moved {
            self.ledger.ring(&row);
        }
        Ok(())
    }
}

fn key(account: &str, generation: i64) -> Option<(AccountKey, u64)> {
    let AccountName(account) = account.parse().ok()?;
    Some((account, u64::try_from(generation).ok()?))
}

fn number(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}

fn not_proven() -> Failure {
    Failure::new(
        Reason::PresenceNotProven,
        "the signature is not the target's over the challenge on this stream; open a new stream and answer its challenge",
    )
}

fn lapsed() -> Failure {
    Failure::new(
        Reason::PresenceLapsed,
        "the challenge was not answered within 15 seconds; open a new stream when the key is there",
    )
}
