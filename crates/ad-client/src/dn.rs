//! Distinguished names (RFC 4514), compared as Active Directory compares them: without case.

/// A parsed name, leaf first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dn {
    /// Attribute type and value of each relative name, folded to lower case; several joined by `+` in order.
    parts: Vec<Vec<(String, String)>>,
}

/// Why a text is not a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a distinguished name such as OU=Staff,DC=corp,DC=example,DC=com")]
pub struct DnError(String);

impl Dn {
    pub fn parse(text: &str) -> Result<Self, DnError> {
        let refuse = || DnError(text.to_owned());
        let mut parts = Vec::new();
        for part in split(text, ',') {
            let pairs = split(part, '+')
                .into_iter()
                .map(|pair| {
                    let (kind, value) = pair.split_once('=')?;
                    let kind = kind.trim().to_ascii_lowercase();
                    let named = !kind.is_empty()
                        && kind
                            .bytes()
                            .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'.');
                    let value = unescape(value)?;
                    (named && !value.is_empty()).then(|| (kind, value.to_lowercase()))
                })
                .collect::<Option<Vec<_>>>()
                .ok_or_else(refuse)?;
            parts.push(pairs);
        }
        Ok(Self { parts })
    }

    /// Whether this name is `ancestor` or lies below it.
    pub fn is_within(&self, ancestor: &Self) -> bool {
        self.parts.ends_with(&ancestor.parts)
    }

    /// `DC=corp,DC=test` is the DNS domain `corp.test`.
    pub fn dns_domain(&self) -> Option<String> {
        let labels: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| match part.as_slice() {
                [(kind, value)] if kind == "dc" => Some(value.as_str()),
                _ => None,
            })
            .collect();
        (!labels.is_empty()).then(|| labels.join("."))
    }

    /// The value of the leaf.
    pub(crate) fn leaf(&self) -> Option<&str> {
        Some(self.parts.first()?.first()?.1.as_str())
    }

    pub(crate) fn has_part(&self, kind: &str, value: &str) -> bool {
        self.parts
            .iter()
            .flatten()
            .any(|(k, v)| k == kind && v == value)
    }
}

/// Splits at each `separator` that isn't escaped or quoted.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped, mut quoted) = (0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// Resolves `\,` and `\2C`, strips quotes and the spaces around a value. `None` when an escape is cut short.
fn unescape(value: &str) -> Option<String> {
    let value = value.trim_start();
    let mut bytes = Vec::with_capacity(value.len());
    // Trailing spaces up to here are meant: they were escaped.
    let mut kept = 0;
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => {
                let first = rest.next()?;
                match (first as char).to_digit(16) {
                    Some(high) => {
                        let low = (rest.next()? as char).to_digit(16)?;
                        bytes.push(u8::try_from(high * 16 + low).ok()?);
                    }
                    None => bytes.push(first),
                }
                kept = bytes.len();
            }
            b'"' => kept = bytes.len(),
            _ => bytes.push(byte),
        }
    }
    while bytes.len() > kept && bytes.last() == Some(&b' ') {
        bytes.pop();
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn names_differ_by_neither_case_nor_form() {
        let plain = dn(r"CN=Doe\, Jane,OU=Größe,DC=corp,DC=test");

        assert_eq!(plain, dn(r"cn=doe\2C jane, ou=GRÖßE , dc=CORP,dc=test"));
        assert_eq!(
            plain,
            dn(r#"CN="Doe, Jane",OU=gr\c3\b6\c3\9fe,DC=corp,DC=test"#)
        );
        assert_ne!(plain, dn("CN=Doe Jane,OU=Größe,DC=corp,DC=test"));
    }

    #[test]
    fn below_an_ou_is_below_it_and_not_merely_alike() {
        let staff = dn("OU=Staff,DC=corp,DC=test");

        assert!(dn("CN=a,OU=Night,ou=staff,DC=corp,DC=test").is_within(&staff));
        assert!(staff.is_within(&staff));
        assert!(!dn("CN=a,OU=ExStaff,DC=corp,DC=test").is_within(&staff));
        assert!(!dn(r"CN=a\,OU=Staff,DC=corp,DC=test").is_within(&staff));
    }

    #[test]
    fn the_dns_domain_is_read_off_the_name() {
        assert_eq!(
            dn("OU=x,DC=Corp,DC=test").dns_domain().as_deref(),
            Some("corp.test")
        );
        assert_eq!(dn("CN=Schema").dns_domain(), None);
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "Staff",
            "OU=",
            "=x",
            "OU=a,,DC=b",
            r"OU=a\",
            r"OU=\a",
            "OU=a,",
        ] {
            assert!(Dn::parse(bad).is_err(), "{bad}");
        }
    }
}
