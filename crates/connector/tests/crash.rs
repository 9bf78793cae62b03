//! A process that dies at any step of a run, before or after the step took effect, leaves a state from which the next
//! one reaches the same end; and no event is told twice with different content.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what tests share fails the test"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use api::connector::v1::SyncMode;
use api::directory::v1::Account;
use api::event::v1::event::Payload;
use connector::store::{Asked, Decided, Domain, DomainStore, Error, NewRun};
use connector::{MIGRATIONS, Observed, Store};
use directory::{DomainId, ObjectId};
use events::Relay;
use events::embedded::EmbeddedBus;
use jiff::Timestamp;
use prost::Message;
use runtime::{Clock, Ids, SystemClock};
use storage::{Database, Sql, params};
use sync::testing::FakeSource;
use sync::{
    Advance, Base, Batch, Counts, Expansion, Identity, Issue, Item, ItemKey, Keep, Page, Pins,
    Record, Roots, Row, RunId, RunState, Store as Port,
};

/// The domain's store, until the process dies at one of its steps.
struct Mortal<'a> {
    store: DomainStore,
    steps_left: &'a AtomicI64,
    after: bool,
}

#[derive(Debug, thiserror::Error)]
enum Death {
    #[error("the process died")]
    Died,
    #[error("{0}")]
    Store(#[from] Error),
}

impl Mortal<'_> {
    async fn step<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut DomainStore) -> Result<T, Error>,
    ) -> Result<T, Death> {
        let left = self.steps_left.fetch_sub(1, Ordering::Relaxed);
        // Dead, it does nothing more: not even record that it failed.
        if left < 0 || (left == 0 && !self.after) {
            return Err(Death::Died);
        }
        let done = work(&mut self.store).await?;
        if left == 0 {
            Err(Death::Died)
        } else {
            Ok(done)
        }
    }
}

macro_rules! steps {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)+) => {
        impl Port for Mortal<'_> {
            type Error = Death;

            $(async fn $name(&mut self, $($arg: $type),*) -> Result<$out, Death> {
                self.step(async |store| store.$name($($arg),*).await).await
            })+
        }
    };
}

steps! {
    fn record(run: RunId) -> Record;
    fn pins() -> Option<Pins>;
    fn owner_of(identity: &Identity) -> Option<DomainId>;
    fn reset(run: RunId, keep: Keep) -> ();
    fn stage(run: RunId, page: &Page) -> ();
    fn expand(run: RunId, roots: Roots) -> Expansion;
    fn rows(run: RunId, after: Option<ObjectId>, limit: usize) -> Vec<Row>;
    fn base() -> Base;
    fn recent(since: Timestamp) -> Counts;
    fn save(run: RunId, items: &[Item], issues: &[Issue]) -> ();
    fn approved(run: RunId, objects: &[ObjectId]) -> Vec<ItemKey>;
    fn advance(run: RunId, to: &Advance) -> ();
    fn ready(run: RunId, limit: usize) -> Vec<Item>;
    fn apply(run: RunId, items: &[Item], batch: Batch) -> ();
}

struct World {
    _dir: tempfile::TempDir,
    db: Database,
    store: Store,
    domain: DomainId,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let settings = storage::testing::settings(&at("connector.db")).await;
        let db = Database::open_migrated(&settings, &MIGRATIONS)
            .await
            .unwrap();
        let now = || -> events::Now { std::sync::Arc::new(|| SystemClock.now()) };
        let bus = EmbeddedBus::open(&at("bus.db"), now()).await.unwrap();
        let relay = Relay::new(
            db.clone(),
            std::sync::Arc::new(bus),
            now(),
            "test",
            "test".to_owned(),
        );
        let store = Store::new(
            db.clone(),
            SystemClock::shared(),
            Ids::system(),
            relay.waker(),
        );
        let domain: DomainId = "corp".parse().unwrap();
        let record = Domain {
            id: domain.clone(),
            record_time: Timestamp::UNIX_EPOCH,
            deleted: false,
        };
        store.meet(&record).await.unwrap();
        Self {
            _dir: dir,
            db,
            store,
            domain,
        }
    }

    async fn ask(&self) -> RunId {
        let new = NewRun {
            domain: self.domain.clone(),
            mode: SyncMode::Full,
            dry_run: false,
            requested_by: "test".to_owned(),
            request_id: None,
        };
        match self.store.ask(&new).await.unwrap() {
            Asked::Queued(run) => run.id,
            other @ (Asked::Already(_) | Asked::Reused) => panic!("{other:?}"),
        }
    }

    /// Runs, and dies at this step; `false` when the run reached its rest before.
    async fn run_until(&self, run: RunId, source: &FakeSource, step: i64, after: bool) -> bool {
        // As in a process of its own: the same owner takes up its lease.
        let lease = self
            .store
            .claim(&self.domain, "test", Duration::from_secs(60))
            .await;
        let observed = Observed::default();
        let store = self
            .store
            .domain(self.domain.clone(), 1, lease.unwrap().unwrap(), observed);
        let steps_left = AtomicI64::new(step);
        let mut mortal = Mortal {
            store,
            steps_left: &steps_left,
            after,
        };
        let settings = sync::Settings {
            batch: 2,
            ..sync::Settings::default()
        };
        let mut source = source.clone();
        let now = SystemClock.now();
        let result = sync::execute(&mut source, &mut mortal, &(), &settings, run, now).await;
        match result {
            Ok(_) => false,
            Err(_) if steps_left.load(Ordering::Relaxed) < 0 => true,
            Err(error) => panic!("{}", error.chain()),
        }
    }

    async fn finish(&self, run: RunId, source: &FakeSource) {
        let state = self.state(run).await;
        if state.is_runnable() {
            assert!(!self.run_until(run, source, i64::MAX, false).await);
        }
    }

    async fn state(&self, run: RunId) -> RunState {
        self.store.run(run).await.unwrap().unwrap().state
    }

    async fn accounts(&self) -> Vec<Account> {
        let mut snapshot = self.store.snapshot(&self.domain).await.unwrap().unwrap();
        snapshot.next().await.unwrap()
    }

    async fn edges(&self) -> i64 {
        let mut db = self.db.read().await.unwrap();
        let row = db
            .query_one("SELECT COUNT(*) AS edges FROM known_edges", params![])
            .await;
        row.unwrap().get("edges").unwrap()
    }

    /// Accounts as told: for each and its generation, the state and how often it was told.
    async fn told(&self) -> BTreeMap<(String, i64), Account> {
        let mut db = self.db.read().await.unwrap();
        let rows = db
            .query("SELECT payload FROM hes_outbox ORDER BY seq", params![])
            .await
            .unwrap();
        let mut told = BTreeMap::new();
        for row in rows {
            let payload: Vec<u8> = row.get("payload").unwrap();
            let event = api::event::v1::Event::decode(payload.as_slice()).unwrap();
            if let Some(Payload::AccountChanged(changed)) = event.payload {
                let account = changed.account.unwrap();
                let key = (account.name.clone(), account.generation);
                assert!(told.insert(key, account).is_none(), "told twice");
            }
        }
        told
    }
}

/// Five people, then one changed, one gone, one new: small enough to be applied without asking.
fn before_and_after() -> (FakeSource, FakeSource) {
    let before = FakeSource::with_users(["ada", "bob", "cyd", "dee", "eve"]);
    let mut after = before.clone();
    after.change(FakeSource::user(1), |account| {
        account.title = Some("Director".to_owned());
    });
    after.delete(FakeSource::user(2));
    after.join(FakeSource::rotation_group(), FakeSource::user(3));
    let new = sync::testing::object(70);
    after
        .accounts
        .insert(new, sync::testing::account(new, "new"));
    after.join(FakeSource::sync_group(), new);
    (before, after)
}

#[tokio::test]
async fn a_death_at_any_step_ends_in_the_same_state_with_every_event_told_once() {
    let (before, after) = before_and_after();
    let world = World::new().await;
    for source in [&before, &after] {
        let run = world.ask().await;
        world.finish(run, source).await;
        assert_eq!(world.state(run).await, RunState::Applied);
    }
    let (accounts, told, edges) = (
        world.accounts().await,
        world.told().await,
        world.edges().await,
    );
    assert_eq!((accounts.len(), told.len()), (6, 9));

    let mut deaths = 0;
    for after_effect in [false, true] {
        for step in 0.. {
            let world = World::new().await;
            let first = world.ask().await;
            world.finish(first, &before).await;
            let second = world.ask().await;
            let died = world.run_until(second, &after, step, after_effect).await;
            world.finish(second, &after).await;

            assert_eq!(world.state(second).await, RunState::Applied, "step {step}");
            assert_eq!(world.accounts().await, accounts, "step {step}");
            assert_eq!(world.told().await, told, "step {step}");
            assert_eq!(world.edges().await, edges, "step {step}");
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 40, "only {deaths} deaths");
}

#[tokio::test]
async fn a_death_while_an_approved_plan_is_read_again_loses_neither_plan_nor_word() {
    let before = FakeSource::with_users(["ada", "bob", "cyd", "dee", "eve"]);
    let mut after = before.clone();
    for n in 1..=4 {
        after.leave(FakeSource::sync_group(), FakeSource::user(n));
    }
    for after_effect in [false, true] {
        for step in 0.. {
            let world = World::new().await;
            let first = world.ask().await;
            world.finish(first, &before).await;
            let run = world.ask().await;
            world.finish(run, &after).await;
            assert_eq!(world.state(run).await, RunState::Held);
            let decided = world.store.decide(run, true, "tester").await.unwrap();
            assert!(matches!(decided, Decided::Done(_)));

            let died = world.run_until(run, &after, step, after_effect).await;
            world.finish(run, &after).await;

            assert_eq!(world.state(run).await, RunState::Applied, "step {step}");
            let left = world
                .accounts()
                .await
                .iter()
                .filter(|account| !account.in_sync_group)
                .count();
            assert_eq!(left, 4, "step {step}");
            assert_eq!(world.told().await.len(), 9, "step {step}");
            if !died {
                break;
            }
        }
    }
}
