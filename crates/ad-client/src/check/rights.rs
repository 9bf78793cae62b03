//! What the bind account may see and do beyond reading people.

use super::{Check, Checks, Grade};
use crate::access::{Access, reset_access};

/// As many names are told as help to find the OU.
const NAMED: usize = 5;

impl Checks {
    pub(super) async fn deleted_objects(&mut self) -> Check {
        const ID: &str = "deleted-objects";
        let (session, identity) = match self.directory(ID) {
            Ok(directory) => directory,
            Err(skipped) => return *skipped,
        };
        match session.sees_deleted_objects(&identity.naming_context).await {
            Ok(true) => Check::ok(ID, "Deleted objects can be seen."),
            Ok(false) => Check::new(
                ID,
                Grade::Warning,
                "Deleted objects cannot be seen: a deleted account is only known as one that is no longer there.",
            )
            .remedy(
                "Grant List Contents and Read Property on CN=Deleted Objects (dsacls, as a domain administrator). \
                 Sync works without.",
            ),
            Err(error) => Check::error(ID, &error),
        }
    }

    pub(super) async fn reset_password(&mut self) -> Check {
        const ID: &str = "reset-password";
        let (session, identity) = match self.directory(ID) {
            Ok(directory) => directory,
            Err(skipped) => return *skipped,
        };
        let Some(group) = &self.rotation_group else {
            return Check::skipped(ID, "the rotation group was not found");
        };
        let token = match session.token(identity).await {
            Ok(token) => token,
            Err(error) => return Check::error(ID, &error),
        };
        let readable = match session.members_readable(identity, group.id).await {
            Ok(readable) => readable,
            Err(error) => return Check::error(ID, &error),
        };
        let (mut granted, mut denied) = (0_usize, 0_usize);
        let mut unknown: Option<(&'static str, usize)> = None;
        let mut lacking = Vec::new();
        let walked = session
            .walk(
                identity,
                group,
                self.plan.nested_groups,
                |_, object| match reset_access(Some(object), token.as_ref()) {
                    Access::Granted => granted += 1,
                    Access::Denied => {
                        denied += 1;
                        if lacking.len() < NAMED {
                            lacking.extend(object.text("sAMAccountName").map(str::to_owned));
                        }
                    }
                    Access::Unknown(why) => unknown.get_or_insert((why, 0)).1 += 1,
                },
            )
            .await;
        let walked = match walked {
            Ok(walked) => walked,
            Err(error) => return Check::error(ID, &error),
        };
        let all = walked.people.len();
        const GRANT: &str = "Delegate `Reset Password` on user objects, on the OUs these accounts are in, to the \
            account used to log on.";
        let check = if denied > 0 {
            Check::new(
                ID,
                Grade::Failed,
                format!(
                    "The password of {denied} of {all} members of the rotation group may not be reset: {}{}.",
                    lacking.join(", "),
                    if denied > lacking.len() { ", …" } else { "" }
                ),
            )
            .remedy(GRANT)
            .detail("first_lacking", lacking.join(", "))
        } else if let Some((why, count)) = unknown {
            Check::new(
                ID,
                Grade::Unknown,
                format!(
                    "For {count} of {all} members of the rotation group it cannot be told: {why}."
                ),
            )
            .remedy("Grant the account used to log on Read permissions on these accounts.")
        } else if let Access::Unknown(why) = readable {
            Check::new(
                ID,
                Grade::Unknown,
                format!(
                    "Whether all members of the rotation group are shown cannot be told: {why}."
                ),
            )
            .remedy("Grant the account used to log on Read permissions on the group.")
        } else if readable == Access::Denied || walked.hidden > 0 {
            Check::new(
                ID,
                Grade::Unknown,
                "Not all members of the rotation group can be seen.",
            )
            .remedy("Let the account used to log on read the group's members, and see them.")
        } else if all == 0 {
            Check::new(ID, Grade::Warning, "The rotation group has no members.")
                .remedy("Add people to it when their passwords are to be changed.")
        } else {
            Check::ok(
                ID,
                format!(
                    "The password of each of the {all} members of the rotation group may be reset."
                ),
            )
        };
        let check = check
            .detail("members", all)
            .detail("may_reset", granted)
            .detail("may_not_reset", denied)
            .detail("unknown", unknown.map_or(0, |(_, count)| count));
        match &self.people {
            Some(people) => check.detail(
                "not_in_sync_group",
                walked.people.difference(people).count(),
            ),
            None => check,
        }
    }
}
