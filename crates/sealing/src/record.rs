//! What a secret belongs to.

/// The identity of the record that a secret is sealed into. It is not stored with the secret: whoever opens it says where
/// it was found, and a value moved elsewhere does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    domain: &'a str,
    kind: &'a str,
    version: u64,
}

impl<'a> Record<'a> {
    /// `domain` is whose it is, `kind` what sort of secret (a constant of the caller's), `version` grows with every change.
    pub const fn new(domain: &'a str, kind: &'a str, version: u64) -> Self {
        Self {
            domain,
            kind,
            version,
        }
    }

    /// Associated data for one layer. Each text has its length before it, so no two records share their bytes.
    pub(crate) fn associated_data(&self, layer: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in [layer, self.domain, self.kind] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(self.version.to_be_bytes());
        bytes
    }
}
