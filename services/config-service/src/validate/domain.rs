//! A domain's settings: every field checked, every default filled in.

use std::collections::BTreeSet;

use api::config::v1::{ActiveDirectorySettings, Domain, RemovalPolicy, domain::Directory};
use prost_types::Duration;

use super::{Violation, Violations, certificate, dn, dns, filter, guard, rotation, server, text};

const SYNC_GROUP: &str = "Security Key Owners";
const ROTATION_GROUP: &str = "Security Key Auto Password Change";
const ROTATION_DAYS: i32 = 28;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// More servers than any site has; each is tried in turn.
const MOST_SERVERS: usize = 32;
const MOST_ENTRIES: usize = 256;

/// Why settings can't be taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Invalid(Vec<Violation>),
    /// Entra domains are part of the contract, and come with their connector.
    EntraNotYet,
}

/// The settings as they are stored: checked, in one spelling, with every default filled in. Only what an administrator
/// writes is kept; `name`, `etag` and the output-only fields are not settings.
pub(crate) fn normalize(id: &str, domain: Domain) -> Result<Domain, Refusal> {
    let mut violations = Violations::default();
    let directory = match domain.directory {
        Some(Directory::ActiveDirectory(settings)) => Some(Directory::ActiveDirectory(
            active_directory(settings, &mut violations),
        )),
        Some(Directory::Entra(_)) => return Err(Refusal::EntraNotYet),
        None => {
            violations.add(
                "active_directory",
                "is absent; say how the directory is reached",
            );
            None
        }
    };
    let settings = Domain {
        display_name: or_default(domain.display_name, id),
        directory,
        sync_group: or_default(domain.sync_group, SYNC_GROUP),
        rotation_group: or_default(domain.rotation_group, ROTATION_GROUP),
        auto_password_change_days: Some(domain.auto_password_change_days.unwrap_or(ROTATION_DAYS)),
        sync_interval: Some(domain.sync_interval.unwrap_or(seconds(HOUR))),
        removal_policy: removal_policy(domain.removal_policy, &mut violations),
        removal_grace: Some(domain.removal_grace.unwrap_or(seconds(30 * DAY))),
        guard_limits: Some(guard::normalize(domain.guard_limits, &mut violations)),
        rotation_policy: Some(rotation::normalize(domain.rotation_policy, &mut violations)),
        precedence: domain.precedence,
        mail_suffixes: list(
            "mail_suffixes",
            domain.mail_suffixes,
            dns::mail_suffix,
            &mut violations,
        ),
        ..Domain::default()
    };
    common(&settings, &mut violations);
    violations.into_result().map_err(Refusal::Invalid)?;
    Ok(settings)
}

fn common(settings: &Domain, violations: &mut Violations) {
    violations.check("display_name", text::name(&settings.display_name));
    violations.check("sync_group", text::name(&settings.sync_group));
    violations.check("rotation_group", text::name(&settings.rotation_group));
    if !(0..=180).contains(&settings.auto_password_change_days()) {
        violations.add(
            "auto_password_change_days",
            "is out of range; give 1 to 180 days, or 0 to turn rotation off",
        );
    }
    between(
        "sync_interval",
        settings.sync_interval,
        MINUTE..=7 * DAY,
        "1 minute to 7 days",
        violations,
    );
    between(
        "removal_grace",
        settings.removal_grace,
        0..=365 * DAY,
        "0 to 365 days",
        violations,
    );
}

fn active_directory(
    settings: ActiveDirectorySettings,
    violations: &mut Violations,
) -> ActiveDirectorySettings {
    let path = |field: &str| format!("active_directory.{field}");
    let domain_name = violations.check(&path("domain_name"), dns::name(&settings.domain_name));
    let start_tls = settings.start_tls;
    if settings.servers.is_empty() {
        violations.add(
            path("servers"),
            "is empty; name at least one domain controller, such as `ldaps://dc1.corp.example.com` (finding them by DNS \
             comes later)",
        );
    }
    if settings.servers.len() > MOST_SERVERS {
        violations.add(
            path("servers"),
            format!("has more than {MOST_SERVERS} entries; name fewer"),
        );
    }
    let check_server = |text: &str| server::check(text, start_tls);
    let servers = list(&path("servers"), settings.servers, check_server, violations);
    if !settings.ca_bundle_pem.is_empty() {
        violations.check(
            &path("ca_bundle_pem"),
            certificate::bundle(&settings.ca_bundle_pem),
        );
    }
    if !settings.base_dn.is_empty() {
        violations.check(&path("base_dn"), dn::check(&settings.base_dn));
    }
    let unit = |text: &str| dn::check(text).map(|()| text.to_owned());
    let include_ous = list(&path("include_ous"), settings.include_ous, unit, violations);
    let exclude_ous = list(&path("exclude_ous"), settings.exclude_ous, unit, violations);
    for (index, excluded) in exclude_ous.iter().enumerate() {
        if include_ous
            .iter()
            .any(|included| included.eq_ignore_ascii_case(excluded))
        {
            violations.add(
                format!("active_directory.exclude_ous[{index}]"),
                "is included too; keep it in one of the two lists",
            );
        }
    }
    if !settings.user_filter.is_empty() {
        violations.check(&path("user_filter"), filter::check(&settings.user_filter));
    }
    ActiveDirectorySettings {
        domain_name: domain_name.unwrap_or_default(),
        servers,
        start_tls,
        ca_bundle_pem: settings.ca_bundle_pem,
        base_dn: settings.base_dn,
        nested_groups: Some(settings.nested_groups.unwrap_or(true)),
        include_ous,
        exclude_ous,
        user_filter: settings.user_filter,
    }
}

/// Checks each element and refuses what stands there twice. Elements that can't be taken are complained of, and dropped
/// from a list that will not be stored.
fn list(
    field: &str,
    given: Vec<String>,
    check: impl Fn(&str) -> Result<String, String>,
    violations: &mut Violations,
) -> Vec<String> {
    if given.len() > MOST_ENTRIES {
        violations.add(
            field,
            format!("has more than {MOST_ENTRIES} entries; name fewer"),
        );
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut taken = Vec::with_capacity(given.len());
    for (index, text) in given.iter().enumerate() {
        let element = format!("{field}[{index}]");
        let Some(value) = violations.check(&element, check(text)) else {
            continue;
        };
        if !seen.insert(value.to_lowercase()) {
            violations.add(element, "stands there twice; remove one");
        }
        taken.push(value);
    }
    taken
}

fn removal_policy(number: i32, violations: &mut Violations) -> i32 {
    match RemovalPolicy::try_from(number) {
        Ok(RemovalPolicy::Unspecified) => RemovalPolicy::Deactivate.into(),
        Ok(RemovalPolicy::Keep | RemovalPolicy::Deactivate | RemovalPolicy::Delete) => number,
        Err(_) => {
            violations.add(
                "removal_policy",
                "is unknown; choose KEEP, DEACTIVATE or DELETE",
            );
            number
        }
    }
}

fn between(
    field: &str,
    duration: Option<Duration>,
    range: std::ops::RangeInclusive<i64>,
    words: &str,
    violations: &mut Violations,
) {
    let Duration { seconds, nanos } = duration.unwrap_or_default();
    // Fractions of a second mean nothing here, and would make two spellings of one value.
    if nanos != 0 || !range.contains(&seconds) {
        violations.add(
            field,
            format!("is out of range; give {words}, in whole seconds"),
        );
    }
}

fn or_default(text: String, default: &str) -> String {
    if text.is_empty() {
        default.to_owned()
    } else {
        text
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}
