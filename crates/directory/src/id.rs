//! Identities. A person in a directory is (domain, object id); everything else is an attribute.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Which kind of directory a domain is. The two connectors serve one contract; only addresses differ by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DirectoryKind {
    ActiveDirectory,
    EntraId,
}

/// The administrator's name for one configured directory: `[a-z0-9][a-z0-9.-]{0,62}`, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainId(String);

/// Why a text is not a [`DomainId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a domain id is 1 to 63 characters, lower-case letters, digits, dots and hyphens, and starts with a letter or a digit"
)]
pub struct DomainIdError;

impl DomainId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DomainId {
    type Err = DomainIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let (Some(first), 1..=63) = (text.bytes().next(), text.len()) else {
            return Err(DomainIdError);
        };
        let valid = plain(first) && text.bytes().all(|c| plain(c) || c == b'.' || c == b'-');
        valid.then(|| Self(text.to_owned())).ok_or(DomainIdError)
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A directory object's immutable id: objectGUID in Active Directory, `id` in Entra ID.
///
/// Shown and ordered as the canonical text form, so that a list sorted by the database's text order is sorted here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(Uuid);

/// Why bytes or a text are not an [`ObjectId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectIdError {
    #[error("an objectGUID is 16 bytes, not {0}")]
    Length(usize),
    #[error("an object id is a UUID such as 8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e")]
    Text,
    #[error("the nil UUID names no object")]
    Nil,
}

impl ObjectId {
    /// From the 16 bytes of objectGUID, whose first three fields are little-endian ([MS-DTYP] 2.3.4.2).
    pub fn from_guid_bytes(bytes: &[u8]) -> Result<Self, ObjectIdError> {
        let bytes: [u8; 16] = bytes
            .try_into()
            .map_err(|_| ObjectIdError::Length(bytes.len()))?;
        Self::from_uuid(Uuid::from_bytes_le(bytes))
    }

    /// The 16 bytes of objectGUID as Active Directory stores them.
    pub fn to_guid_bytes(self) -> [u8; 16] {
        self.0.to_bytes_le()
    }

    pub fn from_uuid(uuid: Uuid) -> Result<Self, ObjectIdError> {
        if uuid.is_nil() {
            return Err(ObjectIdError::Nil);
        }
        Ok(Self(uuid))
    }

    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl FromStr for ObjectId {
    type Err = ObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_uuid(Uuid::try_parse(text).map_err(|_| ObjectIdError::Text)?)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One person's object in one domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountKey {
    pub domain: DomainId,
    pub object: ObjectId,
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_ids_are_dns_like_and_bounded() {
        for good in ["a", "corp.example.com", "0-9", &"a".repeat(63)] {
            assert!(good.parse::<DomainId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "A", "a_b", "a b", "ä", &"a".repeat(64)] {
            assert_eq!(bad.parse::<DomainId>(), Err(DomainIdError), "{bad}");
        }
    }

    #[test]
    fn object_guid_bytes_swap_the_first_three_fields() {
        let bytes: Vec<u8> = (0..16).collect();

        let id = ObjectId::from_guid_bytes(&bytes).unwrap();

        assert_eq!(id.to_string(), "03020100-0504-0706-0809-0a0b0c0d0e0f");
        assert_eq!(id.to_guid_bytes().as_slice(), bytes);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_short_or_nil_guid_is_refused() {
        assert_eq!(
            ObjectId::from_guid_bytes(&[1; 15]),
            Err(ObjectIdError::Length(15))
        );
        assert_eq!(ObjectId::from_guid_bytes(&[0; 16]), Err(ObjectIdError::Nil));
    }
}
