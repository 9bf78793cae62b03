use runtime::{
    Caller,
    auth::{Authenticator, Role, RuleError},
    grpc::{BuildError, Reason, Routes, Server, Settings},
};
use secrecy::ExposeSecret;
use tonic::{Code, Request, Status};

use crate::{
    toy::{self, POOL, call, unary},
    world::{Certificates, World},
};

fn refused(result: Result<String, Status>) -> (Code, Option<Reason>) {
    let status = result.unwrap_err();
    (status.code(), Reason::of(&status))
}

const UNAUTHENTICATED: (Code, Option<Reason>) =
    (Code::Unauthenticated, Some(Reason::Unauthenticated));
const DENIED: (Code, Option<Reason>) = (Code::PermissionDenied, Some(Reason::PermissionDenied));

#[tokio::test]
async fn who_has_no_identity_is_told_apart_from_who_may_not() {
    let world = World::start().await;

    assert_eq!(
        refused(call(&world.anonymous(), "Echo").await),
        UNAUTHENTICATED
    );
    assert_eq!(
        refused(call(&world.bearing("mallory".to_owned()), "Echo").await),
        UNAUTHENTICATED
    );
    assert_eq!(
        refused(call(&world.bearing("dora".to_owned()), "Echo").await),
        DENIED
    );

    let denied = call(&world.bearing("vera".to_owned()), "ForAdministrators")
        .await
        .unwrap_err();
    assert_eq!(
        denied.message(),
        "person:vera may not call toy.v1.ToyService/ForAdministrators; it is for ROLE_ADMINISTRATOR"
    );
}

#[tokio::test]
async fn roles_and_the_bootstrap_token_open_what_the_descriptor_says() {
    let world = World::start().await;
    let admin = world.bearing(world.token.secret().expose_secret().to_owned());

    for channel in [&admin, &world.bearing("ada".to_owned())] {
        call(channel, "Echo").await.unwrap();
        call(channel, "ForAdministrators").await.unwrap();
        assert_eq!(refused(call(channel, "ForConnectors").await), DENIED);
    }
    assert!(
        call(&admin, "Echo")
            .await
            .unwrap()
            .starts_with("administrator ")
    );
    assert!(
        call(&world.bearing("vera".to_owned()), "Echo")
            .await
            .unwrap()
            .starts_with("person:vera ")
    );
}

#[tokio::test]
async fn a_service_is_known_by_the_one_name_in_its_verified_certificate() {
    let world = World::start().await;
    let ours = &world.certificates;

    let connector = world.certified(ours, &["URI:spiffe://hes/ad-connector"]);
    let echoed = call(&connector, "ForConnectors").await.unwrap();
    assert!(echoed.starts_with("service:ad-connector "), "{echoed}");
    assert_eq!(refused(call(&connector, "ForAdministrators").await), DENIED);

    let other = world.certified(ours, &["URI:spiffe://hes/console"]);
    assert_eq!(refused(call(&other, "ForConnectors").await), DENIED);

    for names in [
        &["DNS:ad-connector"][..],
        &["URI:spiffe://evil/ad-connector"],
        &["URI:ad-connector"],
        &["URI:spiffe://hes/ad-connector", "URI:spiffe://hes/console"],
    ] {
        let nameless = world.certified(ours, names);
        assert_eq!(
            refused(call(&nameless, "ForConnectors").await),
            UNAUTHENTICATED,
            "{names:?}"
        );
    }

    let theirs = Certificates::make();
    let forged = world.certified(&theirs, &["URI:spiffe://hes/ad-connector"]);
    let (code, reason) = refused(call(&forged, "ForConnectors").await);
    assert_eq!(
        (code, reason),
        (Code::Unavailable, Some(Reason::Unreachable))
    );
}

/// What is meant for one service must not reach another, or whoever got hold of its address.
#[tokio::test]
async fn a_server_must_prove_to_be_the_service_that_is_meant() {
    let host = "DNS:localhost";
    for (names, named) in [
        (
            &[host, "URI:spiffe://hes/config-service"][..],
            "names config-service",
        ),
        (&[host], "names no service"),
        (
            &[host, "URI:spiffe://evil/ad-connector"],
            "names no service",
        ),
        (
            &[
                host,
                "URI:spiffe://hes/ad-connector",
                "URI:spiffe://hes/console",
            ],
            "names no service",
        ),
    ] {
        let world = World::named(Settings::default(), names).await;
        let refused = call(&world.meaning("ad-connector"), "Echo")
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
        assert!(
            refused
                .message()
                .contains("does not prove to be ad-connector"),
            "{refused:?}"
        );
        assert!(refused.message().contains(named), "{refused:?}");
    }

    let right = World::named(
        Settings::default(),
        &[host, "URI:spiffe://hes/ad-connector"],
    )
    .await;
    call(&right.meaning("ad-connector"), "Echo").await.unwrap();
    // By another name of the same machine it does not count.
    let elsewhere = World::named(
        Settings::default(),
        &["DNS:elsewhere", "URI:spiffe://hes/ad-connector"],
    )
    .await;
    call(&elsewhere.meaning("ad-connector"), "Echo")
        .await
        .unwrap_err();
}

#[tokio::test]
async fn metadata_cannot_change_the_identity_that_the_process_gave() {
    let world = World::start().await;
    let viewer = world.inside(Caller::person("inside", [Role::Viewer]));
    let nobody = world.inside(Caller::Anonymous);

    let forged = || {
        let mut request = Request::new(String::new());
        let token = format!("Bearer {}", world.token.secret().expose_secret());
        let metadata = request.metadata_mut();
        metadata.insert("authorization", token.parse().unwrap());
        metadata.insert(
            "x-forwarded-client-cert",
            "URI=spiffe://hes/ad-connector".parse().unwrap(),
        );
        request
    };

    let echoed = unary(&viewer, "Echo", forged()).await.unwrap();
    assert!(echoed.starts_with("person:inside "), "{echoed}");
    assert_eq!(
        refused(unary(&viewer, "ForAdministrators", forged()).await),
        DENIED
    );
    assert_eq!(
        refused(unary(&nobody, "Echo", forged()).await),
        UNAUTHENTICATED
    );
    // The same token over the network is the administrator's: the test forges something real.
    unary(&world.anonymous(), "ForAdministrators", forged())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_service_in_the_process_is_let_in_by_its_name() {
    let world = World::start().await;
    let connector = world.inside(Caller::service("ad-connector").unwrap());

    assert!(
        call(&connector, "ForConnectors")
            .await
            .unwrap()
            .starts_with("service:ad-connector ")
    );
    assert_eq!(refused(call(&connector, "ForAdministrators").await), DENIED);
}

#[tokio::test]
async fn the_token_does_not_reach_the_handler() {
    let world = World::start().await;
    let echoed = call(&world.bearing("vera".to_owned()), "Echo")
        .await
        .unwrap();
    assert_eq!(echoed.split(' ').nth(2), Some("false"), "{echoed}");
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_unimplemented() {
    let world = World::start().await;
    for channel in [world.anonymous(), world.bearing("ada".to_owned())] {
        let status = refused(call(&channel, "Nonesuch").await);
        assert_eq!(status, (Code::Unimplemented, Some(Reason::MethodUnknown)));
    }
}

#[test]
fn a_method_without_a_rule_cannot_be_served() {
    let build =
        |routes| match Server::build(&Settings::default(), &POOL, Authenticator::new(), routes) {
            Ok(_) => panic!("served"),
            Err(BuildError::Rules(error)) => error,
            Err(error) => panic!("{error:?}"),
        };
    let no_rule = |error, method: &str| match error {
        RuleError::NoRule(name) => assert_eq!(name, method),
        error => panic!("{error:?}"),
    };

    no_rule(
        build(Routes::new().with(toy::Toy::default()).with(toy::Forgotten)),
        "toy.v1.ForgottenService/Forgotten",
    );
    no_rule(
        build(Routes::new().with(toy::Empty)),
        "toy.v1.EmptyService/Empty",
    );
    let unknown = build(Routes::new().with(toy::Stranger));
    assert!(matches!(unknown, RuleError::UnknownService(name) if name == "toy.v1.StrangerService"));
}
