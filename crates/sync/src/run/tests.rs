//! Runs over the fakes. Each test is a world, a run, and what is known afterwards.

use directory::{Attribute, ObjectId, Presence};
use uuid::Uuid;

use super::*;
use crate::testing::{
    FakeError, FakeRun, FakeSource, FakeStore, Faults, account, block_on, object,
};
use crate::{ChangeKind, FailureCode, Identity, IssueCode, RunEvent};

mod approval;
mod footing;
mod golden;
mod properties;

/// A domain: its directory, what is known of it, and the runs so far.
struct World {
    source: FakeSource,
    store: FakeStore,
    settings: Settings,
    runs: u128,
}

type RunError = Error<FakeError, FakeError>;

impl World {
    /// Nothing is known yet.
    fn new<'a>(users: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            source: FakeSource::with_users(users),
            store: FakeStore::default(),
            settings: Settings {
                batch: 3,
                ..Settings::default()
            },
            runs: 0,
        }
    }

    /// These users are known, and nobody was told yet of anything else.
    fn imported<'a>(users: impl IntoIterator<Item = &'a str>) -> Self {
        let mut world = Self::new(users);
        assert_eq!(world.sync().unwrap(), RunState::Applied);
        world.store.outbox.clear();
        world
    }

    fn queue(&mut self, dry_run: bool) -> RunId {
        self.runs += 1;
        let run = RunId(Uuid::from_u128(self.runs));
        self.store.queue(run, dry_run);
        run
    }

    fn sync(&mut self) -> Result<RunState, RunError> {
        let run = self.queue(false);
        self.execute(run)
    }

    fn execute(&mut self, run: RunId) -> Result<RunState, RunError> {
        let now = self.store.now;
        let (source, store) = (&mut self.source, &mut self.store);
        block_on(execute(source, store, &(), &self.settings, run, now))
    }

    fn last_run(&self) -> &FakeRun {
        self.store.runs.values().last().unwrap()
    }

    fn presence(&self, id: ObjectId) -> Option<Presence> {
        self.store.known.get(&id).map(|known| known.presence)
    }

    fn told(&self) -> Vec<ChangeKind> {
        self.store.outbox.iter().map(|told| told.kind).collect()
    }

    fn codes(&self) -> Vec<IssueCode> {
        let issues = self.last_run().issues.iter();
        issues.map(|issue| issue.code).collect()
    }

    /// Runs, and expects that nobody was touched.
    fn sync_changes_nothing(&mut self) -> Result<RunState, RunError> {
        let before = self.store.known.clone();
        let result = self.sync();
        assert_eq!(self.store.known, before);
        assert!(self.store.outbox.is_empty());
        result
    }
}

const THREE: [&str; 3] = ["ada", "bob", "cyd"];

fn ada() -> ObjectId {
    FakeSource::user(1)
}

fn bob() -> ObjectId {
    FakeSource::user(2)
}

fn sync_group() -> ObjectId {
    FakeSource::sync_group()
}

fn rotation_group() -> ObjectId {
    FakeSource::rotation_group()
}

#[test]
fn exactly_the_groups_members_are_imported_and_a_second_run_does_nothing() {
    let mut world = World::new(THREE);
    let outsider = object(99);
    let dan = account(outsider, "dan");
    world.source.accounts.insert(outsider, dan);

    assert_eq!(world.sync().unwrap(), RunState::Applied);
    assert_eq!(world.told(), [ChangeKind::Join; 3]);
    assert_eq!(world.presence(outsider), None);

    world.store.outbox.clear();
    let again = world.sync_changes_nothing().unwrap();
    assert_eq!(again, RunState::NothingToDo);
}

#[test]
fn members_of_nested_and_circular_groups_are_members() {
    let mut world = World::new(["ada"]);
    let (inner, bob) = (object(0xff00_0003), object(50));
    world.source.add_group(inner, "inner");
    world.source.accounts.insert(bob, account(bob, "bob"));
    world.source.join(sync_group(), inner);
    world.source.join(inner, sync_group());
    world.source.join(inner, bob);

    world.sync().unwrap();
    assert_eq!(world.presence(bob), Some(Presence::Member));

    world.settings.nested_groups = false;
    world.sync().unwrap();
    assert_eq!(world.presence(bob), Some(Presence::Left));
}

#[test]
fn a_person_leaves_and_returns_and_is_the_same() {
    let mut world = World::imported(THREE);

    world.source.leave(sync_group(), ada());
    world.sync().unwrap();
    assert_eq!(world.presence(ada()), Some(Presence::Left));

    world.source.join(sync_group(), ada());
    world.sync().unwrap();
    assert_eq!(world.presence(ada()), Some(Presence::Member));
    assert_eq!(world.told(), [ChangeKind::Leave, ChangeKind::Return]);
    assert_eq!(world.store.known[&ada()].generation, 3);
}

#[test]
fn a_deleted_person_is_deleted_a_namesake_new_and_a_restored_one_the_same() {
    let mut world = World::imported(THREE);
    let (was, namesake) = (world.source.accounts[&ada()].clone(), object(70));

    world.source.delete(ada());
    world
        .source
        .accounts
        .insert(namesake, account(namesake, "ada"));
    world.source.join(sync_group(), namesake);
    world.sync().unwrap();
    assert_eq!(world.presence(ada()), Some(Presence::Deleted));
    assert_eq!(world.presence(namesake), Some(Presence::Member));

    world.source.deleted.clear();
    world.source.accounts.insert(ada(), was);
    world.source.join(sync_group(), ada());
    world.sync().unwrap();
    assert_eq!(world.presence(ada()), Some(Presence::Member));
    let told = [ChangeKind::Delete, ChangeKind::Join, ChangeKind::Return];
    assert_eq!(world.told(), told);
}

#[test]
fn who_moved_out_of_scope_left_although_still_a_member() {
    let mut world = World::imported(THREE);
    world.source.out_of_scope.insert(ada());

    world.sync().unwrap();

    assert_eq!(world.presence(ada()), Some(Presence::Left));
}

#[test]
fn who_moved_during_a_read_and_is_a_member_by_primary_group_alone_stays() {
    let mut world = World::imported(THREE);
    // That membership is told by the account itself, which the read skipped.
    world.source.skipped.insert(ada());
    world.source.leave(sync_group(), ada());

    assert_eq!(world.sync_changes_nothing().unwrap(), RunState::NothingToDo);

    assert_eq!(world.codes(), [IssueCode::Unconfirmed]);
    // Read again, it has left indeed.
    world.source.skipped.clear();
    assert_eq!(world.sync().unwrap(), RunState::Applied);
    assert_eq!(world.presence(ada()), Some(Presence::Left));
}

#[test]
fn who_a_read_skipped_is_looked_up_and_stays() {
    let mut world = World::imported(THREE);
    world.source.skipped.insert(ada());
    world.source.change(ada(), |ada| ada.state.locked = true);

    world.sync().unwrap();

    assert_eq!(world.told(), [ChangeKind::Update]);
}

#[test]
fn a_member_who_may_not_be_seen_stays_and_is_reported() {
    let mut world = World::imported(THREE);
    world.source.hidden.extend([ada(), bob()]);

    let state = world.sync_changes_nothing().unwrap();

    assert_eq!(state, RunState::NothingToDo);
    assert_eq!(world.codes(), [IssueCode::Unconfirmed; 2]);
}

#[test]
fn a_bad_object_keeps_what_is_known_and_harms_no_other() {
    let mut world = World::imported(THREE);
    let reason = "userAccountControl is no number";
    let issue = crate::Issue::of(ada(), IssueCode::Malformed, reason);
    world.source.issues.push(issue);
    world.source.accounts.remove(&ada());
    world.source.change(bob(), |bob| bob.state.locked = true);

    world.sync().unwrap();

    assert_eq!(world.presence(ada()), Some(Presence::Member));
    assert_eq!(world.told(), [ChangeKind::Update]);
    assert_eq!(world.codes(), [IssueCode::Malformed]);
}

#[test]
fn attributes_that_may_no_longer_be_read_are_kept() {
    let mut world = World::imported(THREE);
    world.source.unreadable.insert(Attribute::Mail);

    let state = world.sync_changes_nothing().unwrap();

    assert_eq!(state, RunState::NothingToDo);
}

#[test]
fn a_cleared_attribute_is_cleared() {
    let mut world = World::imported(THREE);
    world.source.change(ada(), |ada| ada.mail = None);

    world.sync().unwrap();

    assert_eq!(world.store.known[&ada()].account.mail, None);
}

#[test]
fn members_of_the_rotation_group_alone_are_known_and_reported_every_time() {
    let mut world = World::imported(THREE);
    let dan = object(60);
    world.source.accounts.insert(dan, account(dan, "dan"));
    world.source.join(rotation_group(), dan);

    world.sync().unwrap();
    assert_eq!(world.presence(dan), Some(Presence::RotationOnly));
    assert_eq!(world.told(), [ChangeKind::RotationOnly]);

    world.sync().unwrap();
    assert_eq!(world.codes(), [IssueCode::RotationOnly]);
    assert_eq!(world.store.outbox.len(), 1);

    world.source.join(sync_group(), dan);
    world.sync().unwrap();
    assert_eq!(world.presence(dan), Some(Presence::Member));
    assert!(world.store.known[&dan].in_rotation_group);
}

#[test]
fn a_member_that_is_no_account_of_this_domain_is_reported() {
    let mut world = World::imported(THREE);
    world.source.join(sync_group(), object(0xfeed));

    let state = world.sync_changes_nothing().unwrap();

    assert_eq!(state, RunState::NothingToDo);
    assert_eq!(world.codes(), [IssueCode::OutsideScope]);
}

#[test]
fn leavers_of_one_day_add_up_and_no_longer_after_it() {
    let names: Vec<String> = (1..=20).map(|n| format!("user{n}")).collect();
    let mut world = World::imported(names.iter().map(String::as_str));
    let leaves = |world: &mut World, user: usize| {
        world.source.leave(sync_group(), FakeSource::user(user));
        world.sync().unwrap()
    };

    for user in 1..=3 {
        assert_eq!(leaves(&mut world, user), RunState::Applied);
    }
    assert_eq!(leaves(&mut world, 4), RunState::Held);
    world.store.now += SignedDuration::from_hours(25);
    assert_eq!(world.sync().unwrap(), RunState::Applied);
}

#[test]
fn people_may_join_on_the_day_of_a_large_first_import() {
    let names: Vec<String> = (1..=60).map(|n| format!("user{n}")).collect();
    let mut world = World::imported(names.iter().map(String::as_str));
    let dan = object(600);
    world.source.accounts.insert(dan, account(dan, "dan"));
    world.source.join(sync_group(), dan);

    assert_eq!(world.sync().unwrap(), RunState::Applied);
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let mut world = World::imported(THREE);
    world.source.edges.clear();
    let before = world.store.known.clone();

    let run = world.queue(true);
    let state = world.execute(run).unwrap();

    assert_eq!(state, RunState::DryRun);
    assert_eq!(world.store.known, before);
    assert_eq!(world.last_run().counts.removals(), 3);
    assert!(!world.last_run().reasons.is_empty());
}

#[test]
fn a_page_that_got_lost_fails_the_run() {
    let mut world = World::imported(THREE);
    world.source.loses_pages = true;

    let refused = world.sync_changes_nothing().unwrap_err();

    assert!(matches!(
        refused,
        Error::Refused(Refusal::Incomplete { .. })
    ));
}

#[test]
fn a_finished_run_is_not_run_again() {
    let mut world = World::imported(THREE);

    let again = world.execute(RunId(Uuid::from_u128(1))).unwrap_err();

    assert!(matches!(
        again,
        Error::Refused(Refusal::NotRunnable(RunState::Applied))
    ));
}

#[test]
fn progress_is_told_from_the_first_step_to_the_last() {
    use std::sync::Mutex;
    let mut world = World::new(THREE);
    let run = world.queue(false);
    let told = Mutex::new(Vec::new());
    let progress = |phase: Phase, tally: &Tally| told.lock().unwrap().push((phase, *tally));

    let (source, store, settings) = (&mut world.source, &mut world.store, &world.settings);
    block_on(execute(
        source,
        store,
        &progress,
        settings,
        run,
        Timestamp::UNIX_EPOCH,
    ))
    .unwrap();

    let told = told.into_inner().unwrap();
    assert!(told.is_sorted_by_key(|(phase, _)| *phase));
    let (_, last) = told.last().unwrap();
    assert_eq!(
        (last.accounts, last.edges, last.planned, last.applied),
        (3, 3, 3, 3)
    );
}
