//! Delivery clients' tokens. The database has their hashes; what every call is checked against is a copy in memory, which
//! is brought up to date when a client is added or revoked here, and every few seconds for what other replicas did. What a
//! client may have is read from the database anew with each stream.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use runtime::auth::{Role, TokenHash, Tokens};
use runtime::{Caller, Shutdown};
use storage::Database;
use tracing::debug;

use crate::store;

const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// What a client is called as a caller, before its id.
const SUBJECT: &str = "delivery:";

#[derive(Clone, Debug, Default)]
pub(crate) struct ClientTokens(Arc<RwLock<HashMap<[u8; 32], String>>>);

impl ClientTokens {
    /// Reads who may come.
    pub(crate) async fn refresh(&self, db: &Database) -> store::Result<()> {
        let mut reader = db.read().await?;
        let clients = store::clients(&mut reader).await?;
        let known = clients
            .into_iter()
            .filter(|client| client.revoked.is_none())
            .filter_map(|client| Some((client.token_hash.try_into().ok()?, client.id)))
            .collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// Runs until shutdown.
    pub(crate) async fn keep(self, db: Database, shutdown: Shutdown) {
        while !shutdown.is_signalled() {
            if let Err(error) = self.refresh(&db).await {
                debug!(
                    error = &error as &dyn std::error::Error,
                    "delivery clients could not be read"
                );
            }
            tokio::select! {
                () = shutdown.signalled() => return,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }
}

impl Tokens for ClientTokens {
    fn caller(&self, token: &str) -> Option<Caller> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // A token has 256 random bits: looking its hash up tells nobody anything of another one.
        let id = known.get(&TokenHash::of(token).to_bytes())?;
        Some(Caller::person(format!("{SUBJECT}{id}"), [Role::Delivery]))
    }
}

/// Which client calls.
pub(crate) fn client_of(caller: &Caller) -> Option<&str> {
    match caller {
        Caller::Person { subject, .. } => subject.strip_prefix(SUBJECT),
        Caller::Anonymous | Caller::Administrator | Caller::Service(_) => None,
    }
}
