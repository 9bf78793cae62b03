//! replPropertyMetaData: a PROPERTY_META_DATA_VECTOR ([MS-ADTS] 3.1.1.3.1.1.2), the stored form of what Windows also shows
//! as `msDS-ReplAttributeMetaData`, which Samba does not. Any account that may read the object may read it.

use jiff::Timestamp;
use uuid::Uuid;

use super::Version;

/// The attribute that holds it.
pub(super) const ATTRIBUTE: &str = "replPropertyMetaData";

/// unicodePwd, which is in the schema that every directory starts with: its number is the same everywhere.
const UNICODE_PWD: u32 = 0x0009_005a;
const HEADER: usize = 16;
const ENTRY: usize = 48;
/// Seconds from 1601 to 1970.
const EPOCH: i64 = 11_644_473_600;

/// What it says of the password; `None` where it says nothing of it, or cannot be read.
pub(super) fn password_version(blob: &[u8]) -> Option<Version> {
    let (1, count) = (number(blob, 0)?, number(blob, 8)?) else {
        return None;
    };
    let entries = blob.get(HEADER..)?;
    let expected = usize::try_from(count).ok()?.checked_mul(ENTRY)?;
    if entries.len() < expected {
        return None;
    }
    let entry = entries
        .chunks_exact(ENTRY)
        .find(|entry| number(entry, 0) == Some(UNICODE_PWD))?;
    let seconds = i64::from_le_bytes(entry.get(8..16)?.try_into().ok()?);
    Some(Version {
        number: number(entry, 4)?,
        origin: Uuid::from_slice_le(entry.get(16..32)?).ok()?,
        time: Timestamp::from_second(seconds.checked_sub(EPOCH)?).ok()?,
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(entries: &[(u32, u32, i64)]) -> Vec<u8> {
        let mut blob = Vec::new();
        blob.extend(1_u32.to_le_bytes());
        blob.extend(0_u32.to_le_bytes());
        blob.extend(u32::try_from(entries.len()).unwrap().to_le_bytes());
        blob.extend(0_u32.to_le_bytes());
        for (attribute, version, seconds) in entries {
            blob.extend(attribute.to_le_bytes());
            blob.extend(version.to_le_bytes());
            blob.extend((seconds + EPOCH).to_le_bytes());
            blob.extend(Uuid::from_u128(7).to_bytes_le());
            blob.extend([0; 16]);
        }
        blob
    }

    #[test]
    fn the_passwords_entry_is_found_among_others() {
        let blob = vector(&[(0, 9, 0), (UNICODE_PWD, 3, 1_800_000_000), (0x9007d, 1, 0)]);

        assert_eq!(
            password_version(&blob),
            Some(Version {
                number: 3,
                origin: Uuid::from_u128(7),
                time: Timestamp::from_second(1_800_000_000).unwrap(),
            })
        );
    }

    #[test]
    fn what_is_cut_off_or_of_another_form_says_nothing() {
        let blob = vector(&[(0, 9, 0), (UNICODE_PWD, 3, 1_800_000_000)]);
        for length in 0..blob.len() {
            assert_eq!(password_version(&blob[..length]), None, "{length}");
        }
        let mut other = blob;
        other[0] = 2;
        assert_eq!(password_version(&other), None);
        assert_eq!(password_version(&vector(&[(0, 9, 0)])), None);
    }
}
