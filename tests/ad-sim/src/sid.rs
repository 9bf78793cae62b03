//! Security identifiers.

use std::fmt;

/// A security identifier ([MS-DTYP] 2.4.2) with the authority 5, which all here have, or 1 for Everyone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    authority: u8,
    parts: Vec<u32>,
}

impl Sid {
    pub fn new(parts: &[u32]) -> Self {
        Self {
            authority: 5,
            parts: parts.to_vec(),
        }
    }

    pub(crate) fn everyone() -> Self {
        Self {
            authority: 1,
            parts: vec![0],
        }
    }

    /// SELF: whoever an object stands for.
    pub(crate) fn principal_self() -> Self {
        Self::new(&[10])
    }

    pub fn authenticated_users() -> Self {
        Self::new(&[11])
    }

    pub(crate) fn system() -> Self {
        Self::new(&[18])
    }

    /// A group of the `Builtin` container, such as 544 for Administrators.
    pub fn builtin(rid: u32) -> Self {
        Self::new(&[32, rid])
    }

    /// An account or group of this domain.
    pub fn with_rid(&self, rid: u32) -> Self {
        let mut parts = self.parts.clone();
        parts.push(rid);
        Self {
            authority: self.authority,
            parts,
        }
    }

    pub fn rid(&self) -> u32 {
        self.parts.last().copied().unwrap_or_default()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let count = u8::try_from(self.parts.len()).unwrap_or(u8::MAX);
        let mut bytes = vec![1, count, 0, 0, 0, 0, 0, self.authority];
        for part in &self.parts {
            bytes.extend(part.to_le_bytes());
        }
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [1, count, 0, 0, 0, 0, 0, authority, rest @ ..] = bytes else {
            return None;
        };
        let (parts, []) = rest.as_chunks::<4>() else {
            return None;
        };
        (parts.len() == usize::from(*count)).then(|| Self {
            authority: *authority,
            parts: parts.iter().map(|part| u32::from_le_bytes(*part)).collect(),
        })
    }

    /// `S-1-5-…`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("S-1-")?.split('-');
        let authority = parts.next()?.parse().ok()?;
        let parts: Result<Vec<u32>, _> = parts.map(str::parse).collect();
        Some(Self {
            authority,
            parts: parts.ok()?,
        })
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        for part in &self.parts {
            write!(f, "-{part}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_text_say_the_same() {
        let sid = Sid::new(&[21, 1, 2, 3]).with_rid(1104);

        assert_eq!(sid.to_string(), "S-1-5-21-1-2-3-1104");
        assert_eq!(Sid::parse("S-1-5-21-1-2-3-1104"), Some(sid.clone()));
        assert_eq!(Sid::from_bytes(&sid.to_bytes()), Some(sid.clone()));
        assert_eq!(sid.rid(), 1104);
        assert_eq!(Sid::from_bytes(&[1, 2, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]), None);
    }
}
