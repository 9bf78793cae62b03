//! DNS names: of Active Directory domains, of servers, of mail suffixes.

/// A DNS name in lower case, or what is wrong with it.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let example = "write it as in `corp.example.com`";
    if text.is_empty() {
        return Err(format!("is empty; {example}"));
    }
    if !text.is_ascii() {
        return Err(
            "holds characters outside ASCII; write the name in its punycode form (`xn--…`)".into(),
        );
    }
    if text.len() > 253 {
        return Err("is longer than the 253 characters a DNS name may have".into());
    }
    // Windows allows underscores, which DNS host names don't.
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !text.split('.').all(label) {
        return Err(format!("`{text}` is not a DNS name; {example}"));
    }
    Ok(text.to_ascii_lowercase())
}

/// The part of a mail address behind the `@`, in lower case.
pub(crate) fn mail_suffix(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err(format!(
            "`{text}` holds an `@`; write only the part behind it, such as `example.com`"
        ));
    }
    let suffix = name(text)?;
    // One label is a whole top-level domain: nobody is authoritative for `com`.
    if !suffix.contains('.') {
        return Err(format!(
            "`{text}` has no dot; write the whole part behind the `@`, such as `example.com`"
        ));
    }
    Ok(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_names_are_taken_in_any_case_and_nothing_else_is() {
        assert_eq!(name("Corp.Example.COM"), Ok("corp.example.com".into()));
        assert!(name("corp").is_ok());
        for bad in [
            "",
            ".",
            "a..b",
            "a.",
            "-a.b",
            "a b",
            "bücher.example",
            "a/b",
            &"a".repeat(64),
        ] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mail_suffix_has_a_dot_and_no_at() {
        assert_eq!(mail_suffix("Example.com"), Ok("example.com".into()));
        for bad in [
            "@example.com",
            "a@example.com",
            "com",
            ".example.com",
            "*.example.com",
        ] {
            assert!(mail_suffix(bad).is_err(), "{bad}");
        }
    }
}
