//! How what a service stands on does: its database, its outbox, the bus. Asked when somebody wants to know.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use storage::{Database, Sql as _, params};

use crate::{Bus, Now, outbox};

/// How long the database may take to answer. The bus has a limit of its own.
const PATIENCE: Duration = Duration::from_secs(2);
/// An event that waits longer tells that something is wrong; a relay that took over needs as long at worst.
const OVERDUE: SignedDuration = SignedDuration::from_secs(45);

/// What is asked, and of whom. Cheap to clone.
#[derive(Clone)]
pub struct Standing {
    database: Database,
    bus: Arc<dyn Bus>,
    now: Now,
}

/// How one thing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub name: &'static str,
    /// What is wrong; `None` while nothing is.
    pub problem: Option<String>,
}

impl Standing {
    pub fn new(database: Database, bus: Arc<dyn Bus>, now: Now) -> Self {
        Self { database, bus, now }
    }

    /// In a fixed order.
    pub async fn components(&self) -> Vec<Component> {
        let (outbox, bus) = tokio::join!(self.outbox(), self.bus.check());
        let (database, outbox) = match outbox {
            Ok(outbox) => (None, outbox),
            Err(problem) => {
                let waits = "how many events wait is not known while the database is away";
                (Some(problem), Some(waits.to_owned()))
            }
        };
        let bus = bus.err().map(|error| {
            format!(
                "{}; events wait in the outbox and are told when it is back",
                chain(&error)
            )
        });
        vec![
            Component {
                name: "database",
                problem: database,
            },
            Component {
                name: "outbox",
                problem: outbox,
            },
            Component {
                name: "event-bus",
                problem: bus,
            },
        ]
    }

    /// What is wrong with the outbox; an error where the database can't tell.
    async fn outbox(&self) -> Result<Option<String>, String> {
        match tokio::time::timeout(PATIENCE, self.waiting()).await {
            Ok(Ok(waiting)) => Ok(self.overdue(waiting)),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_elapsed) => Err("the database gives no answer".to_owned()),
        }
    }

    async fn waiting(&self) -> Result<(u64, Option<Timestamp>), storage::Error> {
        let mut reader = self.database.read().await?;
        reader.query_one("SELECT 1 AS alive", params![]).await?;
        Ok((
            outbox::depth(&mut reader).await?,
            outbox::oldest(&mut reader).await?,
        ))
    }

    fn overdue(&self, (depth, oldest): (u64, Option<Timestamp>)) -> Option<String> {
        let waited = (self.now)().duration_since(oldest?);
        (waited > OVERDUE).then(|| {
            format!(
                "{depth} events wait to be told, the oldest for {} s; they are told when the event bus takes them",
                waited.as_secs()
            )
        })
    }
}

/// The error and all it stems from.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
