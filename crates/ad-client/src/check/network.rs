//! From the name to a known directory.

use jiff::SignedDuration;

use super::{Check, Checks, Grade};
use crate::connect::Connector;
use crate::error::Error;

/// A certificate that ends sooner is worth a warning.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Beyond this Kerberos fails, and times compared with the directory's mislead.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

impl Checks {
    pub(super) async fn name_resolution(&mut self) -> Check {
        const ID: &str = "name-resolution";
        let connector = match Connector::new(&self.plan.target) {
            Ok(connector) => connector,
            Err(error) => {
                let cause = std::error::Error::source(&error)
                    .map(|cause| format!(": {cause}"))
                    .unwrap_or_default();
                return Check::new(
                    ID,
                    Grade::Failed,
                    super::sentence(&format!("{error}{cause}")),
                )
                .remedy("Correct the domain's servers, its StartTLS setting or its CA bundle.");
            }
        };
        let mut failed = None;
        let mut details = Vec::new();
        for server in connector.servers() {
            match connector.resolve(server).await {
                Ok(addresses) => {
                    let texts: Vec<_> = addresses.iter().map(|a| a.ip().to_string()).collect();
                    details.push(format!("{} = {}", server.host(), texts.join(", ")));
                    self.resolved.push((server.clone(), addresses));
                }
                Err(error) => {
                    failed.get_or_insert_with(|| Check::error(ID, &error).at(server));
                }
            }
        }
        let all = connector.servers().len();
        self.connector = Some(connector);
        some_or_all(ID, self.resolved.len(), all, failed, "resolved")
            .detail("addresses", details.join("; "))
    }

    pub(super) async fn tcp(&mut self) -> Check {
        const ID: &str = "tcp";
        let (Some(connector), false) = (&self.connector, self.resolved.is_empty()) else {
            return Check::skipped(ID, "no server's name could be resolved");
        };
        let mut failed = None;
        for (server, addresses) in &self.resolved {
            match connector.open(server, addresses).await {
                Ok(stream) => self.opened.push((server.clone(), stream)),
                Err(error) => {
                    failed.get_or_insert_with(|| Check::error(ID, &error).at(server));
                }
            }
        }
        some_or_all(
            ID,
            self.opened.len(),
            self.resolved.len(),
            failed,
            "reached",
        )
    }

    pub(super) async fn tls(&mut self) -> Check {
        const ID: &str = "tls";
        let (Some(connector), false) = (&self.connector, self.opened.is_empty()) else {
            return Check::skipped(ID, "no server could be reached");
        };
        let opened = std::mem::take(&mut self.opened);
        let all = opened.len();
        let mut trusted = 0;
        let mut failed = None;
        let mut soon = None;
        for (server, stream) in opened {
            let secured = match connector.secure(&server, stream).await {
                Ok(secured) => secured,
                Err(error) => {
                    failed.get_or_insert_with(|| tls_failure(&error).at(&server));
                    continue;
                }
            };
            trusted += 1;
            if let Some(seen) = &secured.presented {
                let left = seen.not_after_unix - self.plan.now.as_second();
                if left < SOON.as_secs() {
                    let message = format!(
                        "The certificate of {server} is valid only until {}.",
                        seen.not_after
                    );
                    soon.get_or_insert(
                        Check::new(ID, Grade::Warning, message)
                            .remedy("Renew it before then.")
                            .at(&server),
                    );
                }
            }
            if self.secured.is_none() {
                self.secured = Some(secured);
            }
        }
        let presented = self
            .secured
            .as_ref()
            .and_then(|first| first.presented.as_ref());
        let issuer = presented.map(|seen| (seen.issuer.clone(), seen.not_after.clone()));
        let check = match (failed, soon) {
            (None, Some(soon)) => soon,
            (failed, _) => some_or_all(ID, trusted, all, failed, "trusted"),
        };
        match issuer {
            Some((issuer, until)) => check.detail("issuer", issuer).detail("valid_until", until),
            None => check,
        }
    }

    pub(super) async fn bind(&mut self) -> Check {
        const ID: &str = "bind";
        let Some(secured) = self.secured.take() else {
            return Check::skipped(ID, "no server could be reached and trusted");
        };
        match secured.bind(&self.plan.credentials).await {
            Ok(session) => {
                let check = Check::ok(ID, format!("Logged on to {}.", session.server()))
                    .at(session.server());
                self.session = Some(session);
                check
            }
            Err(error) => Check::error(ID, &error),
        }
    }

    pub(super) async fn identity(&mut self) -> Check {
        const ID: &str = "identity";
        let Some(session) = &self.session else {
            return Check::skipped(ID, "nobody could log on");
        };
        let identity = match session.identity().await {
            Ok(identity) => identity,
            Err(error) => return Check::error(ID, &error),
        };
        let configured = self.plan.dns_domain.trim_end_matches('.');
        let skew = identity.current_time.duration_since(self.plan.now).abs();
        let check = if !identity.dns_domain.eq_ignore_ascii_case(configured) {
            let message = format!(
                "This is the directory of `{}`, not of `{configured}`.",
                identity.dns_domain
            );
            Check::new(ID, Grade::Failed, message)
                .remedy("Correct the server, or add a domain of its own for this directory.")
        } else if self
            .plan
            .pinned_domain
            .is_some_and(|pinned| pinned != identity.domain_guid)
        {
            Check::new(
                ID,
                Grade::Failed,
                "This is another directory than the one this domain was synced with, by the same name.",
            )
            .remedy("Correct the server. A rebuilt directory is a new domain: add one, and delete this one.")
        } else if skew > SKEW {
            let message = format!(
                "The directory's clock differs by {} seconds.",
                skew.as_secs()
            );
            Check::new(ID, Grade::Warning, message)
                .remedy("Set both clocks by the same time source: rotation is held over 5 minutes.")
        } else {
            let message = format!(
                "This is `{}`, served by {}.",
                identity.dns_domain, identity.domain_controller
            );
            Check::ok(ID, message)
        };
        let check = check
            .detail("dns_domain", &identity.dns_domain)
            .detail("domain_guid", identity.domain_guid)
            .detail("domain_sid", &identity.domain_sid)
            .detail(
                "netbios_name",
                identity.netbios_name.as_deref().unwrap_or("unreadable"),
            )
            .detail("domain_controller", &identity.domain_controller);
        if check.grade != Grade::Failed {
            self.identity = Some(identity);
        }
        check
    }
}

fn tls_failure(error: &Error) -> Check {
    let check = Check::error("tls", error);
    let Error::Tls { failure, .. } = error else {
        return check;
    };
    match &failure.presented {
        Some(seen) => check
            .detail("subject", &seen.subject)
            .detail("issuer", &seen.issuer)
            .detail("names", seen.names.join(", "))
            .detail("valid_from", &seen.not_before)
            .detail("valid_until", &seen.not_after)
            .detail("chain_length", seen.chain_length),
        None => check,
    }
}

/// With several servers, one that fails is a warning as long as another works.
fn some_or_all(
    id: &'static str,
    good: usize,
    all: usize,
    failed: Option<Check>,
    done: &str,
) -> Check {
    match failed {
        None => {
            let noun = if all == 1 {
                "server was"
            } else {
                "servers were"
            };
            Check::ok(id, format!("{good} {noun} {done}."))
        }
        Some(failed) if good == 0 => failed,
        Some(mut failed) => {
            failed.grade = Grade::Warning;
            failed.message = format!("{good} of {all} servers were {done}. {}", failed.message);
            failed
        }
    }
}
