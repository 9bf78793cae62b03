//! Runs and plans, for people.

use std::time::Duration;

use api::connector::v1::{PlanItem, PlanItemKind, SyncMode, SyncRun, SyncRunState};
use jiff::Timestamp;

use crate::output::{
    Cell, Record, Screen, Table, Tone, ago, count, from_now, last_part, span, word,
};

pub(crate) fn id(run: &SyncRun) -> &str {
    last_part(&run.name)
}

/// `corp` of `domains/corp/syncRuns/…`.
pub(crate) fn domain(run: &SyncRun) -> &str {
    run.name.split('/').nth(1).unwrap_or(&run.name)
}

pub(crate) fn state(run: &SyncRun) -> String {
    word(run.state().as_str_name(), "SYNC_RUN_STATE_")
}

pub(crate) fn state_cell(run: &SyncRun) -> Cell {
    let tone = match run.state() {
        SyncRunState::Applied | SyncRunState::Unchanged | SyncRunState::Planned => Tone::Good,
        SyncRunState::Held => Tone::Warning,
        SyncRunState::Failed => Tone::Bad,
        SyncRunState::Rejected | SyncRunState::Expired | SyncRunState::Superseded => Tone::Faint,
        SyncRunState::Unspecified
        | SyncRunState::Queued
        | SyncRunState::Reading
        | SyncRunState::Planning
        | SyncRunState::Approved
        | SyncRunState::Applying => Tone::Plain,
    };
    Cell::toned(state(run), tone)
}

/// What was read, in words.
pub(super) fn read(run: &SyncRun) -> String {
    let Some(read) = &run.read else {
        return String::new();
    };
    [
        count(read.accounts, "account", "accounts"),
        count(read.groups, "group", "groups"),
        count(read.memberships, "membership", "memberships"),
        count(read.pages, "page", "pages"),
        count(read.members, "member", "members"),
    ]
    .join(", ")
}

/// What is planned, in words; nothing before there is a plan.
pub(super) fn plan(run: &SyncRun) -> String {
    let plan = run.plan.unwrap_or_default();
    let classes = [
        (plan.joins, "join"),
        (plan.returns, "return"),
        (plan.updates, "change"),
        (plan.enables, "are enabled"),
        (plan.disables, "are disabled"),
        (plan.leaves, "leave"),
        (plan.deletes, "are deleted"),
    ];
    let words: Vec<String> = classes
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    match (plan.items, words.is_empty()) {
        (0, _) if is_planned(run) => "nothing to do".to_owned(),
        (0, _) => String::new(),
        (items, true) => count(items, "item", "items"),
        (_, false) => words.join(", "),
    }
}

/// Whether there was a plan, if only an empty one.
fn is_planned(run: &SyncRun) -> bool {
    match run.state() {
        SyncRunState::Unspecified
        | SyncRunState::Queued
        | SyncRunState::Reading
        | SyncRunState::Planning
        | SyncRunState::Failed => false,
        SyncRunState::Held
        | SyncRunState::Approved
        | SyncRunState::Applying
        | SyncRunState::Applied
        | SyncRunState::Unchanged
        | SyncRunState::Planned
        | SyncRunState::Rejected
        | SyncRunState::Expired
        | SyncRunState::Superseded => true,
    }
}

pub(super) fn run(run: &SyncRun, screen: &Screen) -> String {
    let mut record = Record::default();
    record
        .line("run", id(run))
        .line("domain", domain(run))
        .line("state", state_cell(run))
        .line("asked for", asked(run, screen))
        .line_if("took", &took(run))
        .line_if("server", &run.server)
        .line_if("full read", &run.full_read_reason);
    if run.read.is_some_and(|read| read.pages > 0) {
        record.line("read", read(run));
    }
    record.line_if("plan", &plan(run));
    if run.applied_items > 0 {
        let of = run.plan.as_ref().map_or(0, |plan| plan.items);
        record.line(
            "applied",
            format!("{} of {}", run.applied_items, count(of, "item", "items")),
        );
    }
    for reason in &run.hold_reasons {
        record.line("held because", Cell::toned(reason, Tone::Warning));
    }
    record.line_if("expires", &from_now(screen.now, run.expire_time.as_ref()));
    if !run.decided_by.is_empty() {
        let when = ago(screen.now, run.decide_time.as_ref());
        record.line("decided", format!("{when} by {}", run.decided_by));
    }
    if let Some(failure) = &run.failure {
        record
            .line("failed because", Cell::toned(&failure.message, Tone::Bad))
            .line_if("reason", &failure.reason)
            .line_if("next", &failure.remedy);
    }
    if run.issue_count > 0 {
        record.line(
            "issues",
            Cell::toned(run.issue_count.to_string(), Tone::Warning),
        );
    }
    record.render(screen)
}

pub(super) fn run_and_plan(run: &SyncRun, items: &[PlanItem], screen: &Screen) -> String {
    let mut parts = vec![self::run(run, screen)];
    if !run.issues.is_empty() {
        parts.push(issues(run, screen));
    }
    if !items.is_empty() {
        parts.push(plan_items(items, screen));
    }
    parts.join("\n\n")
}

fn issues(run: &SyncRun, screen: &Screen) -> String {
    let mut table = Table::new(["OBJECT", "REASON", "ISSUE"]);
    for issue in &run.issues {
        table.row([
            issue.object_id.as_str().into(),
            Cell::toned(&issue.reason, Tone::Warning),
            issue.message.as_str().into(),
        ]);
    }
    let hidden = run.issue_count - i64::try_from(run.issues.len()).unwrap_or(i64::MAX);
    let more = if hidden > 0 {
        format!("\nand {hidden} more")
    } else {
        String::new()
    };
    format!("{}{more}", table.render(screen))
}

fn plan_items(items: &[PlanItem], screen: &Screen) -> String {
    let mut table = Table::new(["#", "DOES", "LOGON NAME", "OBJECT", "CHANGES"]);
    for item in items {
        let tone = match item.kind() {
            PlanItemKind::Leave | PlanItemKind::Delete => Tone::Bad,
            PlanItemKind::Join | PlanItemKind::Return => Tone::Good,
            PlanItemKind::Update | PlanItemKind::Unspecified => Tone::Plain,
        };
        let changes: Vec<String> = item
            .changes
            .iter()
            .map(|change| {
                format!(
                    "{}: {} -> {}",
                    change.field,
                    quoted(&change.before),
                    quoted(&change.after)
                )
            })
            .collect();
        table.row([
            item.number.to_string().into(),
            Cell::toned(word(item.kind().as_str_name(), "PLAN_ITEM_KIND_"), tone),
            item.logon_name.as_str().into(),
            last_part(&item.account).into(),
            changes.join("\n").into(),
        ]);
    }
    table.render(screen)
}

fn quoted(value: &str) -> String {
    if value.is_empty() {
        "nothing".to_owned()
    } else {
        format!("\"{value}\"")
    }
}

pub(super) fn runs(runs: &[SyncRun], screen: &Screen) -> String {
    if runs.is_empty() {
        return "no syncs yet".to_owned();
    }
    let mut table = Table::new(["RUN", "DOMAIN", "STATE", "WHEN", "TOOK", "BY", "PLAN"]);
    for run in runs {
        table.row([
            id(run).into(),
            domain(run).into(),
            state_cell(run),
            ago(screen.now, run.create_time.as_ref()).into(),
            took(run).into(),
            run.requested_by.as_str().into(),
            format!(
                "{}{}",
                plan(run),
                if run.dry_run { " (dry run)" } else { "" }
            )
            .trim_start()
            .into(),
        ]);
    }
    table.render(screen)
}

fn asked(run: &SyncRun, screen: &Screen) -> String {
    let mut text = format!(
        "{} by {}",
        ago(screen.now, run.create_time.as_ref()),
        run.requested_by
    );
    match run.mode() {
        SyncMode::Full => text.push_str(", full"),
        SyncMode::Delta => text.push_str(", delta"),
        SyncMode::Auto | SyncMode::Unspecified => {}
    }
    if run.dry_run {
        text.push_str(", dry run");
    }
    text
}

fn took(run: &SyncRun) -> String {
    let at = |time: &Option<prost_types::Timestamp>| {
        time.as_ref()
            .and_then(|time| Timestamp::new(time.seconds, time.nanos).ok())
    };
    at(&run.start_time)
        .zip(at(&run.end_time))
        .and_then(|(start, end)| Duration::try_from(end.duration_since(start)).ok())
        .map(span)
        .unwrap_or_default()
}
