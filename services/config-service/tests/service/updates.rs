use api::config::v1::{ActiveDirectorySettings, domain::Directory};
use runtime::grpc::Reason;
use tonic::Code;

use crate::requests::{fields, update};
use crate::world::{World, get};

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
