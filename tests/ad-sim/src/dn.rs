//! Distinguished names (RFC 4514), as a domain controller reads and writes them.

/// A name taken apart, nearest part first: each an attribute and a value.
pub(crate) type Parts = Vec<(String, String)>;

pub(crate) fn parse(text: &str) -> Option<Parts> {
    let mut parts = Vec::new();
    let mut characters = text.chars().peekable();
    if text.trim().is_empty() {
        return Some(parts);
    }
    loop {
        let mut attribute = String::new();
        loop {
            match characters.next()? {
                '=' => break,
                character => attribute.push(character),
            }
        }
        let mut value = Vec::new();
        let mut kept = 0;
        let more = loop {
            match characters.next() {
                None => break false,
                Some(',' | ';') => break true,
                Some('\\') => {
                    escaped(&mut characters, &mut value)?;
                    kept = value.len();
                }
                Some(' ') if value.is_empty() => {}
                Some(character) => {
                    let mut buffer = [0; 4];
                    value.extend(character.encode_utf8(&mut buffer).as_bytes());
                    if character != ' ' {
                        kept = value.len();
                    }
                }
            }
        };
        value.truncate(kept);
        let value = String::from_utf8(value).ok()?;
        let attribute = attribute.trim().to_owned();
        if attribute.is_empty() || value.is_empty() {
            return None;
        }
        parts.push((attribute, value));
        if !more {
            return Some(parts);
        }
    }
}

/// What follows a backslash: a character, or two hexadecimal digits for a byte.
fn escaped(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    value: &mut Vec<u8>,
) -> Option<()> {
    let first = characters.next()?;
    let hex = |character: char| character.to_digit(16);
    if let (Some(high), Some(low)) = (hex(first), characters.peek().copied().and_then(hex)) {
        characters.next();
        value.push(u8::try_from(high * 16 + low).ok()?);
    } else {
        let mut buffer = [0; 4];
        value.extend(first.encode_utf8(&mut buffer).as_bytes());
    }
    Some(())
}

/// A name put together again.
pub(crate) fn join(parts: &[(String, String)]) -> String {
    let parts: Vec<_> = parts
        .iter()
        .map(|(attribute, value)| format!("{attribute}={}", escape(value)))
        .collect();
    parts.join(",")
}

/// A value with what would end or bend it escaped.
pub(crate) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, character) in value.chars().enumerate() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '#' | ' ' if place == 0 => {
                escaped.push('\\');
                escaped.push(character);
            }
            ' ' if place == last => escaped.push_str("\\ "),
            '\n' => escaped.push_str("\\0A"),
            '\r' => escaped.push_str("\\0D"),
            '\0' => escaped.push_str("\\00"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Under which two names are the same.
pub(crate) fn key(value: &str) -> String {
    value.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for value in [
            "Lovelace, Ada",
            "a+b=\"c\"",
            " x ",
            "#1",
            "old\nDEL:1",
            "Zoë",
        ] {
            let text = format!("CN={},OU=People,DC=corp,DC=test", escape(value));
            let parts = parse(&text).unwrap();
            assert_eq!(parts[0], ("CN".to_owned(), value.to_owned()));
            assert_eq!(parts.len(), 4);
        }
        assert_eq!(parse("CN=a , DC=b").unwrap()[0].1, "a");
        assert_eq!(parse("nonsense"), None);
        assert_eq!(parse("CN="), None);
        assert_eq!(parse(""), Some(vec![]));
    }
}
