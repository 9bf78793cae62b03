//! What the service knows while it runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::clock::Clock;
use crate::tenant::Tenant;
use crate::token::Issued;

pub(crate) struct State {
    pub(crate) clock: Clock,
    /// `https://host:port`.
    pub(crate) authority: String,
    pub(crate) graph: String,
    tenant: RwLock<Tenant>,
    tokens: Mutex<HashMap<String, Issued>>,
    /// In seconds.
    lifetime: AtomicI64,
    seed: [u8; 32],
    count: AtomicU64,
}

impl State {
    pub(crate) fn new(
        clock: Clock,
        tenant: Tenant,
        (authority, graph): (String, String),
        lifetime: Duration,
        seed: [u8; 32],
    ) -> Self {
        let state = Self {
            clock,
            authority,
            graph,
            tenant: RwLock::new(tenant),
            tokens: Mutex::default(),
            lifetime: AtomicI64::new(0),
            seed,
            count: AtomicU64::new(0),
        };
        state.set_lifetime(lifetime);
        state
    }

    pub(crate) fn tenant(&self) -> RwLockReadGuard<'_, Tenant> {
        self.tenant.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tenant_mut(&self) -> RwLockWriteGuard<'_, Tenant> {
        self.tenant.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        self.lifetime.store(seconds, Ordering::SeqCst);
    }

    /// An access token, and for how many seconds it is said to be good.
    pub(crate) fn issue(&self, roles: Vec<String>) -> (String, i64) {
        let lifetime = self.lifetime.load(Ordering::SeqCst);
        let now = self.clock.now();
        let issued = Issued {
            roles,
            expires: now
                .saturating_add(SignedDuration::from_secs(lifetime))
                .unwrap_or(now),
        };
        let token = BASE64_URL_SAFE_NO_PAD.encode(self.unguessable());
        let mut tokens = self.tokens();
        tokens.retain(|_, issued| issued.expires > now);
        tokens.insert(token.clone(), issued);
        // A second less than it is: so does the real one.
        (token, lifetime - 1)
    }

    /// Whose token this is, if it is one that was given out here and is still good.
    pub(crate) fn bearer(&self, token: &str) -> Option<Issued> {
        let now = self.clock.now();
        let tokens = self.tokens();
        tokens
            .get(token)
            .filter(|issued| issued.expires > now)
            .cloned()
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<String, Issued>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An id that is used once: of a request, say.
    pub(crate) fn id(&self) -> Uuid {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(self.unguessable()) {
            *to = from;
        }
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn unguessable(&self) -> [u8; 32] {
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(count.to_be_bytes());
        hash.finalize().into()
    }
}
