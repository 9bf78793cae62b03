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
        Some(Self {
            dn: plain_dn(&dn).to_owned(),
            attributes,
        })
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

/// Under the extended DN control an entry's own name too comes as `<GUID=…>;<SID=…>;CN=…`.
fn plain_dn(mut dn: &str) -> &str {
    while let Some((_, rest)) = dn.strip_prefix('<').and_then(|dn| dn.split_once(">;")) {
        dn = rest;
    }
    dn
}

impl fmt::Debug for Object {
    // Values are people's: only names are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.attributes.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
impl Object {
    pub(crate) fn of(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Self {
        Self {
            dn: dn.to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, values)| {
                    let values = values.iter().map(|value| value.to_vec()).collect();
                    ((*name).to_owned(), values)
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use lber::common::TagClass;
    use lber::structure::PL;

    use super::*;

    fn octets(value: &[u8]) -> StructureTag {
        StructureTag {
            class: TagClass::Universal,
            id: 4,
            payload: PL::P(value.to_vec()),
        }
    }

    fn sequence(parts: Vec<StructureTag>) -> StructureTag {
        StructureTag {
            class: TagClass::Universal,
            id: 16,
            payload: PL::C(parts),
        }
    }

    #[test]
    fn values_stay_bytes_in_their_order_whether_or_not_they_are_text() {
        let values = sequence(vec![
            octets(b"0123456789abcdef"),
            octets(&[0xff, 0]),
            octets(b"z"),
        ]);
        let entry = sequence(vec![
            octets(b"<GUID=1>;<SID=S-1-5-21-1-1>;CN=a<b>;c,DC=test"),
            sequence(vec![sequence(vec![octets(b"objectGUID"), values])]),
        ]);

        let object = Object::decode(entry).unwrap();

        assert_eq!(object.dn, "CN=a<b>;c,DC=test");
        let expected: [&[u8]; 3] = [b"0123456789abcdef", &[0xff, 0], b"z"];
        assert_eq!(object.values("OBJECTGUID"), expected);
        assert_eq!(object.text("mail"), None);
        assert!(!format!("{object:?}").contains("0123"));
    }

    #[test]
    fn a_malformed_entry_is_no_object() {
        assert_eq!(Object::decode(octets(b"x")), None);
        assert_eq!(Object::decode(sequence(vec![octets(b"CN=a")])), None);
        let entry = sequence(vec![octets(&[0xff]), sequence(vec![])]);
        assert_eq!(Object::decode(entry), None);
    }
}
