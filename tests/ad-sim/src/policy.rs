//! Which rules an account's password is under, and whether a password obeys them.

use crate::schema::{Attr, Class};
use crate::store::object::Id;
use crate::store::replica::Replica;

/// userAccountControl ([MS-ADTS] 2.2.16).
pub(crate) mod uac {
    pub(crate) const DISABLED: i64 = 0x2;
    pub(crate) const LOCKED: i64 = 0x10;
    pub(crate) const PASSWORD_NOT_REQUIRED: i64 = 0x20;
    pub(crate) const NORMAL: i64 = 0x200;
    pub(crate) const TRUSTS: i64 = 0x800 | 0x1000 | 0x2000;
    pub(crate) const WORKSTATION: i64 = 0x1000;
    pub(crate) const NEVER_EXPIRES: i64 = 0x1_0000;
    pub(crate) const SMARTCARD: i64 = 0x4_0000;
    pub(crate) const PASSWORD_EXPIRED: i64 = 0x80_0000;
}

/// Rules for passwords and lockout, ages in ticks of 100 ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// In characters.
    pub min_length: usize,
    /// Three of five kinds of characters, and nothing of the owner's names.
    pub is_complex: bool,
    /// How many old passwords are not taken again.
    pub history: usize,
    pub min_age: i64,
    /// 0: passwords never expire.
    pub max_age: i64,
    /// 0: nobody is locked out.
    pub lockout_threshold: i64,
    /// 0: until an administrator unlocks it.
    pub lockout_duration: i64,
    pub lockout_window: i64,
}

pub(crate) const SECOND: i64 = 10_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const DAY: i64 = 24 * 60 * MINUTE;

impl Default for Policy {
    /// As a new domain has it.
    fn default() -> Self {
        Self {
            min_length: 7,
            is_complex: true,
            history: 24,
            min_age: DAY,
            max_age: 42 * DAY,
            lockout_threshold: 0,
            lockout_duration: 30 * MINUTE,
            lockout_window: 30 * MINUTE,
        }
    }
}

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Length,
    Complexity,
    History,
    TooYoung,
}

impl Replica {
    /// The domain's own policy.
    pub(crate) fn domain_policy(&self) -> Policy {
        let Some(head) = self.head(crate::store::object::Partition::Domain) else {
            return Policy::default();
        };
        let head = self.object(head);
        let number = |attribute| head.number(attribute).unwrap_or_default();
        Policy {
            min_length: usize::try_from(number(Attr::MIN_PWD_LENGTH)).unwrap_or_default(),
            is_complex: number(Attr::PWD_PROPERTIES) & 1 != 0,
            history: usize::try_from(number(Attr::PWD_HISTORY_LENGTH)).unwrap_or_default(),
            min_age: age(number(Attr::MIN_PWD_AGE)),
            max_age: age(number(Attr::MAX_PWD_AGE)),
            lockout_threshold: number(Attr::LOCKOUT_THRESHOLD),
            lockout_duration: age(number(Attr::LOCKOUT_DURATION)),
            lockout_window: age(number(Attr::LOCKOUT_OBSERVATION_WINDOW)),
        }
    }

    /// The password settings object that an account is under, if any ([MS-ADTS] 3.1.1.4.5.36): one that names the account
    /// itself before one that names a group of it, then the lowest precedence.
    pub(crate) fn resultant_pso(&self, account: Id) -> Option<Id> {
        if self.object(account).class != Class::User {
            return None;
        }
        let best = |candidates: Vec<Id>| {
            candidates.into_iter().min_by_key(|pso| {
                let object = self.object(*pso);
                let precedence = object.number(Attr::PSO_PASSWORD_SETTINGS_PRECEDENCE);
                (precedence.unwrap_or(i64::MAX), object.guid)
            })
        };
        let own = self.links.to(Attr::PSO_APPLIES_TO, account).collect();
        best(own).or_else(|| {
            let groups = self.groups_of(account);
            let by_group = groups
                .iter()
                .flat_map(|group| self.links.to(Attr::PSO_APPLIES_TO, *group));
            best(by_group.collect())
        })
    }

    pub(crate) fn policy_of(&self, account: Id) -> Policy {
        let Some(pso) = self.resultant_pso(account) else {
            return self.domain_policy();
        };
        let pso = self.object(pso);
        let number = |attribute| pso.number(attribute).unwrap_or_default();
        Policy {
            min_length: usize::try_from(number(Attr::PSO_MINIMUM_PASSWORD_LENGTH))
                .unwrap_or_default(),
            is_complex: pso.text(Attr::PSO_PASSWORD_COMPLEXITY_ENABLED) == Some("TRUE"),
            history: usize::try_from(number(Attr::PSO_PASSWORD_HISTORY_LENGTH)).unwrap_or_default(),
            min_age: age(number(Attr::PSO_MINIMUM_PASSWORD_AGE)),
            max_age: age(number(Attr::PSO_MAXIMUM_PASSWORD_AGE)),
            lockout_threshold: number(Attr::PSO_LOCKOUT_THRESHOLD),
            lockout_duration: age(number(Attr::PSO_LOCKOUT_DURATION)),
            lockout_window: age(number(Attr::PSO_LOCKOUT_OBSERVATION_WINDOW)),
        }
    }

    /// The groups an account or group is in, directly and by others, its primary one included. Security groups only.
    pub(crate) fn groups_of(&self, id: Id) -> Vec<Id> {
        let mut found = Vec::new();
        let mut next = vec![id];
        if let Some(rid) = self.object(id).number(Attr::PRIMARY_GROUP_ID) {
            let rid = u32::try_from(rid).unwrap_or_default();
            next.extend(self.by_sid(&self.domain.sid.with_rid(rid)));
        }
        while let Some(of) = next.pop() {
            if of != id {
                let kind = self.object(of).number(Attr::GROUP_TYPE).unwrap_or_default();
                // GROUP_TYPE_SECURITY_ENABLED: the sign of a 32-bit number.
                if kind >= 0 || found.contains(&of) {
                    continue;
                }
                found.push(of);
            }
            next.extend(self.links.to(Attr::MEMBER, of));
        }
        found.sort_unstable();
        found
    }

    /// Whether a new password obeys the policy. `is_change`: by its owner, who is bound to history and age too.
    pub(crate) fn judge(
        &self,
        account: Id,
        password: &str,
        digest: &[u8; 32],
        is_change: bool,
    ) -> Result<(), Refusal> {
        let policy = self.policy_of(account);
        let object = self.object(account);
        let control = object
            .number(Attr::USER_ACCOUNT_CONTROL)
            .unwrap_or_default();
        let excused = control & uac::PASSWORD_NOT_REQUIRED != 0 && password.is_empty();
        if password.chars().count() < policy.min_length && !excused {
            return Err(Refusal::Length);
        }
        let names = [Attr::SAM_ACCOUNT_NAME, Attr::DISPLAY_NAME].map(|name| object.text(name));
        if policy.is_complex && !excused && !is_complex(password, names) {
            return Err(Refusal::Complexity);
        }
        let Some(secret) = object.secret.as_ref().filter(|_| is_change) else {
            return Ok(());
        };
        if secret
            .digests
            .iter()
            .take(policy.history)
            .any(|old| old == digest)
        {
            return Err(Refusal::History);
        }
        if self.now() - secret.set < policy.min_age {
            return Err(Refusal::TooYoung);
        }
        Ok(())
    }

    pub(crate) fn is_locked(&self, account: Id) -> bool {
        let locked = self
            .object(account)
            .number(Attr::LOCKOUT_TIME)
            .unwrap_or_default();
        if locked == 0 {
            return false;
        }
        let duration = self.policy_of(account).lockout_duration;
        duration == 0 || self.now() < locked + duration
    }

    /// When the password expires, in ticks since 1601: 0 at the next logon, the greatest number never.
    pub(crate) fn password_expiry(&self, account: Id) -> i64 {
        let object = self.object(account);
        let control = object
            .number(Attr::USER_ACCOUNT_CONTROL)
            .unwrap_or_default();
        if control & (uac::NEVER_EXPIRES | uac::SMARTCARD | uac::TRUSTS) != 0 {
            return i64::MAX;
        }
        let set = object.number(Attr::PWD_LAST_SET).unwrap_or_default();
        match self.policy_of(account).max_age {
            _ if set == 0 => 0,
            0 => i64::MAX,
            age => set.saturating_add(age),
        }
    }
}

/// An interval as it is stored: negative, and the least number for never.
fn age(stored: i64) -> i64 {
    stored.checked_neg().unwrap_or(0)
}

fn is_complex(password: &str, names: [Option<&str>; 2]) -> bool {
    let kinds = [
        password.chars().any(char::is_uppercase),
        password.chars().any(char::is_lowercase),
        password.chars().any(|character| character.is_ascii_digit()),
        password
            .chars()
            .any(|character| character.is_ascii_punctuation() || character == ' '),
        password.chars().any(|character| {
            character.is_alphabetic() && !character.is_uppercase() && !character.is_lowercase()
        }),
    ];
    if kinds.into_iter().filter(|found| *found).count() < 3 {
        return false;
    }
    let lower = password.to_lowercase();
    let [logon, shown] = names.map(|name| name.unwrap_or_default().to_lowercase());
    let parts = shown.split([',', '.', '-', '_', ' ', '#', '\t']);
    std::iter::once(logon.as_str())
        .chain(parts)
        .filter(|part| part.chars().count() > 2)
        .all(|part| !lower.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kinds_of_characters_and_no_name() {
        let names = [Some("alovelace"), Some("Ada Lovelace")];
        for (password, fine) in [
            ("Passw0rd", true),
            ("passw0rd", false),
            ("passw0rd!", true),
            ("Xx1-lovelace", false),
            ("Xx1-ada!", false),
            ("PASSWORD", false),
        ] {
            assert_eq!(is_complex(password, names), fine, "{password}");
        }
    }
}
