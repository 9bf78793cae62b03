//! Logging on: who is meant, whether the password is right, and all the other reasons to refuse.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::policy::{MINUTE, uac};
use crate::schema::Attr;
use crate::security::Token;
use crate::sid::Sid;
use crate::store::object::{Id, Secret};
use crate::store::replica::{Replica, text};
use crate::wire::outcome::Outcome;

/// How long the password before the present one still opens the door (OldPasswordAllowedPeriod, 60 minutes by default).
const OLD_IS_TAKEN: i64 = 60 * MINUTE;

/// Sub-codes of a refused logon.
mod data {
    pub(super) const WRONG: &str = "52e";
    pub(super) const HOURS_OR_EXPIRED: &str = "532";
    pub(super) const DISABLED: &str = "533";
    pub(super) const ACCOUNT_EXPIRED: &str = "701";
    pub(super) const MUST_CHANGE: &str = "773";
    pub(super) const LOCKED: &str = "775";
}

/// What is kept of a password; of no use to anybody but the one who has it.
pub(crate) fn digest(guid: u128, password: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(guid.to_be_bytes());
    digest.update(password.as_bytes());
    digest.finalize().into()
}

/// Who got in.
pub(crate) struct LoggedOn {
    pub(crate) logon_name: String,
    pub(crate) token: Token,
}

impl Replica {
    /// The account a bind names: by its DN, its principal name, or its domain and logon name.
    fn principal(&self, name: &str) -> Option<Id> {
        if let Some((domain, logon)) = name.split_once('\\') {
            let here = domain.eq_ignore_ascii_case(&self.domain.netbios_name)
                || domain.eq_ignore_ascii_case(&self.domain.dns_name);
            return here.then(|| self.by_logon(logon)).flatten();
        }
        if let Some(id) = self.by_upn(name) {
            return Some(id);
        }
        if let Some((logon, domain)) = name.rsplit_once('@') {
            let implied = domain.eq_ignore_ascii_case(&self.domain.dns_name);
            return implied.then(|| self.by_logon(logon)).flatten();
        }
        self.find(name).filter(|id| !self.object(*id).is_deleted)
    }

    /// Logs somebody on, by a name in any of its forms.
    pub(crate) fn logon(&mut self, name: &str, password: &[u8]) -> Result<LoggedOn, Outcome> {
        let refused = Outcome::logon_refused;
        let id = self
            .principal(name)
            .filter(|id| self.object(*id).secret.is_some())
            .ok_or_else(|| refused(data::WRONG))?;
        // Told whatever the password is.
        if self.is_locked(id) {
            return Err(refused(data::LOCKED));
        }
        if !self.takes(id, password) {
            return Err(refused(data::WRONG));
        }
        // Told to those only who know the password.
        let object = self.object(id);
        let control = object
            .number(Attr::USER_ACCOUNT_CONTROL)
            .unwrap_or_default();
        let expires = object.number(Attr::ACCOUNT_EXPIRES).unwrap_or_default();
        if control & uac::DISABLED != 0 {
            return Err(refused(data::DISABLED));
        }
        if expires != 0 && expires <= self.now() {
            return Err(refused(data::ACCOUNT_EXPIRED));
        }
        match self.password_expiry(id) {
            0 => return Err(refused(data::MUST_CHANGE)),
            expiry if expiry <= self.now() => return Err(refused(data::HOURS_OR_EXPIRED)),
            _ => {}
        }
        let now = self.now();
        self.put(id, Attr::LAST_LOGON, text(now));
        let count = self
            .object(id)
            .number(Attr::LOGON_COUNT)
            .unwrap_or_default();
        self.put(id, Attr::LOGON_COUNT, text(count + 1));
        let logon_name = self.object(id).text(Attr::SAM_ACCOUNT_NAME);
        Ok(LoggedOn {
            logon_name: logon_name.unwrap_or_default().to_owned(),
            token: self.token(id),
        })
    }

    /// Whether the password is the account's, with what a wrong one leads to.
    fn takes(&mut self, id: Id, password: &[u8]) -> bool {
        let Ok(password) = std::str::from_utf8(password) else {
            return false;
        };
        let object = self.object(id);
        let given = digest(object.guid, password);
        let place = object.secret.as_ref().and_then(|secret| {
            Some((
                secret.digests.iter().position(|kept| *kept == given)?,
                secret.set,
            ))
        });
        let now = self.now();
        match place {
            Some((0, _)) => {
                if self
                    .object(id)
                    .number(Attr::BAD_PWD_COUNT)
                    .unwrap_or_default()
                    != 0
                {
                    self.put(id, Attr::BAD_PWD_COUNT, text(0));
                }
                if self
                    .object(id)
                    .number(Attr::LOCKOUT_TIME)
                    .unwrap_or_default()
                    != 0
                {
                    let stamp = self.stamp();
                    self.write(id, Attr::LOCKOUT_TIME, text(0), stamp);
                }
                true
            }
            Some((1, set)) if now - set < OLD_IS_TAKEN => true,
            // The last two are somebody's who has not heard, and no attack.
            Some((1 | 2, _)) => false,
            Some(_) | None => {
                self.count_wrong(id, now);
                false
            }
        }
    }

    pub(crate) fn count_wrong(&mut self, id: Id, now: i64) {
        let policy = self.policy_of(id);
        let object = self.object(id);
        let last = object.number(Attr::BAD_PASSWORD_TIME).unwrap_or_default();
        let count = object.number(Attr::BAD_PWD_COUNT).unwrap_or_default();
        let count = if now - last > policy.lockout_window {
            1
        } else {
            count + 1
        };
        self.put(id, Attr::BAD_PWD_COUNT, text(count));
        self.put(id, Attr::BAD_PASSWORD_TIME, text(now));
        if policy.lockout_threshold != 0 && count >= policy.lockout_threshold {
            let stamp = self.stamp();
            self.write(id, Attr::LOCKOUT_TIME, text(now), stamp);
        }
    }

    pub(crate) fn token(&self, id: Id) -> Token {
        let groups = self.groups_of(id);
        let mut sids: std::collections::HashSet<Sid> = groups
            .into_iter()
            .chain([id])
            .filter_map(|id| self.sid_of(id))
            .collect();
        sids.insert(Sid::everyone());
        sids.insert(Sid::authenticated_users());
        Token { sids }
    }

    /// An object by any of the names the protocol has for it, deleted ones included.
    pub(crate) fn find(&self, name: &str) -> Option<Id> {
        let special = name
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'));
        let Some(special) = special else {
            return self.by_dn(name);
        };
        let (kind, value) = special.split_once('=')?;
        if kind.eq_ignore_ascii_case("GUID") {
            let guid = if value.contains('-') {
                Uuid::parse_str(value).ok()?
            } else {
                Uuid::from_slice_le(&unhex(value)?).ok()?
            };
            return self.by_guid(guid.as_u128());
        }
        if kind.eq_ignore_ascii_case("SID") {
            let sid = Sid::parse(value).or_else(|| Sid::from_bytes(&unhex(value)?))?;
            return self.by_sid(&sid);
        }
        let (well_known, _) = value.split_once(',')?;
        let name = WELL_KNOWN
            .iter()
            .find(|(guid, _)| guid.eq_ignore_ascii_case(well_known))?
            .1;
        self.well_known(name)
    }

    pub(crate) fn well_known(&self, name: &str) -> Option<Id> {
        let head = self.head(crate::store::object::Partition::Domain)?;
        self.by_dn(&format!("CN={name},{}", self.dn(head)))
    }
}

/// Containers by the ids that hold in every language ([MS-ADTS] 6.1.1.4).
const WELL_KNOWN: [(&str, &str); 3] = [
    ("18E2EA80684F11D2B9AA00C04F79F805", DELETED_OBJECTS),
    ("A9D1CA15768811D1ADED00C04FD8D5CD", "Users"),
    ("AA312825768811D1ADED00C04FD8D5CD", "Computers"),
];

pub(crate) const DELETED_OBJECTS: &str = "Deleted Objects";

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(high * 16 + low).ok())
        .collect()
}

impl Secret {
    /// The password changes.
    pub(crate) fn replaced(&self, digest: [u8; 32], now: i64) -> Self {
        let mut digests = vec![digest];
        // As many as the strictest history keeps.
        digests.extend(self.digests.iter().take(24));
        Self { digests, set: now }
    }
}
