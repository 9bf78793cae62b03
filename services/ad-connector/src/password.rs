//! Passwords of Active Directory accounts: on one domain controller at a time, the PDC emulator where it is configured.

use ad_client::password::{Answer, Barrier, Look, Refusal, Standing};
use ad_client::{Connector, Server};
use api::connector::v1 as proto;
use connector::{Failure, FailureReason, Logon, Passwords, Set, Verify};
use directory::ObjectId;
use tokio::time::Instant;

mod evidence;
mod sessions;
mod shown;

pub(crate) use sessions::Sessions;

use crate::explain;
use crate::{ActiveDirectory, plan};
use evidence::Evidence;
use sessions::Held;

/// A domain, ready to be asked.
struct Domain {
    connector: Connector,
    logon: ad_client::Credentials,
    key: sessions::Key,
}

impl ActiveDirectory {
    fn domain(&self, logon: Logon<'_>) -> Result<Domain, Failure> {
        let wanted = plan::of(logon.domain, &self.settings)?;
        Ok(Domain {
            connector: Connector::new(&wanted.target).map_err(explain::target)?,
            logon: plan::logon(logon.credentials, &wanted.dns_domain)?,
            key: sessions::Key {
                domain: logon.domain.name.clone(),
                credentials_version: logon.credentials_version,
            },
        })
    }

    async fn session(&self, domain: &Domain, server: &Server) -> Result<Held, ad_client::Error> {
        self.sessions
            .open(&domain.key, &domain.connector, server, &domain.logon)
            .await
    }

    /// The server to read: the PDC emulator where it is among those configured, else the first that answers. Not one of
    /// `away`, unless there is no other.
    async fn choose(&self, domain: &Domain, away: &[String]) -> Result<Held, Failure> {
        let servers = domain.connector.servers();
        let (near, far): (Vec<&Server>, Vec<&Server>) = servers
            .iter()
            .partition(|server| !away.contains(&address(server)));
        let mut first_error = None;
        let mut first = None;
        for server in near.iter().chain(&far) {
            match self.session(domain, server).await {
                Ok(held) => {
                    first = Some(held);
                    break;
                }
                Err(error @ ad_client::Error::Bind { .. }) => {
                    return Err(self.refused_logon(domain, server, error).await);
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        let Some(first) = first else {
            return Err(first_error.map_or_else(
                || explain::target(ad_client::TargetError::NoServer),
                explain::error,
            ));
        };
        let pdc = first.session.pdc_emulator(&first.identity).await;
        let Some(pdc) = pdc.map_err(explain::error)? else {
            return Ok(first);
        };
        let is_pdc = |held: &Held| held.identity.domain_controller.eq_ignore_ascii_case(&pdc);
        if is_pdc(&first) {
            return Ok(first);
        }
        for server in near {
            if *server == *first.session.server() {
                continue;
            }
            if let Ok(other) = self.session(domain, server).await
                && is_pdc(&other)
                && other.identity.is_same_directory(&first.identity)
            {
                return Ok(other);
            }
        }
        Ok(first)
    }

    /// A logon that one server refuses is tried at one other, and no more: the account may be locked out by it. Where that
    /// one takes it, the refusal passes with replication.
    async fn refused_logon(
        &self,
        domain: &Domain,
        server: &Server,
        error: ad_client::Error,
    ) -> Failure {
        let mut others = domain.connector.servers().iter();
        let Some(other) = others.find(|other| *other != server) else {
            return explain::error(error);
        };
        match self.session(domain, other).await {
            Ok(_) => Failure {
                transient: true,
                reason: FailureReason::Unreachable,
                ..explain::error(error)
            },
            Err(_) => explain::error(error),
        }
    }

    /// The session with the server of the anchor, if that is still the same database.
    async fn anchored(
        &self,
        domain: &Domain,
        anchored: &proto::AnchoredServer,
    ) -> Result<Held, Failure> {
        let moved = |message: String| {
            Failure::passing(
                FailureReason::Unreachable,
                message,
                "Read the account again, with this anchor as the previous one.",
            )
        };
        let mut servers = domain.connector.servers().iter();
        let Some(server) = servers.find(|server| address(server) == anchored.address) else {
            return Err(moved(format!(
                "{} is not among the domain's servers any more",
                anchored.address
            )));
        };
        let held = match self.session(domain, server).await {
            Ok(held) => held,
            Err(error @ ad_client::Error::Bind { .. }) => {
                return Err(self.refused_logon(domain, server, error).await);
            }
            Err(error) => return Err(explain::error(error)),
        };
        if held.identity.invocation.as_bytes().as_slice() != anchored.instance {
            return Err(moved(format!(
                "{} has another database than when the account was read: it was restored, or another server answers there",
                anchored.address
            )));
        }
        Ok(held)
    }
}

impl Passwords for ActiveDirectory {
    async fn read(
        &self,
        logon: Logon<'_>,
        object: ObjectId,
        previous: Option<proto::PasswordAnchor>,
    ) -> Result<(proto::ReadResponse, proto::PasswordAnchor), Failure> {
        let domain = self.domain(logon)?;
        let mut anchor = previous.unwrap_or_default();
        let away: Vec<String> = anchor
            .servers
            .iter()
            .map(|server| server.address.clone())
            .collect();
        let held = self.choose(&domain, &away).await?;
        let identity = &held.identity;
        let standing = held.session.standing(identity, object).await;
        let standing = standing.map_err(|error| {
            self.sessions.drop_session(&held);
            explain::error(error)
        })?;
        let server = address(held.session.server());
        if anchor.servers.is_empty() {
            anchor.password_version = shown::version(standing.version.as_ref());
            anchor.password_set_time = standing.set.map(shown::time);
        }
        // In use last, and once.
        anchor.servers.retain(|known| known.address != server);
        anchor.servers.push(proto::AnchoredServer {
            address: server.clone(),
            instance: identity.invocation.as_bytes().to_vec(),
        });
        Ok((shown::read(&standing, server), anchor))
    }

    async fn set(&self, logon: Logon<'_>, set: Set) -> Result<proto::SetResponse, Failure> {
        let deadline = Instant::now() + set.within;
        let domain = self.domain(logon)?;
        let Some(server) = set.anchor.servers.last() else {
            return Ok(shown::refused(proto::RefusalReason::Other));
        };
        let held = match self.anchored(&domain, server).await {
            Ok(held) => held,
            Err(failure) if failure.reason == FailureReason::BindRefused => return Err(failure),
            Err(failure) => {
                tracing::warn!("a password was not sent: {}", failure.message);
                return Ok(shown::refused(proto::RefusalReason::Unreachable));
            }
        };
        // Whoever asks has read it before; this is the last moment, and nobody may ask for an administrator's.
        let standing = match held.session.standing(&held.identity, set.object).await {
            Ok(standing) => standing,
            Err(error) => {
                tracing::warn!("a password was not sent: {error}");
                self.sessions.drop_session(&held);
                return Ok(shown::refused(proto::RefusalReason::Unreachable));
            }
        };
        if let Some(refusal) = refusal(&standing) {
            return Ok(refusal);
        }
        let evidence = Evidence::new(&set.anchor, 0, set.number.saturating_sub(1));
        if evidence.of(standing.version.as_ref(), standing.set) == proto::ChangeEvidence::Otherwise
        {
            return Ok(shown::refused(proto::RefusalReason::Changed));
        }
        runtime::points::reached("before the modify");
        let answer = held
            .session
            .reset_password(set.object, &set.value, deadline)
            .await;
        runtime::points::reached("after the modify");
        Ok(match answer {
            Answer::Applied => shown::outcome(proto::SetOutcome::Applied),
            Answer::Unknown { why } => {
                tracing::warn!("what became of a password that was sent is unknown: {why}");
                self.sessions.drop_session(&held);
                shown::outcome(proto::SetOutcome::Unknown)
            }
            Answer::Refused(refusal) => shown::refused(match refusal {
                Refusal::Policy => proto::RefusalReason::Policy,
                Refusal::NoRight => proto::RefusalReason::NoRight,
                Refusal::NotFound => proto::RefusalReason::NotFound,
                Refusal::Deadline => proto::RefusalReason::Deadline,
                Refusal::Other { code } => {
                    tracing::warn!("a password was refused with result {code}");
                    proto::RefusalReason::Other
                }
            }),
        })
    }

    async fn verify(
        &self,
        logon: Logon<'_>,
        verify: Verify,
    ) -> Result<proto::VerifyResponse, Failure> {
        let domain = self.domain(logon)?;
        let anchored = verify.anchor.servers.clone();
        let Some((last, others)) = anchored.split_last() else {
            return Err(explain::target(ad_client::TargetError::NoServer));
        };
        let evidence = Evidence::new(&verify.anchor, verify.applied_sends, verify.unknown_sends);
        let held = self.anchored(&domain, last).await?;
        let mut response = proto::VerifyResponse {
            nowhere_else: true,
            r#match: proto::Match::Unverifiable.into(),
            change: proto::ChangeEvidence::Unknown.into(),
            ..proto::VerifyResponse::default()
        };
        let Some(seen) = self.look(&held, verify.object).await? else {
            // Not there: nothing can be said of it, and nothing be live.
            return Ok(response);
        };
        let change = evidence.of(seen.version.as_ref(), seen.set);
        response.change = change.into();
        response.password_version = shown::version(seen.version.as_ref());
        response.password_set_time = seen.set.map(shown::time);
        response.locked = seen.locked;
        let matched = self
            .try_value(&domain, &verify, &held, &seen.dn, change)
            .await?;
        response.r#match = matched.into();
        for other in others {
            let seen = match self.anchored(&domain, other).await {
                Ok(held) => self
                    .look(&held, verify.object)
                    .await
                    .map(|seen| (held, seen)),
                Err(failure) => Err(failure),
            };
            response.nowhere_else &= match seen {
                Ok((held, Some(seen))) => {
                    let change = evidence.of(seen.version.as_ref(), seen.set);
                    let tried = self
                        .try_value(&domain, &verify, &held, &seen.dn, change)
                        .await;
                    tried.is_ok_and(|matched| evidence::is_not_live(matched, change))
                }
                Ok((_, None)) => true,
                Err(_) => false,
            };
        }
        if verify.convergence {
            let (convergence, lagging) = self
                .convergence(&domain, &verify, &anchored, seen.version)
                .await;
            response.convergence = convergence.into();
            response.lagging_servers = lagging;
        }
        Ok(response)
    }
}

impl ActiveDirectory {
    /// What one server shows of an account's password; none where the account is not there.
    async fn look(&self, held: &Held, object: ObjectId) -> Result<Option<Look>, Failure> {
        let looked = held.session.password_look(object).await;
        looked.map_err(|error| {
            self.sessions.drop_session(held);
            explain::error(error)
        })
    }

    /// Whether the value is the password, where it is to be tried at all.
    async fn try_value(
        &self,
        domain: &Domain,
        verify: &Verify,
        held: &Held,
        dn: &str,
        change: proto::ChangeEvidence,
    ) -> Result<proto::Match, Failure> {
        let may_fit = matches!(
            change,
            proto::ChangeEvidence::AsSent | proto::ChangeEvidence::Unknown
        );
        let is_tried = match verify.trial {
            proto::Trial::Unspecified | proto::Trial::Never => false,
            proto::Trial::WhereItMayFit => may_fit,
            proto::Trial::Always => true,
        };
        let Some(value) = verify.value.as_ref().filter(|_| is_tried) else {
            return Ok(proto::Match::Unverifiable);
        };
        let server = held.session.server();
        Ok(
            match domain.connector.try_password(server, dn, value).await {
                Ok(ad_client::Trial::Right) => proto::Match::Right,
                Ok(ad_client::Trial::Wrong) => proto::Match::Wrong,
                Ok(ad_client::Trial::Unverifiable) => proto::Match::Unverifiable,
                Err(error) => return Err(explain::error(error)),
            },
        )
    }

    /// Whether every configured server shows the version that the anchor's shows.
    async fn convergence(
        &self,
        domain: &Domain,
        verify: &Verify,
        anchored: &[proto::AnchoredServer],
        version: Option<ad_client::password::Version>,
    ) -> (proto::Convergence, Vec<String>) {
        let (mut lagging, mut differs) = (Vec::new(), false);
        for server in domain.connector.servers() {
            let address = address(server);
            let is_anchor = anchored.last().is_some_and(|last| last.address == address);
            let seen = if is_anchor {
                // It was looked at just now.
                Some(Some(version))
            } else {
                match self.session(domain, server).await {
                    Ok(held) => self.look(&held, verify.object).await.ok(),
                    Err(_) => None,
                }
                .map(|seen| seen.map(|seen| seen.version))
            };
            match seen {
                Some(Some(seen)) if seen == version && version.is_some() => {}
                Some(_) => {
                    differs = true;
                    lagging.push(address);
                }
                None => {
                    differs |= anchored.iter().any(|anchored| anchored.address == address);
                    lagging.push(address);
                }
            }
        }
        let convergence = match (differs, lagging.is_empty()) {
            (true, _) => proto::Convergence::NotYet,
            (false, true) => proto::Convergence::Reached,
            (false, false) => proto::Convergence::ButForThoseAway,
        };
        (convergence, lagging)
    }
}

/// Why nothing is sent, where the account's own state says so. Locked is no reason: the new password is right, and the
/// lock passes.
fn refusal(standing: &Standing) -> Option<proto::SetResponse> {
    let barrier = standing.barrier.as_ref()?;
    Some(match barrier {
        Barrier::Locked => return None,
        Barrier::Gone => shown::refused(proto::RefusalReason::NotFound),
        Barrier::NoRight => shown::refused(proto::RefusalReason::NoRight),
        Barrier::NotAPerson
        | Barrier::Privileged { .. }
        | Barrier::Undecided { .. }
        | Barrier::SmartcardRequired
        | Barrier::Disabled
        | Barrier::Expired
        | Barrier::MustChange => proto::SetResponse {
            eligibility: shown::eligibility(Some(barrier)).into(),
            ..shown::refused(proto::RefusalReason::NotEligible)
        },
    })
}

fn address(server: &Server) -> String {
    format!("{}:{}", server.host(), server.port())
}
