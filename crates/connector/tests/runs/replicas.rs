//! Two replicas on one database: whichever is asked, each run is worked on by one of them, once.

use std::collections::BTreeSet;

use api::connector::v1::SyncRunState;
use api::event::v1::event::Payload;
use sync::testing::FakeSource;

use crate::{NAMES, Test, corp, start_as, state};

#[tokio::test]
async fn each_run_is_worked_on_once_whichever_replica_is_asked() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let other_bus = tempfile::tempdir().unwrap();
    let one = start_as("one", test.dir.path(), test.dir.path(), &test).await;
    let two = start_as("two", test.dir.path(), other_bus.path(), &test).await;

    let mut runs = BTreeSet::new();
    for round in 0..12 {
        directory.change(|source| {
            let title = format!("title {round}");
            source.change(FakeSource::user(round % NAMES.len()), |account| {
                account.title = Some(title);
            });
        });
        let (first, second) = tokio::join!(one.ask("corp", false), two.ask("corp", false));
        let (first, second) = (first.unwrap(), second.unwrap());
        let (by_one, by_two) = tokio::join!(one.rest(&second), two.rest(&first));
        for run in [by_one, by_two] {
            let ended = [SyncRunState::Applied, SyncRunState::Unchanged];
            assert!(ended.contains(&state(&run)), "{run:?}");
            runs.insert(run.name);
        }
    }

    assert_eq!(
        directory.opened(),
        runs.len(),
        "reads of {} runs",
        runs.len()
    );
    let mut told = BTreeSet::new();
    for (_, payload) in one.events().await {
        if let Payload::AccountChanged(changed) = payload {
            let account = changed.account.unwrap();
            let state = (account.name, account.generation);
            assert!(told.insert(state.clone()), "{state:?} was told twice");
        }
    }
    // The first change came with the import.
    assert_eq!(told.len(), NAMES.len() + 11, "each change once");
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_replica_that_leaves_hands_its_domain_over_and_its_run_is_finished() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let other_bus = tempfile::tempdir().unwrap();
    let one = start_as("one", test.dir.path(), test.dir.path(), &test).await;
    directory.pause(true);
    let run = one.ask("corp", false).await.unwrap();
    testkit::poll_until(
        std::time::Duration::from_secs(60),
        "the run to read",
        async || (state(&one.run(&run.name).await) == SyncRunState::Reading).then_some(()),
    )
    .await
    .unwrap();
    let two = start_as("two", test.dir.path(), other_bus.path(), &test).await;

    one.stop().await;
    directory.pause(false);

    assert_eq!(state(&two.rest(&run).await), SyncRunState::Applied);
    assert_eq!(two.accounts("corp").await.len(), NAMES.len());
    two.stop().await;
}
