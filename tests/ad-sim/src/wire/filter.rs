//! Search filters (RFC 4511, 4.5.1.7). Values are bytes: those of objectGUID and objectSid are no text.

use super::ber::{Malformed, OCTETS, Reader, SEQUENCE, boolean, text};

/// A filter as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Equal(String, Vec<u8>),
    Substrings {
        attribute: String,
        initial: Option<Vec<u8>>,
        any: Vec<Vec<u8>>,
        last: Option<Vec<u8>>,
    },
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    Present(String),
    /// Active Directory takes it for equality.
    Approximate(String, Vec<u8>),
    Extensible {
        rule: Option<String>,
        attribute: Option<String>,
        value: Vec<u8>,
        in_dn: bool,
    },
}

/// A client that nests deeper means harm.
const DEEPEST: usize = 64;

pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Filter, Malformed> {
    read_at(reader, 0)
}

fn read_at(reader: &mut Reader<'_>, depth: usize) -> Result<Filter, Malformed> {
    if depth > DEEPEST {
        return Err(Malformed);
    }
    let (tag, content) = reader.element()?;
    let mut content_reader = Reader::new(content);
    let inner = &mut content_reader;
    let filter = match tag {
        0xa0 => Filter::And(all(inner, depth)?),
        0xa1 => Filter::Or(all(inner, depth)?),
        0xa2 => Filter::Not(Box::new(read_at(inner, depth + 1)?)),
        0xa3 => Filter::Equal(inner.text()?, inner.octets()?),
        0xa4 => substrings(inner)?,
        0xa5 => Filter::AtLeast(inner.text()?, inner.octets()?),
        0xa6 => Filter::AtMost(inner.text()?, inner.octets()?),
        0x87 => return text(content).map(Filter::Present),
        0xa8 => Filter::Approximate(inner.text()?, inner.octets()?),
        0xa9 => extensible(inner)?,
        _ => return Err(Malformed),
    };
    Ok(filter)
}

fn all(inner: &mut Reader<'_>, depth: usize) -> Result<Vec<Filter>, Malformed> {
    let mut filters = Vec::new();
    while !inner.is_empty() {
        filters.push(read_at(inner, depth + 1)?);
    }
    Ok(filters)
}

fn substrings(inner: &mut Reader<'_>) -> Result<Filter, Malformed> {
    let attribute = inner.text()?;
    let (mut initial, mut any, mut last) = (None, Vec::new(), None);
    let mut parts = inner.nested(SEQUENCE)?;
    while !parts.is_empty() {
        match parts.element()? {
            (0x80, part) => initial = Some(part.to_vec()),
            (0x81, part) => any.push(part.to_vec()),
            (0x82, part) => last = Some(part.to_vec()),
            _ => return Err(Malformed),
        }
    }
    Ok(Filter::Substrings {
        attribute,
        initial,
        any,
        last,
    })
}

fn extensible(inner: &mut Reader<'_>) -> Result<Filter, Malformed> {
    let (mut rule, mut attribute, mut value, mut in_dn) = (None, None, None, false);
    while !inner.is_empty() {
        match inner.element()? {
            (0x81, part) => rule = Some(text(part)?),
            (0x82, part) => attribute = Some(text(part)?),
            (0x83 | OCTETS, part) => value = Some(part.to_vec()),
            (0x84, part) => in_dn = boolean(part)?,
            _ => return Err(Malformed),
        }
    }
    Ok(Filter::Extensible {
        rule,
        attribute,
        value: value.ok_or(Malformed)?,
        in_dn,
    })
}
