use api::config::v1::{
    AdcsAuthority, GetPasswordlessSettingsRequest, PasswordlessSettings,
    UpdatePasswordlessSettingsRequest, passwordless_settings::Authority,
};
use prost_types::Duration;
use runtime::Caller;
use tonic::Code;

use crate::requests::{fields, mask};
use crate::world::World;

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
