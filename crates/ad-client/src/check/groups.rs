//! The two groups and their members.

use directory::Group;

use super::{Check, Checks, Grade};
use crate::access::Access;
use crate::lookup::GroupMatch;

impl Checks {
    pub(super) async fn find_sync_group(&mut self) -> Check {
        let name = self.plan.sync_group.clone();
        let (check, group) = self.find_group("sync-group", &name).await;
        self.sync_group = group;
        check
    }

    pub(super) async fn find_rotation_group(&mut self) -> Check {
        let name = self.plan.rotation_group.clone();
        let (check, group) = self.find_group("rotation-group", &name).await;
        self.rotation_group = group;
        check
    }

    async fn find_group(&self, id: &'static str, name: &str) -> (Check, Option<Group>) {
        let (session, identity) = match self.directory(id) {
            Ok(directory) => directory,
            Err(skipped) => return (*skipped, None),
        };
        let found = session.group_by_name(&identity.naming_context, name).await;
        match found {
            Err(error) => (Check::error(id, &error), None),
            Ok(GroupMatch::None) => {
                let check = Check::new(
                    id,
                    Grade::Failed,
                    format!("There is no group `{name}` to be seen in the directory."),
                )
                .remedy(
                    "Create the group, correct its name, or let the account used to log on see it.",
                );
                (check, None)
            }
            Ok(GroupMatch::Ambiguous(dns)) => {
                let check = Check::new(
                    id,
                    Grade::Failed,
                    format!("{} groups are called `{name}`.", dns.len()),
                )
                .remedy("Rename all but one of them, or configure a name that only one has.")
                .detail("groups", dns.join("; "));
                (check, None)
            }
            Ok(GroupMatch::One(group)) => {
                let check = Check::ok(id, format!("The group `{name}` was found."))
                    .detail("dn", &group.dn)
                    .detail("object_id", group.id);
                (check, Some(group))
            }
        }
    }

    pub(super) async fn members(&mut self) -> Check {
        const ID: &str = "members";
        let (session, identity) = match self.directory(ID) {
            Ok(directory) => directory,
            Err(skipped) => return *skipped,
        };
        let Some(group) = &self.sync_group else {
            return Check::skipped(ID, "the sync group was not found");
        };
        let readable = match session.members_readable(identity, group.id).await {
            Ok(readable) => readable,
            Err(error) => return Check::error(ID, &error),
        };
        if readable == Access::Denied {
            return Check::new(
                ID,
                Grade::Failed,
                "The account used to log on may not read the sync group's members: the group looks empty.",
            )
            .remedy("Grant it Read members (Read Property on `member`) on the group.");
        }
        let walked = session
            .walk(identity, group, self.plan.nested_groups, |_, _| {})
            .await;
        let walked = match walked {
            Ok(walked) => walked,
            Err(error) => return Check::error(ID, &error),
        };
        let count = walked.people.len();
        let check = match readable {
            _ if walked.hidden > 0 => Check::new(
                ID,
                Grade::Warning,
                format!(
                    "{count} people are in the sync group; {} more members cannot be seen.",
                    walked.hidden
                ),
            )
            .remedy("Let the account used to log on list and read the OUs these members are in."),
            Access::Unknown(why) => Check::new(
                ID,
                Grade::Unknown,
                format!(
                    "{count} people were seen in the sync group, but whether all are shown cannot be told: {why}."
                ),
            )
            .remedy("Grant the account used to log on Read permissions on the group."),
            Access::Granted | Access::Denied if count == 0 => Check::new(
                ID,
                Grade::Warning,
                "The sync group has no members: nobody would be imported.",
            )
            .remedy("Add people to the group."),
            Access::Granted | Access::Denied => {
                Check::ok(ID, format!("{count} people are in the sync group."))
            }
        };
        let check = check
            .detail("members", count)
            .detail("nested_groups", walked.groups)
            .detail("foreign_members", walked.foreign)
            .detail("other_members", walked.others)
            .detail("hidden_members", walked.hidden);
        self.people = Some(walked.people);
        check
    }
}
