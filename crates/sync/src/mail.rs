//! Mail addresses, in the one form in which they are compared.

use std::fmt;
use std::str::FromStr;

/// A mail address: trimmed, ASCII letters in lower case. An internationalised domain or local part is left as written:
/// two spellings of one domain do not match, which at worst leaves a link to be proposed by hand.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mail(String);

/// A text that is no mail address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a mail address is a name, one @ and a domain, without spaces")]
pub struct MailError;

impl Mail {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the @.
    pub fn suffix(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, suffix)| suffix)
    }
}

impl FromStr for Mail {
    type Err = MailError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (local, domain) = text.split_once('@').ok_or(MailError)?;
        // Quoted local parts may hold an @ or a space. Nobody has one; whoever claims one is not to be trusted.
        let plain = |c: char| {
            !c.is_whitespace()
                && !c.is_control()
                && !matches!(
                    c,
                    '@' | '"' | '<' | '>' | '(' | ')' | ',' | ';' | ':' | '\\'
                )
        };
        // A zero-width or direction mark makes two addresses that look the same differ.
        let visible = |c: char| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        let labels = domain.split('.').all(|label| {
            (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        });
        let valid = (1..=64).contains(&local.len())
            && domain.len() <= 253
            && labels
            && text.chars().filter(|c| *c == '@').count() == 1
            && local
                .chars()
                .chain(domain.chars())
                .all(|c| plain(c) && visible(c));
        valid
            .then(|| Self(text.to_ascii_lowercase()))
            .ok_or(MailError)
    }
}

impl fmt::Debug for Mail {
    // A mail address is a person's: it stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail(***@{})", self.suffix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_surrounding_space_do_not_matter() {
        let mail: Mail = "  Ada.Lovelace@Example.COM ".parse().unwrap();

        assert_eq!(mail.as_str(), "ada.lovelace@example.com");
        assert_eq!(mail.suffix(), "example.com");
    }

    #[test]
    fn an_international_domain_is_left_as_written() {
        let mail: Mail = "Ada@BÜCHER.example".parse().unwrap();

        assert_eq!(mail.as_str(), "ada@bÜcher.example");
        assert_ne!(Ok(mail), "ada@xn--bcher-kva.example".parse());
    }

    #[test]
    fn what_is_no_address_or_hides_another_is_refused() {
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a@b@c.example",
            "ada@.example",
            "ada@example.",
            "ada@exa mple.com",
            "ada @example.com",
            "\"a@b\"@example.com",
            "ada@-x.example",
            "ada\u{200b}@example.com",
            "ada\u{202e}@example.com",
            "Ada <ada@example.com>",
            "ada\0@example.com",
        ] {
            assert_eq!(bad.parse::<Mail>(), Err(MailError), "{bad:?}");
        }
    }
}
