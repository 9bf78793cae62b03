//! The password policy that the directory applies to one account: a password settings object, or the domain's.

use jiff::SignedDuration;

use crate::error::Error;
use crate::identity::Identity;
use crate::object::Object;
use crate::session::Session;

const WHAT: &str = "read the password policy";

/// What a password of the account must be like, and how long it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The least number of characters.
    pub min_length: u32,
    /// Three of the character classes, and none of the account's names.
    pub complexity: bool,
    /// None where it never expires.
    pub max_age: Option<SignedDuration>,
    /// A password settings object applies that may not be read: what it asks for is not known, and may be more than this.
    pub may_be_stricter: bool,
}

/// DOMAIN_PASSWORD_COMPLEX of pwdProperties ([MS-SAMR] 2.2.3.10).
const COMPLEX: i64 = 1;
/// In units of 100 ns, negative: how the directory writes an age.
const TICKS_PER_SECOND: i64 = 10_000_000;

impl Session {
    /// The policy of an account whose resultant password settings object is `settings`, if it has one.
    pub(super) async fn password_policy(
        &self,
        identity: &Identity,
        settings: Option<&str>,
    ) -> Result<Policy, Error> {
        let asked = self.read_policy(identity, settings);
        let policies = &self.memos().policy;
        // What could not be read is asked for again: the right to it may be given at any time.
        let is_read = |policy: &Policy| !policy.may_be_stricter;
        let name = settings.unwrap_or_default();
        policies.get_if(name, is_read, asked).await
    }

    async fn read_policy(
        &self,
        identity: &Identity,
        settings: Option<&str>,
    ) -> Result<Policy, Error> {
        const DOMAIN: &[&str] = &["minPwdLength", "pwdProperties", "maxPwdAge"];
        const OBJECT: &[&str] = &[
            "msDS-MinimumPasswordLength",
            "msDS-PasswordComplexityEnabled",
            "msDS-MaximumPasswordAge",
        ];
        if let Some(settings) = settings {
            let object = match self.object(WHAT, settings, OBJECT, vec![]).await {
                Ok(object) => object,
                // Hidden by whom may not list the container, rather than left out.
                Err(Error::Refused { code: 50, .. }) => None,
                Err(error) => return Err(error),
            };
            if let Some(policy) = object.as_ref().and_then(of_settings) {
                return Ok(policy);
            }
        }
        let domain = self
            .object(WHAT, &identity.naming_context, DOMAIN, vec![])
            .await?;
        let policy = domain.as_ref().and_then(of_domain);
        Ok(Policy {
            may_be_stricter: settings.is_some() || policy.is_none(),
            ..policy.unwrap_or(Policy {
                min_length: 0,
                complexity: true,
                max_age: None,
                may_be_stricter: true,
            })
        })
    }
}

fn of_settings(object: &Object) -> Option<Policy> {
    Some(Policy {
        min_length: length(object.number("msDS-MinimumPasswordLength")?),
        complexity: object
            .text("msDS-PasswordComplexityEnabled")?
            .eq_ignore_ascii_case("TRUE"),
        max_age: age(object.number("msDS-MaximumPasswordAge")?),
        may_be_stricter: false,
    })
}

fn of_domain(object: &Object) -> Option<Policy> {
    Some(Policy {
        min_length: length(object.number("minPwdLength")?),
        complexity: object.number("pwdProperties")? & COMPLEX != 0,
        max_age: age(object.number("maxPwdAge")?),
        may_be_stricter: false,
    })
}

fn length(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// Zero and the smallest number there is both say never.
fn age(ticks: i64) -> Option<SignedDuration> {
    match ticks {
        0 | i64::MIN => None,
        ticks => Some(SignedDuration::from_secs(
            ticks.saturating_abs() / TICKS_PER_SECOND,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domains_policy_is_read_in_its_own_units() {
        let domain = Object::of(
            "DC=corp,DC=test",
            &[
                ("minPwdLength", &[b"7"]),
                ("pwdProperties", &[b"1"]),
                ("maxPwdAge", &[b"-36288000000000"]),
            ],
        );

        assert_eq!(
            of_domain(&domain),
            Some(Policy {
                min_length: 7,
                complexity: true,
                max_age: Some(SignedDuration::from_hours(42 * 24)),
                may_be_stricter: false,
            })
        );
    }

    #[test]
    fn both_ways_to_say_never_are_never_and_what_is_withheld_is_no_policy() {
        assert_eq!(age(0), None);
        assert_eq!(age(i64::MIN), None);
        let hidden = Object::of("CN=strict", &[("msDS-MinimumPasswordLength", &[b"20"])]);
        assert_eq!(of_settings(&hidden), None);
    }
}
