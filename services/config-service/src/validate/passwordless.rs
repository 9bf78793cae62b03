//! Passwordless workstation logon: the shape must be the domain's, certificates and URLs must parse.

use api::config::v1::{PasswordlessSettings, passwordless_settings::Authority};
use directory::DirectoryKind;
use prost_types::Duration;
use url::Url;

use super::{Violation, Violations, certificate, text};

const HOUR: i64 = 3600;
const TEN_YEARS: i64 = 3653 * 24 * HOUR;

/// The settings as they are stored, without name, etag, revision and time. What isn't enabled may be incomplete, never
/// malformed.
pub(crate) fn normalize(
    settings: PasswordlessSettings,
    domain_kind: DirectoryKind,
) -> Result<PasswordlessSettings, Vec<Violation>> {
    let mut violations = Violations::default();
    authority(&settings, domain_kind, &mut violations);
    periods(&settings, &mut violations);
    if !settings.target_group.is_empty() {
        violations.check("target_group", text::name(&settings.target_group));
    }
    violations.into_result()?;
    Ok(PasswordlessSettings {
        enabled: settings.enabled,
        authority: settings.authority,
        validity: settings.validity,
        renew_before: settings.renew_before,
        target_group: settings.target_group,
        ..PasswordlessSettings::default()
    })
}

fn authority(
    settings: &PasswordlessSettings,
    domain_kind: DirectoryKind,
    violations: &mut Violations,
) {
    match (&settings.authority, domain_kind) {
        (Some(Authority::Adcs(adcs)), DirectoryKind::ActiveDirectory) => {
            let required = settings.enabled;
            if required || !adcs.certificate_authority.is_empty() {
                violations.check(
                    "adcs.certificate_authority",
                    configuration_string(&adcs.certificate_authority),
                );
            }
            if required || !adcs.certificate_template.is_empty() {
                violations.check(
                    "adcs.certificate_template",
                    text::name(&adcs.certificate_template),
                );
            }
        }
        (Some(Authority::RootCertificate(root)), DirectoryKind::EntraId) => {
            if settings.enabled || !root.certificate_pem.is_empty() {
                violations.check(
                    "root_certificate.certificate_pem",
                    certificate::single(&root.certificate_pem),
                );
            }
            if !root.crl_url.is_empty() {
                violations.check("root_certificate.crl_url", web_url(&root.crl_url));
            }
        }
        (Some(Authority::Adcs(_)), DirectoryKind::EntraId) => violations.add(
            "adcs",
            "is for Active Directory, the domain is of Entra ID; give `root_certificate`",
        ),
        (Some(Authority::RootCertificate(_)), DirectoryKind::ActiveDirectory) => violations.add(
            "root_certificate",
            "is for Entra ID, the domain is of Active Directory; give `adcs`",
        ),
        (None, kind) if settings.enabled => {
            let field = match kind {
                DirectoryKind::ActiveDirectory => "adcs",
                DirectoryKind::EntraId => "root_certificate",
            };
            violations.add(
                field,
                "is absent; say who issues the certificates before enabling it",
            );
        }
        (None, _) => {}
    }
}

fn periods(settings: &PasswordlessSettings, violations: &mut Violations) {
    let whole =
        |duration: &Option<Duration>| duration.as_ref().map(|given| (given.seconds, given.nanos));
    let validity = whole(&settings.validity);
    match validity {
        Some((HOUR..=TEN_YEARS, 0)) => {}
        None if !settings.enabled => {}
        Some(_) | None => violations.add(
            "validity",
            "is absent or out of range; give 1 hour to 10 years, in whole seconds",
        ),
    }
    match (whole(&settings.renew_before), validity) {
        (None, _) if !settings.enabled => {}
        (Some((renew, 0)), Some((validity, _))) if (0..validity).contains(&renew) => {}
        (Some((0.., 0)), None) => {}
        (Some(_) | None, _) => violations.add(
            "renew_before",
            "is absent or not less than the validity; give a shorter time, in whole seconds",
        ),
    }
}

/// `HOST\CA name`, as `certutil` shows it.
fn configuration_string(text: &str) -> Result<(), String> {
    let example = r"write it as in `ca.corp.example.com\Corp Issuing CA`";
    match text.split_once('\\') {
        Some((host, name)) if !name.contains('\\') => {
            super::dns::name(host).map_err(|problem| format!("its host {problem}"))?;
            text::name(name).map_err(|problem| format!("its name {problem}; {example}"))
        }
        Some(_) | None => Err(format!("is not `HOST\\CA name`; {example}")),
    }
}

fn web_url(text: &str) -> Result<(), String> {
    let example = "write it as in `http://pki.example.com/root.crl`";
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error}); {example}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("is not a web address; {example}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "holds a user name or a password, which everyone would see; {example}"
        ));
    }
    Ok(())
}
