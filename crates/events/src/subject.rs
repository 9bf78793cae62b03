//! Subjects: `hes.<family>.<scope>.<what>.<verb>`, and the filters that consumers have.

use std::fmt;
use std::str::FromStr;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(String);

/// Why a text is not a [`Subject`] or a [`Filter`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error("`{0}` is no subject: it needs hes.<family>.<scope>.<what>.<verb>")]
    Form(String),
    #[error("`{0}` cannot stand in a subject")]
    Token(String),
}

impl Subject {
    /// `scope` may be any text: a domain id has dots, which separate tokens, so whatever is not a letter, a digit, `-` or
    /// `_` is written as `%` and two hexadecimal digits, as in URLs.
    pub fn new(family: &str, scope: &str, what: &str, verb: &str) -> Result<Self, SubjectError> {
        for token in [family, what, verb] {
            if token.is_empty() || !token.bytes().all(is_plain) {
                return Err(SubjectError::Token(token.to_owned()));
            }
        }
        if scope.is_empty() {
            return Err(SubjectError::Token(String::new()));
        }
        Ok(Self(format!(
            "hes.{family}.{}.{what}.{verb}",
            escape(scope)
        )))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn token(&self, index: usize) -> &str {
        self.0.split('.').nth(index).unwrap_or_default()
    }

    /// The family, which is also the stream.
    pub fn family(&self) -> &str {
        self.token(1)
    }

    /// The scope, as it was given.
    pub fn scope(&self) -> String {
        unescape(self.token(2)).unwrap_or_default()
    }

    pub fn what(&self) -> &str {
        self.token(3)
    }

    pub fn verb(&self) -> &str {
        self.token(4)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if is_plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn unescape(token: &str) -> Option<String> {
    let mut bytes = token.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let form = || SubjectError::Form(text.to_owned());
        let tokens: Vec<_> = text.split('.').collect();
        let ["hes", family, scope, what, verb] = tokens.as_slice() else {
            return Err(form());
        };
        let scope = unescape(scope).ok_or_else(form)?;
        let subject = Self::new(family, &scope, what, verb)?;
        if subject.0 == text {
            Ok(subject)
        } else {
            Err(form())
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which subjects a consumer gets, within one family: `*` stands for one token, a final `>` for one or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// Everything of one family.
    pub fn family(family: &str) -> Result<Self, SubjectError> {
        format!("hes.{family}.>").parse()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one family it selects from.
    pub fn stream(&self) -> &str {
        self.0.split('.').nth(1).unwrap_or_default()
    }

    pub fn matches(&self, subject: &Subject) -> bool {
        let mut tokens = subject.0.split('.');
        for wanted in self.0.split('.') {
            match (wanted, tokens.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(token)) if wanted == token => {}
                (_, _) => return false,
            }
        }
        tokens.next().is_none()
    }
}

impl FromStr for Filter {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let tokens: Vec<_> = text.split('.').collect();
        let (Some((last, head)), ["hes", family, ..]) = (tokens.split_last(), tokens.as_slice())
        else {
            return Err(SubjectError::Form(text.to_owned()));
        };
        let plain =
            |token: &str| !token.is_empty() && token.bytes().all(|b| is_plain(b) || b == b'%');
        let valid = plain(family)
            && head.iter().all(|token| *token == "*" || plain(token))
            && (matches!(*last, "*" | ">") || plain(last));
        if valid && tokens.len() > 2 {
            Ok(Self(text.to_owned()))
        } else {
            Err(SubjectError::Form(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_with_dots_is_one_token_and_comes_back() {
        let subject = Subject::new("directory", "corp.example.com", "account", "created").unwrap();

        assert_eq!(
            subject.as_str(),
            "hes.directory.corp%2Eexample%2Ecom.account.created"
        );
        assert_eq!(subject.scope(), "corp.example.com");
        assert_eq!(subject.as_str().parse(), Ok(subject));
    }

    #[test]
    fn scopes_that_differ_have_subjects_that_differ() {
        let scopes = [
            "a.b", "a%2Eb", "a%b", "a-b", "a_b", "a*b", "a>b", "ä", "a b",
        ];

        let subjects: std::collections::HashSet<_> = scopes
            .map(|scope| Subject::new("f", scope, "w", "v").unwrap().0)
            .into();

        assert_eq!(subjects.len(), scopes.len());
        assert!(
            subjects
                .iter()
                .all(|subject| subject.split('.').count() == 5)
        );
    }

    #[test]
    fn texts_that_are_no_subjects_are_refused() {
        for text in [
            "",
            "hes",
            "hes.a.b.c",
            "hes.a.b.c.d.e",
            "x.a.b.c.d",
            "hes.a.*.c.d",
            "hes.a.b.c.>",
            "hes.a.%4.c.d",
        ] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }

    #[test]
    fn filters_match_as_on_nats() {
        let subject: Subject = "hes.directory.corp.account.created".parse().unwrap();
        let table = [
            ("hes.directory.>", true),
            ("hes.directory.corp.>", true),
            ("hes.directory.*.account.*", true),
            ("hes.directory.corp.account.created", true),
            ("hes.directory.*", false),
            ("hes.directory.*.account.created.>", false),
            ("hes.directory.other.>", false),
            ("hes.config.>", false),
        ];
        for (filter, expected) in table {
            assert_eq!(
                filter.parse::<Filter>().unwrap().matches(&subject),
                expected,
                "{filter}"
            );
        }
    }
}
