//! Rows as the contract tells them.

use api::convert::time;
use api::name::{AccountName, DomainName, EmployeeName, RotationName, TargetName};
use api::rotation::v1 as proto;
use rotation::{AbortReason, HeldReason, Rotation, State, Stop};

use crate::names;
use crate::store::{ClientRow, RotationRow, TargetRow};

pub(crate) fn rotation(row: &RotationRow) -> proto::Rotation {
    let rotation = &row.rotation;
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let (mut held, mut abort, mut stop) = (0, 0, rotation.parked);
    match rotation.state {
        State::Held(reason) => held = names::held(reason).into(),
        State::Aborted(reason) => {
            abort = names::abort(reason).into();
            if let AbortReason::Stopped(by) = reason {
                stop = Some(by);
            }
        }
        State::Planned
        | State::Prepared
        | State::Sent
        | State::Acked
        | State::Unknown
        | State::Committed
        | State::Confirmed
        | State::Closed => {}
    }
    proto::Rotation {
        name: RotationName(row.id).to_string(),
        account: AccountName(row.account.clone()).to_string(),
        employee: EmployeeName(row.employee).to_string(),
        logon_name: row.logon_name.clone(),
        generation: i64::try_from(rotation.generation).unwrap_or(i64::MAX),
        state: names::state(rotation.state).into(),
        held_reason: held,
        abort_reason: abort,
        stop_reason: stop.map_or(0, |stop| names::stop(stop).into()),
        candidate: number(rotation.candidate),
        sends: number(rotation.sends),
        accepted: rotation.accepted,
        requested_by: row.asked_by.clone().unwrap_or_default(),
        released: rotation.released,
        create_time: Some(time::to_proto(row.created)),
        state_time: Some(time::to_proto(rotation.since)),
        next_time: (!rotation.is_over()).then(|| time::to_proto(rotation.wake)),
        last_send_time: rotation.last_send.map(time::to_proto),
        message: sentence(rotation).to_owned(),
        revision: row.revision,
    }
}

fn stopped(stop: Stop) -> &'static str {
    match stop {
        Stop::LeftGroup => "stopped: the account left the rotation group or the sync group",
        Stop::Disabled => "stopped: the account is disabled",
        Stop::Deleted => "stopped: the account is deleted",
        Stop::Ineligible => {
            "stopped: the account may not be rotated (hes rotation forecast says why)"
        }
        Stop::NoCredentials => "stopped: the domain has no credentials",
        Stop::RotationOff => "stopped: the domain's rotation is off",
    }
}

/// What it waits for, or how it ended.
fn sentence(rotation: &Rotation) -> &'static str {
    match (rotation.state, rotation.parked) {
        (State::Planned | State::Prepared, Some(stop)) => stopped(stop),
        (State::Planned, None) => {
            "due; waits for its turn, and until one of the person's keys is there"
        }
        (State::Prepared, None) if rotation.sends > 0 => {
            "found not to be live; the same value is sent again"
        }
        (State::Prepared, None) if rotation.accepted => "stored by a key; is sent next",
        (State::Prepared, None) => "offered; waits until a key that is there has stored it",
        (State::Sent, _) => "on its way to the directory",
        (State::Acked, _) => "the directory answered success; its record is read next",
        (State::Unknown, _) => "it is being found out what became of a send",
        (State::Committed, _) => "it is the password; waits until every domain controller shows it",
        (State::Confirmed, _) => "it is the password; waits until a key has made it current",
        (State::Held(reason), _) => held(reason),
        (State::Closed, _) if rotation.released => "handed out by hand",
        (State::Closed, _) => "changed and delivered",
        (State::Aborted(reason), _) => match reason {
            AbortReason::Stopped(stop) => stopped(stop),
            AbortReason::Gone => "the account is not there",
            AbortReason::Policy => {
                "the policy refused the value, and nothing of it is the password"
            }
            AbortReason::ExternalChange => {
                "somebody else has set the password; nothing was sent, and it is due anew"
            }
            AbortReason::Settled => "settled: nothing of it is the password",
        },
    }
}

fn held(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::Policy => {
            "the password policy refused several candidates; mend the policy, then resume"
        }
        HeldReason::PolicyInDoubt => {
            "the policy refused a value that may be live from an earlier send; resume to have it settled"
        }
        HeldReason::NoRight => {
            "the suite's account may not reset this password; delegate the right, then resume"
        }
        HeldReason::Refused => {
            "the directory refused it again and again; see the connector's log, then resume"
        }
        HeldReason::Unverifiable => {
            "nothing shows whether the value is live; resume to have it asked again"
        }
        HeldReason::Contradiction => {
            "the directory's answers contradict one another; resume to have it asked again"
        }
        HeldReason::ExternalChange => {
            "somebody else changed the password meanwhile; resume to have it settled"
        }
        HeldReason::Gone => {
            "the account was deleted while a send was in doubt; resume to have it settled"
        }
        HeldReason::NotConverged => {
            "it is the password, and not every domain controller shows it after a day; see their replication"
        }
        HeldReason::Unacknowledged => {
            "it is the password, and no key has made it current for a day; it is delivered to any that comes, or released"
        }
    }
}

pub(crate) fn target(row: &TargetRow) -> proto::Target {
    proto::Target {
        name: TargetName(row.id).to_string(),
        employee: EmployeeName(row.employee).to_string(),
        display_name: row.display_name.clone(),
        sealing_key: row.sealing_key.to_bytes().to_vec(),
        signing_key: row.signing_key.to_bytes().to_vec(),
        create_time: Some(time::to_proto(row.created)),
        created_by: row.created_by.clone(),
        revoke_time: row.revoked.map(time::to_proto),
        present: row.is_present && row.revoked.is_none(),
        present_time: row.seen.map(time::to_proto),
    }
}

pub(crate) fn client(row: &ClientRow) -> proto::DeliveryClient {
    proto::DeliveryClient {
        name: format!("deliveryClients/{}", row.id),
        domains: row.domains.clone(),
        offers_per_hour: i32::try_from(row.offers_per_hour).unwrap_or(i32::MAX),
        create_time: Some(time::to_proto(row.created)),
        created_by: row.created_by.clone(),
        revoke_time: row.revoked.map(time::to_proto),
    }
}

pub(crate) fn domain_name(id: &directory::DomainId) -> String {
    DomainName(id.clone()).to_string()
}
