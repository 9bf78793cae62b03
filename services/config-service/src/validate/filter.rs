//! LDAP filters (RFC 4515), syntax only: a filter that doesn't parse must not reach a directory, where it could mean
//! "nobody".

/// Deep enough for people, shallow enough for any server.
const DEEPEST: usize = 32;
const LONGEST: usize = 4096;

/// Whether `text` is one complete filter.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let example = "write it as in `(&(department=Sales)(!(title=Intern)))`";
    if text.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes; shorten it"));
    }
    let problem = match filter(text, 0) {
        Ok("") => return Ok(()),
        Ok(rest) => format!("goes on after its last parenthesis, at `{}`", start(rest)),
        Err(problem) => problem,
    };
    Err(format!("{problem}; {example}"))
}

/// Reads one filter and returns what is behind it.
fn filter(text: &str, depth: usize) -> Result<&str, String> {
    if depth > DEEPEST {
        return Err(format!("nests deeper than {DEEPEST} levels"));
    }
    let inner = text
        .strip_prefix('(')
        .ok_or_else(|| format!("lacks an opening parenthesis at `{}`", start(text)))?;
    let rest = match inner.chars().next() {
        Some('&' | '|') => list(&inner[1..], depth)?,
        Some('!') => filter(&inner[1..], depth + 1)?,
        Some(_) | None => item(inner)?,
    };
    rest.strip_prefix(')')
        .ok_or_else(|| format!("lacks a closing parenthesis at `{}`", start(rest)))
}

fn list(mut text: &str, depth: usize) -> Result<&str, String> {
    if !text.starts_with('(') {
        return Err(format!(
            "has an `&` or `|` without a filter behind it, at `{}`",
            start(text)
        ));
    }
    while text.starts_with('(') {
        text = filter(text, depth + 1)?;
    }
    Ok(text)
}

/// `attribute=value` and its kin, up to the closing parenthesis.
fn item(text: &str) -> Result<&str, String> {
    let end = text.find(['(', ')']).unwrap_or(text.len());
    let (item, rest) = text.split_at(end);
    let (left, value) = item
        .split_once('=')
        .ok_or_else(|| format!("`{}` compares nothing: an `=` is missing", start(item)))?;
    let attribute = left.strip_suffix(['~', '<', '>', ':']).unwrap_or(left);
    let named = !attribute.is_empty()
        && attribute
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-.;:".contains(&c));
    if !named {
        return Err(format!("`{}` is not an attribute's name", start(left)));
    }
    escapes(value)?;
    Ok(rest)
}

fn escapes(value: &str) -> Result<(), String> {
    if value.contains('\0') {
        return Err(r"holds a NUL character; write it as `\00`".into());
    }
    let well_formed =
        |after: &str| after.len() >= 2 && after.bytes().take(2).all(|c| c.is_ascii_hexdigit());
    if value.split('\\').skip(1).all(well_formed) {
        Ok(())
    } else {
        Err(r"has a backslash that isn't followed by two hexadecimal digits (a backslash itself is `\5c`)".into())
    }
}

/// Enough of the text to find the place.
fn start(text: &str) -> String {
    if text.is_empty() {
        return "the end".into();
    }
    text.chars().take(24).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked_for_syntax() {
        for good in [
            "(department=Sales)",
            "(&(department=Sales)(!(title=Intern)))",
            "(|(mail=*@example.com)(mail=*))",
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            "(cn:dn:=x)",
            r"(cn=a\28b\29)",
            "(whenCreated>=20260101000000.0Z)",
            "(description=größer)",
            "(description=)",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "department=Sales",
            "(department=Sales",
            "(department=Sales))",
            "(&)",
            "(&(a=b)",
            "(!)",
            "(department)",
            "(=x)",
            r"(cn=a\zz)",
            r"(cn=a\2)",
            "(a=b)(c=d)",
            "(a=(b))",
            "()",
            "(größe=1)",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        let deep = format!("{}(a=b){}", "(!".repeat(40), ")".repeat(40));
        assert!(check(&deep).is_err());
    }
}
