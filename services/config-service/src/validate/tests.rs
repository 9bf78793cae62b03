use api::config::v1::{
    ActiveDirectoryCredentials, ActiveDirectorySettings, AdcsAuthority, Credentials, Domain,
    EntraSettings, GuardLimit, GuardLimits, PasswordlessSettings, RemovalPolicy,
    RootCertificateAuthority, credentials, domain::Directory, passwordless_settings::Authority,
};
use directory::DirectoryKind;
use jiff::Timestamp;
use prost_types::Duration;

use super::{Violation, certificate, domain::Refusal};

fn certificate_pem() -> (String, String) {
    let key = rcgen::generate_simple_self_signed(vec!["ca.example.com".into()]).unwrap();
    (key.cert.pem(), key.signing_key.serialize_pem())
}

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

fn minimal() -> Domain {
    Domain {
        directory: Some(Directory::ActiveDirectory(ActiveDirectorySettings {
            domain_name: "Corp.Example.com".into(),
            servers: vec!["ldaps://DC1.corp.example.com".into()],
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn normalize(
    change: impl FnOnce(&mut Domain, &mut ActiveDirectorySettings),
) -> Result<Domain, Vec<String>> {
    let mut domain = minimal();
    let mut settings = match domain.directory.take() {
        Some(Directory::ActiveDirectory(settings)) => settings,
        Some(Directory::Entra(_)) | None => unreachable!(),
    };
    change(&mut domain, &mut settings);
    domain.directory = Some(Directory::ActiveDirectory(settings));
    super::domain::normalize("corp", domain).map_err(|refusal| match refusal {
        Refusal::Invalid(violations) => fields(violations),
        Refusal::EntraNotYet => panic!("not Entra"),
    })
}

fn fields(violations: Vec<Violation>) -> Vec<String> {
    violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

#[test]
fn what_is_left_out_gets_its_default() {
    let domain = normalize(|_, _| {}).unwrap();

    let limit = |percent, least, most| {
        Some(GuardLimit {
            percent: Some(percent),
            least: Some(least),
            most: Some(most),
        })
    };
    let leaving = limit(5, 3, 200);
    let expected = Domain {
        display_name: "corp".into(),
        directory: Some(Directory::ActiveDirectory(ActiveDirectorySettings {
            domain_name: "corp.example.com".into(),
            servers: vec!["ldaps://dc1.corp.example.com".into()],
            nested_groups: Some(true),
            ..Default::default()
        })),
        sync_group: "Security Key Owners".into(),
        rotation_group: "Security Key Auto Password Change".into(),
        auto_password_change_days: Some(28),
        sync_interval: seconds(3600),
        removal_policy: RemovalPolicy::Deactivate.into(),
        removal_grace: seconds(30 * 86_400),
        guard_limits: Some(GuardLimits {
            removals: leaving,
            disables: leaving,
            members_lost: leaving,
            attribute_cleared: leaving,
            joins: limit(25, 20, 2000),
        }),
        rotation_policy: Some(api::config::v1::RotationPolicy {
            lead: seconds(3 * 86_400),
            time_zone: "UTC".into(),
            at_once: Some(8),
            per_hour: Some(200),
            percent_per_hour: Some(25),
            canaries: Some(3),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(domain, expected);
    // What is stored can be stored again as it is.
    assert_eq!(super::domain::normalize("corp", domain.clone()), Ok(domain));
}

#[test]
fn every_bad_field_is_named_and_all_at_once() {
    let (certificate, key) = certificate_pem();

    let fields = normalize(|domain, directory| {
        domain.display_name = "a\nb".into();
        domain.sync_group = " ".into();
        domain.auto_password_change_days = Some(181);
        domain.sync_interval = seconds(59);
        domain.removal_policy = 9;
        domain.removal_grace = seconds(366 * 86_400);
        domain.guard_limits = Some(GuardLimits {
            removals: Some(GuardLimit {
                percent: Some(101),
                least: Some(-1),
                most: Some(-2),
            }),
            ..Default::default()
        });
        domain.mail_suffixes = vec!["example.com".into(), "EXAMPLE.com".into(), "@x".into()];
        directory.domain_name = "corp example".into();
        directory.servers = vec![
            "ldap://dc1".into(),
            "ldaps://dc2".into(),
            "ldaps://DC2".into(),
        ];
        directory.ca_bundle_pem = format!("{certificate}{key}");
        directory.base_dn = "corp".into();
        directory.include_ous = vec!["OU=A,DC=x".into()];
        directory.exclude_ous = vec!["ou=a,dc=x".into(), "A".into()];
        directory.user_filter = "(a=b".into();
    })
    .unwrap_err();

    let expected = [
        "active_directory.domain_name",
        "active_directory.servers[0]",
        "active_directory.servers[2]",
        "active_directory.ca_bundle_pem",
        "active_directory.base_dn",
        "active_directory.exclude_ous[1]",
        "active_directory.exclude_ous[0]",
        "active_directory.user_filter",
        "removal_policy",
        "guard_limits.removals.percent",
        "guard_limits.removals.least",
        "guard_limits.removals.most",
        "mail_suffixes[1]",
        "mail_suffixes[2]",
        "display_name",
        "sync_group",
        "auto_password_change_days",
        "sync_interval",
        "removal_grace",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn limits_are_inclusive() {
    for (days, good) in [(0, true), (1, true), (180, true), (181, false), (-1, false)] {
        assert_eq!(
            normalize(|d, _| d.auto_password_change_days = Some(days)).is_ok(),
            good,
            "{days}"
        );
    }
    for (interval, good) in [
        (60, true),
        (59, false),
        (7 * 86_400, true),
        (7 * 86_400 + 1, false),
    ] {
        assert_eq!(
            normalize(|d, _| d.sync_interval = seconds(interval)).is_ok(),
            good,
            "{interval}"
        );
    }
    assert!(normalize(|_, ad| ad.servers.clear()).is_err());
    assert!(
        normalize(|_, ad| (ad.servers, ad.start_tls) = (vec!["ldap://dc1".into()], true)).is_ok()
    );
}

#[test]
fn entra_domains_come_later() {
    let domain = Domain {
        directory: Some(Directory::Entra(EntraSettings::default())),
        ..Default::default()
    };
    assert_eq!(
        super::domain::normalize("cloud", domain),
        Err(Refusal::EntraNotYet)
    );
}

#[test]
fn a_bundle_holds_certificates_and_nothing_else() {
    let (certificate, key) = certificate_pem();
    assert_eq!(certificate::bundle(&certificate), Ok(()));
    assert_eq!(certificate::bundle(&certificate.repeat(2)), Ok(()));
    assert!(certificate::single(&certificate.repeat(2)).is_err());

    let cut: String = certificate.lines().take(3).collect::<Vec<_>>().join("\n");
    let wrong = certificate.replace("MII", "AAA");
    for bad in ["hello", &key, &format!("{certificate}{key}"), &cut, &wrong] {
        let problem = certificate::bundle(bad).unwrap_err();
        assert!(!problem.contains("MI"), "{problem}");
    }
    assert!(
        certificate::bundle(&key)
            .unwrap_err()
            .contains("private key")
    );
}

#[test]
fn credentials_are_of_the_domains_kind_and_complete_and_never_repeated() {
    let check = |logon_name: &str, password: &str, kind| {
        let given = Credentials {
            kind: Some(credentials::Kind::ActiveDirectory(
                ActiveDirectoryCredentials {
                    logon_name: logon_name.into(),
                    password: password.into(),
                },
            )),
            expire_time: None,
        };
        super::credentials::check("credentials", &given, kind, Timestamp::UNIX_EPOCH)
    };
    let ad = DirectoryKind::ActiveDirectory;
    for good in ["svc@corp.example.com", r"CORP\svc", "CN=svc,DC=corp"] {
        assert_eq!(check(good, "canary-4711", ad), Ok(()), "{good}");
    }
    for (name, password, kind) in [
        ("canary-4711", "canary-4711", ad),
        ("", "canary-4711", ad),
        ("canary-4711@x", "", ad),
        ("@canary-4711", "x", ad),
        ("canary-4711@x", "canary-4711\n", ad),
        ("canary-4711@x", "canary-4711", DirectoryKind::EntraId),
    ] {
        let violations = check(name, password, kind).unwrap_err();
        assert!(
            !format!("{violations:?}").contains("4711"),
            "{violations:?}"
        );
        assert!(
            violations
                .iter()
                .all(|v| v.field.starts_with("credentials"))
        );
    }
    let expired = Credentials {
        expire_time: Some(prost_types::Timestamp::default()),
        ..Default::default()
    };
    let violations =
        super::credentials::check("c", &expired, ad, Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(fields(violations), ["c", "c.expire_time"]);
}

#[test]
fn passwordless_settings_have_the_shape_of_their_domain() {
    let (certificate, _) = certificate_pem();
    let adcs = |authority: &str, template: &str| {
        Some(Authority::Adcs(AdcsAuthority {
            certificate_authority: authority.into(),
            certificate_template: template.into(),
        }))
    };
    let root = |pem: &str, crl: &str| {
        Some(Authority::RootCertificate(RootCertificateAuthority {
            certificate_pem: pem.into(),
            crl_url: crl.into(),
        }))
    };
    let problems = |enabled, authority, kind| {
        let settings = PasswordlessSettings {
            enabled,
            authority,
            validity: seconds(86_400),
            renew_before: seconds(3600),
            ..Default::default()
        };
        match super::passwordless::normalize(settings.clone(), kind) {
            Ok(stored) => {
                assert_eq!(stored, settings);
                Vec::new()
            }
            Err(violations) => fields(violations),
        }
    };
    let none = Vec::<String>::new();
    let (ad, entra) = (DirectoryKind::ActiveDirectory, DirectoryKind::EntraId);

    assert_eq!(problems(true, adcs(r"ca.corp\Corp CA", "Logon"), ad), none);
    assert_eq!(problems(false, adcs("", ""), ad), none);
    assert_eq!(problems(false, None, ad), none);
    assert_eq!(problems(true, None, ad), ["adcs"]);
    assert_eq!(
        problems(true, adcs("", ""), ad),
        ["adcs.certificate_authority", "adcs.certificate_template"]
    );
    assert_eq!(
        problems(false, adcs("Corp CA", ""), ad),
        ["adcs.certificate_authority"]
    );
    assert_eq!(problems(false, adcs("", ""), entra), ["adcs"]);

    assert_eq!(
        problems(
            true,
            root(&certificate, "http://pki.example.com/r.crl"),
            entra
        ),
        none
    );
    assert_eq!(problems(true, root(&certificate, ""), entra), none);
    assert_eq!(
        problems(true, root("", ""), entra),
        ["root_certificate.certificate_pem"]
    );
    assert_eq!(
        problems(false, root("-----BEGIN", ""), entra),
        ["root_certificate.certificate_pem"]
    );
    assert_eq!(
        problems(false, root(&certificate, "ldap://pki/r.crl"), entra),
        ["root_certificate.crl_url"]
    );
    assert_eq!(
        problems(false, root(&certificate, "pki/r.crl"), entra),
        ["root_certificate.crl_url"]
    );
    assert_eq!(
        problems(false, root(&certificate, ""), ad),
        ["root_certificate"]
    );
}

#[test]
fn a_certificate_is_renewed_before_its_end() {
    let problems = |enabled, validity, renew_before| {
        let settings = PasswordlessSettings {
            enabled,
            validity,
            renew_before,
            ..Default::default()
        };
        super::passwordless::normalize(settings, DirectoryKind::ActiveDirectory)
            .map_or_else(fields, |_| Vec::new())
    };
    assert!(problems(false, None, None).is_empty());
    assert!(problems(false, seconds(3600), seconds(3599)).is_empty());
    assert_eq!(problems(false, seconds(3599), None), ["validity"]);
    assert_eq!(
        problems(false, seconds(3600), seconds(3600)),
        ["renew_before"]
    );
    assert_eq!(
        problems(true, None, None),
        ["adcs", "validity", "renew_before"]
    );
}
