//! From what the directory says to the contract.

use ad_client::password::{Barrier, Standing, Version};
use api::connector::v1 as proto;
use jiff::{SignedDuration, Timestamp};

pub(super) fn version(version: Option<&Version>) -> i64 {
    version.map_or(0, |version| i64::from(version.number))
}

pub(super) fn time(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}

fn duration(duration: SignedDuration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: duration.as_secs(),
        nanos: duration.subsec_nanos(),
    }
}

pub(super) fn read(standing: &Standing, server: String) -> proto::ReadResponse {
    let policy = &standing.policy;
    proto::ReadResponse {
        eligibility: eligibility(standing.barrier.as_ref()).into(),
        reason: standing.barrier.as_ref().map(reason).unwrap_or_default(),
        password_set_time: standing.set.map(time),
        policy: Some(proto::PasswordPolicy {
            min_length: i32::try_from(policy.min_length).unwrap_or(i32::MAX),
            complexity: policy.complexity,
            max_age: policy.max_age.map(duration),
            may_be_stricter: policy.may_be_stricter,
        }),
        anchor: Vec::new(),
        directory_time: Some(time(standing.now)),
        password_version: version(standing.version.as_ref()),
        logon_name: standing.logon_name.clone(),
        display_name: standing.display_name.clone(),
        server,
    }
}

pub(super) fn eligibility(barrier: Option<&Barrier>) -> proto::Eligibility {
    match barrier {
        None => proto::Eligibility::Eligible,
        Some(Barrier::Gone) => proto::Eligibility::Deleted,
        Some(Barrier::NotAPerson) => proto::Eligibility::NotAPerson,
        Some(Barrier::Privileged { .. }) => proto::Eligibility::Privileged,
        Some(Barrier::Undecided { .. }) => proto::Eligibility::Unknown,
        Some(Barrier::SmartcardRequired) => proto::Eligibility::SmartcardRequired,
        Some(Barrier::Disabled) => proto::Eligibility::Disabled,
        Some(Barrier::Expired) => proto::Eligibility::Expired,
        Some(Barrier::MustChange) => proto::Eligibility::MustChange,
        Some(Barrier::Locked) => proto::Eligibility::Locked,
        Some(Barrier::NoRight) => proto::Eligibility::NoRight,
    }
}

fn reason(barrier: &Barrier) -> String {
    match barrier {
        Barrier::Gone => "it is not there, or the account used to log on may not see it".to_owned(),
        Barrier::NotAPerson => {
            "it is a computer, a service account, or the account used to log on".to_owned()
        }
        Barrier::Privileged { why } => format!("{why}: privileged accounts are never rotated"),
        Barrier::Undecided { why } => {
            format!("{why}, so it is not known whether it is privileged")
        }
        Barrier::SmartcardRequired => "it may log on with a smart card only".to_owned(),
        Barrier::Disabled => "it is disabled".to_owned(),
        Barrier::Expired => "it has expired".to_owned(),
        Barrier::MustChange => {
            "its owner must change the password at the next logon: an administrator has just set it"
                .to_owned()
        }
        Barrier::Locked => "it is locked out".to_owned(),
        Barrier::NoRight => {
            "the account used to log on may not reset its password (Reset Password)".to_owned()
        }
    }
}

pub(super) fn outcome(outcome: proto::SetOutcome) -> proto::SetResponse {
    proto::SetResponse {
        outcome: outcome.into(),
        ..proto::SetResponse::default()
    }
}

pub(super) fn refused(reason: proto::RefusalReason) -> proto::SetResponse {
    proto::SetResponse {
        refusal: reason.into(),
        ..outcome(proto::SetOutcome::Refused)
    }
}
