use api::config::v1::{
    CredentialKind, CredentialState, DeleteDomainRequest, GetCredentialRequest,
    ListAuditEventsRequest, RemoveCredentialsRequest, SetCredentialsRequest, create_domain_request,
    set_credentials_request::Logon,
};
use runtime::Caller;
use runtime::grpc::Reason;
use tonic::Code;

use crate::world::{World, create, credentials, get};

fn fetch() -> GetCredentialRequest {
    GetCredentialRequest {
        domain: "domains/corp".into(),
    }
}

fn set(logon: Logon) -> SetCredentialsRequest {
    SetCredentialsRequest {
        name: "domains/corp".into(),
        logon: Some(logon),
    }
}

fn remove() -> RemoveCredentialsRequest {
    RemoveCredentialsRequest {
        name: "domains/corp".into(),
    }
}

#[tokio::test]
async fn credentials_are_told_of_and_given_to_the_connector_of_their_kind_only() {
    let world = World::new().await;
    let status = world.domain("corp").await.credential_status.unwrap();
    assert_eq!(
        (status.state(), status.kind()),
        (CredentialState::Set, CredentialKind::ActiveDirectory)
    );
    assert_eq!(
        (status.changed_by.as_str(), status.version),
        ("administrator", 1)
    );

    let answer = world
        .credentials_as("ad-connector")
        .get_credential(fetch())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (answer.credentials, answer.version),
        (Some(credentials()), 1)
    );

    let foreign = world
        .credentials_as("entra-connector")
        .get_credential(fetch())
        .await
        .unwrap_err();
    assert_eq!(foreign.code(), Code::PermissionDenied);
    let scheduler = world
        .credentials_as("rotation-scheduler")
        .get_credential(fetch())
        .await
        .unwrap_err();
    assert_eq!(scheduler.code(), Code::PermissionDenied);
    let person = world.channel(Caller::Administrator);
    let mut person =
        api::config::v1::credential_service_client::CredentialServiceClient::new(person);
    assert_eq!(
        person.get_credential(fetch()).await.unwrap_err().code(),
        Code::PermissionDenied
    );

    let log = world
        .audit()
        .list_audit_events(ListAuditEventsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let fetches: Vec<_> = log
        .audit_events
        .iter()
        .filter(|event| event.action == "credentials.fetch")
        .map(|event| (event.actor.as_str(), event.outcome))
        .collect();
    assert_eq!(
        fetches,
        [("service:entra-connector", 2), ("service:ad-connector", 1)]
    );
}

#[tokio::test]
async fn setting_skipping_and_removing_are_states_of_their_own() {
    let world = World::new().await;
    let mut request = create("corp");
    request.logon = Some(create_domain_request::Logon::SkipCredentials(true));
    let skipped = world
        .domains()
        .create_domain(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        skipped.credential_status.unwrap().state(),
        CredentialState::Skipped
    );
    let none = world
        .credentials_as("ad-connector")
        .get_credential(fetch())
        .await
        .unwrap_err();
    assert_eq!(Reason::of(&none), Some(Reason::CredentialsMissing));
    let nothing_to_remove = world
        .domains()
        .remove_credentials(remove())
        .await
        .unwrap_err();
    assert_eq!(nothing_to_remove.code(), Code::FailedPrecondition);

    let request = set(Logon::Credentials(credentials()));
    let stored = world
        .domains()
        .set_credentials(request)
        .await
        .unwrap()
        .into_inner();
    let status = stored.credential_status.unwrap();
    assert_eq!((status.state(), status.version), (CredentialState::Set, 2));
    let answer = world
        .credentials_as("ad-connector")
        .get_credential(fetch())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (answer.credentials, answer.version),
        (Some(credentials()), 2)
    );

    let removed = world
        .domains()
        .remove_credentials(remove())
        .await
        .unwrap()
        .into_inner();
    let status = removed.credential_status.unwrap();
    assert_eq!(
        (status.state(), status.kind()),
        (CredentialState::Removed, CredentialKind::Unspecified)
    );
    assert_eq!(status.version, 3);
    let none = world
        .credentials_as("ad-connector")
        .get_credential(fetch())
        .await
        .unwrap_err();
    assert_eq!(Reason::of(&none), Some(Reason::CredentialsMissing));
    // The settings did not change: whoever read them may still update them.
    assert_eq!(removed.etag, skipped.etag);

    let neither = world
        .domains()
        .set_credentials(set(Logon::SkipCredentials(false)))
        .await
        .unwrap_err();
    assert_eq!(neither.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_deleted_domain_gives_no_credentials_and_takes_none() {
    let world = World::new().await;
    world.domain("corp").await;
    let delete = DeleteDomainRequest {
        name: "domains/corp".into(),
        ..Default::default()
    };
    world.domains().delete_domain(delete).await.unwrap();

    let fetched = world
        .credentials_as("ad-connector")
        .get_credential(fetch())
        .await
        .unwrap_err();
    assert_eq!(Reason::of(&fetched), Some(Reason::DomainDeleted));
    let stored = world
        .domains()
        .set_credentials(set(Logon::Credentials(credentials())))
        .await
        .unwrap_err();
    assert_eq!(Reason::of(&stored), Some(Reason::DomainDeleted));
}

#[tokio::test]
async fn a_new_active_key_seals_what_is_there_at_the_next_start() {
    let world = World::new().await;
    world.domain("corp").await;
    let key_file = world.dir.path().join("kek");
    let former = std::fs::read_to_string(&key_file).unwrap();
    let dir = world.stop().await;

    std::fs::remove_file(&key_file).unwrap();
    sealing::FileKeyProvider::create(&key_file).unwrap();
    let active = std::fs::read_to_string(&key_file).unwrap();
    std::fs::write(&key_file, format!("{active}\n{former}")).unwrap();
    let world = World::in_dir(dir).await;
    crate::world::poll("the credentials are under the active key", async || {
        let ids = world.key_ids().await;
        (ids.iter().all(|id| active.contains(id.as_str())) && ids.len() == 1).then_some(())
    })
    .await;

    let dir = world.stop().await;
    std::fs::write(&key_file, active).unwrap();
    let world = World::in_dir(dir).await;
    let answer = world
        .credentials_as("ad-connector")
        .get_credential(fetch())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.credentials, Some(credentials()));
    assert!(world.domains().get_domain(get("corp")).await.is_ok());
}
