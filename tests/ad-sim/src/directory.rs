//! The directory as its owner changes it: without LDAP, without rights to ask for, and with the same rules otherwise.

use uuid::Uuid;

use crate::change::Writer;
use crate::dn;
use crate::logon::digest;
use crate::policy::{Policy, uac};
use crate::schema::{Attr, Class};
use crate::security::{self, Ace};
use crate::store::object::{Id, Secret};
use crate::store::replica::{Replica, text};
use crate::wire::message::{Change, Verb};
use crate::wire::outcome::Outcome;

/// A change that was refused, as LDAP would tell it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused with result code {code}: {text}")]
pub struct Refused {
    pub code: u8,
    pub text: String,
}

impl From<Outcome> for Refused {
    fn from(outcome: Outcome) -> Self {
        Self {
            code: outcome.code,
            text: outcome.text,
        }
    }
}

type Result<T> = std::result::Result<T, Refused>;

/// One domain controller's directory.
#[derive(Debug)]
pub struct Directory<'a>(&'a mut Replica);

/// A user to be added.
#[derive(Clone, Debug, Default)]
pub struct NewUser<'a> {
    /// The common name.
    pub name: &'a str,
    pub logon: &'a str,
    pub given_name: &'a str,
    pub surname: &'a str,
    /// Empty: none.
    pub mail: &'a str,
    pub department: &'a str,
    pub title: &'a str,
    /// Empty: the account has none, and nobody logs on with it.
    pub password: &'a str,
    pub is_disabled: bool,
}

/// A password settings object to be added.
#[derive(Clone, Debug)]
pub struct Pso<'a> {
    pub name: &'a str,
    /// The lowest counts.
    pub precedence: i64,
    pub policy: Policy,
    /// Names of the accounts and groups it is for.
    pub applies_to: &'a [&'a str],
}

impl<'a> Directory<'a> {
    pub(crate) fn new(replica: &'a mut Replica) -> Self {
        Self(replica)
    }

    /// The name of the domain's own object.
    pub fn base(&self) -> String {
        let head = self.0.head(crate::store::object::Partition::Domain);
        head.map(|head| self.0.dn(head)).unwrap_or_default()
    }

    /// The container `CN=Users`.
    pub fn users(&self) -> String {
        format!("CN=Users,{}", self.base())
    }

    /// How many objects there are, deleted ones left out.
    pub fn len(&self) -> usize {
        self.0
            .objects()
            .filter(|(_, object)| !object.is_deleted)
            .count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The present name of the object with a logon name.
    pub fn dn_of_logon(&self, logon: &str) -> Result<String> {
        let id = self.0.by_logon(logon);
        let id = id.ok_or_else(|| Outcome::no_such_object(""))?;
        Ok(self.0.dn(id))
    }

    pub fn guid(&self, dn: &str) -> Result<Uuid> {
        Ok(Uuid::from_u128(self.0.object(self.find(dn)?).guid))
    }

    pub fn sid(&self, dn: &str) -> Result<crate::Sid> {
        let sid = self.0.sid_of(self.find(dn)?);
        Ok(sid.ok_or_else(|| Outcome::no_such_object(""))?)
    }

    /// The values of an attribute, those that are computed included.
    pub fn values(&self, dn: &str, attribute: &str) -> Result<Vec<Vec<u8>>> {
        let id = self.find(dn)?;
        let attribute = Attr::find(attribute).ok_or_else(|| Outcome::no_such_object(""))?;
        Ok(self.0.values(id, attribute, crate::read::View::default()))
    }

    pub fn add_ou(&mut self, parent: &str, name: &str) -> Result<String> {
        self.add(parent, Class::OrganizationalUnit, name, &[])
    }

    pub fn add_group(&mut self, parent: &str, name: &str) -> Result<String> {
        self.add(parent, Class::Group, name, &[("sAMAccountName", name)])
    }

    /// Adds an object of any class that clients may add.
    pub fn add(
        &mut self,
        parent: &str,
        class: Class,
        name: &str,
        attributes: &[(&str, &str)],
    ) -> Result<String> {
        let naming = class.naming().of().name.to_uppercase();
        let dn = format!("{naming}={},{parent}", dn::escape(name));
        let mut all = vec![(
            "objectClass".to_owned(),
            class
                .names()
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect(),
        )];
        for (name, value) in attributes {
            all.push(((*name).to_owned(), vec![value.as_bytes().to_vec()]));
        }
        self.0.add(Writer::Owner, &dn, &all, true)?;
        Ok(dn)
    }

    pub fn add_user(&mut self, parent: &str, user: &NewUser<'_>) -> Result<String> {
        let domain = self.0.domain.dns_name.clone();
        let principal = format!("{}@{domain}", user.logon);
        let mut control = uac::NORMAL;
        if user.is_disabled {
            control |= uac::DISABLED;
        }
        let control = control.to_string();
        let all = [
            ("sAMAccountName", user.logon),
            ("userPrincipalName", principal.as_str()),
            ("displayName", user.name),
            ("givenName", user.given_name),
            ("sn", user.surname),
            ("mail", user.mail),
            ("department", user.department),
            ("title", user.title),
            ("userAccountControl", control.as_str()),
        ];
        let given: Vec<_> = all
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let dn = self.add(parent, Class::User, user.name, &given)?;
        if !user.password.is_empty() {
            self.set_password(&dn, user.password)?;
        }
        Ok(dn)
    }

    /// Replaces an attribute; no values clear it.
    pub fn set(&mut self, dn: &str, attribute: &str, values: &[&str]) -> Result<()> {
        self.modify(dn, Verb::Replace, attribute, values)
    }

    pub fn join(&mut self, group: &str, member: &str) -> Result<()> {
        self.modify(group, Verb::Add, "member", &[member])
    }

    pub fn leave(&mut self, group: &str, member: &str) -> Result<()> {
        self.modify(group, Verb::Delete, "member", &[member])
    }

    /// Makes these the members, and no others.
    pub fn set_members(&mut self, group: &str, members: &[&str]) -> Result<()> {
        self.modify(group, Verb::Replace, "member", members)
    }

    fn modify(&mut self, dn: &str, verb: Verb, attribute: &str, values: &[&str]) -> Result<()> {
        let id = self.find(dn)?;
        let change = Change {
            verb,
            attribute: attribute.to_owned(),
            values: values
                .iter()
                .map(|value| value.as_bytes().to_vec())
                .collect(),
        };
        Ok(self.0.modify(Writer::Owner, id, &[change], true)?)
    }

    pub fn disable(&mut self, dn: &str) -> Result<()> {
        self.control(dn, |control| control | uac::DISABLED)
    }

    pub fn enable(&mut self, dn: &str) -> Result<()> {
        self.control(dn, |control| control & !uac::DISABLED)
    }

    fn control(&mut self, dn: &str, change: impl FnOnce(i64) -> i64) -> Result<()> {
        let id = self.find(dn)?;
        let control = self
            .0
            .object(id)
            .number(Attr::USER_ACCOUNT_CONTROL)
            .unwrap_or_default();
        self.set(dn, "userAccountControl", &[&change(control).to_string()])
    }

    /// Gives another common name. Returns the new name in full.
    pub fn rename(&mut self, dn: &str, name: &str) -> Result<String> {
        let id = self.find(dn)?;
        let naming = self.0.object(id).class.naming().of().name;
        let rdn = format!("{naming}={}", dn::escape(name));
        self.0.rename(Writer::Owner, id, &rdn, None)?;
        Ok(self.0.dn(id))
    }

    /// Moves it below another parent. Returns the new name in full.
    pub fn move_to(&mut self, dn: &str, parent: &str) -> Result<String> {
        let id = self.find(dn)?;
        let object = self.0.object(id);
        let rdn = format!(
            "{}={}",
            object.class.naming().of().name,
            dn::escape(&object.name)
        );
        self.0.rename(Writer::Owner, id, &rdn, Some(parent))?;
        Ok(self.0.dn(id))
    }

    pub fn delete(&mut self, dn: &str) -> Result<()> {
        let id = self.find(dn)?;
        Ok(self.0.delete(Writer::Owner, id)?)
    }

    /// Brings a deleted object back under a name.
    pub fn restore(&mut self, guid: Uuid, dn: &str) -> Result<()> {
        let id = self.find(&format!("<GUID={guid}>"))?;
        Ok(self.0.restore(Writer::Owner, id, dn)?)
    }

    /// Sets a password, whatever the policy says.
    /// Whether somebody gets in with a password, as at a workstation. A wrong one counts.
    pub fn logs_on(&mut self, name: &str, password: &str) -> bool {
        self.0.logon(name, password.as_bytes()).is_ok()
    }

    pub fn set_password(&mut self, dn: &str, password: &str) -> Result<()> {
        let id = self.find(dn)?;
        let stamp = self.0.stamp();
        let object = self.0.object_mut(id);
        let kept = object.secret.take().unwrap_or_default();
        let digest = digest(object.guid, password);
        object.secret = Some(Box::new(Secret::replaced(&kept, digest, stamp.now)));
        self.0.mark(id, Attr::UNICODE_PWD, stamp);
        self.0.write(id, Attr::PWD_LAST_SET, text(stamp.now), stamp);
        Ok(())
    }

    pub fn set_policy(&mut self, policy: &Policy) {
        self.0.set_policy(policy);
    }

    pub fn add_pso(&mut self, pso: &Pso<'_>) -> Result<String> {
        let container = format!("CN=Password Settings Container,CN=System,{}", self.base());
        let policy = &pso.policy;
        let never = |age: i64| if age == 0 { i64::MIN } else { -age };
        let attributes = [
            (
                "msDS-PasswordSettingsPrecedence",
                pso.precedence.to_string(),
            ),
            ("msDS-MinimumPasswordLength", policy.min_length.to_string()),
            ("msDS-PasswordComplexityEnabled", truth(policy.is_complex)),
            ("msDS-PasswordHistoryLength", policy.history.to_string()),
            ("msDS-MinimumPasswordAge", (-policy.min_age).to_string()),
            ("msDS-MaximumPasswordAge", never(policy.max_age).to_string()),
            (
                "msDS-LockoutThreshold",
                policy.lockout_threshold.to_string(),
            ),
            (
                "msDS-LockoutDuration",
                never(policy.lockout_duration).to_string(),
            ),
            (
                "msDS-LockoutObservationWindow",
                (-policy.lockout_window).to_string(),
            ),
            ("msDS-PasswordReversibleEncryptionEnabled", truth(false)),
        ];
        let attributes: Vec<_> = attributes
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let dn = self.add(&container, Class::PasswordSettings, pso.name, &attributes)?;
        self.modify(&dn, Verb::Add, "msDS-PSOAppliesTo", pso.applies_to)?;
        Ok(dn)
    }

    /// Adds an entry to an object's access list.
    pub fn grant(&mut self, dn: &str, ace: Ace) -> Result<()> {
        let id = self.find(dn)?;
        let class = self.0.object(id).class;
        let default = security::default(&self.0.domain.sid, class);
        self.0.access.entry(id).or_insert(default).aces.push(ace);
        let stamp = self.0.stamp();
        self.0.mark(id, Attr::SECURITY_DESCRIPTOR, stamp);
        Ok(())
    }

    /// Marks and protects administrators, as a domain controller does every hour.
    pub fn protect_administrators(&mut self) {
        self.0.protect_administrators();
    }

    fn find(&self, dn: &str) -> Result<Id> {
        Ok(self.0.find(dn).ok_or_else(|| Outcome::no_such_object(dn))?)
    }
}

fn truth(value: bool) -> String {
    if value { "TRUE" } else { "FALSE" }.to_owned()
}
