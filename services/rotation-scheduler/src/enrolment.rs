//! Which accounts rotate, and when: decided anew whenever one of them, or its domain, changes.

use api::config::v1::domain::Directory;
use api::directory::v1::{Account, AccountKind, Presence, Privilege};
use jiff::Timestamp;
use rotation::Stop;

use crate::policy::{Policy, stop_of};
use crate::store::{AccountRow, DomainRow};

/// Whether an account rotates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Rotates,
    Not {
        stop: Stop,
        /// For a member of the rotation group: why, in a few words.
        shown: Option<&'static str>,
    },
}

/// What the account's own state says.
pub(crate) fn standing(domain: &DomainRow, account: &Account) -> Standing {
    let not = |stop, shown| Standing::Not {
        stop,
        shown: Some(shown),
    };
    match account.presence() {
        Presence::Deleted => {
            return Standing::Not {
                stop: Stop::Deleted,
                shown: None,
            };
        }
        Presence::Member | Presence::RotationOnly | Presence::Left | Presence::Unspecified => {}
    }
    if !account.in_rotation_group {
        return Standing::Not {
            stop: Stop::LeftGroup,
            shown: None,
        };
    }
    match account.presence() {
        Presence::Member => {}
        Presence::RotationOnly | Presence::Left | Presence::Deleted | Presence::Unspecified => {
            return not(Stop::LeftGroup, "not in the sync group");
        }
    }
    let is_synced = match &domain.settings.directory {
        Some(Directory::Entra(_)) => !account.security_identifier.is_empty(),
        Some(Directory::ActiveDirectory(_)) | None => false,
    };
    let state = account.state.unwrap_or_default();
    let stops = [
        (
            account.kind() != AccountKind::Member,
            Stop::Ineligible,
            "a guest",
        ),
        (
            state.privileged() == Privilege::Yes,
            Stop::Ineligible,
            "privileged",
        ),
        (
            state.privileged() != Privilege::No,
            Stop::Ineligible,
            "whether it is privileged can't be read",
        ),
        (
            is_synced,
            Stop::Ineligible,
            "synced from Active Directory, where it rotates",
        ),
        (state.disabled, Stop::Disabled, "disabled"),
        (state.expired, Stop::Ineligible, "the account has expired"),
        (
            state.smartcard_required,
            Stop::Ineligible,
            "a smart card is required for logon",
        ),
        (
            state.must_change_password,
            Stop::Ineligible,
            "must change its password at the next logon",
        ),
    ];
    stops
        .into_iter()
        .find(|(holds, _, _)| *holds)
        .map_or(Standing::Rotates, |(_, stop, shown)| not(stop, shown))
}

/// Why nothing may be sent for an account, by its own state and its domain's.
pub(crate) fn stop(domain: &DomainRow, account: &AccountRow) -> Option<Stop> {
    stop_of(&domain.settings).or(match standing(domain, &account.state) {
        Standing::Rotates => None,
        Standing::Not { stop, .. } => Some(stop),
    })
}

/// Brings what follows from an account's state up to date: whether it rotates, since when, and when it is due.
pub(crate) fn enrol(domain: &DomainRow, account: &mut AccountRow, now: Timestamp) {
    let rotates = match standing(domain, &account.state) {
        Standing::Rotates => true,
        Standing::Not { shown, .. } => {
            account.not_rotated = shown.map(str::to_owned);
            false
        }
    };
    if !rotates || stop_of(&domain.settings).is_some() {
        if rotates {
            account.not_rotated = None;
        }
        account.enrolled = None;
        account.due = None;
        account.asked_by = None;
        return;
    }
    account.not_rotated = None;
    // One that returns is spread again: a group that is filled anew is not due at one moment.
    let enrolled = *account.enrolled.get_or_insert(now);
    let due = match account.asked_by {
        Some(_) => account.due.unwrap_or(now),
        None => Policy::of(&domain.settings).schedule.due(
            account.key.object,
            password_set(account),
            account.max_age,
            enrolled,
        ),
    };
    // Counted anew when the open one has ended.
    account.due = match account.open_rotation {
        Some(_) => None,
        None => Some(due.max(account.next_after.unwrap_or(due))),
    };
}

/// When the password was last set, by the directory's clock, as far as anybody told.
pub(crate) fn password_set(account: &AccountRow) -> Option<Timestamp> {
    let told = account
        .state
        .password_set_time
        .as_ref()
        .and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    told.max(account.known_set)
}

#[cfg(test)]
mod tests {
    use api::config::v1::{
        ActiveDirectorySettings, CredentialState, CredentialStatus, Domain, EntraSettings,
    };
    use api::directory::v1::AccountState;
    use directory::AccountKey;
    use jiff::SignedDuration;

    use super::*;

    fn domain(directory: Directory) -> DomainRow {
        DomainRow {
            id: "corp".parse().unwrap(),
            settings: Domain {
                directory: Some(directory),
                auto_password_change_days: Some(28),
                credential_status: Some(CredentialStatus {
                    state: CredentialState::Set.into(),
                    ..CredentialStatus::default()
                }),
                ..Domain::default()
            },
            directory: None,
            paused_by: None,
            breaker: None,
            cleared: Timestamp::UNIX_EPOCH,
            clock_skew: SignedDuration::ZERO,
            eligible: None,
        }
    }

    fn active_directory() -> DomainRow {
        domain(Directory::ActiveDirectory(
            ActiveDirectorySettings::default(),
        ))
    }

    fn person() -> Account {
        Account {
            presence: Presence::Member.into(),
            kind: AccountKind::Member.into(),
            in_rotation_group: true,
            in_sync_group: true,
            security_identifier: "S-1-5-21-1-2-3-1104".to_owned(),
            state: Some(AccountState {
                privileged: Privilege::No.into(),
                ..AccountState::default()
            }),
            ..Account::default()
        }
    }

    #[test]
    fn only_ordinary_members_of_both_groups_rotate_and_the_rest_is_told_why() {
        fn state(change: impl Fn(&mut AccountState)) -> impl Fn(&mut Account) {
            move |account| change(account.state.as_mut().unwrap())
        }
        type Change = Box<dyn Fn(&mut Account)>;
        let cases: Vec<(Change, Option<Stop>, bool)> = vec![
            (Box::new(|_| {}), None, false),
            (
                Box::new(|account| account.in_rotation_group = false),
                Some(Stop::LeftGroup),
                false,
            ),
            (
                Box::new(|account| account.presence = Presence::Deleted.into()),
                Some(Stop::Deleted),
                false,
            ),
            (
                Box::new(|account| account.presence = Presence::RotationOnly.into()),
                Some(Stop::LeftGroup),
                true,
            ),
            (
                Box::new(|account| account.presence = Presence::Left.into()),
                Some(Stop::LeftGroup),
                true,
            ),
            (
                Box::new(|account| account.kind = AccountKind::Guest.into()),
                Some(Stop::Ineligible),
                true,
            ),
            (
                Box::new(|account| account.state = None),
                Some(Stop::Ineligible),
                true,
            ),
            (
                Box::new(state(|state| state.privileged = Privilege::Yes.into())),
                Some(Stop::Ineligible),
                true,
            ),
            (
                Box::new(state(|state| state.privileged = Privilege::Unknown.into())),
                Some(Stop::Ineligible),
                true,
            ),
            (
                Box::new(state(|state| state.disabled = true)),
                Some(Stop::Disabled),
                true,
            ),
            (
                Box::new(state(|state| state.expired = true)),
                Some(Stop::Ineligible),
                true,
            ),
            (
                Box::new(state(|state| state.smartcard_required = true)),
                Some(Stop::Ineligible),
                true,
            ),
            (
                Box::new(state(|state| state.must_change_password = true)),
                Some(Stop::Ineligible),
                true,
            ),
            // Locked out is no reason: a reset is valid, and the lock ends by itself.
            (Box::new(state(|state| state.locked = true)), None, false),
        ];
        for (number, (change, expected, is_shown)) in cases.into_iter().enumerate() {
            let mut account = person();
            change(&mut account);
            let (stop, shown) = match standing(&active_directory(), &account) {
                Standing::Rotates => (None, None),
                Standing::Not { stop, shown } => (Some(stop), shown),
            };
            assert_eq!(
                (stop, shown.is_some()),
                (expected, is_shown),
                "case {number}"
            );
        }
        let synced = standing(
            &domain(Directory::Entra(EntraSettings::default())),
            &person(),
        );
        assert_ne!(
            synced,
            Standing::Rotates,
            "it rotates where it is synced from"
        );
    }

    #[test]
    fn enrolling_is_never_due_at_once_and_leaving_is_forgotten() {
        let now: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        let domain = active_directory();
        let mut row = AccountRow {
            state: person(),
            ..AccountRow::new(AccountKey {
                domain: "corp".parse().unwrap(),
                object: "8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e".parse().unwrap(),
            })
        };
        enrol(&domain, &mut row, now);
        assert!(row.due.unwrap() >= now + SignedDuration::from_hours(1));
        let due = row.due;
        enrol(&domain, &mut row, now + SignedDuration::from_hours(5));
        assert_eq!(row.due, due, "hearing of it again moves nothing");
        row.state.in_rotation_group = false;
        enrol(&domain, &mut row, now);
        assert_eq!((row.due, row.enrolled), (None, None));

        let mut off = active_directory();
        off.settings.auto_password_change_days = Some(0);
        row.state.in_rotation_group = true;
        enrol(&off, &mut row, now);
        assert_eq!((row.due, row.not_rotated), (None, None));
    }
}
