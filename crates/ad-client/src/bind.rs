//! Why a bind was refused: Active Directory hides the reason in the text of result 49.

use std::fmt;

/// The sub-code of result 49 (`… AcceptSecurityContext error, data 52e, v4563`), decoded.
///
/// All but [`Self::WrongPassword`], [`Self::NoSuchUser`] and [`Self::Locked`] are told only to who knows the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindReason {
    /// 525. Many domain controllers answer 52e instead.
    NoSuchUser,
    /// 52e: the name or the password is wrong.
    WrongPassword,
    /// 530
    OutsideLogonHours,
    /// 531
    WorkstationNotAllowed,
    /// 532
    PasswordExpired,
    /// 533
    Disabled,
    /// 701
    AccountExpired,
    /// 773
    MustChangePassword,
    /// 775, whatever the password.
    Locked,
    /// A sub-code, or a result code, not known here.
    Other { code: u32, text: String },
}

/// What a logon says of the password that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    Right,
    Wrong,
    /// It would have been refused with any password.
    Unverifiable,
}

impl BindReason {
    /// What this refusal says of the password. All but a few are told only to who knows it, so that a refusal proves it.
    pub fn trial(&self) -> Trial {
        match self {
            Self::WrongPassword => Trial::Wrong,
            Self::OutsideLogonHours
            | Self::WorkstationNotAllowed
            | Self::PasswordExpired
            | Self::Disabled
            | Self::AccountExpired
            | Self::MustChangePassword => Trial::Right,
            Self::NoSuchUser | Self::Locked | Self::Other { .. } => Trial::Unverifiable,
        }
    }

    /// From the result code and the diagnostic text of a refused bind.
    pub fn decode(code: u32, text: &str) -> Self {
        let other = || Self::Other {
            code,
            text: text.to_owned(),
        };
        if code != 49 {
            return other();
        }
        let Some((_, after)) = text.split_once("data ") else {
            return other();
        };
        let sub_code = after.split([',', ' ', '\0']).next().unwrap_or_default();
        match sub_code.to_ascii_lowercase().as_str() {
            "525" => Self::NoSuchUser,
            "52e" => Self::WrongPassword,
            "530" => Self::OutsideLogonHours,
            "531" => Self::WorkstationNotAllowed,
            "532" => Self::PasswordExpired,
            "533" => Self::Disabled,
            "701" => Self::AccountExpired,
            "773" => Self::MustChangePassword,
            "775" => Self::Locked,
            _ => other(),
        }
    }

    pub fn what_to_do(&self) -> &'static str {
        match self {
            Self::NoSuchUser | Self::WrongPassword => {
                "Enter the logon name (name@domain or DOMAIN\\name) and the password again."
            }
            Self::OutsideLogonHours => "Let the account log on at all hours.",
            Self::WorkstationNotAllowed => {
                "Let the account log on from every computer (its Log On To list)."
            }
            Self::PasswordExpired => {
                "Set a new password for the account, and mark it as never expiring."
            }
            Self::Disabled => "Enable the account.",
            Self::AccountExpired => "Extend the account's expiry, or set it to never.",
            Self::MustChangePassword => {
                "Clear `User must change password at next logon` on the account."
            }
            Self::Locked => "Unlock the account, and find what locks it.",
            Self::Other { .. } => {
                "Look the result up in the domain controller's security event log."
            }
        }
    }
}

impl fmt::Display for BindReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchUser => "no such user (525)",
            Self::WrongPassword => "wrong logon name or password (52e)",
            Self::OutsideLogonHours => "the account may not log on at this hour (530)",
            Self::WorkstationNotAllowed => "the account may not log on from this computer (531)",
            Self::PasswordExpired => "the account's password has expired (532)",
            Self::Disabled => "the account is disabled (533)",
            Self::AccountExpired => "the account has expired (701)",
            Self::MustChangePassword => "the account must change its password first (773)",
            Self::Locked => "the account is locked out (775)",
            Self::Other { code, text } => return write!(f, "result {code}: {text}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_only_the_right_password_gets_proves_it() {
        for (code, trial) in [
            ("52e", Trial::Wrong),
            ("533", Trial::Right),
            ("773", Trial::Right),
            ("701", Trial::Right),
            ("532", Trial::Right),
            ("530", Trial::Right),
            ("531", Trial::Right),
            ("775", Trial::Unverifiable),
            ("525", Trial::Unverifiable),
            ("1", Trial::Unverifiable),
        ] {
            let reason = BindReason::decode(49, &format!("… error, data {code}, v1db1"));
            assert_eq!(reason.trial(), trial, "{code}");
        }
        let busy = BindReason::decode(51, "");
        assert_eq!(busy.trial(), Trial::Unverifiable);
    }

    #[test]
    fn sub_codes_of_windows_and_samba_are_understood() {
        let windows = "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 775, v4563\0";
        let samba = "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1";

        assert_eq!(BindReason::decode(49, windows), BindReason::Locked);
        assert_eq!(BindReason::decode(49, samba), BindReason::WrongPassword);
        assert!(matches!(
            BindReason::decode(49, "data 9999, v1"),
            BindReason::Other { .. }
        ));
        assert!(matches!(
            BindReason::decode(53, "data 52e,"),
            BindReason::Other { .. }
        ));
    }
}
