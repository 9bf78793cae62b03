//! One person's object in one domain, as last read.

use jiff::Timestamp;

use crate::{ObjectId, Sid};

/// Whether a person's object is there, and if not, how it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// In the directory and a member of the sync group.
    Member,
    /// In the directory and in scope, but only in the rotation group: known, not an employee, never rotated.
    RotationOnly,
    /// In the directory, no longer in the sync group, or outside the configured scope.
    Left,
    /// Deleted from the directory. A restore brings the same object id back.
    Deleted,
}

/// What kind of account this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Member,
    /// An Entra guest. Never linked by mail, never rotated.
    Guest,
}

/// A yes-or-no the directory may refuse to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    No,
    Yes,
    /// The reader may not see what decides it.
    Unknown,
}

impl From<bool> for Flag {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// What the directory says of an account's ability to log on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountState {
    pub disabled: bool,
    pub locked: bool,
    /// The account's own expiry lies in the past.
    pub expired: bool,
    /// The password's age exceeds the effective policy.
    pub password_expired: bool,
    /// The password must be changed at the next logon.
    pub must_change_password: bool,
    pub smartcard_required: bool,
    /// In a protected group, marked by adminCount, built-in, or holding a directory role.
    pub privileged: Flag,
}

impl AccountState {
    /// An ordinary account that can log on.
    pub const fn enabled() -> Self {
        Self {
            disabled: false,
            locked: false,
            expired: false,
            password_expired: false,
            must_change_password: false,
            smartcard_required: false,
            privileged: Flag::No,
        }
    }
}

/// An attribute that can be cleared, and counted by the guard when many are cleared at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attribute {
    UserPrincipalName,
    DisplayName,
    GivenName,
    Surname,
    Mail,
    Phone,
    Department,
    Company,
    Title,
}

impl Attribute {
    pub const ALL: [Self; 9] = [
        Self::UserPrincipalName,
        Self::DisplayName,
        Self::GivenName,
        Self::Surname,
        Self::Mail,
        Self::Phone,
        Self::Department,
        Self::Company,
        Self::Title,
    ];

    /// The project's name for it, stable: it is stored, and shown in plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserPrincipalName => "user_principal_name",
            Self::DisplayName => "display_name",
            Self::GivenName => "given_name",
            Self::Surname => "surname",
            Self::Mail => "mail",
            Self::Phone => "phone",
            Self::Department => "department",
            Self::Company => "company",
            Self::Title => "title",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|attribute| attribute.name() == name)
    }
}

/// One person's object in one domain.
///
/// Optional attributes are `None` when the directory holds no value. An attribute the reader may not see is not `None`
/// by itself: the reader lists it in [`Account::unreadable`], and whoever compares keeps what was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: ObjectId,
    /// The account's own SID in Active Directory; in Entra ID, the SID of the on-premises twin it is synced from.
    pub sid: Option<Sid>,
    pub kind: Kind,
    /// sAMAccountName in Active Directory; the UPN in Entra ID.
    pub logon_name: String,
    /// The distinguished name; empty in Entra ID.
    pub dn: String,
    pub user_principal_name: Option<String>,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub mail: Option<String>,
    pub phone: Option<String>,
    pub department: Option<String>,
    pub company: Option<String>,
    pub title: Option<String>,
    pub state: AccountState,
    /// When the password was last set, by the directory's clock; `None` where it was never set or must be changed.
    pub password_last_set: Option<Timestamp>,
    /// When the account itself expires, by the directory's clock.
    pub expires: Option<Timestamp>,
    /// Attributes this read may not see (sorted): absent, but not cleared.
    pub unreadable: Vec<Attribute>,
}

impl Account {
    pub fn attribute(&self, attribute: Attribute) -> Option<&str> {
        match attribute {
            Attribute::UserPrincipalName => self.user_principal_name.as_deref(),
            Attribute::DisplayName => self.display_name.as_deref(),
            Attribute::GivenName => self.given_name.as_deref(),
            Attribute::Surname => self.surname.as_deref(),
            Attribute::Mail => self.mail.as_deref(),
            Attribute::Phone => self.phone.as_deref(),
            Attribute::Department => self.department.as_deref(),
            Attribute::Company => self.company.as_deref(),
            Attribute::Title => self.title.as_deref(),
        }
    }

    pub fn set_attribute(&mut self, attribute: Attribute, value: Option<String>) {
        let field = match attribute {
            Attribute::UserPrincipalName => &mut self.user_principal_name,
            Attribute::DisplayName => &mut self.display_name,
            Attribute::GivenName => &mut self.given_name,
            Attribute::Surname => &mut self.surname,
            Attribute::Mail => &mut self.mail,
            Attribute::Phone => &mut self.phone,
            Attribute::Department => &mut self.department,
            Attribute::Company => &mut self.company,
            Attribute::Title => &mut self.title,
        };
        *field = value;
    }
}
