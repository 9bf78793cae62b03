//! `hes status`: is it well?

use std::collections::BTreeMap;

use api::{
    config::v1::{CredentialState, CredentialStatus, Domain, GetStatusRequest},
    connector::v1::{GetSyncStateRequest, SyncRunState, SyncState},
    rotation::v1::DomainRotation,
    status::v1::{ComponentState, ServiceStatus},
};
use clap::Args;
use serde_json::{Value, json};
use tonic::{Code, Status as GrpcStatus};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use super::{Context, domain, sync::view as runs};
use crate::{
    failure::Failure,
    output::{Cell, Record, Screen, Table, Tone, ago, from_now, last_part, value},
};

pub(super) const HELP: &str = "\
Exit code 0 when the API answers, whatever it says; 1 when it can't be reached or refuses. `-o json` is an object: `api` \
(its address), `services` (each with `name` and `status`), `parts` (what each service stands on), and `domains` (each with `domain`, `syncState` or \
`error`, and `rotation`).";

#[derive(Args, Debug)]
pub(crate) struct Status {}

/// How one domain stands.
struct Standing {
    domain: Domain,
    /// What the connector says, or why it doesn't.
    sync: Result<SyncState, GrpcStatus>,
    /// What rotation-scheduler says, where it does.
    rotation: Option<DomainRotation>,
}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let services = services(context).await?;
        // Answered even while the database is away; what follows isn't.
        let asked = context
            .remote
            .status()
            .get_status(GetStatusRequest {})
            .await;
        let parts = asked
            .map_err(|status| Failure::call("could not ask how the services stand", &status))?
            .into_inner()
            .services;
        let well = parts.first().is_none_or(is_well);
        let listed = match domain::all(context, false).await {
            Ok(domains) => domains,
            // Its reason is told by the services' parts already.
            Err(_) if !well => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let mut standings = Vec::new();
        for domain in listed {
            let request = GetSyncStateRequest {
                domain: domain.name.clone(),
            };
            let answer = context.remote.syncs().get_sync_state(request).await;
            let rotation = domain::rotation_of(context, &domain).await;
            standings.push(Standing {
                domain,
                rotation,
                sync: answer.map(tonic::Response::into_inner),
            });
        }
        let installation = Installation {
            url: &context.remote.url,
            services,
            parts,
            standings,
        };
        let value = installation.as_value()?;
        context
            .output
            .value(&value, |screen| installation.render(screen))
    }
}

/// Health of those of the suite's services that are served there.
async fn services(context: &Context) -> Result<BTreeMap<String, ServingStatus>, Failure> {
    let mut services = BTreeMap::new();
    for service in api::descriptor_pool().services() {
        let name = service.full_name().to_owned();
        let request = HealthCheckRequest {
            service: name.clone(),
        };
        match context.remote.health().check(request).await {
            Ok(answer) => drop(services.insert(name, answer.into_inner().status())),
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => {
                let tried = format!("could not ask {} for its health", context.remote.url);
                return Err(Failure::call(tried, &status));
            }
        }
    }
    Ok(services)
}

/// Whether all that a service stands on does its work.
fn is_well(part: &ServiceStatus) -> bool {
    part.error.is_empty()
        && part
            .components
            .iter()
            .all(|component| component.state() == ComponentState::Working)
}

/// All that is shown.
struct Installation<'a> {
    url: &'a str,
    services: BTreeMap<String, ServingStatus>,
    /// What each service stands on.
    parts: Vec<ServiceStatus>,
    standings: Vec<Standing>,
}

impl Installation<'_> {
    fn as_value(&self) -> Result<Value, Failure> {
        let services: Vec<Value> = self
            .services
            .iter()
            .map(|(name, status)| json!({ "name": name, "status": status.as_str_name() }))
            .collect();
        let parts = self
            .parts
            .iter()
            .map(value)
            .collect::<Result<Vec<_>, _>>()?;
        let mut domains = Vec::new();
        for standing in &self.standings {
            let domain = value(&standing.domain)?;
            let mut object = match &standing.sync {
                Ok(state) => json!({ "domain": domain, "syncState": value(state)? }),
                Err(status) => json!({ "domain": domain, "error": status.message() }),
            };
            if let (Some(rotation), Some(object)) = (&standing.rotation, object.as_object_mut()) {
                object.insert("rotation".to_owned(), value(rotation)?);
            }
            domains.push(object);
        }
        Ok(json!({ "api": self.url, "services": services, "parts": parts, "domains": domains }))
    }

    fn render(&self, screen: &Screen) -> String {
        let mut health = Record::default();
        health.line("api", self.url);
        for (name, status) in &self.services {
            let cell = match status {
                ServingStatus::Serving => Cell::toned("serving", Tone::Good),
                ServingStatus::NotServing => Cell::toned("not serving", Tone::Bad),
                ServingStatus::Unknown | ServingStatus::ServiceUnknown => {
                    Cell::toned("unknown", Tone::Warning)
                }
            };
            health.line(last_dotted(name), cell);
        }
        for part in &self.parts {
            health.line(&part.service, part_cell(part));
        }
        let well = self.parts.iter().all(is_well);
        let table = if !self.standings.is_empty() {
            domains(&self.standings, screen)
        } else if well {
            "no domains yet; add one: hes domain add ad --help".to_owned()
        } else {
            "the domains are not known while that lasts".to_owned()
        };
        let hints = hints(&self.standings);
        let hints = if hints.is_empty() {
            String::new()
        } else {
            format!("\n\n{}", hints.join("\n"))
        };
        format!("{}\n\n{table}{hints}", health.render(screen))
    }
}

/// That a service is well, or all that is wrong with it.
fn part_cell(part: &ServiceStatus) -> Cell {
    if is_well(part) {
        return Cell::toned("well", Tone::Good);
    }
    if !part.error.is_empty() {
        return Cell::toned(&part.error, Tone::Bad);
    }
    let problems: Vec<String> = part
        .components
        .iter()
        .filter(|component| component.state() != ComponentState::Working)
        .map(|component| format!("{}: {}", component.name, component.message))
        .collect();
    Cell::toned(problems.join("; "), Tone::Bad)
}

fn domains(standings: &[Standing], screen: &Screen) -> String {
    let mut table = Table::new([
        "DOMAIN",
        "CREDENTIALS",
        "MEMBERS",
        "LAST SYNC",
        "LAST SUCCESS",
        "NEXT",
        "NOTE",
    ]);
    for Standing { domain, sync, .. } in standings {
        let id = last_part(&domain.name);
        let credentials = domain::view::credentials(domain);
        match sync {
            Ok(state) => table.row([
                id.into(),
                credentials,
                state.members.to_string().into(),
                state
                    .last_run
                    .as_ref()
                    .map_or_else(|| "never".into(), runs::state_cell),
                ago(
                    screen.now,
                    state
                        .last_success
                        .as_ref()
                        .and_then(|run| run.end_time.as_ref()),
                )
                .into(),
                from_now(screen.now, state.next_run_time.as_ref()).into(),
                remark(state),
            ]),
            Err(status) => table.row([
                id.into(),
                credentials,
                "".into(),
                Cell::toned("unknown", Tone::Bad),
                "".into(),
                "".into(),
                Cell::toned(status.message(), Tone::Bad),
            ]),
        }
    }
    table.render(screen)
}

fn remark(state: &SyncState) -> Cell {
    let failure = state
        .last_run
        .as_ref()
        .filter(|run| run.state() == SyncRunState::Failed)
        .and_then(|run| run.failure.as_ref());
    match (failure, state.paused_reason.as_str()) {
        (Some(failure), _) => {
            let times = match state.consecutive_failures {
                0 | 1 => String::new(),
                n => format!("failed {n} times: "),
            };
            Cell::toned(format!("{times}{}", failure.message), Tone::Bad)
        }
        // The next try is under way.
        (None, "") if state.consecutive_failures > 0 => Cell::toned(
            format!(
                "failed {} times; being tried again",
                state.consecutive_failures
            ),
            Tone::Warning,
        ),
        (None, "") => Cell::from(""),
        (None, reason) => Cell::toned(reason, Tone::Warning),
    }
}

/// What a person should do now.
fn hints(standings: &[Standing]) -> Vec<String> {
    let mut hints = Vec::new();
    for Standing {
        domain,
        sync,
        rotation,
    } in standings
    {
        let id = last_part(&domain.name);
        hints.extend(rotation.as_ref().into_iter().flat_map(rotation_hints));
        let credentials = domain
            .credential_status
            .as_ref()
            .map(CredentialStatus::state);
        if let Some(CredentialState::Skipped | CredentialState::Removed) = credentials {
            hints.push(format!(
                "{id}: no credentials; to sync it: hes domain set-credentials {id} --help"
            ));
        }
        let Some(run) = sync.as_ref().ok().and_then(|state| state.last_run.as_ref()) else {
            continue;
        };
        match run.state() {
            SyncRunState::Held => hints.push(format!(
                "{id}: a plan is held; see and decide it: hes sync show {}",
                runs::id(run)
            )),
            SyncRunState::Failed => hints.push(format!(
                "{id}: find out where it fails: hes domain test {id}"
            )),
            SyncRunState::Unspecified
            | SyncRunState::Queued
            | SyncRunState::Reading
            | SyncRunState::Planning
            | SyncRunState::Approved
            | SyncRunState::Applying
            | SyncRunState::Applied
            | SyncRunState::Unchanged
            | SyncRunState::Planned
            | SyncRunState::Rejected
            | SyncRunState::Expired
            | SyncRunState::Superseded => {}
        }
    }
    hints
}

/// What a person should do about password changes now.
fn rotation_hints(rotation: &DomainRotation) -> Vec<String> {
    let id = last_part(&rotation.domain);
    let mut hints = Vec::new();
    if !rotation.breaker.is_empty() {
        hints.push(format!(
            "{id}: no password is changed any more: {}; see to it, then: hes rotation resume {id}",
            rotation.breaker_message
        ));
    }
    if rotation.paused {
        hints.push(format!(
            "{id}: password changes are paused by {}; to go on: hes rotation resume {id}",
            rotation.paused_by
        ));
    }
    if rotation.clock_skewed {
        let seconds = rotation.clock_skew.map_or(0, |skew| skew.seconds);
        hints.push(format!(
            "{id}: no password is changed while the directory's clock is {seconds} s from this installation's; set the \
             clock that is wrong"
        ));
    }
    if rotation.held > 0 {
        hints.push(format!(
            "{id}: {} password changes wait for a person: hes rotation held --domain {id}",
            rotation.held
        ));
    }
    if rotation.overdue > 0 {
        hints.push(format!(
            "{id}: {} password changes are overdue: no key came for them for more than a day",
            rotation.overdue
        ));
    }
    hints
}

/// `DomainService` of `hes.config.v1.DomainService`.
fn last_dotted(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
