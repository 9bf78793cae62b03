//! Plain texts: names of groups, of people's domains, of templates.

/// Longest name taken; directories allow 256 characters at most.
const LONGEST: usize = 256;

/// A name for people or of an object: something visible, on one line, of a sensible length.
pub(crate) fn name(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty; give a name".into());
    }
    if text.trim() != text {
        return Err("starts or ends with white space; remove it".into());
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character; write it on one line".into());
    }
    if text.chars().count() > LONGEST {
        return Err(format!("is longer than {LONGEST} characters; shorten it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_visible_and_on_one_line() {
        assert!(name("Security Key Owners").is_ok());
        assert!(name("Sicherheitsschlüssel").is_ok());
        for bad in ["", "  ", " a", "a ", "a\nb", &"x".repeat(257)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
