//! The graded connection test: everything a sync and a rotation need, one by one, each with what to do about it.
//!
//! Nothing is written and nothing is saved. A check that needs an earlier one is skipped when that one failed, with the
//! reason; what can't be determined is UNKNOWN and never OK.

use std::collections::HashSet;

use directory::{Group, ObjectId};
use futures::Stream;
use jiff::Timestamp;

use crate::connect::{Connector, Credentials, Secured, Server, Target};
use crate::error::Error;
use crate::identity::Identity;
use crate::reader::ReadScope;
use crate::session::Session;

mod groups;
mod network;
mod rights;
mod scope;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grade {
    Ok,
    /// Works, but something deserves attention.
    Warning,
    /// Does not work: sync, or rotation, cannot run until it is mended.
    Failed,
    /// Could not be determined.
    Unknown,
    /// Not tried, because an earlier check that it needs failed.
    Skipped,
}

/// A finished check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable: scripts match on it.
    pub id: &'static str,
    pub grade: Grade,
    /// What was found, in a sentence.
    pub message: String,
    /// Empty when nothing is to be done.
    pub what_to_do: String,
    /// Which server, where it concerns one.
    pub server: Option<Server>,
    /// Measured facts, such as `members` = `42`.
    pub details: Vec<(&'static str, String)>,
}

/// What to test.
#[derive(Clone, Debug)]
pub struct Plan {
    pub target: Target,
    pub credentials: Credentials,
    /// The domain's configured DNS name.
    pub dns_domain: String,
    pub sync_group: String,
    pub rotation_group: String,
    pub nested_groups: bool,
    pub scope: ReadScope,
    /// The domain's GUID, if it was pinned: the directory must still be that one.
    pub pinned_domain: Option<ObjectId>,
    /// The clock here, to compare with the directory's.
    pub now: Timestamp,
}

/// Stable ids, in the order of the checks.
pub const IDS: [&str; 11] = [
    "name-resolution",
    "tcp",
    "tls",
    "bind",
    "identity",
    "scope",
    "sync-group",
    "rotation-group",
    "members",
    "deleted-objects",
    "reset-password",
];

/// A connection test under way: ask for the next check until there is none.
#[derive(Debug)]
pub struct Checks {
    plan: Plan,
    step: usize,
    connector: Option<Connector>,
    resolved: Vec<(Server, Vec<std::net::SocketAddr>)>,
    opened: Vec<(Server, std::net::TcpStream)>,
    secured: Option<Secured>,
    session: Option<Session>,
    identity: Option<Identity>,
    sync_group: Option<Group>,
    rotation_group: Option<Group>,
    /// The sync group's people, once read.
    people: Option<HashSet<ObjectId>>,
}

impl Checks {
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            step: 0,
            connector: None,
            resolved: Vec::new(),
            opened: Vec::new(),
            secured: None,
            session: None,
            identity: None,
            sync_group: None,
            rotation_group: None,
            people: None,
        }
    }

    /// Makes the next check; `None` after the last.
    pub async fn next(&mut self) -> Option<Check> {
        let id = *IDS.get(self.step)?;
        self.step += 1;
        Some(match id {
            "name-resolution" => self.name_resolution().await,
            "tcp" => self.tcp().await,
            "tls" => self.tls().await,
            "bind" => self.bind().await,
            "identity" => self.identity().await,
            "scope" => self.scope().await,
            "sync-group" => self.find_sync_group().await,
            "rotation-group" => self.find_rotation_group().await,
            "members" => self.members().await,
            "deleted-objects" => self.deleted_objects().await,
            _ => self.reset_password().await,
        })
    }

    pub fn into_stream(self) -> impl Stream<Item = Check> + Send {
        futures::stream::unfold(self, |mut checks| async move {
            let check = checks.next().await?;
            Some((check, checks))
        })
    }

    /// The session and the directory, or why a check that needs them is skipped.
    fn directory(&self, id: &'static str) -> Result<(&Session, &Identity), Box<Check>> {
        match (&self.session, &self.identity) {
            (Some(session), Some(identity)) => Ok((session, identity)),
            (None, _) => Err(Box::new(Check::skipped(id, "there is no connection"))),
            (Some(_), None) => Err(Box::new(Check::skipped(
                id,
                "the directory's identity is in doubt",
            ))),
        }
    }
}

impl Check {
    fn new(id: &'static str, grade: Grade, message: impl Into<String>) -> Self {
        Self {
            id,
            grade,
            message: message.into(),
            what_to_do: String::new(),
            server: None,
            details: Vec::new(),
        }
    }

    fn ok(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(id, Grade::Ok, message)
    }

    fn skipped(id: &'static str, why: &str) -> Self {
        Self::new(id, Grade::Skipped, format!("Not tried: {why}."))
            .remedy("Mend the checks before this one first.")
    }

    /// A failure of the operation the check is about, with its causes.
    fn error(id: &'static str, error: &Error) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat their cause in their own text.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Self::new(id, Grade::Failed, sentence(&message)).remedy(error.what_to_do())
    }

    fn remedy(mut self, what_to_do: impl Into<String>) -> Self {
        self.what_to_do = what_to_do.into();
        self
    }

    fn at(mut self, server: &Server) -> Self {
        self.server = Some(server.clone());
        self
    }

    fn detail(mut self, name: &'static str, value: impl ToString) -> Self {
        self.details.push((name, value.to_string()));
        self
    }
}

fn sentence(text: &str) -> String {
    let mut characters = text.trim_end_matches('.').chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => String::new(),
    }
}
