use ad_client::{BindReason, Connector, Credentials, Error};
use testkit::samba::NewUser;

use crate::dc::{PASSWORD, dc, target};

#[tokio::test]
async fn a_refused_bind_says_why() {
    let samba = dc().await;
    let user = |name: &str| NewUser::named(name).password(PASSWORD);
    samba.create_user(user("b-good")).await.unwrap();
    samba.create_user(user("b-off").disabled()).await.unwrap();
    samba
        .create_user(user("b-fresh").must_change_password())
        .await
        .unwrap();
    samba.create_user(user("b-past")).await.unwrap();
    samba.expire_account("b-past").await.unwrap();
    samba.create_user(user("b-locked")).await.unwrap();
    samba.lock_out("b-locked").await.unwrap();

    let connector = Connector::new(&target(samba, &samba.ldaps_url())).unwrap();
    let bind = async |name: &str, password: &str| {
        let credentials = Credentials::new(name, password.into()).in_domain("corp.test");
        connector.connect(&credentials).await
    };
    bind("b-good", PASSWORD).await.unwrap();
    for (name, password, expected) in [
        ("b-good", "wrong", BindReason::WrongPassword),
        ("b-off", PASSWORD, BindReason::Disabled),
        ("b-off", "wrong", BindReason::WrongPassword),
        ("b-fresh", PASSWORD, BindReason::MustChangePassword),
        ("b-past", PASSWORD, BindReason::AccountExpired),
        ("b-locked", PASSWORD, BindReason::Locked),
    ] {
        let error = bind(name, password).await.unwrap_err();
        let Error::Bind { reason, .. } = error else {
            panic!("{name}: {error:?}");
        };
        assert_eq!(reason, expected, "{name}");
    }
    assert!(matches!(
        bind("nobody", PASSWORD).await.unwrap_err(),
        Error::Bind {
            reason: BindReason::WrongPassword | BindReason::NoSuchUser,
            ..
        }
    ));
    assert!(matches!(
        bind("b-good", "").await.unwrap_err(),
        Error::EmptyPassword
    ));
}
