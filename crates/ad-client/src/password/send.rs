//! Resetting a password: one request, once, and what became of it.

use std::collections::HashSet;
use std::time::Duration;

use directory::ObjectId;
use ldap3::{LdapError, Mod};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::base;
use crate::session::Session;

/// What became of a reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Applied,
    /// The directory answered that it did not, or nothing was written to the socket.
    Refused(Refusal),
    /// It may have been carried out, and may be yet.
    Unknown {
        why: String,
    },
}

/// Why a password was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too short, too simple, or used before.
    Policy,
    /// The account that is logged on may not.
    NoRight,
    NotFound,
    /// Less time was left than none.
    Deadline,
    /// Another result code, which says that nothing was done.
    Other {
        code: u32,
    },
}

/// unicodePwd, and never `userPassword`: a directory takes that too, answers success, and changes no password.
const ATTRIBUTE: &[u8] = b"unicodePwd";
/// ERROR_PASSWORD_RESTRICTION, in the text of the answer.
const RESTRICTION: &str = "0000052D";

impl Session {
    /// Replaces an account's password, as an administrator does: once, without a retry. Not after `deadline`; an answer is
    /// waited for until `deadline` too, or for as long as other operations, whichever is longer.
    pub async fn reset_password(
        &self,
        object: ObjectId,
        value: &SecretString,
        deadline: Instant,
    ) -> Answer {
        let quoted = quoted(value);
        let values = HashSet::from([quoted.as_slice().to_vec()]);
        let change = vec![Mod::Replace(ATTRIBUTE.to_vec(), values)];
        let dn = base(object);
        let (mut ldap, patience) = self.writer();
        // The last thing before the request goes to the task that writes it: what follows is not waited for by anyone.
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Answer::Refused(Refusal::Deadline);
        }
        let patience: Duration = left.max(patience);
        match ldap.with_timeout(patience).modify(&dn, change).await {
            Ok(result) => answer(result.rc, &result.text),
            Err(error) => unknown(&error),
        }
    }
}

/// In quotes, as UTF-16LE ([MS-ADTS] 3.1.1.3.1.5.1).
fn quoted(value: &SecretString) -> Zeroizing<Vec<u8>> {
    let text = value.expose_secret();
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * (text.len() + 2)));
    let units = std::iter::once(u16::from(b'"'))
        .chain(text.encode_utf16())
        .chain([u16::from(b'"')]);
    for unit in units {
        bytes.extend(unit.to_le_bytes());
    }
    bytes
}

/// A refusal is one only where the answer says that nothing was done. Codes that a server gives for trouble of its own,
/// in the middle of anything, say nothing.
fn answer(code: u32, text: &str) -> Answer {
    match code {
        0 => Answer::Applied,
        19 | 53 if text.contains(RESTRICTION) => Answer::Refused(Refusal::Policy),
        32 => Answer::Refused(Refusal::NotFound),
        50 => Answer::Refused(Refusal::NoRight),
        // strongerAuthRequired, referral, unavailableCriticalExtension, confidentialityRequired, noSuchAttribute,
        // undefinedAttributeType, constraintViolation, attributeOrValueExists, invalidAttributeSyntax, invalidDNSyntax,
        // inappropriateAuthentication, busy, unavailable, unwillingToPerform
        8 | 10 | 12 | 13 | 16 | 17 | 19 | 20 | 21 | 34 | 48 | 51 | 52 | 53 => {
            Answer::Refused(Refusal::Other { code })
        }
        _ => Answer::Unknown {
            why: format!(
                "the directory answered {} ({code})",
                crate::error::code_name(code)
            ),
        },
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum differs by its features: the rest is a lost connection"
)]
fn unknown(error: &LdapError) -> Answer {
    let why = match error {
        LdapError::Timeout { .. } => "no answer came in time",
        // Only its kind: a library's own text may hold what was sent.
        _ => "the connection was lost before an answer came",
    };
    Answer::Unknown {
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_in_utf16() {
        let quoted = quoted(&SecretString::from("aB1"));
        assert_eq!(quoted.as_slice(), b"\"\0a\0B\x001\0\"\0");
    }

    #[test]
    fn only_answers_that_say_so_are_refusals() {
        let windows =
            "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0\n\0";
        let samba = "0000052D: Constraint violation - check_password_restrictions: the password does not meet the complexity criteria!";
        let cases = [
            (0, "", Answer::Applied),
            (53, windows, Answer::Refused(Refusal::Policy)),
            (19, samba, Answer::Refused(Refusal::Policy)),
            (50, "", Answer::Refused(Refusal::NoRight)),
            (32, "", Answer::Refused(Refusal::NotFound)),
            (
                53,
                "0000001F: SvcErr",
                Answer::Refused(Refusal::Other { code: 53 }),
            ),
            (51, "", Answer::Refused(Refusal::Other { code: 51 })),
        ];
        for (code, text, expected) in cases {
            assert_eq!(answer(code, text), expected, "{code} {text}");
        }
        for code in [1, 3, 80, 4_711] {
            assert!(matches!(answer(code, ""), Answer::Unknown { .. }), "{code}");
        }
    }
}
