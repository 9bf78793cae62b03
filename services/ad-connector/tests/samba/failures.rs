//! What can go wrong with a domain: each has a reason and a remedy, and removes nobody.

use std::time::Duration;

use ad_connector::Settings;
use api::connector::v1::SyncRunState;
use testkit::Samba;
use testkit::ca::{Ca, Names};
use testkit::chaos::{Cut, Direction, Mode, Proxy};
use testkit::samba::{BulkUsers, Certificate, Options};

use crate::dc::{Test, dc, names};

#[tokio::test]
async fn settings_that_do_not_fit_the_directory_fail_the_run() {
    let samba = dc().await;
    let test = Test::start("fa").await;
    samba.create_user("fa-ada").await.unwrap();
    samba
        .add_members(&names("fa").0, &["fa-ada"])
        .await
        .unwrap();
    test.applied().await;

    test.settings(|settings| settings.user_filter = "(department=Sales".to_owned());
    assert_eq!(test.failed().await, "FILTER_INVALID");
    test.settings(|settings| settings.user_filter = "(deparment=Sales)".to_owned());
    assert_eq!(test.failed().await, "FILTER_INVALID");
    test.settings(|settings| settings.user_filter = "(department=Salse)".to_owned());
    assert_eq!(test.failed().await, "SCOPE_EMPTY");
    test.settings(|settings| {
        settings.user_filter.clear();
        settings.include_ous = vec![format!("OU=Nowhere,{}", samba.base_dn())];
    });
    assert_eq!(test.failed().await, "OU_MISSING");
    test.settings(|settings| {
        settings.include_ous.clear();
        settings.servers = vec!["ldaps://no-such-host.invalid".to_owned()];
    });
    assert_eq!(test.failed().await, "NAME_RESOLUTION");
    test.settings(|settings| settings.servers = vec!["ldaps://127.0.0.1:9".to_owned()]);
    assert_eq!(test.failed().await, "UNREACHABLE");
    test.settings(|settings| {
        settings.servers = vec![samba.ldaps_url()];
        settings.ca_bundle_pem = Ca::new("another authority").unwrap().pem();
    });
    assert_eq!(test.failed().await, "TLS_UNKNOWN_ISSUER");
    test.settings(|settings| settings.ca_bundle_pem = samba.ca().pem());
    test.config
        .set_credentials("corp", &samba.service().name, "wrong");
    assert_eq!(test.failed().await, "BIND_REFUSED");
    assert_eq!(test.world.state("corp").await.consecutive_failures, 8);

    let logon = samba.service();
    test.config
        .set_credentials("corp", &logon.name, &logon.password);
    test.settings(|settings| {
        settings.servers = vec![samba.ldap_url()];
        settings.start_tls = true;
    });
    let run = test.sync().await;
    assert!(run.failure.is_none(), "{run:#?}");
    assert_eq!(test.world.state("corp").await.consecutive_failures, 0);
    test.world.stop().await;
}

#[tokio::test]
async fn another_directory_and_a_bad_certificate_stop_all_work() {
    let samba = dc().await;
    let test = Test::start("ot").await;
    samba.create_user("ot-ada").await.unwrap();
    samba
        .add_members(&names("ot").0, &["ot-ada"])
        .await
        .unwrap();
    test.applied().await;
    let other = Samba::start(Options::domain("other.test")).await.unwrap();
    other.create_group(names("ot").0.as_str()).await.unwrap();

    let logon = other.service();
    test.config
        .set_credentials("corp", &logon.upn, &logon.password);
    test.settings(|settings| {
        settings.servers = vec![other.ldaps_url()];
        settings.ca_bundle_pem = other.ca().pem();
    });
    assert_eq!(test.failed().await, "DIRECTORY_CHANGED");
    for (certificate, reason) in [
        (Certificate::Expired, "TLS_CERTIFICATE_EXPIRED"),
        (Certificate::SelfSigned, "TLS_UNKNOWN_ISSUER"),
        (
            Certificate::Names(Names::dns("elsewhere.test")),
            "TLS_NAME_MISMATCH",
        ),
    ] {
        other.restart_with_certificate(certificate).await.unwrap();
        assert_eq!(test.failed().await, reason);
    }
    test.world.stop().await;
}

#[tokio::test]
async fn a_connection_that_breaks_hangs_or_drips_removes_nobody() {
    let samba = dc().await;
    let mut settings = Settings::default();
    settings.directory.page_size = 5;
    settings.directory.operation_timeout = Duration::from_secs(2);
    let test = Test::on(samba, "co", settings).await;
    samba.create_group(names("co").0.as_str()).await.unwrap();
    let users = BulkUsers::new("co-u", 20).in_group(names("co").0);
    samba.bulk_users(users).await.unwrap();
    test.applied().await;
    let proxy = Proxy::start(samba.ldaps_address()).await.unwrap();
    let url = format!("ldaps://127.0.0.1:{}", proxy.port());
    test.settings(|settings| settings.servers = vec![url]);
    test.sync().await;
    let whole = proxy.counters().to_client_bytes;

    for part in [4, 3, 2] {
        let cut = Cut::after_bytes(Direction::ToClient, whole - whole / part);
        proxy.set(Mode::Cut(cut));
        assert_eq!(test.failed().await, "READ_INCOMPLETE");
        proxy.set(Mode::Cut(cut.hanging()));
        assert_eq!(test.failed().await, "TIMEOUT");
    }
    proxy.set(Mode::Refuse);
    test.failed().await;
    proxy.set(Mode::Delay(Duration::from_millis(20)));
    let slow = test.sync().await;

    assert_eq!(slow.state(), SyncRunState::Unchanged, "{slow:#?}");
    test.world.stop().await;
}

#[tokio::test]
async fn a_domain_is_tested_without_being_saved() {
    use api::config::v1::{ActiveDirectoryCredentials, Credentials, credentials::Kind};
    use api::connector::v1::TestConnectionRequest;
    use api::directory::v1::Grade;

    let samba = dc().await;
    let test = Test::on(samba, "te", Settings::default()).await;
    samba.create_group(names("te").0.as_str()).await.unwrap();
    let mut corp = connector::testing::domain("corp");
    test.config.change("corp", |domain| corp = domain.clone());
    let logon = samba.service();
    let kind = Kind::ActiveDirectory(ActiveDirectoryCredentials {
        logon_name: logon.name,
        password: logon.password,
    });
    let request = TestConnectionRequest {
        domain: Some(corp),
        credentials: Some(Credentials {
            kind: Some(kind),
            expire_time: None,
        }),
    };

    let mut client = test.world.client.clone();
    let mut answers = client.test_connection(request).await.unwrap().into_inner();
    let mut grades = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let check = answer.check.unwrap();
        grades.push((check.id.clone(), check.grade()));
    }

    let ids: Vec<&str> = grades.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ad_client::check::IDS);
    for (id, grade) in &grades[..5] {
        assert_eq!(*grade, Grade::Ok, "{id}");
    }
    test.world.stop().await;
}
