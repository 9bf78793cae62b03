//! Sessions that are kept between calls: a logon costs more than a reset.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ad_client::{Connector, Credentials, Error, Identity, Server, Session};

/// A logon: other credentials are another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) domain: String,
    pub(super) credentials_version: i64,
}

/// A session, and who answers there.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) session: Session,
    pub(super) identity: Arc<Identity>,
    key: (Key, Server),
}

/// Sessions by logon and server, one each.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<(Key, Server), Held>>);

impl Sessions {
    fn held(&self) -> MutexGuard<'_, HashMap<(Key, Server), Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session with a server: the one that is kept, where it is fresh.
    pub(super) async fn open(
        &self,
        key: &Key,
        connector: &Connector,
        server: &Server,
        logon: &Credentials,
    ) -> Result<Held, Error> {
        let key = (key.clone(), server.clone());
        {
            let mut held = self.held();
            held.retain(|_, held| !held.session.is_stale());
            if let Some(held) = held.get(&key) {
                return Ok(held.clone());
            }
        }
        let session = connector.connect_to(server, logon).await?;
        let identity = Arc::new(session.identity().await?);
        let held = Held {
            session,
            identity,
            key: key.clone(),
        };
        self.held().insert(key, held.clone());
        Ok(held)
    }

    /// Forgets a session in which something went wrong.
    pub(super) fn drop_session(&self, held: &Held) {
        self.held().remove(&held.key);
    }
}
