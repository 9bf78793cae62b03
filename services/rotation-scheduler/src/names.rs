//! The machine's states and reasons by the names they have in the contract, which are stored too.

use api::rotation::v1 as proto;
use rotation::{AbortReason, HeldReason, State, Stop};

macro_rules! pairs {
    ($to:ident, $from:ident: $pure:ident => $proto:ident { $($name:ident,)+ }) => {
        pub(crate) fn $to(pure: $pure) -> proto::$proto {
            match pure {
                $($pure::$name => proto::$proto::$name,)+
            }
        }

        pub(crate) fn $from(name: &str) -> Option<$pure> {
            [$($pure::$name,)+]
                .into_iter()
                .find(|pure| $to(*pure).as_str_name() == name)
        }
    };
}

pairs!(held, parse_held: HeldReason => HeldReason {
    Policy,
    PolicyInDoubt,
    NoRight,
    Refused,
    Unverifiable,
    Contradiction,
    ExternalChange,
    Gone,
    NotConverged,
    Unacknowledged,
});

pairs!(stop, parse_stop: Stop => StopReason {
    LeftGroup,
    Disabled,
    Deleted,
    Ineligible,
    NoCredentials,
    RotationOff,
});

pub(crate) fn abort(reason: AbortReason) -> proto::AbortReason {
    match reason {
        AbortReason::Stopped(_) => proto::AbortReason::Stopped,
        AbortReason::Gone => proto::AbortReason::Gone,
        AbortReason::Policy => proto::AbortReason::Policy,
        AbortReason::ExternalChange => proto::AbortReason::ExternalChange,
        AbortReason::Settled => proto::AbortReason::Settled,
    }
}

pub(crate) fn state(state: State) -> proto::RotationState {
    match state {
        State::Planned => proto::RotationState::Planned,
        State::Prepared => proto::RotationState::Prepared,
        State::Sent => proto::RotationState::Sent,
        State::Acked => proto::RotationState::Acked,
        State::Unknown => proto::RotationState::Unknown,
        State::Committed => proto::RotationState::Committed,
        State::Confirmed => proto::RotationState::Confirmed,
        State::Held(_) => proto::RotationState::Held,
        State::Closed => proto::RotationState::Closed,
        State::Aborted(_) => proto::RotationState::Aborted,
    }
}

/// A state out of its name, its reason's, and what stopped it.
pub(crate) fn parse_state(name: &str, reason: &str, stop: Option<&str>) -> Option<State> {
    use proto::RotationState as Named;
    Some(match Named::from_str_name(name)? {
        Named::Planned => State::Planned,
        Named::Prepared => State::Prepared,
        Named::Sent => State::Sent,
        Named::Acked => State::Acked,
        Named::Unknown => State::Unknown,
        Named::Committed => State::Committed,
        Named::Confirmed => State::Confirmed,
        Named::Closed => State::Closed,
        Named::Held => State::Held(parse_held(reason)?),
        Named::Aborted => State::Aborted(match proto::AbortReason::from_str_name(reason)? {
            proto::AbortReason::Stopped => AbortReason::Stopped(parse_stop(stop?)?),
            proto::AbortReason::Gone => AbortReason::Gone,
            proto::AbortReason::Policy => AbortReason::Policy,
            proto::AbortReason::ExternalChange => AbortReason::ExternalChange,
            proto::AbortReason::Settled => AbortReason::Settled,
            proto::AbortReason::Unspecified => return None,
        }),
        Named::Unspecified => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_names() {
        let states = [
            State::Planned,
            State::Sent,
            State::Held(HeldReason::PolicyInDoubt),
            State::Held(HeldReason::Unacknowledged),
            State::Closed,
            State::Aborted(AbortReason::Gone),
            State::Aborted(AbortReason::Stopped(Stop::NoCredentials)),
        ];
        for given in states {
            let (reason_name, stop_name) = match given {
                State::Held(reason) => (held(reason).as_str_name(), None),
                State::Aborted(reason @ AbortReason::Stopped(by)) => {
                    (abort(reason).as_str_name(), Some(stop(by).as_str_name()))
                }
                State::Aborted(reason) => (abort(reason).as_str_name(), None),
                State::Planned
                | State::Prepared
                | State::Sent
                | State::Acked
                | State::Unknown
                | State::Committed
                | State::Confirmed
                | State::Closed => ("", None),
            };
            let name = state(given).as_str_name();
            assert_eq!(parse_state(name, reason_name, stop_name), Some(given));
        }
        assert_eq!(parse_state("ROTATION_STATE_HELD", "", None), None);
    }
}
