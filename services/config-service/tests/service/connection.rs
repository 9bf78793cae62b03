use api::config::v1::{
    ActiveDirectorySettings, Domain, TestDomainRequest, domain::Directory,
    test_domain_request::Subject,
};
use futures::TryStreamExt as _;
use runtime::Caller;
use runtime::grpc::Reason;
use tonic::{Code, Status};

use crate::requests::fields;
use crate::world::{World, create, credentials, get, operator};

async fn checks(
    world: &World,
    caller: Caller,
    request: TestDomainRequest,
) -> Result<Vec<String>, Status> {
    let answers = world
        .domains_as(caller)
        .test_domain(request)
        .await?
        .into_inner();
    let answers: Vec<_> = answers.try_collect().await?;
    Ok(answers
        .into_iter()
        .map(|answer| answer.check.unwrap().id)
        .collect())
}

#[tokio::test]
async fn a_saved_domain_is_tested_with_its_saved_credentials() {
    let world = World::new().await;
    world.domain("corp").await;
    let request = TestDomainRequest {
        subject: Some(Subject::Name("domains/corp".into())),
        credentials: None,
    };

    let checks = checks(&world, operator(), request).await.unwrap();

    assert_eq!(checks, ["tcp", "tls"]);
    let asked = world.connector.tests.lock().unwrap().pop().unwrap();
    assert_eq!(asked.credentials, Some(credentials()));
    assert_eq!(asked.domain.unwrap().name, "domains/corp");
}

#[tokio::test]
async fn what_is_not_saved_is_tested_for_administrators_only_and_saves_nothing() {
    let world = World::new().await;
    world.domain("corp").await;
    let unsaved = |name: &str, domain: &str| TestDomainRequest {
        subject: Some(Subject::Domain(Domain {
            name: name.into(),
            ..create(domain).domain.unwrap()
        })),
        credentials: None,
    };

    let denied = checks(&world, operator(), unsaved("", "new"))
        .await
        .unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);

    checks(&world, Caller::Administrator, unsaved("", "new"))
        .await
        .unwrap();
    let asked = world.connector.tests.lock().unwrap().pop().unwrap();
    assert_eq!(asked.credentials, None);
    assert_eq!(
        world
            .domains()
            .get_domain(get("new"))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );

    // Other settings of a saved domain are tested with its credentials; they never go to another directory.
    checks(
        &world,
        Caller::Administrator,
        unsaved("domains/corp", "corp"),
    )
    .await
    .unwrap();
    let asked = world.connector.tests.lock().unwrap().pop().unwrap();
    assert_eq!(asked.credentials, Some(credentials()));
    let other = checks(
        &world,
        Caller::Administrator,
        unsaved("domains/corp", "evil"),
    )
    .await
    .unwrap_err();
    assert_eq!(Reason::of(&other), Some(Reason::ImmutableField));
}

#[tokio::test]
async fn a_test_sends_the_saved_credentials_nowhere_but_where_the_saved_settings_do() {
    let world = World::new().await;
    world
        .domain_with("corp", |domain| {
            active_directory(domain)
                .servers
                .push("ldaps://dc2.corp.example.com".into());
        })
        .await;
    let request = |change: fn(&mut ActiveDirectorySettings), given: bool| {
        let mut domain = Domain {
            name: "domains/corp".into(),
            ..create("corp").domain.unwrap()
        };
        change(active_directory(&mut domain));
        TestDomainRequest {
            subject: Some(Subject::Domain(domain)),
            credentials: given.then(credentials),
        }
    };
    let certificate = rcgen::generate_simple_self_signed(["evil.example".to_owned()]).unwrap();
    let ca = certificate.cert.pem();
    let elsewhere: [fn(&mut ActiveDirectorySettings); 3] = [
        |settings| settings.servers = vec!["ldaps://dc.evil.example".into()],
        |settings| settings.servers.push("ldaps://dc.evil.example".into()),
        // Found by DNS, which is not the server that was saved.
        |settings| settings.servers.clear(),
    ];
    for change in elsewhere {
        let refused = checks(&world, Caller::Administrator, request(change, false)).await;
        assert!(refused.is_err());
        assert!(world.connector.tests.lock().unwrap().is_empty());
    }
    let mut request_of_ca = request(|_| {}, false);
    if let Some(Subject::Domain(domain)) = &mut request_of_ca.subject {
        active_directory(domain).ca_bundle_pem = ca;
    }
    let refused = checks(&world, Caller::Administrator, request_of_ca)
        .await
        .unwrap_err();
    assert_eq!(fields(&refused), ["credentials"]);
    assert!(world.connector.tests.lock().unwrap().is_empty());

    // With credentials of its own, or with one of the saved servers, a test goes on.
    for allowed in [
        request(elsewhere[0], true),
        request(|settings| settings.servers.truncate(1), false),
    ] {
        checks(&world, Caller::Administrator, allowed)
            .await
            .unwrap();
        assert_eq!(world.connector.tests.lock().unwrap().drain(..).count(), 1);
    }
}

fn active_directory(domain: &mut Domain) -> &mut ActiveDirectorySettings {
    let Some(Directory::ActiveDirectory(settings)) = &mut domain.directory else {
        unreachable!("not Active Directory")
    };
    settings
}
