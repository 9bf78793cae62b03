//! An object as the directory sent it.

use std::fmt;

use lber::structure::StructureTag;

/// An entry of an answer: attribute names and their values as bytes.
///
/// Decoded here and not by ldap3's `SearchEntry`, which sorts values into two maps by whether they happen to be UTF-8
/// (half of all objectGUIDs are), reorders them, and panics on a malformed entry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) dn: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Object {
    /// `None` when the entry is not what RFC 4511 4.5.2 says.
    pub(crate) fn decode(tag: StructureTag) -> Option<Self> {
        let mut parts = tag.expect_constructed()?.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let attributes = parts
            .next()?
            .expect_constructed()?
            .into_iter()
            .map(|attribute| {
                let mut parts = attribute.expect_constructed()?.into_iter();
                let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
                let values = parts
                    .next()?
                    .expect_constructed()?
                    .into_iter()
                    .map(StructureTag::expect_primitive)
                    .collect::<Option<_>>()?;
                Some((name, values))
            })
            .collect::<Option<_>>()?;
        Some(Self { dn, attributes })
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &[Vec<u8>])> {
        self.attributes
            .iter()
            .map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Names are compared as the directory does: without case.
    pub(crate) fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, values)| values)
            .unwrap_or_default()
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.values(name).first().map(Vec::as_slice)
    }

    /// The first value as text. Values that aren't UTF-8 count as absent: no text attribute of AD can hold one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name)
            .iter()
            .filter_map(|value| std::str::from_utf8(value).ok())
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("TRUE"))
    }
}

impl fmt::Debug for Object {
    // Values are people's: only names are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.attributes.iter().map(|(name, _)| name))
            .finish()
    }
}
