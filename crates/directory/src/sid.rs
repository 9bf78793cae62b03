//! Windows security identifiers ([MS-DTYP] 2.4.2).

use std::fmt;
use std::str::FromStr;

/// A security identifier. Unlike the object id it changes when an account moves between domains of a forest.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    authority: u64,
    sub: Vec<u32>,
}

/// Why bytes or a text are not a [`Sid`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SidError {
    #[error(
        "a security identifier is 8 bytes and 4 for each of at most 15 sub-authorities, not {0} bytes"
    )]
    Length(usize),
    #[error("security identifier revision {0} is unknown")]
    Revision(u8),
    #[error("a security identifier is written S-1-<authority>-<sub-authority>-…")]
    Text,
}

impl Sid {
    /// From a SID as the directory stores it. Trailing bytes are refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SidError> {
        let length = SidError::Length(bytes.len());
        let ([revision, count, authority @ ..], rest) =
            bytes.split_first_chunk::<8>().ok_or(length.clone())?;
        if *revision != 1 {
            return Err(SidError::Revision(*revision));
        }
        if *count > 15 || rest.len() != usize::from(*count) * 4 {
            return Err(length);
        }
        let (words, _) = rest.as_chunks::<4>();
        Ok(Self {
            authority: authority
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            sub: words.iter().map(|word| u32::from_le_bytes(*word)).collect(),
        })
    }

    /// How many bytes the SID at the start of `bytes` takes, for structures that embed one.
    pub fn embedded_len(bytes: &[u8]) -> Option<usize> {
        bytes.get(1).map(|count| 8 + usize::from(*count) * 4)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let [_, _, authority @ ..] = self.authority.to_be_bytes();
        let mut bytes = vec![1, self.sub.len() as u8];
        bytes.extend_from_slice(&authority);
        bytes.extend(self.sub.iter().flat_map(|word| word.to_le_bytes()));
        bytes
    }

    /// The relative identifier: the last sub-authority.
    pub fn rid(&self) -> Option<u32> {
        self.sub.last().copied()
    }

    /// The SID without its last sub-authority: of an account, its domain's SID.
    pub fn domain(&self) -> Option<Self> {
        let (_, head) = self.sub.split_last()?;
        Some(Self {
            authority: self.authority,
            sub: head.to_vec(),
        })
    }

    /// The SID of the object with relative identifier `rid` in the domain with this SID.
    pub fn child(&self, rid: u32) -> Self {
        let mut sub = self.sub.clone();
        sub.push(rid);
        Self {
            authority: self.authority,
            sub,
        }
    }
}

impl FromStr for Sid {
    type Err = SidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.strip_prefix("S-1-").ok_or(SidError::Text)?.split('-');
        let authority = parts
            .next()
            .and_then(|part| part.parse().ok())
            .filter(|authority| *authority < 1 << 48)
            .ok_or(SidError::Text)?;
        let sub = parts
            .map(|part| part.parse().map_err(|_| SidError::Text))
            .collect::<Result<Vec<u32>, _>>()?;
        if sub.len() > 15 {
            return Err(SidError::Text);
        }
        Ok(Self { authority, sub })
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        self.sub.iter().try_for_each(|word| write!(f, "-{word}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_text_are_two_forms_of_one_sid() {
        let text = "S-1-5-21-3623811015-3361044348-30300820-1013";
        let sid: Sid = text.parse().unwrap();

        assert_eq!(Sid::from_bytes(&sid.to_bytes()), Ok(sid.clone()));
        assert_eq!(sid.to_string(), text);
        assert_eq!(sid.rid(), Some(1013));
        assert_eq!(sid.domain().map(|domain| domain.child(1013)), Some(sid));
    }

    #[test]
    fn truncated_or_padded_bytes_are_refused() {
        let bytes = "S-1-5-32-544".parse::<Sid>().unwrap().to_bytes();

        for length in 0..bytes.len() {
            assert!(Sid::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(Sid::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}
