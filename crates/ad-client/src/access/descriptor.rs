//! Self-relative security descriptors ([MS-DTYP] 2.4.6), as nTSecurityDescriptor holds them.

use directory::Sid;
use uuid::Uuid;

/// Who owns an object, and who may do what to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityDescriptor {
    pub owner: Option<Sid>,
    /// In the order stored, which is the order of evaluation. `None`: the descriptor came without one.
    pub dacl: Option<Vec<Ace>>,
}

/// An entry that allows or denies. Entries of other types (audit, labels) decide nothing and aren't kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ace {
    pub kind: AceKind,
    /// Carries a condition, which cannot be evaluated here.
    pub conditional: bool,
    /// Only handed on to children: says nothing of the object itself.
    pub inherit_only: bool,
    pub mask: u32,
    /// Limits the entry to one property, property set or extended right.
    pub object_type: Option<Uuid>,
    /// Limits the entry to objects of one class.
    pub inherited_object_type: Option<Uuid>,
    pub sid: Sid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AceKind {
    Allow,
    Deny,
}

/// Why bytes are not a security descriptor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    #[error("a security descriptor of revision {0} is unknown")]
    Revision(u8),
    #[error("the security descriptor ends in the middle of its {0}")]
    Truncated(&'static str),
    #[error("the security descriptor holds a malformed SID")]
    Sid(#[source] directory::SidError),
}

const DACL_PRESENT: u16 = 0x4;
const INHERIT_ONLY: u8 = 0x8;
const OBJECT_TYPE_PRESENT: u32 = 1;
const INHERITED_OBJECT_TYPE_PRESENT: u32 = 2;

impl SecurityDescriptor {
    pub fn parse(bytes: &[u8]) -> Result<Self, DescriptorError> {
        let header = Fields(bytes, "header");
        let revision = header.array::<1>(0)?[0];
        if revision != 1 {
            return Err(DescriptorError::Revision(revision));
        }
        let control = u16::from_le_bytes(header.array(2)?);
        let owner_at = header.offset(4)?;
        let dacl_at = header.offset(16)?;
        let owner = match owner_at {
            0 => None,
            at => Some(sid(from(bytes, at, "owner")?, "owner")?),
        };
        let dacl = match dacl_at {
            0 => None,
            at if control & DACL_PRESENT != 0 => Some(acl(from(bytes, at, "DACL")?)?),
            _ => None,
        };
        Ok(Self { owner, dacl })
    }
}

fn acl(bytes: &[u8]) -> Result<Vec<Ace>, DescriptorError> {
    let header = Fields(bytes, "DACL");
    let size = usize::from(u16::from_le_bytes(header.array(2)?));
    let count = u16::from_le_bytes(header.array(4)?);
    let mut rest = bytes
        .get(8..size)
        .ok_or(DescriptorError::Truncated("DACL"))?;
    let mut aces = Vec::with_capacity(usize::from(count).min(rest.len() / 16));
    for _ in 0..count {
        let fields = Fields(rest, "entry");
        let [kind, flags] = fields.array(0)?;
        let size = usize::from(u16::from_le_bytes(fields.array(2)?));
        // An entry no longer than its own header would never end.
        let (entry, after) = rest
            .split_at_checked(size)
            .filter(|_| size >= 4)
            .ok_or(DescriptorError::Truncated("entry"))?;
        rest = after;
        aces.extend(ace(kind, flags, entry)?);
    }
    Ok(aces)
}

/// `None` for an entry of a type that neither allows nor denies.
fn ace(kind: u8, flags: u8, entry: &[u8]) -> Result<Option<Ace>, DescriptorError> {
    // ACCESS_ALLOWED, DENIED, their object forms, and the callback (conditional) form of each.
    let (kind, has_types, conditional) = match kind {
        0x0 => (AceKind::Allow, false, false),
        0x1 => (AceKind::Deny, false, false),
        0x5 => (AceKind::Allow, true, false),
        0x6 => (AceKind::Deny, true, false),
        0x9 => (AceKind::Allow, false, true),
        0xa => (AceKind::Deny, false, true),
        0xb => (AceKind::Allow, true, true),
        0xc => (AceKind::Deny, true, true),
        _ => return Ok(None),
    };
    let fields = Fields(entry, "entry");
    let mask = u32::from_le_bytes(fields.array(4)?);
    let mut at = 8;
    let mut types = [None, None];
    if has_types {
        let present = u32::from_le_bytes(fields.array(at)?);
        at += 4;
        for (bit, slot) in [OBJECT_TYPE_PRESENT, INHERITED_OBJECT_TYPE_PRESENT]
            .into_iter()
            .zip(&mut types)
        {
            if present & bit != 0 {
                *slot = Some(Uuid::from_bytes_le(fields.array(at)?));
                at += 16;
            }
        }
    }
    let [object_type, inherited_object_type] = types;
    Ok(Some(Ace {
        kind,
        conditional,
        inherit_only: flags & INHERIT_ONLY != 0,
        mask,
        object_type,
        inherited_object_type,
        sid: sid(from(entry, at, "entry")?, "entry")?,
    }))
}

fn sid(bytes: &[u8], part: &'static str) -> Result<Sid, DescriptorError> {
    let length = Sid::embedded_len(bytes).ok_or(DescriptorError::Truncated(part))?;
    let bytes = bytes
        .get(..length)
        .ok_or(DescriptorError::Truncated(part))?;
    Sid::from_bytes(bytes).map_err(DescriptorError::Sid)
}

fn from<'a>(bytes: &'a [u8], at: usize, part: &'static str) -> Result<&'a [u8], DescriptorError> {
    bytes.get(at..).ok_or(DescriptorError::Truncated(part))
}

/// Fixed fields of a structure, named for the error.
struct Fields<'a>(&'a [u8], &'static str);

impl Fields<'_> {
    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], DescriptorError> {
        self.0
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .ok_or(DescriptorError::Truncated(self.1))
    }

    fn offset(&self, at: usize) -> Result<usize, DescriptorError> {
        let offset = u32::from_le_bytes(self.array(at)?);
        usize::try_from(offset).map_err(|_| DescriptorError::Truncated(self.1))
    }
}
