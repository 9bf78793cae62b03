//! How an account stands: whether its password may be reset, and what a new one must be like.

use directory::{Account, Flag, ObjectId, Sid};
use jiff::Timestamp;

use super::policy::Policy;
use super::{Version, base, metadata, protect};
use crate::access::{self, Access};
use crate::control;
use crate::entry::{self, Context, Person};
use crate::error::Error;
use crate::identity::Identity;
use crate::object::Object;
use crate::session::Session;

const WHAT: &str = "read an account's password state";

/// What of an account a reset hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The domain controller's clock: what rotation goes by (R7).
    pub now: Timestamp,
    /// Why its password may not be reset; none where it may.
    pub barrier: Option<Barrier>,
    /// When its password was set, by the directory's clock; none where never, or where it must be changed at the next logon.
    pub set: Option<Timestamp>,
    /// None where the metadata can't be read.
    pub version: Option<Version>,
    pub policy: Policy,
    /// Its distinguished name at this moment: what a bind goes by.
    pub dn: String,
    pub logon_name: String,
    pub display_name: String,
    pub locked: bool,
}

/// What one domain controller shows of an account's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// None where the metadata can't be read.
    pub version: Option<Version>,
    /// None where it was never set, or must be changed at the next logon.
    pub set: Option<Timestamp>,
    pub locked: bool,
    pub dn: String,
}

/// Why a password may not be reset. The first that holds, the most lasting first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Not there, or not to be seen.
    Gone,
    /// A computer, a managed service account, a trust; or the account that this session is logged on with.
    NotAPerson,
    Privileged {
        why: String,
    },
    /// What decides whether it is privileged can't be read.
    Undecided {
        why: &'static str,
    },
    SmartcardRequired,
    Disabled,
    Expired,
    MustChange,
    Locked,
    NoRight,
}

impl Session {
    /// Reads how an account stands.
    pub async fn standing(&self, identity: &Identity, object: ObjectId) -> Result<Standing, Error> {
        let mut attributes = entry::ACCOUNT_ATTRIBUTES.to_vec();
        attributes.extend(access::ATTRIBUTES);
        attributes.extend([metadata::ATTRIBUTE, "msDS-ResultantPSO", "tokenGroups"]);
        attributes.sort_unstable();
        attributes.dedup();
        let controls = vec![control::security_descriptor()];
        let found = self
            .object(WHAT, &base(object), &attributes, controls)
            .await?;
        let Some(found) = found else {
            return Ok(Standing::gone(self.current_time().await?));
        };
        // The groups that count are those of the logon: they are the session's for as long as it lasts.
        let token = self.memos().token.get("", self.token(identity)).await?;
        let settings = found.text("msDS-ResultantPSO");
        let policy = self.password_policy(identity, settings).await?;
        // As it is now: the session, and the identity with it, may be hours old.
        let now = self.current_time().await?;
        let context = Context {
            now,
            // Asked of the token groups instead, which are never absent where they can be read.
            admin_count_is_readable: true,
        };
        let mut standing = Standing {
            now,
            barrier: None,
            set: None,
            version: found
                .bytes(metadata::ATTRIBUTE)
                .and_then(metadata::password_version),
            policy,
            dn: found.dn.clone(),
            logon_name: found.text("sAMAccountName").unwrap_or_default().to_owned(),
            display_name: found.text("displayName").unwrap_or_default().to_owned(),
            locked: false,
        };
        let account = match entry::person(&found, context) {
            Person::Account { account, .. } => account,
            Person::Other => {
                standing.barrier = Some(Barrier::NotAPerson);
                return Ok(standing);
            }
            Person::Issue(_) => {
                standing.barrier = Some(Barrier::Undecided {
                    why: "the account's own attributes can't be read",
                });
                return Ok(standing);
            }
        };
        standing.set = account.password_last_set;
        standing.locked = account.state.locked;
        let is_own = match (&token, &account.sid) {
            (Some(token), Some(sid)) => token.contains(sid),
            _ => false,
        };
        standing.barrier = if is_own {
            Some(Barrier::NotAPerson)
        } else {
            protection(identity, &found, &account)
                .or_else(|| state(&account))
                .or_else(|| {
                    let right = access::reset_access(Some(&found), token.as_ref());
                    (right == Access::Denied).then_some(Barrier::NoRight)
                })
        };
        Ok(standing)
    }

    /// What this domain controller shows of a password; none where the account is not there.
    pub async fn password_look(&self, object: ObjectId) -> Result<Option<Look>, Error> {
        const ATTRIBUTES: &[&str] = &[
            metadata::ATTRIBUTE,
            "pwdLastSet",
            "msDS-User-Account-Control-Computed",
        ];
        let found = self.object(WHAT, &base(object), ATTRIBUTES, vec![]).await?;
        Ok(found.map(|found| Look {
            version: found
                .bytes(metadata::ATTRIBUTE)
                .and_then(metadata::password_version),
            set: found.number("pwdLastSet").and_then(crate::time::filetime),
            locked: entry::is_locked(&found),
            dn: found.dn,
        }))
    }
}

impl Standing {
    fn gone(now: Timestamp) -> Self {
        Self {
            now,
            barrier: Some(Barrier::Gone),
            set: None,
            version: None,
            policy: Policy {
                min_length: 0,
                complexity: true,
                max_age: None,
                may_be_stricter: true,
            },
            dn: String::new(),
            logon_name: String::new(),
            display_name: String::new(),
            locked: false,
        }
    }
}

/// Whether the account is one of the directory's own administrators.
fn protection(identity: &Identity, object: &Object, account: &Account) -> Option<Barrier> {
    let privileged = |why: String| Some(Barrier::Privileged { why });
    let Some(sid) = &account.sid else {
        return Some(Barrier::Undecided {
            why: "its objectSid can't be read",
        });
    };
    if protect::is_built_in(sid) {
        return privileged("it came with the directory".to_owned());
    }
    if account.state.privileged != Flag::No {
        return privileged("the directory marks it as protected (adminCount)".to_owned());
    }
    let groups: Vec<Sid> = object
        .values("tokenGroups")
        .iter()
        .filter_map(|value| Sid::from_bytes(value).ok())
        .collect();
    // The primary group is always among them: none says that they were withheld.
    if groups.is_empty() {
        return Some(Barrier::Undecided {
            why: "the groups it is in (tokenGroups) can't be read",
        });
    }
    let group = protect::protected_group(&identity.domain_sid, &groups)?;
    privileged(format!("it is in the protected group {group}"))
}

fn state(account: &Account) -> Option<Barrier> {
    let state = &account.state;
    [
        (state.smartcard_required, Barrier::SmartcardRequired),
        (state.disabled, Barrier::Disabled),
        (state.expired, Barrier::Expired),
        (state.must_change_password, Barrier::MustChange),
        (state.locked, Barrier::Locked),
    ]
    .into_iter()
    .find_map(|(holds, barrier)| holds.then_some(barrier))
}
