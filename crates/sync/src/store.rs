//! The port to the last known state of one domain.

use std::future::Future;

use directory::{Account, Cursor, DomainId, ObjectId};
use jiff::Timestamp;

use crate::guard::Reason;
use crate::{Counts, Identity, Issue, Item, ItemKey, Known, Membership, Page, RunId, RunState};

/// A run, as far as its steps need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub state: RunState,
    /// Only plan, and show it.
    pub dry_run: bool,
    /// The groups its plan was held with; nothing for a run that never was.
    pub held_groups: HeldGroups,
}

/// The groups a held plan was made with. Approving it adopts these and no others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldGroups {
    pub sync_group: Option<ObjectId>,
    pub rotation_group: Option<ObjectId>,
}

impl HeldGroups {
    /// Whether whoever approved may have seen another group than `pins` would adopt.
    pub fn differ_from(self, pins: &Pins) -> bool {
        let other = |held: Option<ObjectId>, now: Option<ObjectId>| matches!((held, now), (Some(held), Some(now)) if held != now);
        let rotation_group = pins.rotation_group.as_ref().map(|group| group.id);
        other(self.sync_group, Some(pins.sync_group.id))
            || other(self.rotation_group, rotation_group)
    }
}

impl From<&Pins> for HeldGroups {
    fn from(pins: &Pins) -> Self {
        Self {
            sync_group: Some(pins.sync_group.id),
            rotation_group: pins.rotation_group.as_ref().map(|group| group.id),
        }
    }
}

/// A group that was resolved once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPin {
    pub id: ObjectId,
    /// The configured name when it was resolved. Another configured name means that an administrator chose again.
    pub name: String,
}

/// What a domain is held to since its first success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    pub identity: Identity,
    pub sync_group: GroupPin,
    pub rotation_group: Option<GroupPin>,
}

/// What of a run to keep when it starts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: staged pages, items and issues go.
    Nothing,
    /// The items a person approved, none of them ready to apply: saving an item makes it so. Why the run was held is
    /// kept too, to be shown.
    Approved,
}

/// Where expansion starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots {
    pub sync_group: Option<ObjectId>,
    pub rotation_group: Option<ObjectId>,
    /// Follow groups in groups. Cycles end where they began.
    pub nested: bool,
}

/// How many distinct objects that are not groups each group holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    pub sync_members: u64,
    pub rotation_members: u64,
}

/// All there is to say of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub object: ObjectId,
    pub known: Option<Known>,
    /// The account as staged.
    pub account: Option<Account>,
    pub membership: Membership,
    /// No account is staged, and the read reported an issue with this object.
    pub flawed: bool,
}

/// What the guard measures a plan against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// Accounts known at all, whatever their presence. None: nothing was ever imported.
    pub known: u64,
    /// Members of the sync group that are not disabled.
    pub active: u64,
    /// Members of the sync group.
    pub sync_members: u64,
    /// Members of the rotation group.
    pub rotation_members: u64,
}

/// Why a run failed, for machines. The reason beside it is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The directory could not be read, or not completely.
    Source,
    /// Another directory answers than the one this domain was pinned to.
    IdentityMismatch,
    /// Another domain is already this directory.
    DirectoryTaken,
    GroupMissing,
    GroupAmbiguous,
    /// A plan was approved for other groups than those found now.
    GroupChanged,
    /// What was staged is not what was sent.
    Incomplete,
}

impl FailureCode {
    pub const ALL: [Self; 7] = [
        Self::Source,
        Self::IdentityMismatch,
        Self::DirectoryTaken,
        Self::GroupMissing,
        Self::GroupAmbiguous,
        Self::GroupChanged,
        Self::Incomplete,
    ];

    /// Stable: stored, and part of the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "SOURCE",
            Self::IdentityMismatch => "IDENTITY_MISMATCH",
            Self::DirectoryTaken => "DIRECTORY_TAKEN",
            Self::GroupMissing => "GROUP_MISSING",
            Self::GroupAmbiguous => "GROUP_AMBIGUOUS",
            Self::GroupChanged => "GROUP_CHANGED",
            Self::Incomplete => "INCOMPLETE",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

/// A run's next state, with what it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    Reading,
    Planning,
    Held {
        counts: Counts,
        reasons: Vec<Reason>,
        groups: HeldGroups,
    },
    DryRun {
        counts: Counts,
        /// Why the guard would have held it; empty if it would not have.
        reasons: Vec<Reason>,
    },
    Applying {
        counts: Counts,
        pins: Pins,
        /// Kept aside with the run until the last batch.
        cursor: Option<Cursor>,
        /// Whether the guard counts these changes again in the next 24 hours. Not those of a first import, and not
        /// those a person approved.
        counted: bool,
    },
    NothingToDo {
        pins: Pins,
        cursor: Option<Cursor>,
    },
    Failed {
        code: FailureCode,
        reason: String,
    },
}

impl Advance {
    pub fn state(&self) -> RunState {
        match self {
            Self::Reading => RunState::Reading,
            Self::Planning => RunState::Planning,
            Self::Held { .. } => RunState::Held,
            Self::DryRun { .. } => RunState::DryRun,
            Self::Applying { .. } => RunState::Applying,
            Self::NothingToDo { .. } => RunState::NothingToDo,
            Self::Failed { .. } => RunState::Failed,
        }
    }
}

/// Whether more batches follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    More,
    /// Its transaction also saves the run's cursor, if it has one, and makes the run APPLIED.
    Last,
}

/// The last known state of one domain, and its runs. Each method is one transaction unless it only reads.
///
/// An error means that nothing of that call happened, or that it cannot be told; calling again, in this process or the
/// next, must be right in both cases.
pub trait Store: Send {
    type Error: std::error::Error + Send + Sync + 'static;

    fn record(&mut self, run: RunId) -> impl Future<Output = Result<Record, Self::Error>> + Send;

    fn pins(&mut self) -> impl Future<Output = Result<Option<Pins>, Self::Error>> + Send;

    /// The other domain that is pinned to the same directory.
    fn owner_of(
        &mut self,
        identity: &Identity,
    ) -> impl Future<Output = Result<Option<DomainId>, Self::Error>> + Send;

    /// Empties what the run has staged, planned and reported, so that it can be done over.
    fn reset(
        &mut self,
        run: RunId,
        keep: Keep,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Keeps a page under the run. The same object or edge again replaces what was staged.
    fn stage(
        &mut self,
        run: RunId,
        page: &Page,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Computes from the staged edges who is in the two groups.
    fn expand(
        &mut self,
        run: RunId,
        roots: Roots,
    ) -> impl Future<Output = Result<Expansion, Self::Error>> + Send;

    /// In the order of object ids, after `after`, at most `limit`: every object that is known and present, or in one of
    /// the two groups and not itself a group. An empty answer is the end.
    fn rows(
        &mut self,
        run: RunId,
        after: Option<ObjectId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Row>, Self::Error>> + Send;

    fn base(&mut self) -> impl Future<Output = Result<Base, Self::Error>> + Send;

    /// What was applied since, by runs whose changes are counted.
    fn recent(
        &mut self,
        since: Timestamp,
    ) -> impl Future<Output = Result<Counts, Self::Error>> + Send;

    /// Saves items ready to apply, each in place of what the run has for that object; and what to tell about.
    fn save(
        &mut self,
        run: RunId,
        items: &[Item],
        issues: &[Issue],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// What a person approved of these objects, ready or not.
    fn approved(
        &mut self,
        run: RunId,
        objects: &[ObjectId],
    ) -> impl Future<Output = Result<Vec<ItemKey>, Self::Error>> + Send;

    /// Moves the run on. Refused when the stored state does not lead there, for somebody else may have decided.
    /// A run that becomes HELD, APPLYING or NOTHING_TO_DO supersedes every older HELD run of the domain. One that nobody
    /// asked for, and that would hold what an older run holds already, may become SUPERSEDED instead of HELD: the plan
    /// that a person is looking at stays.
    fn advance(
        &mut self,
        run: RunId,
        to: &Advance,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// In the order of object ids, at most `limit` items that are ready and not applied.
    fn ready(
        &mut self,
        run: RunId,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Item>, Self::Error>> + Send;

    /// In one transaction: each item's state replaces what is stored, its event goes to the outbox, the item is marked.
    /// An item whose account is no longer at the generation it was planned from is marked without state or event.
    fn apply(
        &mut self,
        run: RunId,
        items: &[Item],
        batch: Batch,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
