//! Domains, for people.

use api::config::v1::{
    ActiveDirectorySettings, CredentialState, CredentialStatus, Domain, EntraSettings, GuardLimit,
    GuardLimits, PasswordlessSettings, domain::Directory, passwordless_settings::Authority,
};
use api::rotation::v1::DomainRotation;
use prost_types::Duration;

use crate::output::{
    Cell, Record, Screen, Table, Tone, ago, count, date_time, from_now, last_part, span, word,
};

pub(super) fn domains(domains: &[Domain], screen: &Screen) -> String {
    if domains.is_empty() {
        return "no domains yet; add one: hes domain add ad --help".to_owned();
    }
    let mut table = Table::new(["ID", "DIRECTORY", "CREDENTIALS", "SYNC EVERY", "NAME"]);
    for domain in domains {
        table.row([
            last_part(&domain.name).into(),
            directory_name(domain).into(),
            credentials(domain),
            length(domain.sync_interval.as_ref()).into(),
            domain.display_name.as_str().into(),
        ]);
    }
    table.render(screen)
}

/// Whether credentials are set; for a deleted domain, that it is.
pub(crate) fn credentials(domain: &Domain) -> Cell {
    if domain.delete_time.is_some() {
        return Cell::toned("domain deleted", Tone::Faint);
    }
    let state = domain
        .credential_status
        .as_ref()
        .map(CredentialStatus::state)
        .unwrap_or_default();
    let tone = match state {
        CredentialState::Set => Tone::Good,
        CredentialState::Skipped | CredentialState::Removed => Tone::Warning,
        CredentialState::Unspecified => Tone::Plain,
    };
    Cell::toned(word(state.as_str_name(), "CREDENTIAL_STATE_"), tone)
}

fn directory_name(domain: &Domain) -> &str {
    match &domain.directory {
        Some(Directory::ActiveDirectory(ad)) => &ad.domain_name,
        Some(Directory::Entra(entra)) => &entra.tenant_id,
        None => "",
    }
}

pub(super) fn domain(domain: &Domain, screen: &Screen) -> String {
    domain_record(domain, screen).render(screen)
}

/// With how rotation stands, where that can be told.
pub(super) fn domain_with_rotation(
    domain: &Domain,
    rotation: Option<&DomainRotation>,
    screen: &Screen,
) -> String {
    let mut record = domain_record(domain, screen);
    match rotation {
        Some(rotation) => crate::cli::rotation::view::domain(&mut record, rotation, screen),
        None => {
            record.line(
                "rotation",
                Cell::toned("rotation-scheduler does not tell", Tone::Warning),
            );
        }
    }
    record.render(screen)
}

fn domain_record(domain: &Domain, screen: &Screen) -> Record {
    let mut record = Record::default();
    record
        .line("id", last_part(&domain.name))
        .line("name", Cell::toned(&domain.display_name, Tone::Strong));
    match &domain.directory {
        Some(Directory::ActiveDirectory(ad)) => active_directory(&mut record, ad),
        Some(Directory::Entra(entra)) => self::entra(&mut record, entra),
        None => {}
    }
    if let Some(identity) = &domain.identity {
        record
            .line_if("NetBIOS name", &identity.netbios_name)
            .line_if("directory id", &identity.directory_id);
    }
    record.line("credentials", credential_status(domain, screen));
    groups(&mut record, domain);
    settings(&mut record, domain);
    record
        .line_if("added", &date_time(domain.create_time.as_ref()))
        .line_if("changed", &ago(screen.now, domain.update_time.as_ref()))
        .line_if("deleted", &ago(screen.now, domain.delete_time.as_ref()))
        .line_if(
            "gone for good",
            &from_now(screen.now, domain.purge_time.as_ref()),
        )
        .line_if("etag", &domain.etag);
    record
}

fn active_directory(record: &mut Record, ad: &ActiveDirectorySettings) {
    let tls = if ad.start_tls { " (StartTLS)" } else { "" };
    let certificates = ad
        .ca_bundle_pem
        .matches("-----BEGIN CERTIFICATE-----")
        .count();
    let authorities = match certificates {
        0 => "the public ones".to_owned(),
        n => count(
            n.try_into().unwrap_or(i64::MAX),
            "certificate",
            "certificates",
        ),
    };
    record
        .line("kind", "Active Directory")
        .line("domain name", ad.domain_name.as_str())
        .line("servers", format!("{}{tls}", ad.servers.join("\n")))
        .line("authorities", authorities)
        .line(
            "base DN",
            if ad.base_dn.is_empty() {
                "the whole domain"
            } else {
                &ad.base_dn
            },
        )
        .line(
            "nested groups",
            if ad.nested_groups.unwrap_or(true) {
                "yes"
            } else {
                "no"
            },
        )
        .line_if("only below", &ad.include_ous.join("\n"))
        .line_if("nobody below", &ad.exclude_ous.join("\n"))
        .line_if("filter", &ad.user_filter);
}

fn entra(record: &mut Record, entra: &EntraSettings) {
    record
        .line("kind", "Entra ID")
        .line("tenant", entra.tenant_id.as_str())
        .line("cloud", word(entra.cloud().as_str_name(), "ENTRA_CLOUD_"))
        .line_if("authority", &entra.authority_url)
        .line_if("graph", &entra.graph_url);
}

fn credential_status(domain: &Domain, screen: &Screen) -> Cell {
    let Some(status) = &domain.credential_status else {
        return Cell::from("unknown");
    };
    let mut text = word(status.state().as_str_name(), "CREDENTIAL_STATE_");
    let when = ago(screen.now, status.change_time.as_ref());
    if !when.is_empty() {
        text.push_str(&format!(" {when} by {}", status.changed_by));
    }
    if status.expire_time.is_some() {
        text.push_str(&format!(
            ", expire {}",
            date_time(status.expire_time.as_ref())
        ));
    }
    match status.state() {
        CredentialState::Set => Cell::toned(text, Tone::Good),
        CredentialState::Skipped | CredentialState::Removed => {
            Cell::toned(format!("{text}; sync and rotation are off"), Tone::Warning)
        }
        CredentialState::Unspecified => text.into(),
    }
}

fn groups(record: &mut Record, domain: &Domain) {
    for (label, name, pinned) in [
        ("sync group", &domain.sync_group, &domain.pinned_sync_group),
        (
            "rotation group",
            &domain.rotation_group,
            &domain.pinned_rotation_group,
        ),
    ] {
        match pinned {
            Some(group) if group.current_name != *name => {
                let text = format!("{name}, now called {}", group.current_name);
                record.line(label, Cell::toned(text, Tone::Warning));
            }
            Some(_) => {
                record.line(label, name.as_str());
            }
            None => {
                record.line(label, format!("{name} (not found yet)"));
            }
        }
    }
}

fn settings(record: &mut Record, domain: &Domain) {
    let policy = domain.rotation_policy.clone().unwrap_or_default();
    let rotation = match domain.auto_password_change_days() {
        0 => "off".to_owned(),
        days => format!("every {}", count(days.into(), "day", "days")),
    };
    record
        .line("password change", rotation)
        .line_if(
            "only within",
            &policy
                .windows
                .iter()
                .map(|window| format!("{} {}", super::rotation::window(window), policy.time_zone))
                .collect::<Vec<_>>()
                .join("\n"),
        )
        .line_if(
            "not on",
            &policy
                .blackouts
                .iter()
                .map(|days| match days.last.as_str() {
                    "" => days.first.clone(),
                    last => format!("{} to {last}", days.first),
                })
                .collect::<Vec<_>>()
                .join("\n"),
        )
        .line(
            "at most",
            format!(
                "{} at once, {} or {} % an hour; the first {} alone",
                policy.at_once(),
                policy.per_hour(),
                policy.percent_per_hour(),
                policy.canaries()
            ),
        )
        .line(
            "before expiry",
            format!("{} at the latest", length(policy.lead.as_ref())),
        )
        .line(
            "sync",
            format!("every {}", length(domain.sync_interval.as_ref())),
        )
        .line(
            "leavers",
            word(domain.removal_policy().as_str_name(), "REMOVAL_POLICY_"),
        )
        .line("deletion after", length(domain.removal_grace.as_ref()))
        .line(
            "guard",
            domain
                .guard_limits
                .map(|limits| guard(&limits))
                .unwrap_or_default(),
        )
        .line("precedence", domain.precedence.to_string())
        .line(
            "mail suffixes",
            if domain.mail_suffixes.is_empty() {
                "those the directory proves".to_owned()
            } else {
                domain.mail_suffixes.join(", ")
            },
        );
}

fn guard(limits: &GuardLimits) -> String {
    let limit = |name: &str, limit: &Option<GuardLimit>| {
        limit.map(|limit| {
            format!(
                "{name}: {} %, at least {}, at most {}",
                limit.percent(),
                limit.least(),
                limit.most()
            )
        })
    };
    [
        limit("removals", &limits.removals),
        limit("disables", &limits.disables),
        limit("members_lost", &limits.members_lost),
        limit("attribute_cleared", &limits.attribute_cleared),
        limit("joins", &limits.joins),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join("\n")
}

pub(super) fn passwordless(settings: &PasswordlessSettings, screen: &Screen) -> String {
    let mut record = Record::default();
    record.line("enabled", if settings.enabled { "yes" } else { "no" });
    match &settings.authority {
        Some(Authority::Adcs(adcs)) => {
            record
                .line("certificate authority", adcs.certificate_authority.as_str())
                .line("template", adcs.certificate_template.as_str());
        }
        Some(Authority::RootCertificate(root)) => {
            record
                .line("root certificate", "set")
                .line("CRL URL", root.crl_url.as_str());
        }
        None => {
            record.line("authority", "none");
        }
    }
    let everyone = "everyone in the sync group";
    record
        .line("validity", length(settings.validity.as_ref()))
        .line("renewed before", length(settings.renew_before.as_ref()))
        .line(
            "for",
            if settings.target_group.is_empty() {
                everyone
            } else {
                &settings.target_group
            },
        )
        .line("revision", settings.revision.to_string())
        .line_if("changed", &ago(screen.now, settings.update_time.as_ref()))
        .line_if("etag", &settings.etag);
    record.render(screen)
}

fn length(duration: Option<&Duration>) -> String {
    duration
        .and_then(|duration| std::time::Duration::try_from(*duration).ok())
        .map(span)
        .unwrap_or_default()
}
