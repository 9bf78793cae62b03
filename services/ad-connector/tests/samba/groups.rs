//! What becomes of groups: no mishap with one removes anybody without approval.

use ad_connector::Settings;
use api::connector::v1::SyncRunState;
use testkit::samba::{BulkUsers, NewGroup, SERVICE_ACCOUNT};

use crate::dc::{Test, dc, names};

/// A test with four people in its sync group, imported.
async fn four(prefix: &str) -> Test {
    let samba = dc().await;
    let test = Test::start(prefix).await;
    let users = BulkUsers::new(format!("{prefix}-u"), 4).in_group(names(prefix).0);
    samba.bulk_users(users).await.unwrap();
    assert_eq!(test.applied().await.plan.unwrap().joins, 4);
    test
}

async fn nobody_left(test: &Test) {
    let accounts = test.accounts().await;
    assert!(
        accounts.values().all(|account| account.in_sync_group),
        "{accounts:#?}"
    );
    assert_eq!(accounts.len(), 4);
}

#[tokio::test]
async fn an_emptied_group_removes_nobody_until_a_person_says_so() {
    let samba = dc().await;
    let test = four("em").await;

    samba.set_members("em-keys", &[]).await.unwrap();
    let run = test.sync().await;

    assert_eq!(run.state(), SyncRunState::Held, "{run:#?}");
    assert!(
        run.hold_reasons
            .iter()
            .any(|reason| reason.contains("is empty")),
        "{run:#?}"
    );
    nobody_left(&test).await;
    test.world.decide(&run, true).await.unwrap();
    assert_eq!(test.world.rest(&run).await.state(), SyncRunState::Applied);
    assert!(
        test.accounts()
            .await
            .values()
            .all(|account| !account.in_sync_group)
    );
    test.world.stop().await;
}

#[tokio::test]
async fn a_deleted_group_removes_nobody() {
    let samba = dc().await;
    let test = four("de").await;

    samba.delete("de-keys").await.unwrap();
    let run = test.sync().await;

    assert_eq!(run.state(), SyncRunState::Held, "{run:#?}");
    assert!(
        run.hold_reasons
            .iter()
            .any(|reason| reason.contains("no longer exists")),
        "{run:#?}"
    );
    nobody_left(&test).await;
    test.world.stop().await;
}

#[tokio::test]
async fn a_renamed_group_is_followed_and_the_rename_is_told() {
    let samba = dc().await;
    let test = four("re").await;

    samba
        .set("re-keys", "sAMAccountName", &["re-other"])
        .await
        .unwrap();
    samba.rename("re-other", "re-other").await.unwrap();
    let run = test.sync().await;

    assert_eq!(run.state(), SyncRunState::Unchanged, "{run:#?}");
    assert!(
        run.issues
            .iter()
            .any(|issue| issue.reason == "GROUP_RENAMED"),
        "{run:#?}"
    );
    samba
        .remove_members("re-other", &["re-u000000"])
        .await
        .unwrap();
    assert_eq!(test.sync().await.state(), SyncRunState::Held);
    nobody_left(&test).await;
    test.world.stop().await;
}

#[tokio::test]
async fn a_group_that_hides_its_members_is_no_empty_group() {
    let samba = dc().await;
    let test = four("hi").await;
    samba.create_group("hi-inner").await.unwrap();
    samba
        .set_members("hi-inner", &["hi-u000000"])
        .await
        .unwrap();
    samba.add_members("hi-keys", &["hi-inner"]).await.unwrap();
    samba
        .remove_members("hi-keys", &["hi-u000000"])
        .await
        .unwrap();
    assert_eq!(test.sync().await.state(), SyncRunState::Unchanged);
    let open = samba.security("hi-inner").await.unwrap();

    samba
        .deny_read("hi-inner", "member", SERVICE_ACCOUNT)
        .await
        .unwrap();
    assert_eq!(test.failed().await, "ACCESS_DENIED");
    samba.set_security("hi-inner", &open).await.unwrap();
    samba
        .deny_read("hi-keys", "member", SERVICE_ACCOUNT)
        .await
        .unwrap();
    assert_eq!(test.failed().await, "ACCESS_DENIED");

    nobody_left(&test).await;
    test.world.stop().await;
}

#[tokio::test]
async fn a_missing_and_an_ambiguous_group_fail_the_run() {
    let samba = dc().await;
    let test = Test::on(samba, "am", Settings::default()).await;
    assert_eq!(test.failed().await, "GROUP_MISSING");
    let ou = samba.create_ou("am-ou", None).await.unwrap();
    samba.create_group("am-keys").await.unwrap();
    samba
        .create_group(NewGroup::named("am-keys2").cn("am-keys").within(&ou.dn))
        .await
        .unwrap();

    assert_eq!(test.failed().await, "GROUP_AMBIGUOUS");
    test.world.stop().await;
}

#[tokio::test]
async fn a_large_group_is_read_in_ranges_to_its_end() {
    let samba = dc().await;
    samba.create_group("la-keys").await.unwrap();
    samba
        .bulk_users(BulkUsers::new("la-u", 53).in_group("la-keys"))
        .await
        .unwrap();
    let mut settings = Settings::default();
    settings.directory.range_window = 10;
    settings.directory.page_size = 7;
    let test = Test::on(samba, "la", settings).await;

    let run = test.applied().await;

    assert_eq!(run.plan.unwrap().joins, 53);
    assert_eq!(test.sync().await.state(), SyncRunState::Unchanged);
    test.world.stop().await;
}
