//! Whether the configured part of the directory is there, and anybody in it.

use super::{Check, Checks, Grade};
use crate::error::Error;

impl Checks {
    pub(super) async fn scope(&mut self) -> Check {
        const ID: &str = "scope";
        let (session, identity) = match self.directory(ID) {
            Ok(directory) => directory,
            Err(skipped) => return *skipped,
        };
        let probe = self.plan.scope.probe(session, identity).await;
        let probe = match probe {
            Ok(probe) => probe,
            Err(error @ Error::Scope(_)) => return Check::error(ID, &error),
            Err(error) => return Check::error(ID, &error),
        };
        if !probe.unknown_attributes.is_empty() {
            let message = format!(
                "The filter names what the directory's schema does not hold: {}.",
                probe.unknown_attributes.join(", ")
            );
            return Check::new(ID, Grade::Failed, message)
                .remedy("Correct the filter: a misspelt attribute matches nobody.");
        }
        if let Some(ou) = probe.unknown_ous.first() {
            return Check::new(
                ID,
                Grade::Warning,
                format!("`{ou}` is to be left out, but does not exist."),
            )
            .remedy("Correct it, or remove it from the domain's settings.");
        }
        if !probe.anybody {
            return Check::new(
                ID,
                Grade::Warning,
                "Nobody is found in the configured part of the directory.",
            )
            .remedy("Look at the base DN, the OUs and the filter, and at what the account used to log on may see.");
        }
        Check::ok(
            ID,
            "The configured part of the directory exists, and holds people.",
        )
    }
}
