//! The difference between what is known and what the directory proved.

use directory::{Account, Attribute, Flag, Kind, Presence};

use crate::{Cause, Change, ChangeKind, Field, FieldChange, Known, Membership, Sighting, merge};

/// What must change so that what is known equals what was seen; `None` when nothing must.
///
/// An account that is neither known nor in one of the groups is nobody of ours, and one that has left is not followed
/// until it is in a group again.
pub fn diff(known: Option<&Known>, sighting: &Sighting) -> Option<Change> {
    let (presence, cause) = whither(sighting);
    let was = known.map(|known| known.presence);
    let kind = match (was, presence) {
        (None | Some(Presence::Left | Presence::Deleted), Presence::Left | Presence::Deleted) => {
            return None;
        }
        (None | Some(Presence::RotationOnly), Presence::Member) => Some(ChangeKind::Join),
        (Some(Presence::Left | Presence::Deleted), Presence::Member) => Some(ChangeKind::Return),
        (None | Some(Presence::Left | Presence::Deleted), Presence::RotationOnly) => {
            Some(ChangeKind::RotationOnly)
        }
        (Some(Presence::Member), Presence::RotationOnly | Presence::Left) => {
            Some(ChangeKind::Leave)
        }
        (Some(Presence::Member), Presence::Deleted) => Some(ChangeKind::Delete),
        (Some(Presence::RotationOnly), Presence::Left | Presence::Deleted) => {
            Some(ChangeKind::RotationOnlyEnded)
        }
        (Some(Presence::Member), Presence::Member)
        | (Some(Presence::RotationOnly), Presence::RotationOnly) => None,
    };

    let (account, membership) = match (sighting, known) {
        (Sighting::Seen(seen), _) => (
            merge(known.map(|known| &known.account), &seen.account),
            seen.membership,
        ),
        (Sighting::OutOfScope | Sighting::Deleted | Sighting::Gone, Some(known)) => {
            (known.account.clone(), Membership::default())
        }
        (Sighting::OutOfScope | Sighting::Deleted | Sighting::Gone, None) => return None,
    };
    let after = Known {
        account,
        presence,
        in_rotation_group: membership.in_rotation_group,
        generation: known.map_or(0, |known| known.generation) + 1,
    };
    let fields = known.map_or_else(Vec::new, |known| changed_fields(known, &after));
    let kind = kind.or_else(|| weightiest(&fields))?;

    Some(Change {
        kind,
        cause: match kind {
            ChangeKind::Leave | ChangeKind::Delete | ChangeKind::RotationOnlyEnded => cause,
            ChangeKind::Join
            | ChangeKind::Return
            | ChangeKind::RotationOnly
            | ChangeKind::Disable
            | ChangeKind::Enable
            | ChangeKind::Update => None,
        },
        before: known.map(Into::into),
        fields,
        after,
    })
}

/// Where a sighting leaves the account, and why if not in the sync group.
fn whither(sighting: &Sighting) -> (Presence, Option<Cause>) {
    match sighting {
        Sighting::Seen(seen) if seen.membership.in_sync_group => (Presence::Member, None),
        Sighting::Seen(seen) if seen.membership.in_rotation_group => {
            (Presence::RotationOnly, Some(Cause::LeftGroup))
        }
        Sighting::Seen(_) => (Presence::Left, Some(Cause::LeftGroup)),
        Sighting::OutOfScope => (Presence::Left, Some(Cause::OutOfScope)),
        Sighting::Deleted => (Presence::Deleted, Some(Cause::Tombstone)),
        Sighting::Gone => (Presence::Deleted, Some(Cause::NotFound)),
    }
}

/// The kind of a change that moves nobody in or out.
fn weightiest(fields: &[FieldChange]) -> Option<ChangeKind> {
    let disabled = fields.iter().find(|change| change.field == Field::Disabled);
    match disabled.map(|change| change.after.as_deref() == Some("yes")) {
        Some(true) => Some(ChangeKind::Disable),
        Some(false) => Some(ChangeKind::Enable),
        None if fields.is_empty() => None,
        None => Some(ChangeKind::Update),
    }
}

fn changed_fields(known: &Known, after: &Known) -> Vec<FieldChange> {
    let before = texts(&known.account, known.in_rotation_group);
    let after = texts(&after.account, after.in_rotation_group);
    before
        .into_iter()
        .zip(after)
        .filter(|((_, before), (_, after))| before != after)
        .map(|((field, before), (_, after))| FieldChange {
            field,
            before,
            after,
        })
        .collect()
}

/// Every field that counts, as text, in the order plans show them. `unreadable` is not one: what the reader may see is
/// not a property of the account.
fn texts(account: &Account, in_rotation_group: bool) -> Vec<(Field, Option<String>)> {
    let state = &account.state;
    let yes_no = |value: bool| Some(if value { "yes" } else { "no" }.to_owned());
    let kind = match account.kind {
        Kind::Member => "member",
        Kind::Guest => "guest",
    };
    let privileged = match state.privileged {
        Flag::No => "no",
        Flag::Yes => "yes",
        Flag::Unknown => "unknown",
    };
    let mut texts = vec![
        (Field::LogonName, Some(account.logon_name.clone())),
        (Field::Dn, Some(account.dn.clone())),
    ];
    texts.extend(Attribute::ALL.map(|attribute| {
        let value = account.attribute(attribute).map(str::to_owned);
        (Field::Attribute(attribute), value)
    }));
    texts.extend([
        (Field::Sid, account.sid.as_ref().map(ToString::to_string)),
        (Field::Kind, Some(kind.to_owned())),
        (Field::Disabled, yes_no(state.disabled)),
        (Field::Locked, yes_no(state.locked)),
        (Field::Expired, yes_no(state.expired)),
        (Field::PasswordExpired, yes_no(state.password_expired)),
        (
            Field::MustChangePassword,
            yes_no(state.must_change_password),
        ),
        (Field::SmartcardRequired, yes_no(state.smartcard_required)),
        (Field::Privileged, Some(privileged.to_owned())),
        (
            Field::PasswordLastSet,
            account.password_last_set.map(|time| time.to_string()),
        ),
        (Field::Expires, account.expires.map(|time| time.to_string())),
        (Field::InRotationGroup, yes_no(in_rotation_group)),
    ]);
    texts
}

#[cfg(test)]
mod tests;
