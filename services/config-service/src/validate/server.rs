//! Domain controllers, as URLs.

use url::{Host, Url};

use super::dns;

/// `ldaps://host[:port]`, or `ldap://host[:port]` when StartTLS is on. Returns the URL in one spelling, so that
/// duplicates are seen.
pub(crate) fn check(text: &str, start_tls: bool) -> Result<String, String> {
    let example =
        "write it as in `ldaps://dc1.corp.example.com`, or `ldaps://dc1.corp.example.com:636`";
    let url =
        Url::parse(text).map_err(|error| format!("`{text}` is not a URL ({error}); {example}"))?;
    match url.scheme() {
        "ldaps" => {}
        "ldap" if start_tls => {}
        "ldap" => {
            return Err(format!(
                "`{text}` would speak plain LDAP, which is never done; use `ldaps://`, or turn StartTLS on"
            ));
        }
        scheme => return Err(format!("`{scheme}://` is not LDAP; {example}")),
    }
    let bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    if !bare {
        // What stands there may be a password: it isn't repeated.
        return Err(format!("holds more than a host and a port; {example}"));
    }
    let host = host(&url).ok_or_else(|| format!("`{text}` names no host; {example}"))?;
    match url.port() {
        Some(0) => Err(format!("`{text}` has port 0; {example}")),
        Some(port) => Ok(format!("{}://{host}:{port}", url.scheme())),
        None => Ok(format!("{}://{host}", url.scheme())),
    }
}

fn host(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) => dns::name(name).ok(),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(format!("[{address}]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_encrypted_ldap_url_and_nothing_more() {
        assert_eq!(
            check("ldaps://DC1.Corp:636", false),
            Ok("ldaps://dc1.corp:636".into())
        );
        assert_eq!(
            check("ldaps://127.0.0.1", false),
            Ok("ldaps://127.0.0.1".into())
        );
        assert_eq!(
            check("ldaps://[::1]:1636/", false),
            Ok("ldaps://[::1]:1636".into())
        );
        assert_eq!(check("ldap://dc1", true), Ok("ldap://dc1".into()));
        for bad in [
            "",
            "dc1",
            "dc1:636",
            "ldap://dc1",
            "https://dc1",
            "ldaps://",
            "ldaps://dc1:0",
            "ldaps://dc1:70000",
            "ldaps://dc1/DC=corp",
            "ldaps://dc1?x",
            "ldaps://u:secret@dc1",
            "ldaps://dc 1",
        ] {
            let problem = check(bad, false).unwrap_err();
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
