//! `hes audit`: who did what, when.

use api::config::v1::{
    AuditEvent, AuditOutcome, ExportAuditLogRequest, ListAuditEventsRequest, VerifyAuditLogRequest,
};
use clap::{Args, Subcommand};

use super::Context;
use crate::{
    failure::Failure,
    output::{Cell, Screen, Table, Tone, ago, count, print, value, word},
    remote::list,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List events, newest first
    List(List),
    /// Recompute the log's hash chain; exit code 1 when it is broken
    ///
    /// Keep the hash it prints somewhere else: a log cut short is intact, but no longer ends in that hash.
    Verify,
    /// Print events as JSON, one a line, oldest first: what an offline verification needs
    Export(Export),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only events on this resource or below it, such as domains/corp
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// At most this many; 0 is all
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// First sequence number
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: i64,
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(args) => args.run(context).await,
            Self::Verify => verify(context).await,
            Self::Export(args) => args.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.remote.audit();
        let resource = self.resource.unwrap_or_default();
        let events = list(self.limit, async |page_size, page_token| {
            let request = ListAuditEventsRequest {
                page_size,
                page_token,
                resource: resource.clone(),
            };
            let page = client
                .clone()
                .list_audit_events(request)
                .await?
                .into_inner();
            Ok((page.audit_events, page.next_page_token))
        })
        .await
        .map_err(|status| Failure::call("could not list the audit log", &status))?;
        context
            .output
            .list(&events.items, |screen| table(&events.items, screen))?;
        events.note_more();
        Ok(())
    }
}

impl Export {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let failed = |status| Failure::call("could not export the audit log", &status);
        let request = ExportAuditLogRequest {
            from_sequence: self.from,
        };
        let mut events = context
            .remote
            .audit()
            .export_audit_log(request)
            .await
            .map_err(failed)?
            .into_inner();
        while let Some(answer) = events.message().await.map_err(failed)? {
            if let Some(event) = answer.audit_event {
                print(&value(&event)?.to_string())?;
            }
        }
        Ok(())
    }
}

async fn verify(context: &Context) -> Result<(), Failure> {
    let answer = context
        .remote
        .audit()
        .verify_audit_log(VerifyAuditLogRequest {})
        .await
        .map_err(|status| Failure::call("could not verify the audit log", &status))?
        .into_inner();
    context.output.message(&answer, |screen| {
        let head: String = answer
            .head_hash
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let verdict = if answer.intact {
            screen.paint(Tone::Good, "intact")
        } else {
            screen.paint(Tone::Bad, "broken")
        };
        format!(
            "{verdict}: {} checked, ends in {head}",
            count(answer.events, "event", "events")
        )
    })?;
    if answer.intact {
        return Ok(());
    }
    Err(Failure::new("the audit log is broken")
        .because(format!("event {} does not follow from the one before it", answer.broken_sequence))
        .next("restore the database of config-service beside this one and compare; someone changed it by hand"))
}

fn table(events: &[AuditEvent], screen: &Screen) -> String {
    if events.is_empty() {
        return "no events".to_owned();
    }
    let mut table = Table::new(["#", "WHEN", "WHO", "DID", "OUTCOME", "ON"]);
    for event in events {
        let tone = match event.outcome() {
            AuditOutcome::Succeeded => Tone::Plain,
            AuditOutcome::Denied | AuditOutcome::Failed | AuditOutcome::Unspecified => Tone::Bad,
        };
        table.row([
            event.sequence.to_string().into(),
            ago(screen.now, event.time.as_ref()).into(),
            event.actor.as_str().into(),
            event.action.as_str().into(),
            Cell::toned(word(event.outcome().as_str_name(), "AUDIT_OUTCOME_"), tone),
            event.resource.as_str().into(),
        ]);
    }
    table.render(screen)
}
