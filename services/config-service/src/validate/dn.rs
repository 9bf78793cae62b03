//! Distinguished names (RFC 4514), syntax only: whether the object is there is the connection test's business.

/// Whether `text` is a distinguished name of at least one part.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let example = "write it as in `OU=Staff,DC=corp,DC=example,DC=com`";
    let Some(parts) = split(text) else {
        return Err(format!(
            "ends within an escape, or holds an unescaped `\"`, `;`, `<` or `>`; {example}"
        ));
    };
    for part in parts {
        let Some((attribute, value)) = part.split_once('=') else {
            return Err(format!("`{part}` is not `attribute=value`; {example}"));
        };
        if !attribute_type(attribute.trim()) {
            return Err(format!(
                "`{}` is not an attribute's name; {example}",
                attribute.trim()
            ));
        }
        if value.trim().is_empty() {
            return Err(format!("`{}=` has no value; {example}", attribute.trim()));
        }
    }
    Ok(())
}

/// Splits at unescaped commas and pluses. `None`: not even the escapes are right.
fn split(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let escaped = chars.next()?;
                let part = parts.last_mut()?;
                part.push(c);
                part.push(escaped);
                if escaped.is_ascii_hexdigit() {
                    part.push(chars.next().filter(char::is_ascii_hexdigit)?);
                } else if !" \"#+,;<=>\\".contains(escaped) {
                    return None;
                }
            }
            ',' | '+' => parts.push(String::new()),
            '"' | ';' | '<' | '>' | '\0' => return None,
            _ => parts.last_mut()?.push(c),
        }
    }
    Some(parts)
}

/// A short name such as `OU`, or a dotted number.
fn attribute_type(text: &str) -> bool {
    let name = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    let number = text
        .split('.')
        .all(|arc| !arc.is_empty() && arc.bytes().all(|c| c.is_ascii_digit()));
    name || number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguished_names_are_checked_for_syntax() {
        for good in [
            "DC=corp",
            "OU=Staff, DC=corp,DC=example",
            r"OU=Sales\, East,DC=corp",
            r"CN=caf\C3\A9,DC=corp",
            "OU=Größe,DC=corp",
            "CN=a+OU=b,DC=corp",
            "0.9.2342.19200300.100.1.25=corp",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "corp.example.com",
            "OU=Staff,",
            "OU=,DC=corp",
            "=Staff,DC=corp",
            "O U=Staff",
            r"OU=a\",
            r"OU=a\zb",
            r"OU=a\Cz",
            "OU=\"a\",DC=corp",
            "OU=a;DC=corp",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
