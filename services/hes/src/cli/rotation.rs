//! `hes rotation`: automatic password changes.

pub(crate) mod view;

use api::rotation::v1::{
    ForecastDomainRequest, GetRotationRequest, ListRotationsRequest, PauseDomainRequest,
    ReleaseRotationRequest, ResumeDomainRequest, ResumeRotationRequest, RotateNowRequest, Rotation,
    RotationFilter, rotate_now_request::Whose,
};
use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;

use super::Context;
use crate::{
    confirm::Confirm,
    failure::Failure,
    output::{note, print, value},
    remote,
};

const RELEASE_HELP: &str = "\
Break glass. The password is printed on standard output, once, and never again; who asked, when and why is in the audit \
log. Only a password that no key has acknowledged can be handed out.";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List password changes that have not ended, newest first
    List(List),
    /// Show one, and what it waits for
    Show {
        /// The rotation's id
        id: String,
    },
    /// Make an employee's passwords due now, or a whole domain's
    ///
    /// A password still changes only while one of the employee's keys is there, within the domain's windows, and not while
    /// a pause or a breaker stops it.
    Now(Now),
    /// Send no password any more, in one domain or everywhere
    ///
    /// What was sent is still found out and delivered.
    Pause {
        /// The domain's id; without it, all domains
        id: Option<String>,
    },
    /// Go on: ends a pause and closes the breaker of a domain; or has a rotation that is held tried again
    ///
    /// Closing a breaker says that its cause was seen to.
    Resume {
        /// A domain's id, or a rotation's; without it, all domains
        id: Option<String>,
    },
    /// Tell when each account of a domain is due, and why others are not rotated
    Forecast(Forecast),
    /// List what waits for a person to decide
    Held {
        /// Only this domain's
        #[arg(long, value_name = "ID")]
        domain: Option<String>,
    },
    /// Hand out a password that no key has acknowledged, once
    #[command(after_help = RELEASE_HELP)]
    Release(Release),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only this domain's
    #[arg(long, value_name = "ID")]
    domain: Option<String>,
    /// Only this employee's
    #[arg(long, value_name = "ID")]
    employee: Option<String>,
    /// Those that have ended, too
    #[arg(long)]
    all: bool,
    /// At most this many; 0 is all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("whose").required(true))]
pub(crate) struct Now {
    /// The employee's id, from `hes employee list`
    #[arg(group = "whose")]
    employee: Option<String>,
    /// Every account that rotates in this domain
    #[arg(long, value_name = "ID", group = "whose")]
    domain: Option<String>,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Args, Debug)]
pub(crate) struct Forecast {
    /// The domain's id
    id: String,
    /// Only those due within so many days
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    days: u16,
    /// At most this many; 0 is all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Release {
    /// The rotation's id
    id: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    confirm: Confirm,
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(args) => {
                let filter = match args.all {
                    true => RotationFilter::All,
                    false => RotationFilter::Open,
                };
                list(context, args.domain, args.employee, filter, args.limit).await
            }
            Self::Held { domain } => list(context, domain, None, RotationFilter::Held, 0).await,
            Self::Show { id } => {
                let request = GetRotationRequest {
                    name: remote::rotation(&id),
                };
                let rotation = context
                    .remote
                    .rotations()
                    .get_rotation(request)
                    .await
                    .map_err(|status| {
                        Failure::call(format!("could not get rotation {id}"), &status)
                    })?
                    .into_inner();
                show(context, &rotation)
            }
            Self::Now(args) => args.run(context).await,
            Self::Pause { id } => pause(context, id.as_deref()).await,
            Self::Resume { id } => resume(context, id.as_deref()).await,
            Self::Forecast(args) => args.run(context).await,
            Self::Release(args) => args.run(context).await,
        }
    }
}

fn show(context: &Context, rotation: &Rotation) -> Result<(), Failure> {
    context
        .output
        .message(rotation, |screen| view::rotation(rotation, screen))
}

async fn list(
    context: &Context,
    domain: Option<String>,
    employee: Option<String>,
    filter: RotationFilter,
    limit: usize,
) -> Result<(), Failure> {
    let client = context.remote.rotations();
    let domain = domain.as_deref().map(remote::domain).unwrap_or_default();
    let employee = employee
        .as_deref()
        .map(remote::employee)
        .unwrap_or_default();
    let rotations = remote::list(limit, async |page_size, page_token| {
        let request = ListRotationsRequest {
            domain: domain.clone(),
            employee: employee.clone(),
            filter: filter.into(),
            page_size,
            page_token,
        };
        let page = client.clone().list_rotations(request).await?.into_inner();
        Ok((page.rotations, page.next_page_token))
    })
    .await
    .map_err(|status| Failure::call("could not list rotations", &status))?;
    context.output.list(&rotations.items, |screen| {
        view::rotations(&rotations.items, filter, screen)
    })?;
    rotations.note_more();
    Ok(())
}

impl Now {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let (whose, of) = match (&self.employee, &self.domain) {
            (Some(employee), _) => (
                Whose::Employee(remote::employee(employee)),
                format!("employee {employee}"),
            ),
            (None, Some(domain)) => {
                self.confirm.ask(&format!(
                    "Change every password that rotates in `{domain}` as fast as its limits allow?"
                ))?;
                (
                    Whose::Domain(remote::domain(domain)),
                    format!("domain `{domain}`"),
                )
            }
            (None, None) => return Err(Failure::usage("whose passwords?")),
        };
        let answer = context
            .remote
            .rotations()
            .rotate_now(RotateNowRequest { whose: Some(whose) })
            .await
            .map_err(|status| {
                Failure::call(format!("could not make passwords of {of} due"), &status)
            })?
            .into_inner();
        context
            .output
            .message(&answer, |screen| view::now(&answer, screen))
    }
}

/// `corp`, or all of them.
fn domains(id: Option<&str>) -> String {
    id.map_or_else(|| "domains/-".to_owned(), remote::domain)
}

async fn pause(context: &Context, id: Option<&str>) -> Result<(), Failure> {
    let request = PauseDomainRequest {
        domain: domains(id),
    };
    let answer = context.remote.rotations().pause_domain(request).await;
    let answer = answer
        .map_err(|status| Failure::call("could not pause", &status))?
        .into_inner();
    context.output.list(&answer.domains, |screen| {
        view::domains(&answer.domains, screen)
    })
}

async fn resume(context: &Context, id: Option<&str>) -> Result<(), Failure> {
    // A rotation's id is a UUID, which no domain is called in practice; its full name always says what it is.
    let rotation = id.filter(|id| id.starts_with("rotations/") || is_uuid(id));
    if let Some(rotation) = rotation {
        let request = ResumeRotationRequest {
            name: remote::rotation(rotation),
        };
        let answer = context
            .remote
            .rotations()
            .resume_rotation(request)
            .await
            .map_err(|status| {
                Failure::call(format!("could not resume rotation {rotation}"), &status)
            })?
            .into_inner();
        return show(context, &answer);
    }
    let request = ResumeDomainRequest {
        domain: domains(id),
    };
    let answer = context.remote.rotations().resume_domain(request).await;
    let answer = answer
        .map_err(|status| Failure::call("could not resume", &status))?
        .into_inner();
    context.output.list(&answer.domains, |screen| {
        view::domains(&answer.domains, screen)
    })
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

impl Forecast {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.remote.rotations();
        let domain = remote::domain(&self.id);
        let forecasts = remote::list(self.limit, async |page_size, page_token| {
            let request = ForecastDomainRequest {
                domain: domain.clone(),
                days: self.days.into(),
                page_size,
                page_token,
            };
            let page = client.clone().forecast_domain(request).await?.into_inner();
            Ok((page.forecasts, page.next_page_token))
        })
        .await
        .map_err(|status| {
            Failure::call(
                format!("could not tell when passwords of `{}` are due", self.id),
                &status,
            )
        })?;
        context.output.list(&forecasts.items, |screen| {
            view::forecasts(&forecasts.items, screen)
        })?;
        forecasts.note_more();
        Ok(())
    }
}

impl Release {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        self.confirm.ask(&format!(
            "Print the password of rotation {}, once? It is audited.",
            self.id
        ))?;
        let request = ReleaseRotationRequest {
            name: remote::rotation(&self.id),
            reason: self.reason,
        };
        let answer = context
            .remote
            .rotations()
            .release_rotation(request)
            .await
            .map_err(|status| {
                Failure::call(format!("could not release rotation {}", self.id), &status)
            })?
            .into_inner();
        if context.output.is_for_people() {
            if let Some(rotation) = &answer.rotation {
                note(&view::rotation(rotation, context.output.screen()));
            }
            note(match answer.proven {
                true => "it is the account's password, and yours to deliver from here on:",
                false => "it may be the account's password; the rotation goes on:",
            });
            return print(&answer.value);
        }
        let rotation = answer.rotation.as_ref().map(value).transpose()?;
        let shown = json!({ "rotation": rotation, "proven": answer.proven, "value": answer.value });
        context.output.value(&shown, |_| String::new())
    }
}
