//! A directory's passwords, played: as strict as the contract, and it remembers every send.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::connector::v1 as proto;
use api::connector::v1::password_service_server::PasswordService;
use jiff::{SignedDuration, Timestamp};
use runtime::grpc::{Failure, Reason};
use runtime::{Clock as _, ManualClock};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

/// What a send is answered, in the order sends come; then it is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    Applied,
    Refused(proto::RefusalReason),
    /// Nobody knows; and whether it was carried out.
    Unknown {
        applied: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) version: i64,
    pub(crate) set: Timestamp,
    pub(crate) value: String,
    pub(crate) eligibility: proto::Eligibility,
}

#[derive(Clone)]
pub(crate) struct Directory {
    clock: ManualClock,
    state: Arc<Mutex<State>>,
    /// Sends wait here for a permit, where a test holds them back.
    pub(crate) gate: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    accounts: HashMap<String, Account>,
    replies: Vec<Reply>,
    /// Account and value of each send that came.
    sends: Vec<(String, String)>,
    under_way: usize,
    most_under_way: usize,
    skew: SignedDuration,
    logon_is_refused: bool,
}

impl Directory {
    pub(crate) fn new(clock: ManualClock) -> Self {
        Self {
            clock,
            state: Arc::default(),
            gate: Arc::new(Semaphore::new(1_000)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, name: &str, account: Account) {
        self.state().accounts.insert(name.to_owned(), account);
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Account)) {
        change(self.state().accounts.get_mut(name).unwrap());
    }

    pub(crate) fn value(&self, name: &str) -> String {
        self.state().accounts.get(name).unwrap().value.clone()
    }

    pub(crate) fn reply(&self, replies: &[Reply]) {
        self.state().replies = replies.iter().rev().copied().collect();
    }

    /// How far this directory's clock is ahead.
    pub(crate) fn set_skew(&self, skew: SignedDuration) {
        self.state().skew = skew;
    }

    pub(crate) fn refuse_logon(&self, refused: bool) {
        self.state().logon_is_refused = refused;
    }

    pub(crate) fn sends(&self) -> Vec<(String, String)> {
        self.state().sends.clone()
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.state().most_under_way
    }

    fn now(&self, state: &State) -> Timestamp {
        self.clock.now() + state.skew
    }
}

fn time(time: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    })
}

/// The anchor is the account's name and the version it was read at.
fn anchor(bytes: &[u8]) -> (String, i64) {
    let text = std::str::from_utf8(bytes).unwrap();
    let (name, version) = text.split_once('@').unwrap();
    (name.to_owned(), version.parse().unwrap())
}

#[tonic::async_trait]
impl PasswordService for Directory {
    async fn read(
        &self,
        request: Request<proto::ReadRequest>,
    ) -> Result<Response<proto::ReadResponse>, Status> {
        let name = request.into_inner().account;
        let state = self.state();
        if state.logon_is_refused {
            return Err(Failure::new(Reason::DirectoryLogonRefused, "wrong password").into());
        }
        let account = state.accounts.get(&name).unwrap();
        Ok(Response::new(proto::ReadResponse {
            eligibility: account.eligibility.into(),
            password_set_time: time(account.set),
            policy: Some(proto::PasswordPolicy {
                min_length: 12,
                complexity: true,
                ..proto::PasswordPolicy::default()
            }),
            anchor: format!("{name}@{}", account.version).into_bytes(),
            directory_time: time(self.now(&state)),
            password_version: account.version,
            logon_name: "somebody".to_owned(),
            display_name: "Some Body".to_owned(),
            server: "played:636".to_owned(),
            reason: String::new(),
        }))
    }

    async fn set(
        &self,
        request: Request<proto::SetRequest>,
    ) -> Result<Response<proto::SetResponse>, Status> {
        let request = request.into_inner();
        let (name, _) = anchor(&request.anchor);
        {
            let mut state = self.state();
            state.sends.push((name.clone(), request.value.clone()));
            state.under_way += 1;
            state.most_under_way = state.most_under_way.max(state.under_way);
        }
        let permit = self.gate.acquire().await.unwrap();
        drop(permit);
        let mut state = self.state();
        state.under_way -= 1;
        let reply = state.replies.pop().unwrap_or(Reply::Applied);
        let now = self.now(&state);
        let mut apply = || {
            let account = state.accounts.get_mut(&name).unwrap();
            account.version += 1;
            account.set = now;
            account.value.clone_from(&request.value);
        };
        let response = match reply {
            Reply::Applied => {
                apply();
                proto::SetResponse {
                    outcome: proto::SetOutcome::Applied.into(),
                    ..proto::SetResponse::default()
                }
            }
            Reply::Refused(refusal) => proto::SetResponse {
                outcome: proto::SetOutcome::Refused.into(),
                refusal: refusal.into(),
                ..proto::SetResponse::default()
            },
            Reply::Unknown { applied } => {
                if applied {
                    apply();
                }
                proto::SetResponse {
                    outcome: proto::SetOutcome::Unknown.into(),
                    ..proto::SetResponse::default()
                }
            }
        };
        Ok(Response::new(response))
    }

    async fn verify(
        &self,
        request: Request<proto::VerifyRequest>,
    ) -> Result<Response<proto::VerifyResponse>, Status> {
        let request = request.into_inner();
        let (name, base) = anchor(&request.anchor);
        let state = self.state();
        let account = state.accounts.get(&name).unwrap();
        let moved = account.version - base;
        let most = i64::from(request.applied_sends + request.unknown_sends);
        let change = match moved {
            0 => proto::ChangeEvidence::Unchanged,
            moved if moved >= i64::from(request.applied_sends) && moved <= most => {
                proto::ChangeEvidence::AsSent
            }
            _ => proto::ChangeEvidence::Otherwise,
        };
        let matched = match request.trial() {
            proto::Trial::Never | proto::Trial::Unspecified => proto::Match::Unverifiable,
            proto::Trial::WhereItMayFit | proto::Trial::Always => {
                match account.value == request.value {
                    true => proto::Match::Right,
                    false => proto::Match::Wrong,
                }
            }
        };
        Ok(Response::new(proto::VerifyResponse {
            r#match: matched.into(),
            change: change.into(),
            nowhere_else: true,
            convergence: proto::Convergence::Reached.into(),
            password_version: account.version,
            password_set_time: time(account.set),
            ..proto::VerifyResponse::default()
        }))
    }
}
