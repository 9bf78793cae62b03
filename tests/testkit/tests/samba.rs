//! The domain controllers are real, verify, and do as told.
#![expect(clippy::unwrap_used, reason = "what tests share fails the test")]

use std::time::Duration;

use ldap3::{LdapConnAsync, LdapConnSettings, Scope, SearchEntry};
use rustls_pki_types::pem::PemObject as _;
use testkit::poll_until;
use testkit::samba::{BulkUsers, Certificate, NewUser, Options, Samba};

/// A bound connection whose TLS is verified with the server's authority.
async fn connect(samba: &Samba) -> ldap3::result::Result<ldap3::Ldap> {
    let mut roots = rustls::RootCertStore::empty();
    let pem = rustls_pki_types::CertificateDer::from_pem_slice(samba.ca().pem().as_bytes());
    roots.add(pem.unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let settings = LdapConnSettings::new()
        .set_conn_timeout(Duration::from_secs(5))
        .set_config(std::sync::Arc::new(config));
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &samba.ldaps_url()).await?;
    #[expect(clippy::disallowed_methods, reason = "it ends with the connection")]
    tokio::spawn(connection.drive());
    let service = samba.service();
    ldap.simple_bind(&service.upn, &service.password)
        .await?
        .success()?;
    Ok(ldap)
}

async fn search(samba: &Samba, filter: &str, attribute: &str) -> Vec<SearchEntry> {
    let mut ldap = connect(samba).await.unwrap();
    let (found, _) = ldap
        .search(samba.base_dn(), Scope::Subtree, filter, vec![attribute])
        .await
        .unwrap()
        .success()
        .unwrap();
    found
        .into_iter()
        .filter(|entry| !entry.is_ref())
        .map(SearchEntry::construct)
        .collect()
}

#[tokio::test]
async fn a_certificate_verifies_unless_asked_not_to() {
    let samba = Samba::start(Options::default()).await.unwrap();

    connect(&samba).await.unwrap();

    for bad in [
        Certificate::Expired,
        Certificate::NotYetValid,
        Certificate::SelfSigned,
        Certificate::Foreign,
        Certificate::Names(testkit::ca::Names::of_somebody_else()),
    ] {
        samba.restart_with_certificate(bad.clone()).await.unwrap();
        assert!(connect(&samba).await.is_err(), "{bad:?} was accepted");
    }
    samba
        .restart_with_certificate(Certificate::Good)
        .await
        .unwrap();
    samba.restart_at_another_address().await.unwrap();
    connect(&samba).await.unwrap();
}

#[tokio::test]
async fn people_are_created_changed_deleted_and_restored() {
    let samba = Samba::start(Options::default()).await.unwrap();
    let group = samba.create_group("Security Key Owners").await.unwrap();
    let ou = samba.create_ou("People, all", None).await.unwrap();
    let ada = NewUser::named("ada").mail("ada@corp.test").within(&ou.dn);
    let ada = samba.create_user(ada).await.unwrap();
    samba
        .add_members("Security Key Owners", &["ada"])
        .await
        .unwrap();

    let renamed = samba.rename("ada", "Lovelace, Ada").await.unwrap();
    let moved = samba
        .move_to("ada", &format!("CN=Users,{}", samba.base_dn()))
        .await
        .unwrap();
    assert_eq!((renamed.guid, moved.guid), (ada.guid, ada.guid));
    assert_eq!(samba.members(&group.dn).await.unwrap(), [moved.dn]);

    samba.disable("ada").await.unwrap();
    assert_eq!(
        samba.get("ada", "userAccountControl").await.unwrap(),
        ["514"]
    );
    samba.enable("ada").await.unwrap();
    samba.expire_account("ada").await.unwrap();
    samba.lock_out("ada").await.unwrap();
    samba.must_change_password("ada").await.unwrap();
    let found = search(
        &samba,
        "(sAMAccountName=ada)",
        "msDS-User-Account-Control-Computed",
    )
    .await;
    // Locked out, and the password expired.
    assert_eq!(
        found[0].attrs["msDS-User-Account-Control-Computed"],
        [(0x10 | 0x80_0000).to_string()]
    );

    samba.delete("ada").await.unwrap();
    assert!(samba.entry("ada").await.is_err());
    samba.deleted_entry(ada.guid).await.unwrap();
    let restored = samba.restore(ada.guid, None).await.unwrap();
    assert_eq!((restored.guid, restored.name.as_str()), (ada.guid, "ada"));
    assert!(samba.get("ada", "mail").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_denied_is_hidden_until_it_is_taken_back() {
    let samba = Samba::start(Options::default()).await.unwrap();
    samba.create_user("ada").await.unwrap();
    samba.create_group("Owners").await.unwrap();
    samba.add_members("Owners", &["ada"]).await.unwrap();
    let before = samba.security("Owners").await.unwrap();
    let member = async || {
        search(&samba, "(sAMAccountName=Owners)", "member").await[0]
            .attrs
            .get("member")
            .map_or(0, Vec::len)
    };
    assert_eq!(member().await, 1);

    samba
        .deny_read("Owners", "member", "svc-hes")
        .await
        .unwrap();
    assert_eq!(member().await, 0);

    samba.set_security("Owners", &before).await.unwrap();
    assert_eq!(member().await, 1);

    samba.deny_everything("Owners", "svc-hes").await.unwrap();
    let found = search(&samba, "(sAMAccountName=Owners)", "member").await;
    assert!(found.is_empty() || !found[0].attrs.contains_key("member"));
}

#[tokio::test]
async fn delegated_rights_are_granted() {
    let samba = Samba::start(Options::default()).await.unwrap();
    samba.create_user("ada").await.unwrap();
    let service = samba.entry("svc-hes").await.unwrap().sid.unwrap();

    samba
        .allow_reset_password("svc-hes", samba.base_dn())
        .await
        .unwrap();
    samba.allow_reading_deleted("svc-hes").await.unwrap();
    samba.allow_replication("svc-hes").await.unwrap();

    let ada = samba.security("ada").await.unwrap();
    assert!(
        ada.contains("00299570-246d-11d0-a768-00aa006e0529"),
        "{ada}"
    );
    assert!(ada.contains(&service));
}

#[tokio::test]
async fn a_paused_server_is_silent_and_a_killed_one_gone() {
    let samba = Samba::start(Options::default()).await.unwrap();

    samba.pause();
    assert!(connect(&samba).await.is_err());
    samba.resume();
    poll_until(Duration::from_secs(10), "the server to go on", async || {
        connect(&samba).await.ok().map(drop)
    })
    .await
    .unwrap();

    samba.create_user("ada").await.unwrap();
    samba.kill();
    assert!(connect(&samba).await.is_err());
    samba.start_again().await.unwrap();
    assert_eq!(
        search(&samba, "(sAMAccountName=ada)", "mail").await.len(),
        1
    );
}

#[tokio::test]
async fn a_second_server_learns_only_on_command() {
    let first = Samba::start(Options::default()).await.unwrap();
    let second = first.second_dc().await.unwrap();
    let ada = first
        .create_user(NewUser::named("ada").password("Correct-h0rse"))
        .await
        .unwrap();
    assert!(second.entry("ada").await.is_err());

    second.pull_from(&first).await.unwrap();

    assert_eq!(second.entry("ada").await.unwrap().guid, ada.guid);
    assert_eq!(
        search(&second, "(sAMAccountName=ada)", "mail").await.len(),
        1
    );
    assert_ne!(
        first.invocation_id().await.unwrap(),
        second.invocation_id().await.unwrap()
    );

    second.set("ada", "mail", &["ada@corp.test"]).await.unwrap();
    first.pull_from(&second).await.unwrap();
    assert_eq!(first.get("ada", "mail").await.unwrap(), ["ada@corp.test"]);
}

#[tokio::test]
async fn two_forests_run_side_by_side() {
    let one = Samba::start(Options::default()).await.unwrap();
    let two = Samba::start(Options::domain("other.test").ca(one.ca()))
        .await
        .unwrap();

    two.create_group("Owners").await.unwrap();
    let users = BulkUsers::new("user", 500).in_group("Owners");
    assert_eq!(two.bulk_users(users).await.unwrap(), 500);

    assert_ne!(one.domain_sid(), two.domain_sid());
    assert_eq!(two.members("Owners").await.unwrap().len(), 500);
    assert!(search(&one, "(mail=user*)", "mail").await.is_empty());
    assert_eq!(search(&two, "(mail=user*)", "mail").await.len(), 500);
}
