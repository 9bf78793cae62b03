//! A bound connection to one domain controller, and the searches on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapConnAsync, LdapError, LdapResult, Scope, SearchOptions};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::connect::{Server, Timeouts};
use crate::error::Error;
use crate::memo::Memos;
use crate::object::Object;

/// The task that moves a connection's bytes. It ends with its owner.
#[derive(Debug)]
pub(crate) struct Driver {
    _tasks: JoinSet<()>,
}

impl Driver {
    pub(crate) fn spawn(connection: LdapConnAsync) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Whoever waits for an answer is told of the loss; here it is only noted.
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "connection to the domain controller ended");
            }
        });
        Self { _tasks: tasks }
    }
}

/// A bound connection to one domain controller. Clones share it; it is closed with the last of them.
#[derive(Clone, Debug)]
pub struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: Server,
    timeouts: Timeouts,
    _driver: Driver,
    ldap: Ldap,
    opened: Instant,
    /// Milliseconds after `opened` of the last use.
    used: AtomicU64,
    memos: Memos,
}

/// What to search for.
#[derive(Clone, Debug)]
pub(crate) struct Query<'a> {
    /// Said in errors: "failed to {what}".
    pub(crate) what: &'static str,
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'a str,
    pub(crate) attributes: &'a [&'a str],
    pub(crate) controls: Vec<RawControl>,
}

/// An answer: the entries, and the result with its controls. Continuation references are left out: they point at other
/// naming contexts, and following one would hand the credentials to whomever it names.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) objects: Vec<Object>,
    pub(crate) result: LdapResult,
}

impl Session {
    pub(crate) fn new(server: Server, timeouts: Timeouts, driver: Driver, ldap: Ldap) -> Self {
        Self(Arc::new(Inner {
            server,
            timeouts,
            _driver: driver,
            ldap,
            opened: Instant::now(),
            used: AtomicU64::new(0),
            memos: Memos::default(),
        }))
    }

    /// The server of this session: a cookie or a cursor belongs to it alone.
    pub fn server(&self) -> &Server {
        &self.0.server
    }

    /// Whether to open a new session rather than use this one: unused for too long, or ended by the server.
    pub fn is_stale(&self) -> bool {
        let used = Duration::from_millis(self.0.used.load(Ordering::Relaxed));
        self.0.ldap.clone().is_closed()
            || self.0.opened.elapsed().saturating_sub(used) > self.0.timeouts.idle
    }

    /// Says goodbye, for all clones. Dropping the last one closes the connection too, without a word.
    pub async fn close(self) {
        let mut ldap = self.0.ldap.clone();
        ldap.with_timeout(self.0.timeouts.connect);
        if let Err(error) = ldap.unbind().await {
            tracing::debug!(%error, "the domain controller had closed the connection already");
        }
    }

    /// A handle for the one request that changes something, and how long an operation may take.
    pub(crate) fn writer(&self) -> (Ldap, Duration) {
        self.touch();
        (self.0.ldap.clone(), self.0.timeouts.operation)
    }

    pub(crate) fn memos(&self) -> &Memos {
        &self.0.memos
    }

    fn touch(&self) {
        let now = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.used.store(now, Ordering::Relaxed);
    }

    /// One search request. Any result code but success is an error; so is an entry that can't be decoded.
    pub(crate) async fn search(&self, query: Query<'_>) -> Result<Answer, Error> {
        let what = query.what;
        let base = query.base.to_owned();
        let answer = self.search_raw(query).await?;
        match answer.result.rc {
            0 => Ok(answer),
            32 => Err(Error::NoSuchObject { dn: base }),
            code => Err(Error::Refused {
                what,
                code,
                text: answer.result.text,
            }),
        }
    }

    /// One search request, whatever its result code.
    pub(crate) async fn search_raw(&self, query: Query<'_>) -> Result<Answer, Error> {
        let Query { what, .. } = query;
        let lost = |error| failed(what, self.0.timeouts.operation, error);
        let mut ldap = self.0.ldap.clone();
        ldap.with_timeout(self.0.timeouts.operation)
            .with_controls(query.controls)
            .with_search_options(SearchOptions::new());
        self.touch();
        let mut stream = ldap
            .streaming_search(
                query.base,
                query.scope,
                query.filter,
                query.attributes.to_vec(),
            )
            .await
            .map_err(lost)?;
        let mut objects = Vec::new();
        while let Some(entry) = stream.next().await.map_err(lost)? {
            if entry.is_ref() || entry.is_intermediate() {
                continue;
            }
            let object = Object::decode(entry.0).ok_or_else(|| Error::Incomplete {
                what,
                why: "the directory sent an entry that cannot be decoded".to_owned(),
            })?;
            objects.push(object);
        }
        let result = stream.finish().await;
        self.touch();
        Ok(Answer { objects, result })
    }

    /// The one object at `base`, if there is one to be seen.
    pub(crate) async fn object(
        &self,
        what: &'static str,
        base: &str,
        attributes: &[&str],
        controls: Vec<RawControl>,
    ) -> Result<Option<Object>, Error> {
        let query = Query {
            what,
            base,
            scope: Scope::Base,
            filter: "(objectClass=*)",
            attributes,
            controls,
        };
        match self.search(query).await {
            Ok(answer) => Ok(answer.objects.into_iter().next()),
            Err(Error::NoSuchObject { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// RFC 4532: as whom the server sees this session, `u:DOMAIN\name` in Active Directory.
    pub(crate) async fn who_am_i(&self) -> Result<String, Error> {
        const WHAT: &str = "ask who is logged on";
        let mut ldap = self.0.ldap.clone();
        ldap.with_timeout(self.0.timeouts.operation);
        self.touch();
        let answer = ldap
            .extended(ldap3::exop::WhoAmI)
            .await
            .map_err(|error| failed(WHAT, self.0.timeouts.operation, error))?;
        let ldap3::result::ExopResult(exop, result) = answer;
        if result.rc != 0 {
            return Err(Error::Refused {
                what: WHAT,
                code: result.rc,
                text: result.text,
            });
        }
        Ok(String::from_utf8_lossy(&exop.val.unwrap_or_default()).into_owned())
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum differs by its features: the rest is a lost connection"
)]
pub(crate) fn failed(what: &'static str, after: Duration, error: LdapError) -> Error {
    match error {
        LdapError::Timeout { .. } => Error::Timeout { what, after },
        LdapError::LdapResult { result } => Error::Refused {
            what,
            code: result.rc,
            text: result.text,
        },
        LdapError::FilterParsing => Error::Refused {
            what,
            code: 87,
            text: "the filter is malformed".to_owned(),
        },
        other => Error::Lost {
            what,
            source: Box::new(other),
        },
    }
}
