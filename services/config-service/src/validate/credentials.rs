//! Credentials: of the domain's kind and complete. No complaint repeats what was given.

use api::config::v1::{Credentials, credentials::Kind};
use directory::DirectoryKind;
use jiff::Timestamp;

use super::{Violation, Violations, dn};

const LONGEST: usize = 1024;

/// Checks credentials for a domain of `domain_kind`; `path` is where they stand in the request.
pub(crate) fn check(
    path: &str,
    credentials: &Credentials,
    domain_kind: DirectoryKind,
    now: Timestamp,
) -> Result<(), Vec<Violation>> {
    let mut violations = Violations::default();
    match (&credentials.kind, domain_kind) {
        (Some(Kind::ActiveDirectory(account)), DirectoryKind::ActiveDirectory) => {
            let path = format!("{path}.active_directory");
            violations.check(
                &format!("{path}.logon_name"),
                logon_name(&account.logon_name),
            );
            violations.check(&format!("{path}.password"), secret(&account.password));
        }
        (Some(Kind::ActiveDirectory(_)), DirectoryKind::EntraId) => {
            violations.add(
                path,
                "are of Active Directory, the domain is of Entra ID; give an application's",
            );
        }
        (
            Some(
                Kind::EntraClientSecret(_)
                | Kind::EntraCertificate(_)
                | Kind::EntraFederatedToken(_),
            ),
            DirectoryKind::ActiveDirectory,
        ) => {
            violations.add(
                path,
                "are of Entra ID, the domain is of Active Directory; give a logon name and a password",
            );
        }
        (Some(Kind::EntraClientSecret(given)), DirectoryKind::EntraId) => {
            let path = format!("{path}.entra_client_secret");
            violations.check(
                &format!("{path}.application_id"),
                secret(&given.application_id),
            );
            violations.check(
                &format!("{path}.client_secret"),
                secret(&given.client_secret),
            );
        }
        (Some(Kind::EntraCertificate(given)), DirectoryKind::EntraId) => {
            let path = format!("{path}.entra_certificate");
            violations.check(
                &format!("{path}.application_id"),
                secret(&given.application_id),
            );
            violations.check(
                &format!("{path}.certificate_pem"),
                super::certificate::bundle(&given.certificate_pem),
            );
            if given.private_key_pem.is_empty() {
                violations.add(
                    format!("{path}.private_key_pem"),
                    "is empty; give the certificate's key",
                );
            }
        }
        (Some(Kind::EntraFederatedToken(given)), DirectoryKind::EntraId) => {
            let path = format!("{path}.entra_federated_token");
            violations.check(
                &format!("{path}.application_id"),
                secret(&given.application_id),
            );
            violations.check(&format!("{path}.token_file"), secret(&given.token_file));
        }
        (None, _) => violations.add(path, "are empty; give them, or skip credentials explicitly"),
    }
    if let Some(expire) = &credentials.expire_time {
        let field = format!("{path}.expire_time");
        match api::convert::time::from_proto("expire_time", expire) {
            Ok(expire) if expire > now => {}
            Ok(_) => violations.add(field, "has passed; give credentials that are still valid"),
            Err(_) => violations.add(field, "is no time; give one, or leave it out"),
        }
    }
    violations.into_result()
}

/// The three forms that a simple bind takes and that name one account only.
fn logon_name(text: &str) -> Result<(), String> {
    let example =
        "write it as in `svc-hes@corp.example.com`, `CORP\\svc-hes`, or as a distinguished name";
    secret(text).map_err(|problem| format!("{problem}; {example}"))?;
    let one = |separator| {
        text.split_once(separator)
            .is_some_and(|(left, right): (&str, &str)| !left.is_empty() && !right.is_empty())
    };
    if one('@') || one('\\') || dn::check(text).is_ok() {
        Ok(())
    } else {
        Err(format!("names no domain; {example}"))
    }
}

fn secret(text: &str) -> Result<(), String> {
    if text.is_empty() {
        // An empty password would be an anonymous bind, which succeeds and means nothing.
        return Err("is empty; give it".into());
    }
    if text.len() > LONGEST {
        return Err(format!(
            "is longer than {LONGEST} bytes; check what was pasted"
        ));
    }
    if text.contains(['\0', '\n', '\r']) {
        return Err("holds a line break or a NUL character; check what was pasted".into());
    }
    Ok(())
}
