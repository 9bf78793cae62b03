//! Runs of the whole connector, on directories in memory and a real database.
#![expect(clippy::unwrap_used, reason = "what tests share fails the test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use api::connector::v1::{PlanItemKind, SyncRun, SyncRunState};
use api::directory::v1::{Account, Presence};
use api::event::v1::event::Payload;
use connector::testing::{FakeConfig, FakeDirectories, Shared, World, domain};
use connector::{Failure, FailureReason, Settings};
use runtime::ManualClock;
use runtime::grpc::Reason;
use sync::testing::{FakeSource, object};
use tempfile::TempDir;
use testkit::poll_until;
use tonic::Code;

const NAMES: [&str; 8] = ["ada", "bob", "cyd", "dee", "eve", "fay", "gus", "hal"];

struct Test {
    dir: TempDir,
    config: FakeConfig,
    directories: FakeDirectories,
}

impl Test {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            config: FakeConfig::default(),
            directories: FakeDirectories::default(),
        }
    }

    fn domain(&self, id: &str, source: FakeSource) -> Shared {
        self.config.set(domain(id));
        self.config.set_credentials(id, "svc", "secret");
        self.directories.add(id, source)
    }

    async fn start(&self) -> World {
        self.start_with(None).await
    }

    async fn start_with(&self, clock: Option<ManualClock>) -> World {
        start(self.dir.path(), self, clock).await
    }
}

async fn start(dir: &Path, test: &Test, clock: Option<ManualClock>) -> World {
    let directories = test.directories.clone();
    World::start(dir, test.config.clone(), clock, "ad-connector", |deps| {
        let settings = Settings {
            batch: 3,
            ..Settings::default()
        };
        connector::build("ad-connector", settings, deps, directories)
    })
    .await
}

fn state(run: &SyncRun) -> SyncRunState {
    run.state()
}

fn presences(accounts: &[Account]) -> BTreeMap<&str, Presence> {
    let presence = |account: &Account| account.presence();
    let pairs = accounts
        .iter()
        .map(|account| (account.logon_name.as_str(), presence(account)));
    pairs.collect()
}

fn corp() -> FakeSource {
    FakeSource::with_users(NAMES)
}

#[tokio::test]
async fn an_unchanged_directory_changes_nothing_and_tells_nothing() {
    let test = Test::new();
    test.domain("corp", corp());
    let world = test.start().await;
    let first = world.sync("corp").await;
    assert_eq!(state(&first), SyncRunState::Applied, "{first:?}");
    assert_eq!(first.plan.unwrap().joins, 8);
    assert_eq!(first.read.unwrap().members, 8);
    assert_eq!(first.server, "dc1.test:636");
    let (told, known) = (world.events().await, world.accounts("corp").await);

    let second = world.sync("corp").await;

    assert_eq!(state(&second), SyncRunState::Unchanged);
    assert_eq!(world.events().await, told);
    assert_eq!(world.accounts("corp").await, known);
    // One for each person, one for the pins, one for the run.
    assert_eq!(told.len(), 8 + 2);
    assert_eq!(test.config.handed_out(), 1);
    world.stop().await;
}

#[tokio::test]
async fn each_change_is_told_once_with_the_whole_state_and_a_newer_generation() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    let before = world.events().await.len();
    let [ada, bob, cyd] = [1, 2, 3].map(FakeSource::user);
    directory.change(|source| {
        source.change(ada, |account| {
            account.mail = Some("ada@new.test".to_owned());
        });
        source.delete(bob);
        source.leave(FakeSource::sync_group(), cyd);
        source
            .accounts
            .insert(object(99), sync::testing::account(object(99), "new"));
        source.join(FakeSource::sync_group(), object(99));
    });

    let dry = world.ask("corp", true).await.unwrap();
    let dry = world.rest(&dry).await;
    assert_eq!(state(&dry), SyncRunState::Planned);
    assert_eq!(world.events().await.len(), before);
    let plan = world.plan(&dry).await;
    let kinds: BTreeMap<&str, PlanItemKind> = plan
        .iter()
        .map(|item| (item.logon_name.as_str(), item.kind()))
        .collect();
    assert_eq!(
        kinds,
        BTreeMap::from([
            ("ada", PlanItemKind::Update),
            ("bob", PlanItemKind::Delete),
            ("cyd", PlanItemKind::Leave),
            ("new", PlanItemKind::Join),
        ])
    );
    assert_eq!(
        plan.iter().map(|item| item.number).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(plan[0].changes[0].field, "mail");
    assert_eq!(plan[0].changes[0].after, "ada@new.test");

    let run = world.sync("corp").await;

    assert_eq!(state(&run), SyncRunState::Applied, "{run:?}");
    assert_eq!(run.applied_items, 4);
    let events = world.events().await.split_off(before);
    let mut told = BTreeMap::new();
    for (subject, payload) in &events {
        if let Payload::AccountChanged(changed) = payload {
            let account = changed.account.clone().unwrap();
            assert_eq!(changed.sync_run, run.name);
            told.insert(
                account.logon_name.clone(),
                (subject.verb().to_owned(), account.generation),
            );
        }
    }
    let expected = [
        ("ada", "updated", 2),
        ("bob", "removed", 2),
        ("cyd", "removed", 2),
        ("new", "created", 1),
    ];
    let expected =
        expected.map(|(name, verb, generation)| (name.to_owned(), (verb.to_owned(), generation)));
    assert_eq!(told, BTreeMap::from(expected));
    let accounts = world.accounts("corp").await;
    let presences = presences(&accounts);
    assert_eq!(presences["bob"], Presence::Deleted);
    assert_eq!(presences["cyd"], Presence::Left);
    assert_eq!(presences["new"], Presence::Member);
    world.stop().await;
}

/// A directory that has lost half its people.
async fn held(test: &Test) -> (Shared, World, SyncRun) {
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    directory.change(|source| {
        for n in 1..=4 {
            source.leave(FakeSource::sync_group(), FakeSource::user(n));
        }
    });
    let run = world.sync("corp").await;
    assert_eq!(state(&run), SyncRunState::Held, "{run:?}");
    (directory, world, run)
}

#[tokio::test]
async fn a_plan_that_removes_many_waits_and_is_applied_as_approved_and_nothing_else() {
    let test = Test::new();
    let (directory, world, run) = held(&test).await;
    assert!(run.hold_reasons[0].contains("4 people leaving"), "{run:?}");
    assert!(run.expire_time.is_some());
    assert!(
        presences(&world.accounts("corp").await)
            .values()
            .all(|p| *p == Presence::Member)
    );
    // Meanwhile one of them returned, and another left.
    directory.change(|source| {
        source.join(FakeSource::sync_group(), FakeSource::user(1));
        source.leave(FakeSource::sync_group(), FakeSource::user(5));
    });

    world.decide(&run, true).await.unwrap();
    let done = world.rest(&run).await;

    assert_eq!(state(&done), SyncRunState::Applied, "{done:?}");
    assert_eq!(
        (done.applied_items, done.decided_by.as_str()),
        (3, "tester")
    );
    let accounts = world.accounts("corp").await;
    let left: Vec<&str> = presences(&accounts)
        .into_iter()
        .filter(|(_, presence)| *presence == Presence::Left)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(left, ["bob", "cyd", "dee"]);
    let again = world.decide(&run, true).await.unwrap_err();
    assert_eq!(Reason::of(&again), Some(Reason::RunNotHeld));
    world.stop().await;
}

#[tokio::test]
async fn a_rejected_plan_is_not_applied_and_a_newer_one_supersedes_an_older() {
    let test = Test::new();
    let (_, world, first) = held(&test).await;

    let second = world.sync("corp").await;

    assert_eq!(state(&second), SyncRunState::Held);
    assert_eq!(
        state(&world.run(&first.name).await),
        SyncRunState::Superseded
    );
    let refused = world.decide(&first, true).await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::PlanSuperseded));
    world.decide(&second, false).await.unwrap();
    assert_eq!(
        state(&world.run(&second.name).await),
        SyncRunState::Rejected
    );
    assert!(
        presences(&world.accounts("corp").await)
            .values()
            .all(|p| *p == Presence::Member)
    );
    let verbs: Vec<String> = world
        .events()
        .await
        .iter()
        .filter(|(subject, _)| subject.family() == "sync")
        .map(|(subject, _)| subject.verb().to_owned())
        .collect();
    assert_eq!(verbs, ["applied", "held", "superseded", "held", "rejected"]);
    world.stop().await;
}

#[tokio::test]
async fn nobody_decides_for_a_week_and_the_plan_expires() {
    let test = Test::new();
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
    let directory = test.domain("corp", corp());
    let world = test.start_with(Some(clock.clone())).await;
    world.sync("corp").await;
    directory.change(|source| source.edges.clear());
    let run = world.sync("corp").await;
    assert_eq!(state(&run), SyncRunState::Held, "{run:?}");
    // Nothing else may end it first.
    directory.set_down(Some(Failure::lasting(FailureReason::BindRefused, "no", "")));

    clock.advance(Duration::from_hours(7 * 24));

    let ended = poll_until(Duration::from_secs(60), "the plan to expire", async || {
        let found = world.run(&run.name).await;
        (state(&found) != SyncRunState::Held).then_some(found)
    });
    assert_eq!(state(&ended.await.unwrap()), SyncRunState::Expired);
    world.stop().await;
}

#[tokio::test]
async fn a_domain_is_synced_on_its_interval_and_a_restart_does_not_start_it_early() {
    let test = Test::new();
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
    test.domain("corp", corp());
    let world = test.start_with(Some(clock.clone())).await;
    let next = async |world: &World| {
        poll_until(
            Duration::from_secs(60),
            "a time for the next run",
            async || world.state("corp").await.next_run_time,
        )
        .await
        .unwrap()
    };
    let planned = next(&world).await;
    let wait = planned.seconds - clock_seconds(&clock);
    assert!((3240..=3960).contains(&wait), "{wait}");
    world.stop().await;

    let world = test.start_with(Some(clock.clone())).await;
    assert_eq!(next(&world).await, planned);
    assert!(world.state("corp").await.last_run.is_none());
    clock.advance(Duration::from_secs(3960));

    let run = poll_until(Duration::from_secs(60), "the scheduled run", async || {
        let run = world.state("corp").await.last_success;
        run.filter(|run| run.end_time.is_some())
    });
    let run = run.await.unwrap();
    assert_eq!(run.requested_by, "schedule");
    assert_eq!(world.state("corp").await.members, 8);
    world.stop().await;
}

fn clock_seconds(clock: &ManualClock) -> i64 {
    runtime::Clock::now(clock).as_second()
}

#[tokio::test]
async fn one_run_at_a_time_and_a_second_question_gets_the_waiting_run() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    directory.pause(true);
    let world = test.start().await;
    let first = world.ask("corp", false).await.unwrap();
    poll_until(
        Duration::from_secs(60),
        "the first run to read",
        async || {
            let run = world.run(&first.name).await;
            (state(&run) == SyncRunState::Reading).then_some(())
        },
    )
    .await
    .unwrap();

    let second = world.ask("corp", false).await.unwrap();
    let third = world.ask("corp", false).await.unwrap();
    let dry = world.ask("corp", true).await.unwrap();

    assert_ne!(second.name, first.name);
    assert_eq!(third.name, second.name);
    assert_ne!(dry.name, second.name);
    assert_eq!(state(&world.run(&second.name).await), SyncRunState::Queued);
    directory.pause(false);
    assert_eq!(state(&world.rest(&first).await), SyncRunState::Applied);
    assert_eq!(state(&world.rest(&second).await), SyncRunState::Unchanged);
    assert_eq!(state(&world.rest(&dry).await), SyncRunState::Planned);
    world.stop().await;
}

#[tokio::test]
async fn a_domain_that_fails_leaves_the_others_alone_and_says_why() {
    let test = Test::new();
    let (corp, _) = (
        test.domain("corp", corp()),
        test.domain("lab", other_directory()),
    );
    corp.set_down(Some(Failure::lasting(
        FailureReason::TlsCertificateExpired,
        "the certificate of dc1 expired yesterday",
        "Renew it.",
    )));
    let world = test.start().await;

    let (failed, well) = tokio::join!(world.sync("corp"), world.sync("lab"));

    assert_eq!(state(&well), SyncRunState::Applied);
    assert_eq!(state(&failed), SyncRunState::Failed);
    let failure = failed.failure.unwrap();
    assert_eq!(failure.reason, "TLS_CERTIFICATE_EXPIRED");
    assert_eq!(failure.remedy, "Renew it.");
    let state = world.state("corp").await;
    assert_eq!((state.consecutive_failures, state.members), (1, 0));
    world.stop().await;
}

fn other_directory() -> FakeSource {
    let mut source = FakeSource::with_users(["zoe"]);
    source.identity = sync::Identity::new([("directory", "two")]);
    source
}

#[tokio::test]
async fn a_directory_belongs_to_one_domain_and_a_domain_to_one_directory() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    test.domain("twin", corp());
    let world = test.start().await;
    world.sync("corp").await;

    let twin = world.sync("twin").await;
    directory.change(|source| source.identity = sync::Identity::new([("directory", "three")]));
    let moved = world.sync("corp").await;

    assert_eq!(twin.failure.unwrap().reason, "DIRECTORY_DUPLICATE");
    assert_eq!(moved.failure.unwrap().reason, "DIRECTORY_CHANGED");
    assert!(world.accounts("twin").await.is_empty());
    assert_eq!(world.accounts("corp").await.len(), 8);

    // Deleted, the first gives the directory up.
    test.config
        .change("corp", |domain| domain.delete_time = domain.create_time);
    world.announce("corp").await;
    let taken = poll_until(
        Duration::from_secs(60),
        "the directory to be free",
        async || {
            let run = world.sync("twin").await;
            (state(&run) == SyncRunState::Applied).then_some(())
        },
    );
    taken.await.unwrap();
    let refused = world.ask("corp", false).await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::DomainDeleted));
    world.stop().await;
}

#[tokio::test]
async fn removed_credentials_stop_a_run_at_once_and_touch_nobody() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    directory.pause(true);
    directory.change(|source| source.edges.clear());
    let run = world.ask("corp", false).await.unwrap();

    test.config.remove_credentials("corp");
    world.announce("corp").await;

    let ended = world.rest(&run).await;
    assert_eq!(ended.failure.unwrap().reason, "CREDENTIALS_MISSING");
    let refused = world.ask("corp", false).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        presences(&world.accounts("corp").await)
            .values()
            .all(|p| *p == Presence::Member)
    );
    assert!(!world.state("corp").await.paused_reason.is_empty());
    // Set again, it goes on.
    directory.pause(false);
    directory.change(|source| *source = corp());
    test.config.set_credentials("corp", "svc", "other");
    assert_eq!(state(&world.sync("corp").await), SyncRunState::Unchanged);
    world.stop().await;
}

#[tokio::test]
async fn a_group_that_hides_its_members_fails_the_run_instead_of_emptying_it() {
    let test = Test::new();
    let mut source = corp();
    let nested = object(0xff00_0003);
    source.add_group(nested, "Nested");
    source.join(FakeSource::sync_group(), nested);
    source.leave(FakeSource::sync_group(), FakeSource::user(1));
    source.join(nested, FakeSource::user(1));
    let directory = test.domain("corp", source);
    let world = test.start().await;
    world.sync("corp").await;

    directory.hide_members(nested);
    let silent = world.sync("corp").await;
    directory.change(|source| source.groups.retain(|group| group.id != nested));
    let vanished = world.sync("corp").await;

    assert_eq!(silent.failure.unwrap().reason, "ACCESS_DENIED");
    assert_eq!(vanished.failure.unwrap().reason, "ACCESS_DENIED");
    assert!(
        presences(&world.accounts("corp").await)
            .values()
            .all(|p| *p == Presence::Member)
    );
    world.stop().await;
}

#[tokio::test]
async fn groups_count_through_groups_and_cycles_unless_the_domain_says_otherwise() {
    let test = Test::new();
    let mut source = FakeSource::with_users(["ada"]);
    let [outer, inner] = [object(0xff00_0003), object(0xff00_0004)];
    for (id, name) in [(outer, "Outer"), (inner, "Inner")] {
        source.add_group(id, name);
    }
    for (number, name) in [(50, "bob"), (51, "cyd")] {
        source
            .accounts
            .insert(object(number), sync::testing::account(object(number), name));
    }
    source.join(FakeSource::sync_group(), outer);
    source.join(outer, inner);
    source.join(inner, outer);
    source.join(inner, FakeSource::sync_group());
    source.join(outer, object(50));
    // As a primary group is told: an edge like any other.
    source.join(inner, object(51));
    source.join(FakeSource::rotation_group(), inner);
    test.domain("corp", source);
    let world = test.start().await;

    world.sync("corp").await;
    let nested = world.accounts("corp").await;
    test.config.change("corp", |domain| {
        if let Some(api::config::v1::domain::Directory::ActiveDirectory(settings)) =
            &mut domain.directory
        {
            settings.nested_groups = Some(false);
        }
    });
    let direct = world.sync("corp").await;

    assert_eq!(nested.len(), 3);
    assert!(
        nested
            .iter()
            .all(|account| account.in_sync_group && account.in_rotation_group)
    );
    assert_eq!(direct.plan.unwrap().leaves, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_group_setting_written_again_finds_the_group_anew() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    let other = object(0xff00_0005);
    directory.change(|source| {
        source.rename_group(FakeSource::sync_group(), "Old name");
        source.add_group(other, FakeSource::SYNC_GROUP);
        for n in 1..=8 {
            source.join(other, FakeSource::user(n));
        }
        source.leave(FakeSource::sync_group(), FakeSource::user(1));
    });
    // The pinned group was renamed and lost somebody: nobody goes without approval.
    let renamed = world.sync("corp").await;
    assert_eq!(state(&renamed), SyncRunState::Held, "{renamed:?}");

    test.config
        .change("corp", |domain| domain.group_revision += 1);
    let anew = world.sync("corp").await;

    assert_eq!(state(&anew), SyncRunState::Unchanged, "{anew:?}");
    let pinned = world.events().await.into_iter().filter_map(|(_, payload)| {
        let Payload::DirectoryPinned(pinned) = payload else {
            return None;
        };
        Some((pinned.generation, pinned.sync_group.unwrap().id))
    });
    let expected = [(1, FakeSource::sync_group()), (2, other)].map(|(n, id)| (n, id.to_string()));
    assert_eq!(pinned.collect::<Vec<_>>(), expected);
    world.stop().await;
}
