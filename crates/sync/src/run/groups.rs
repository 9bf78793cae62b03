//! Which directory this is, and which groups are meant (S9).

use directory::ObjectId;

use super::{Error, Outcome, Refusal, Work};
use crate::guard::Condition;
use crate::{
    GroupPin, GroupRef, Issue, IssueCode, Phase, Pins, Progress, Resolved, Roots, Source, Store,
};

/// The directory and the two groups, as this run found them.
pub(super) struct Footing {
    pub(super) sync_group: Standing,
    pub(super) rotation_group: Standing,
    /// What to be held to from now on.
    pub(super) pins: Pins,
}

/// What became of one group.
pub(super) struct Standing {
    /// Where members start; nothing when the group is gone or was never there.
    pub(super) id: Option<ObjectId>,
    pub(super) condition: Condition,
    /// What to be held to from now on.
    pin: Option<GroupPin>,
    issue: Option<Issue>,
}

impl Footing {
    pub(super) fn roots(&self, nested: bool) -> Roots {
        Roots {
            sync_group: self.sync_group.id,
            rotation_group: self.rotation_group.id,
            nested,
        }
    }

    pub(super) fn issues(&self) -> Vec<Issue> {
        let standings = [&self.sync_group, &self.rotation_group];
        standings
            .into_iter()
            .filter_map(|standing| standing.issue.clone())
            .collect()
    }
}

impl<S: Source, T: Store, P: Progress> Work<'_, S, T, P> {
    /// Makes sure that this is the right directory, then finds its groups.
    pub(super) async fn find_footing(&mut self) -> Outcome<S, T, Footing> {
        self.progress.report(Phase::Identify, &self.tally);
        let pins = self.store.pins().await;
        let pins = pins.map_err(Error::store(Phase::Identify))?;
        let identity = self.source.identify().await;
        let found = identity.map_err(Error::source(Phase::Identify))?;
        let identity = match &pins {
            Some(pins) if !pins.identity.is_same(&found) => {
                let pinned = pins.identity.clone();
                return Err(Refusal::IdentityMismatch { pinned, found }.into());
            }
            Some(pins) => pins.identity.clone(),
            None => found,
        };
        let owner = self.store.owner_of(&identity).await;
        if let Some(owner) = owner.map_err(Error::store(Phase::Identify))? {
            return Err(Refusal::DirectoryTaken { owner }.into());
        }

        self.progress.report(Phase::ResolveGroups, &self.tally);
        let settings = self.settings;
        let pin = pins.as_ref().map(|pins| &pins.sync_group);
        let sync_group = self.find_group(&settings.sync_group, pin).await?;
        let Some(sync_pin) = sync_group.pin.clone() else {
            let name = settings.sync_group.clone();
            return Err(Refusal::GroupMissing { name }.into());
        };
        let pin = pins.as_ref().and_then(|pins| pins.rotation_group.as_ref());
        let rotation_group = self.find_group(&settings.rotation_group, pin).await?;
        let pins = Pins {
            identity,
            sync_group: sync_pin,
            rotation_group: rotation_group.pin.clone(),
        };
        Ok(Footing {
            sync_group,
            rotation_group,
            pins,
        })
    }

    /// Finds one group by its pin; by its name only while it has none, or when the administrator gave another name.
    async fn find_group(&mut self, name: &str, pin: Option<&GroupPin>) -> Outcome<S, T, Standing> {
        let Some(pin) = pin.filter(|pin| same_name(&pin.name, name)) else {
            return Ok(match self.resolve(name, GroupRef::Name(name)).await? {
                Some((id, _)) => Standing::new(name, id, Condition::AsConfigured),
                None => Standing {
                    id: None,
                    condition: Condition::AsConfigured,
                    pin: None,
                    issue: Some(missing(
                        None,
                        format!("the directory has no group named {name:?}"),
                    )),
                },
            });
        };
        if let Some((id, now)) = self.resolve(name, GroupRef::Pinned(pin.id)).await? {
            return Ok(if same_name(&now, name) {
                Standing::new(name, id, Condition::AsConfigured)
            } else {
                let reason = format!(
                    "the group configured as {name:?} is now called {now:?}; nobody is removed from it without \
                     approval until the domain's setting has the new name"
                );
                let issue = Issue::of(id, IssueCode::GroupRenamed, reason);
                Standing::new(name, id, Condition::Renamed { now }).warning(issue)
            });
        }
        Ok(match self.resolve(name, GroupRef::Name(name)).await? {
            Some((id, _)) => {
                let reason = format!(
                    "the group {name:?} is not the one of that name that this domain followed; approving a plan adopts \
                     the new one"
                );
                let issue = Issue::of(id, IssueCode::GroupReplaced, reason);
                Standing::new(name, id, Condition::Replaced).warning(issue)
            }
            None => {
                let reason = format!(
                    "the group {name:?} no longer exists, or the account used to log on may not see it; nobody is removed \
                     for it without approval. Restore it or the right to read it, or choose another in the domain's \
                     settings"
                );
                Standing {
                    id: None,
                    condition: Condition::Missing,
                    pin: Some(pin.clone()),
                    issue: Some(missing(Some(pin.id), reason)),
                }
            }
        })
    }

    async fn resolve(
        &mut self,
        name: &str,
        group: GroupRef<'_>,
    ) -> Outcome<S, T, Option<(ObjectId, String)>> {
        let resolved = self.source.resolve(group).await;
        match resolved.map_err(Error::source(Phase::ResolveGroups))? {
            Resolved::Found { id, name } => Ok(Some((id, name))),
            Resolved::Missing => Ok(None),
            Resolved::Ambiguous(count) => {
                let name = name.to_owned();
                Err(Refusal::GroupAmbiguous { name, count }.into())
            }
        }
    }
}

impl Standing {
    fn new(name: &str, id: ObjectId, condition: Condition) -> Self {
        let name = name.to_owned();
        Self {
            id: Some(id),
            condition,
            pin: Some(GroupPin { id, name }),
            issue: None,
        }
    }

    fn warning(mut self, issue: Issue) -> Self {
        self.issue = Some(issue);
        self
    }
}

fn missing(object: Option<ObjectId>, reason: String) -> Issue {
    Issue {
        object,
        code: IssueCode::GroupMissing,
        reason,
    }
}

/// Directories compare names without regard to case.
fn same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}
