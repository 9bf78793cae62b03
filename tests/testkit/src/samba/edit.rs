//! Editing the directory as its administrators do, in a millisecond or two an edit, whether the server runs or not.
//!
//! `which` names an object by DN, GUID, SID or `sAMAccountName` (an organizational unit by its name).

use anyhow::{Context, Result};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Samba;
use super::objects::{BulkUsers, Entry, NewGroup, NewUser};

impl Samba {
    async fn edit(&self, what: &'static str, arguments: Value) -> Result<Value> {
        self.helper()?.call(what, arguments).await
    }

    async fn entry_of(&self, what: &'static str, arguments: Value) -> Result<Entry> {
        Entry::read(&self.edit(what, arguments).await?)
    }

    async fn done(&self, what: &'static str, arguments: Value) -> Result<()> {
        self.edit(what, arguments).await.map(drop)
    }

    // --- create and find

    pub async fn create_user(&self, user: impl Into<NewUser>) -> Result<Entry> {
        let user = user.into();
        self.entry_of(
            "create_user",
            json!({
                "name": user.name,
                "cn": user.cn,
                "parent": user.parent,
                "disabled": user.disabled,
                "password": user.password,
                "must_change": user.must_change_password,
                "attributes": user.attributes,
            }),
        )
        .await
    }

    pub async fn create_group(&self, group: impl Into<NewGroup>) -> Result<Entry> {
        let group = group.into();
        self.entry_of(
            "create_group",
            json!({
                "name": group.name,
                "cn": group.cn,
                "parent": group.parent,
                "scope": group.scope.name(),
                "is_security": group.is_security,
            }),
        )
        .await
    }

    /// An organizational unit at the top of the domain, or below the DN `parent`.
    pub async fn create_ou(&self, name: &str, parent: Option<&str>) -> Result<Entry> {
        self.entry_of("create_ou", json!({"name": name, "parent": parent}))
            .await
    }

    /// Creates many users, and returns how many.
    pub async fn bulk_users(&self, users: BulkUsers) -> Result<u64> {
        let created = self
            .edit(
                "bulk_users",
                json!({
                    "prefix": users.prefix,
                    "count": users.count,
                    "group": users.group,
                    "parent": users.parent,
                }),
            )
            .await?;
        created.as_u64().context("no count of users")
    }

    pub async fn entry(&self, which: &str) -> Result<Entry> {
        self.entry_of("entry", json!({"which": which})).await
    }

    /// An object in the container of deleted objects, by its GUID.
    pub async fn deleted_entry(&self, guid: Uuid) -> Result<Entry> {
        self.entry_of("entry", json!({"which": guid, "deleted": true}))
            .await
    }

    // --- groups

    pub async fn add_members(&self, group: &str, members: &[&str]) -> Result<()> {
        self.done("add_members", json!({"group": group, "members": members}))
            .await
    }

    pub async fn remove_members(&self, group: &str, members: &[&str]) -> Result<()> {
        self.done(
            "remove_members",
            json!({"group": group, "members": members}),
        )
        .await
    }

    /// Makes these the group's only members; none empties it.
    pub async fn set_members(&self, group: &str, members: &[&str]) -> Result<()> {
        self.done("set_members", json!({"group": group, "members": members}))
            .await
    }

    /// The DNs of the group's direct members.
    pub async fn members(&self, group: &str) -> Result<Vec<String>> {
        let members = self.edit("members", json!({"group": group})).await?;
        Ok(serde_json::from_value(members)?)
    }

    /// Makes `group`, of which the user must be a member, the user's primary group.
    pub async fn set_primary_group(&self, which: &str, group: &str) -> Result<()> {
        self.done("set_primary_group", json!({"which": which, "group": group}))
            .await
    }

    // --- change

    /// Gives an object another common name.
    pub async fn rename(&self, which: &str, name: &str) -> Result<Entry> {
        self.entry_of("rename", json!({"which": which, "name": name}))
            .await
    }

    pub async fn move_to(&self, which: &str, parent: &str) -> Result<Entry> {
        self.entry_of("move", json!({"which": which, "parent": parent}))
            .await
    }

    /// Replaces an attribute's values; none clears it.
    pub async fn set(&self, which: &str, attribute: &str, values: &[&str]) -> Result<()> {
        self.done(
            "set_values",
            json!({"which": which, "attribute": attribute, "values": values}),
        )
        .await
    }

    /// An attribute's values; in hex where one isn't text.
    pub async fn get(&self, which: &str, attribute: &str) -> Result<Vec<String>> {
        let values = self
            .edit(
                "get_values",
                json!({"which": which, "attribute": attribute}),
            )
            .await?;
        Ok(serde_json::from_value(values)?)
    }

    pub async fn enable(&self, which: &str) -> Result<()> {
        self.done("set_enabled", json!({"which": which, "enabled": true}))
            .await
    }

    pub async fn disable(&self, which: &str) -> Result<()> {
        self.done("set_enabled", json!({"which": which, "enabled": false}))
            .await
    }

    /// Sets or clears bits of `userAccountControl`.
    pub async fn set_account_flag(&self, which: &str, flag: u32, on: bool) -> Result<()> {
        self.done("set_flag", json!({"which": which, "flag": flag, "on": on}))
            .await
    }

    pub async fn set_password(&self, which: &str, password: &str) -> Result<()> {
        self.done(
            "set_password",
            json!({"which": which, "password": password}),
        )
        .await
    }

    /// Makes a password settings object that applies to a user or group, and returns its DN. Its contents are the
    /// administrators' own until [`Self::allow_reading`].
    pub async fn password_policy(
        &self,
        name: &str,
        min_length: u32,
        applies_to: &str,
    ) -> Result<String> {
        let dn = self
            .edit(
                "password_policy",
                json!({"name": name, "minimum_length": min_length, "applies_to": applies_to}),
            )
            .await?;
        Ok(serde_json::from_value(dn)?)
    }

    /// Lets a user or group read an object and what is below it.
    pub async fn allow_reading(&self, trustee: &str, on: &str) -> Result<()> {
        self.done("allow_reading", json!({"trustee": trustee, "on": on}))
            .await
    }

    /// Sets `pwdLastSet` to 0.
    pub async fn must_change_password(&self, which: &str) -> Result<()> {
        self.done("must_change_password", json!({"which": which}))
            .await
    }

    /// Lets the account end yesterday.
    pub async fn expire_account(&self, which: &str) -> Result<()> {
        self.done("expire_account", json!({"which": which})).await
    }

    /// Locks the account as wrong passwords do.
    pub async fn lock_out(&self, which: &str) -> Result<()> {
        self.done("lock_out", json!({"which": which})).await
    }

    // --- delete and restore

    /// Deletes an object and everything below it.
    pub async fn delete(&self, which: &str) -> Result<()> {
        self.done("delete", json!({"which": which})).await
    }

    /// Brings a deleted object back where it was, or below the DN `parent`, with little more than its GUID, SID and logon
    /// name. What Windows' recycle bin keeps beyond that, attributes and memberships, set again: Samba (4.17) doesn't
    /// restore anything while its own recycle bin is on.
    pub async fn restore(&self, guid: Uuid, parent: Option<&str>) -> Result<Entry> {
        self.entry_of("restore", json!({"guid": guid, "parent": parent}))
            .await
    }

    // --- rights

    /// Hides one attribute of an object from a user or group.
    pub async fn deny_read(&self, which: &str, attribute: &str, trustee: &str) -> Result<()> {
        self.done(
            "deny_read",
            json!({"which": which, "attribute": attribute, "trustee": trustee}),
        )
        .await
    }

    /// Hides an object from a user or group.
    pub async fn deny_everything(&self, which: &str, trustee: &str) -> Result<()> {
        self.done(
            "deny_everything",
            json!({"which": which, "trustee": trustee}),
        )
        .await
    }

    /// Delegates Reset Password on a user, or on everybody below a container.
    pub async fn allow_reset_password(&self, trustee: &str, on: &str) -> Result<()> {
        self.done(
            "allow_reset_password",
            json!({"trustee": trustee, "on": on}),
        )
        .await
    }

    /// Lets a user or group read the container of deleted objects.
    pub async fn allow_reading_deleted(&self, trustee: &str) -> Result<()> {
        self.done("allow_reading_deleted", json!({"trustee": trustee}))
            .await
    }

    /// Grants Replicating Directory Changes on the domain.
    pub async fn allow_replication(&self, trustee: &str) -> Result<()> {
        self.done("allow_replication", json!({"trustee": trustee}))
            .await
    }

    /// An object's security descriptor in SDDL: keep it, to take back a denial.
    pub async fn security(&self, which: &str) -> Result<String> {
        let text = self.edit("sddl", json!({"which": which})).await?;
        Ok(serde_json::from_value(text)?)
    }

    pub async fn set_security(&self, which: &str, sddl: &str) -> Result<()> {
        self.done("set_sddl", json!({"which": which, "value": sddl}))
            .await
    }

    // --- replication's numbers

    /// The highest update sequence number this server has given.
    pub async fn highest_usn(&self) -> Result<u64> {
        let usn = self.edit("highest_usn", json!({})).await?;
        usn.as_u64().context("no update sequence number")
    }

    /// The identity of this server's database.
    pub async fn invocation_id(&self) -> Result<Uuid> {
        let identity = self.edit("identity", json!({})).await?;
        let id = identity.get("invocation_id").and_then(Value::as_str);
        Ok(id.context("no invocation id")?.parse()?)
    }
}
