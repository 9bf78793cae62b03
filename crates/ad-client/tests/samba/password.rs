//! Resetting one password.

use std::time::Duration;

use ad_client::password::{Answer, Refusal};
use ad_client::{Connector, Trial};
use testkit::samba::NewUser;
use tokio::time::Instant;

use crate::dc::{PASSWORD, admin, dc, id, target};

const NEW: &str = "bcdeFGHI0123+-*/bcde";

#[tokio::test]
async fn nothing_is_written_once_the_deadline_has_passed() {
    let samba = dc().await;
    let user = NewUser::named("late").password(PASSWORD);
    let entry = samba.create_user(user).await.unwrap();
    let session = admin(samba).await;
    let before = session.password_look(id(&entry)).await.unwrap().unwrap();
    let now = Instant::now();

    let late = session.reset_password(id(&entry), &NEW.into(), now).await;
    let after = session.password_look(id(&entry)).await.unwrap().unwrap();
    assert_eq!(late, Answer::Refused(Refusal::Deadline));
    assert_eq!(after.version, before.version);

    let deadline = Instant::now() + Duration::from_secs(30);
    let timely = session
        .reset_password(id(&entry), &NEW.into(), deadline)
        .await;
    assert_eq!(timely, Answer::Applied);
    let target = target(samba, &samba.ldaps_url());
    let connector = Connector::new(&target).unwrap();
    let server = session.server();
    let tried = connector.try_password(server, &entry.dn, &NEW.into()).await;
    assert_eq!(tried.unwrap(), Trial::Right);
    // A directory takes an empty password for an anonymous logon, and says yes.
    let empty = connector.try_password(server, &entry.dn, &"".into()).await;
    assert!(empty.is_err());
}
