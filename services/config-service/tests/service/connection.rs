use api::config::v1::{Domain, TestDomainRequest, test_domain_request::Subject};
use futures::TryStreamExt as _;
use runtime::Caller;
use runtime::grpc::Reason;
use tonic::{Code, Status};

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
