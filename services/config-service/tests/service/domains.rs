use api::config::v1::{
    ActiveDirectorySettings, AdcsAuthority, CreateDomainRequest, DeleteDomainRequest, Domain,
    EntraSettings, GetPasswordlessSettingsRequest, ListDomainsRequest, PasswordlessSettings,
    RemovalPolicy, TestDomainRequest, UndeleteDomainRequest, UpdateDomainRequest,
    UpdatePasswordlessSettingsRequest, create_domain_request::Logon, domain::Directory,
    passwordless_settings::Authority, test_domain_request::Subject,
};
use futures::TryStreamExt as _;
use prost_types::{Duration, FieldMask};
use runtime::Caller;
use runtime::grpc::Reason;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{World, create, credentials, get, operator, poll};

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask {
        paths: paths.iter().map(ToString::to_string).collect(),
    })
}

fn update(id: &str, paths: &[&str], change: impl FnOnce(&mut Domain)) -> UpdateDomainRequest {
    let mut domain = Domain {
        name: format!("domains/{id}"),
        directory: Some(Directory::ActiveDirectory(
            ActiveDirectorySettings::default(),
        )),
        ..Default::default()
    };
    change(&mut domain);
    UpdateDomainRequest {
        domain: Some(domain),
        update_mask: mask(paths),
        validate_only: false,
    }
}

fn fields(status: &Status) -> Vec<String> {
    let violations = status
        .get_details_bad_request()
        .map(|bad| bad.field_violations);
    violations
        .unwrap_or_default()
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

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
async fn an_update_takes_the_masked_fields_and_needs_the_present_etag() {
    let world = World::new().await;
    let before = world.domain("corp").await;

    let request = update(
        "corp",
        &["display_name", "active_directory.servers"],
        |domain| {
            domain.etag.clone_from(&before.etag);
            domain.display_name = "Corp".into();
            domain.precedence = 9;
            domain.directory = Some(Directory::ActiveDirectory(ActiveDirectorySettings {
                servers: vec!["ldaps://dc2.corp.example.com".into()],
                ..Default::default()
            }));
        },
    );
    let after = world
        .domains()
        .update_domain(request.clone())
        .await
        .unwrap()
        .into_inner();

    assert_eq!((after.display_name.as_str(), after.precedence), ("Corp", 0));
    assert_ne!(after.etag, before.etag);
    assert_eq!(after.group_revision, before.group_revision);

    let stale = world.domains().update_domain(request).await.unwrap_err();
    assert_eq!(
        (stale.code(), Reason::of(&stale)),
        (Code::Aborted, Some(Reason::EtagMismatch))
    );

    // The same settings again are no change.
    let same = update("corp", &["display_name"], |domain| {
        domain.display_name = "Corp".into();
    });
    let unchanged = world
        .domains()
        .update_domain(same)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(unchanged.etag, after.etag);

    // Writing a group's name, even the same one, finds it anew.
    let same_group = update("corp", &["sync_group"], |domain| {
        domain.sync_group.clone_from(&after.sync_group);
    });
    let found_anew = world
        .domains()
        .update_domain(same_group)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found_anew.group_revision, after.group_revision + 1);

    // A cleared field has its default again.
    let cleared = update("corp", &["auto_password_change_days"], |_| {});
    let cleared = world
        .domains()
        .update_domain(cleared)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(cleared.auto_password_change_days, Some(28));
}

#[tokio::test]
async fn an_update_refuses_what_never_changes_and_what_is_not_there() {
    let world = World::new().await;
    let before = world.domain("corp").await;

    for (path, reason, field) in [
        (
            "active_directory.domain_name",
            Reason::ImmutableField,
            "active_directory.domain_name",
        ),
        ("name", Reason::ImmutableField, "name"),
        ("entra.tenant_id", Reason::ImmutableField, "entra.tenant_id"),
        ("credential_status", Reason::InvalidField, "update_mask"),
        ("nonsense", Reason::InvalidField, "update_mask"),
        (
            "active_directory.servers",
            Reason::InvalidField,
            "active_directory.servers",
        ),
    ] {
        let status = world
            .domains()
            .update_domain(update("corp", &[path], |_| {}))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{path}");
        assert_eq!(
            (Reason::of(&status), fields(&status)),
            (Some(reason), vec![field.to_owned()]),
            "{path}"
        );
    }
    let after = world
        .domains()
        .get_domain(get("corp"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(after.etag, before.etag);
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
async fn passwordless_settings_have_their_own_etag_and_revision() {
    let world = World::new().await;
    world.domain("corp").await;
    let name = "domains/corp/passwordlessSettings".to_owned();
    let read = GetPasswordlessSettingsRequest { name: name.clone() };
    let fresh = world
        .domains()
        .get_passwordless_settings(read.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((fresh.enabled, fresh.revision), (false, 0));

    let patch = |etag: &str, authority: &str| UpdatePasswordlessSettingsRequest {
        passwordless_settings: Some(PasswordlessSettings {
            name: name.clone(),
            enabled: true,
            authority: Some(Authority::Adcs(AdcsAuthority {
                certificate_authority: authority.into(),
                certificate_template: "Logon".into(),
            })),
            validity: Some(Duration {
                seconds: 86_400,
                nanos: 0,
            }),
            renew_before: Some(Duration {
                seconds: 3600,
                nanos: 0,
            }),
            etag: etag.into(),
            ..Default::default()
        }),
        update_mask: mask(&["enabled", "adcs", "validity", "renew_before"]),
        validate_only: false,
    };
    let bad = world
        .domains()
        .update_passwordless_settings(patch("", "nonsense"))
        .await
        .unwrap_err();
    assert_eq!(fields(&bad), ["adcs.certificate_authority"]);

    let stored = world
        .domains()
        .update_passwordless_settings(patch(&fresh.etag, r"ca.corp\CA"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((stored.enabled, stored.revision), (true, 1));
    let stale = world
        .domains()
        .update_passwordless_settings(patch(&fresh.etag, r"ca.corp\B"))
        .await
        .unwrap_err();
    assert_eq!(stale.code(), Code::Aborted);

    let workstation = Caller::person("ws", [runtime::auth::Role::Workstation]);
    let seen = world
        .domains_as(workstation)
        .get_passwordless_settings(read)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(seen, stored);
}

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
