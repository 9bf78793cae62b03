//! Search filters (RFC 4515): values escaped, and the administrator's own filter checked before it is used.

use std::fmt::Write as _;

use directory::ObjectId;

/// A text as it stands in a filter.
pub(crate) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' | '*' | '(' | ')' | '\0' => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\{:02x}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Bytes as they stand in a filter.
pub(crate) fn escape_bytes(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 3), |mut text, byte| {
            let _ = write!(text, "\\{byte:02x}");
            text
        })
}

/// Matches any of the objects.
pub(crate) fn any_of(ids: &[ObjectId]) -> String {
    let terms: String = ids
        .iter()
        .map(|id| format!("(objectGUID={})", escape_bytes(&id.to_guid_bytes())))
        .collect();
    format!("(|{terms})")
}

/// A filter an administrator wrote, known to be one whole filter and nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFilter(String);

/// Why a text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error(
        "`{0}` is not an LDAP filter such as (department=Sales) or (&(mail=*)(!(title=Trainee)))"
    )]
    Syntax(String),
    #[error("the filter is longer than 4096 bytes or nested deeper than 50 levels")]
    TooLarge,
}

impl UserFilter {
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let text = text.trim();
        // The parser is recursive: depth is bounded before it.
        let depth = text
            .bytes()
            .scan(0_u32, |depth, byte| {
                match byte {
                    b'(' => *depth += 1,
                    b')' => *depth = depth.saturating_sub(1),
                    _ => {}
                }
                Some(*depth)
            })
            .max();
        if text.len() > 4096 || depth > Some(50) {
            return Err(FilterError::TooLarge);
        }
        let whole = if text.starts_with('(') {
            text.to_owned()
        } else {
            format!("({text})")
        };
        ldap3::parse_filter(&whole).map_err(|()| FilterError::Syntax(text.to_owned()))?;
        // An empty list matches everything ("absolute true", RFC 4526): never what an administrator means.
        if ["(&)", "(|)"].iter().any(|empty| whole.contains(empty)) {
            return Err(FilterError::Syntax(text.to_owned()));
        }
        Ok(Self(whole))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of the attributes it compares. Those given by object identifier are left out.
    pub fn attributes(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .0
            .split('(')
            .filter_map(|part| {
                let (name, _) = part.split_once(['=', '<', '>', '~', ':'])?;
                let name = name.split(';').next()?.trim();
                let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
                    && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
                named.then(|| name.to_ascii_lowercase())
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        assert_eq!(escape("a*)(b\\c\0"), r"a\2a\29\28b\5cc\00");
        assert_eq!(escape("Grüße"), "Grüße");
        assert_eq!(escape_bytes(&[0x00, 0xff]), r"\00\ff");
    }

    #[test]
    fn a_filter_is_one_whole_filter() {
        for good in [
            "(mail=*)",
            "mail=*",
            " (&(department=Sales)(!(title=Trainee))) ",
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            r"(cn=a\28b\29)",
        ] {
            assert!(UserFilter::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "()",
            "(mail=*",
            "(mail=*))",
            "mail",
            "(mail=*)(cn=*)",
            "(mail=*))(|(cn=*)",
            "(&)",
            r"(cn=\zz)",
        ] {
            assert!(UserFilter::parse(bad).is_err(), "{bad}");
        }
        let filter = "(&(mail=*)(!(deparment=a))(|(userAccountControl:1.2.840.113556.1.4.803:=2)(Mail=b))(2.5.4.3=c))";
        assert_eq!(
            UserFilter::parse(filter).unwrap().attributes(),
            ["deparment", "mail", "useraccountcontrol"]
        );
        assert_eq!(
            UserFilter::parse(&"(!".repeat(100_000)),
            Err(FilterError::TooLarge)
        );
    }
}
