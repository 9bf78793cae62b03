//! A source that is listened to: what it says on the way is noted, and its word that everything was read is checked.

use directory::{Attribute, ObjectId};
use sync::{GroupRef, Identity, Read, Reading, Resolved, RunId, Source, Whereabouts};

use crate::failure::{Failure, FailureReason};
use crate::source::{Observed, Opened, Readable, Reader};
use crate::store::{DomainStore, GroupsInDoubt};

#[derive(Debug)]
pub(crate) struct Listened<S> {
    source: S,
    observed: Observed,
    stage: DomainStore,
    run: RunId,
    read: Option<Read>,
}

impl<S: Reader> Listened<S> {
    pub(crate) fn new(
        opened: Opened<S>,
        observed: Observed,
        stage: DomainStore,
        run: RunId,
    ) -> Self {
        observed.notes().identity = Some(opened.identity);
        Self {
            source: opened.source,
            observed,
            stage,
            run,
            read: None,
        }
    }

    fn note<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &result {
            self.observed.notes().failure = Some(failure.clone());
        }
        result
    }

    /// Groups may hide their members, or hide altogether: then their people would seem to have left (S2).
    async fn nothing_is_hidden(&mut self) -> Result<(), Failure> {
        let Some(read) = &self.read else {
            return Ok(());
        };
        let doubts = self.stage.groups_in_doubt(self.run, read).await;
        let GroupsInDoubt { vanished, empty } = doubts.map_err(|error| {
            Failure::passing(
                FailureReason::Internal,
                format!("what was read could not be checked: {error}"),
                "It is tried again by itself. Report this if it repeats.",
            )
        })?;
        if let Some(group) = vanished.first() {
            return Err(hidden(
                *group,
                "is still a member of a group, but is not shown",
            ));
        }
        let groups: Vec<ObjectId> = empty.iter().map(|(group, _)| *group).collect();
        let readable = self.source.members_readable(&groups).await?;
        for (group, readable) in readable {
            let had_members = empty.contains(&(group, true));
            match readable {
                Readable::Yes => {}
                Readable::No => return Err(hidden(group, "does not show its members")),
                Readable::Unknown if had_members => {
                    return Err(hidden(
                        group,
                        "shows no members, had some, and it cannot be told whether it hides them",
                    ));
                }
                Readable::Unknown => {}
            }
        }
        Ok(())
    }
}

fn hidden(group: ObjectId, what: &str) -> Failure {
    Failure::lasting(
        FailureReason::AccessDenied,
        format!("the group {group} {what}: who is in it is not known, so nothing was changed"),
        "Give the account used to log on the right to read the group and its members.",
    )
}

impl<S: Reader> Source for Listened<S> {
    type Error = Failure;

    async fn identify(&mut self) -> Result<Identity, Failure> {
        let result = self.source.identify().await;
        self.note(result)
    }

    async fn resolve(&mut self, group: GroupRef<'_>) -> Result<Resolved, Failure> {
        let result = self.source.resolve(group).await;
        if let Ok(Resolved::Found { id, name }) = &result {
            self.observed.notes().groups.insert(*id, name.clone());
        }
        self.note(result)
    }

    async fn begin(&mut self, read: &Read) -> Result<(), Failure> {
        self.read = Some(read.clone());
        let result = self.source.begin(read).await;
        self.note(result)
    }

    async fn next(&mut self) -> Result<Reading, Failure> {
        let mut result = self.source.next().await;
        if let Ok(Reading::Complete(_)) = &result
            && let Err(failure) = self.nothing_is_hidden().await
        {
            result = Err(failure);
        }
        self.note(result)
    }

    async fn whereabouts(
        &mut self,
        ids: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Whereabouts)>, Failure> {
        let result = self.source.whereabouts(ids).await;
        self.note(result)
    }

    async fn readable(
        &mut self,
        ids: &[ObjectId],
        attributes: &[Attribute],
    ) -> Result<Vec<(ObjectId, Vec<Attribute>)>, Failure> {
        let result = self.source.readable(ids, attributes).await;
        self.note(result)
    }
}
