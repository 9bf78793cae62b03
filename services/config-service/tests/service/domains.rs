use api::config::v1::{
    CreateDomainRequest, CredentialState, DeleteDomainRequest, Domain, EntraSettings,
    ListDomainsRequest, RemovalPolicy, RemoveCredentialsRequest, UndeleteDomainRequest,
    create_domain_request::Logon, domain::Directory,
};
use api::event::v1::{Event, event::Payload};
use events::{Bus as _, ConsumerSpec, Filter, Received};
use prost::Message as _;
use prost_types::Duration;
use runtime::grpc::Reason;
use tonic::Code;

use crate::requests::{fields, update};
use crate::world::{World, create, get, poll};

#[tokio::test]
async fn a_domain_is_created_with_its_defaults_and_read_back_whole() {
    let world = World::new().await;

    let created = world
        .domains()
        .create_domain(create("corp"))
        .await
        .unwrap()
        .into_inner();

    assert_eq!(created.name, "domains/corp");
    assert_eq!(created.sync_group, "Security Key Owners");
    assert_eq!(created.auto_password_change_days, Some(28));
    assert_eq!(created.removal_policy(), RemovalPolicy::Deactivate);
    assert_eq!(created.group_revision, 1);
    assert!(!created.etag.is_empty() && created.create_time.is_some());
    let read = world
        .domains()
        .get_domain(get("corp"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(read, created);

    let again = world
        .domains()
        .create_domain(create("corp"))
        .await
        .unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    let unknown = world.domains().get_domain(get("other")).await.unwrap_err();
    assert_eq!(
        (unknown.code(), Reason::of(&unknown)),
        (Code::NotFound, Some(Reason::NotFound))
    );
}

#[tokio::test]
async fn bad_fields_are_named_and_nothing_is_stored() {
    let world = World::new().await;
    let mut request = create("Corp");
    request.logon = None;
    request.request_id = "x".into();
    request.domain.as_mut().unwrap().sync_interval = Some(Duration {
        seconds: 1,
        nanos: 0,
    });

    let status = world.domains().create_domain(request).await.unwrap_err();

    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        fields(&status),
        ["domain_id", "request_id", "credentials", "sync_interval"]
    );

    let mut entra = create("cloud");
    entra.domain.as_mut().unwrap().directory = Some(Directory::Entra(EntraSettings::default()));
    entra.logon = Some(Logon::SkipCredentials(true));
    let status = world.domains().create_domain(entra).await.unwrap_err();
    assert_eq!(
        (status.code(), Reason::of(&status)),
        (Code::Unimplemented, Some(Reason::NotImplemented))
    );

    let mut only = create("only");
    only.validate_only = true;
    let would_be = world
        .domains()
        .create_domain(only)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(would_be.name, "domains/only");
    assert_eq!(
        world
            .domains()
            .get_domain(get("only"))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_a_different_one_is_refused() {
    let world = World::new().await;
    let request = CreateDomainRequest {
        request_id: "3f0e8f1a-59cf-4f1b-8a38-0f3f6f6f1a11".into(),
        ..create("corp")
    };

    let first = world
        .domains()
        .create_domain(request.clone())
        .await
        .unwrap()
        .into_inner();
    let second = world
        .domains()
        .create_domain(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, second);

    let other = CreateDomainRequest {
        domain_id: "other".into(),
        ..request
    };
    let status = world.domains().create_domain(other).await.unwrap_err();
    assert_eq!(Reason::of(&status), Some(Reason::RequestIdReused));
}

#[tokio::test]
async fn a_deleted_domain_can_be_brought_back_until_it_is_purged() {
    let world = World::new().await;
    world.domain("corp").await;
    let delete = |etag: &str| DeleteDomainRequest {
        name: "domains/corp".into(),
        etag: etag.into(),
    };
    let undelete = UndeleteDomainRequest {
        name: "domains/corp".into(),
    };

    assert_eq!(
        world
            .domains()
            .delete_domain(delete("r99"))
            .await
            .unwrap_err()
            .code(),
        Code::Aborted
    );
    let deleted = world
        .domains()
        .delete_domain(delete(""))
        .await
        .unwrap()
        .into_inner();
    assert!(deleted.delete_time.is_some() && deleted.purge_time.is_some());

    let listed = world
        .domains()
        .list_domains(ListDomainsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.domains, []);
    let change = update("corp", &["display_name"], |domain| {
        domain.display_name = "x".into();
    });
    let refused = world.domains().update_domain(change).await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::DomainDeleted));
    let taken = world
        .domains()
        .create_domain(create("corp"))
        .await
        .unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);

    let back = world
        .domains()
        .undelete_domain(undelete.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((back.delete_time, back.purge_time), (None, None));
    let not_deleted = world.domains().undelete_domain(undelete).await.unwrap_err();
    assert_eq!(Reason::of(&not_deleted), Some(Reason::DomainNotDeleted));

    world.domains().delete_domain(delete("")).await.unwrap();
    world
        .clock
        .advance(std::time::Duration::from_hours(24 * 31));
    poll("the domain is purged", async || {
        let status = world.domains().get_domain(get("corp")).await.err()?;
        (status.code() == Code::NotFound).then_some(())
    })
    .await;
}

#[tokio::test]
async fn lists_continue_where_they_ended_and_refuse_foreign_tokens() {
    let world = World::new().await;
    for id in ["c", "a", "b"] {
        world.domains().create_domain(create(id)).await.unwrap();
    }
    let list = |token: &str, show_deleted| ListDomainsRequest {
        page_size: 2,
        page_token: token.into(),
        show_deleted,
    };

    let first = world
        .domains()
        .list_domains(list("", false))
        .await
        .unwrap()
        .into_inner();
    let second = world
        .domains()
        .list_domains(list(&first.next_page_token, false))
        .await
        .unwrap()
        .into_inner();

    let names = |domains: &[Domain]| {
        domains
            .iter()
            .map(|domain| domain.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&first.domains), ["domains/a", "domains/b"]);
    assert_eq!(
        (names(&second.domains), second.next_page_token.as_str()),
        (vec!["domains/c".to_owned()], "")
    );

    let foreign = world
        .domains()
        .list_domains(list(&first.next_page_token, true))
        .await
        .unwrap_err();
    assert_eq!(Reason::of(&foreign), Some(Reason::InvalidPageToken));
}

#[tokio::test]
async fn what_a_connector_found_is_shown_and_older_findings_are_not_taken() {
    let world = World::new().await;
    let created = world.domain("corp").await;

    let pinned = poll("the directory is pinned", async || {
        let domain = world
            .domains()
            .get_domain(get("corp"))
            .await
            .unwrap()
            .into_inner();
        domain.identity.is_some().then_some(domain)
    })
    .await;

    assert_eq!(pinned.identity.unwrap().dns_name, "corp.example.com");
    assert_eq!(
        pinned.etag, created.etag,
        "what a connector tells is no change of settings"
    );
}

#[tokio::test]
async fn changes_are_told_and_what_changes_nothing_is_not() {
    let world = World::new().await;
    let spec = ConsumerSpec {
        name: "test".into(),
        filter: Filter::family("config").unwrap(),
        max_deliver: 3,
        ack_wait: std::time::Duration::from_secs(60),
        lifetime: events::Lifetime::Durable,
    };
    let mut consumer = world.bus.consumer(spec).await.unwrap();
    world.domain("corp.local").await;
    let same = update("corp.local", &["display_name"], |domain| {
        domain.display_name = "corp.local".into();
    });
    world.domains().update_domain(same).await.unwrap();
    let change = update("corp.local", &["display_name"], |domain| {
        domain.display_name = "Corp".into();
    });
    world.domains().update_domain(change).await.unwrap();
    let name = "domains/corp.local".to_owned();
    let remove = RemoveCredentialsRequest { name: name.clone() };
    world.domains().remove_credentials(remove).await.unwrap();
    let delete = DeleteDomainRequest {
        name: name.clone(),
        ..Default::default()
    };
    world.domains().delete_domain(delete).await.unwrap();

    let mut told = Vec::new();
    while told.len() < 4 {
        let Received::Events(deliveries) = consumer.next(10).await.unwrap() else {
            panic!("a gap");
        };
        consumer.ack(&deliveries).await.unwrap();
        told.extend(deliveries);
    }

    let subjects: Vec<_> = told.iter().map(|told| &told.envelope.subject).collect();
    let verbs: Vec<_> = subjects
        .iter()
        .map(|subject| (subject.what(), subject.verb()))
        .collect();
    let expected = [
        ("domain", "created"),
        ("domain", "updated"),
        ("credentials", "removed"),
        ("domain", "deleted"),
    ];
    assert_eq!(verbs, expected);
    assert!(
        subjects
            .iter()
            .all(|subject| subject.scope() == "corp.local")
    );
    let Some(Payload::DomainChanged(removed)) = Event::decode(told[2].envelope.payload.as_slice())
        .unwrap()
        .payload
    else {
        panic!("another event");
    };
    let status = removed.domain.unwrap().credential_status.unwrap();
    assert_eq!(status.state(), CredentialState::Removed);
}
