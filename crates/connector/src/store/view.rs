//! Runs and plan items as the contract shows them.

use api::connector::v1 as proto;
use api::convert::time;
use api::name::{AccountName, SyncRunName};
use directory::{AccountKey, Attribute, DomainId};
use jiff::Timestamp;
use prost::Message;
use storage::Row;
use sync::{ChangeKind, Class, Counts, Field, RunId, RunState};
use uuid::Uuid;

use super::{Error, codec, runs::Run};

pub(super) fn state(row: &Row) -> Result<RunState, Error> {
    let name: String = row.get("state")?;
    RunState::from_name(&name).ok_or(Error::Corrupt("run state"))
}

pub(super) fn shown_state(state: RunState) -> proto::SyncRunState {
    match state {
        RunState::Queued => proto::SyncRunState::Queued,
        RunState::Reading => proto::SyncRunState::Reading,
        RunState::Planning => proto::SyncRunState::Planning,
        RunState::Held => proto::SyncRunState::Held,
        RunState::Approved => proto::SyncRunState::Approved,
        RunState::Applying => proto::SyncRunState::Applying,
        RunState::Applied => proto::SyncRunState::Applied,
        RunState::NothingToDo => proto::SyncRunState::Unchanged,
        RunState::DryRun => proto::SyncRunState::Planned,
        RunState::Failed => proto::SyncRunState::Failed,
        RunState::Rejected => proto::SyncRunState::Rejected,
        RunState::Expired => proto::SyncRunState::Expired,
        RunState::Superseded => proto::SyncRunState::Superseded,
    }
}

/// `join=3,leave=2`.
pub(super) fn classes_text(counts: &Counts) -> String {
    let classes: Vec<String> = counts
        .iter()
        .map(|(class, amount)| format!("{}={amount}", class.name()))
        .collect();
    classes.join(",")
}

pub(super) fn counts(items: u64, text: &str) -> Result<Counts, Error> {
    let corrupt = || Error::Corrupt("plan's counts");
    let classes = text
        .split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (class, amount) = part.split_once('=').ok_or_else(corrupt)?;
            Ok((
                Class::from_name(class).ok_or_else(corrupt)?,
                amount.parse().map_err(|_| corrupt())?,
            ))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(Counts::from_parts(items, classes))
}

/// A run, without its issues.
pub(super) fn run(row: &Row) -> Result<Run, Error> {
    let at = |column: &'static str| -> Result<_, Error> {
        Ok(row.get::<Option<Timestamp>>(column)?.map(time::to_proto))
    };
    let id: Uuid = row.get("run_id")?;
    let domain: String = row.get("domain_id")?;
    let domain: DomainId = domain.parse().map_err(|_| Error::Corrupt("domain id"))?;
    let state = state(row)?;
    let planned = counts(
        row.get("planned_items")?,
        &row.get::<String>("planned_classes")?,
    )?;
    let of = |kind| codec::number(planned.of(Class::Kind(kind)));
    let hold_reasons: String = row.get("hold_reasons")?;
    let failure: Option<String> = row.get("failure_reason")?;
    let message = proto::SyncRun {
        name: SyncRunName {
            domain: Some(domain.clone()),
            run: id,
        }
        .to_string(),
        mode: i32::try_from(row.get::<i64>("mode")?).unwrap_or_default(),
        state: shown_state(state).into(),
        dry_run: row.get("dry_run")?,
        requested_by: row.get("requested_by")?,
        create_time: at("create_time")?,
        start_time: at("start_time")?,
        end_time: at("end_time")?,
        expire_time: at("expire_time")?,
        read: Some(proto::ReadCounts {
            pages: row.get("read_pages")?,
            accounts: row.get("read_accounts")?,
            groups: row.get("read_groups")?,
            memberships: row.get("read_memberships")?,
            members: row.get("read_members")?,
        }),
        plan: Some(proto::PlanCounts {
            joins: of(ChangeKind::Join),
            returns: of(ChangeKind::Return),
            updates: of(ChangeKind::Update),
            enables: of(ChangeKind::Enable),
            disables: of(ChangeKind::Disable),
            leaves: of(ChangeKind::Leave),
            deletes: of(ChangeKind::Delete),
            items: row.get("planned_items")?,
        }),
        applied_items: row.get("applied_items")?,
        hold_reasons: hold_reasons.lines().map(str::to_owned).collect(),
        failure: match failure {
            Some(reason) => Some(proto::RunFailure {
                reason,
                message: row.get("failure_message")?,
                remedy: row.get("failure_remedy")?,
            }),
            None => None,
        },
        issues: Vec::new(),
        issue_count: row.get("issue_count")?,
        decided_by: row.get("decided_by")?,
        decide_time: at("decide_time")?,
        full_read_reason: row.get("full_read_reason")?,
        server: row.get("server")?,
    };
    Ok(Run {
        id: RunId(id),
        domain,
        state,
        message,
        traceparent: row.get("traceparent")?,
    })
}

pub(super) fn issue(row: &Row) -> Result<proto::SyncIssue, Error> {
    let object: Option<Uuid> = row.get("object_id")?;
    Ok(proto::SyncIssue {
        object_id: object.map(|object| object.to_string()).unwrap_or_default(),
        reason: row.get("reason")?,
        message: row.get("message")?,
    })
}

pub(super) fn item(domain: &DomainId, row: &Row) -> Result<proto::PlanItem, Error> {
    let corrupt = || Error::Corrupt("plan item");
    let kind: String = row.get("kind")?;
    let kind = match ChangeKind::from_name(&kind).ok_or_else(corrupt)? {
        ChangeKind::Join => proto::PlanItemKind::Join,
        ChangeKind::Return => proto::PlanItemKind::Return,
        ChangeKind::Leave => proto::PlanItemKind::Leave,
        ChangeKind::Delete => proto::PlanItemKind::Delete,
        ChangeKind::RotationOnly
        | ChangeKind::RotationOnlyEnded
        | ChangeKind::Disable
        | ChangeKind::Enable
        | ChangeKind::Update => proto::PlanItemKind::Update,
    };
    let stored = proto::PlanItem::decode(row.get::<Vec<u8>>("changes")?.as_slice())
        .map_err(|_| corrupt())?;
    Ok(proto::PlanItem {
        number: row.get("number")?,
        account: AccountName(AccountKey {
            domain: domain.clone(),
            object: codec::object(row.get("object_id")?)?,
        })
        .to_string(),
        logon_name: row.get("logon_name")?,
        kind: kind.into(),
        changes: stored
            .changes
            .into_iter()
            .map(|change| {
                let field = Field::from_name(&change.field).ok_or_else(corrupt)?;
                Ok(proto::FieldChange {
                    field: field_name(field).to_owned(),
                    ..change
                })
            })
            .collect::<Result<_, Error>>()?,
        applied: row.get("applied")?,
    })
}

/// A field by its name in `hes.directory.v1.Account`.
pub(super) fn field_name(field: Field) -> &'static str {
    match field {
        Field::Sid => "security_identifier",
        Field::Kind => "kind",
        Field::LogonName => "logon_name",
        Field::Dn => "distinguished_name",
        Field::Attribute(attribute) => attribute_name(attribute),
        Field::Disabled => "state.disabled",
        Field::Locked => "state.locked",
        Field::Expired => "state.expired",
        Field::PasswordExpired => "state.password_expired",
        Field::MustChangePassword => "state.must_change_password",
        Field::SmartcardRequired => "state.smartcard_required",
        Field::Privileged => "state.privileged",
        Field::PasswordLastSet => "password_set_time",
        Field::Expires => "account_expire_time",
        Field::InRotationGroup => "in_rotation_group",
    }
}

/// The two vocabularies agree on attributes.
fn attribute_name(attribute: Attribute) -> &'static str {
    attribute.name()
}
