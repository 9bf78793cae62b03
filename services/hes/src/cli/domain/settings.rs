//! The flags of a domain's settings, and the message and update mask they make.

use api::config::v1::{ActiveDirectorySettings, Domain, RemovalPolicy, domain::Directory};
use clap::{Args, ValueEnum};
use jiff::{Span, SpanRelativeTo, Unit};
use prost_types::Duration;

use super::{guard::Bound, rotation::Rotation};
use crate::{
    failure::Failure,
    input::{Inputs, Source},
};

/// Settings of an Active Directory domain. Each is taken only when its flag is given.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Upgrade ldap:// connections by StartTLS; plain LDAP is never spoken
    #[arg(long, overrides_with = "no_start_tls", help_heading = "Connection")]
    start_tls: bool,
    /// Don't: servers speak TLS from the start (ldaps://)
    #[arg(long, hide = true)]
    no_start_tls: bool,
    /// Certificates of the authority that issued the servers' certificates, PEM [default: the public authorities]
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    ca_file: Option<Source>,
    /// Trust the public authorities instead of a file's
    #[arg(long, hide = true, conflicts_with = "ca_file")]
    public_authorities: bool,
    /// The name shown to people [default: the id]
    #[arg(long, value_name = "NAME", help_heading = "People")]
    display_name: Option<String>,
    /// Members of this group become employees [default: Security Key Owners]
    #[arg(long, value_name = "GROUP", help_heading = "People")]
    sync_group: Option<String>,
    /// Members of this group get new passwords automatically [default: Security Key Auto Password Change]
    #[arg(long, value_name = "GROUP", help_heading = "People")]
    rotation_group: Option<String>,
    /// Days between automatic password changes, 1 to 180; 0 is off [default: 28]
    #[arg(long, value_name = "DAYS", help_heading = "People")]
    auto_password_change_days: Option<i32>,
    /// Time between syncs, 1m to 7d, such as 15m or 2h [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Sync")]
    sync_interval: Option<Duration>,
    /// What becomes of an employee whose last account leaves: stays as it was, becomes inactive, or also is deleted
    /// after the grace period unless an account returns [default: deactivate]
    #[arg(long, value_name = "POLICY", value_enum, help_heading = "Sync")]
    removal_policy: Option<Removal>,
    /// With `delete`, time between leaving and deletion, up to 365d [default: 30d]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Sync")]
    removal_grace: Option<Duration>,
    /// Members of nested groups count as members; this is the default
    #[arg(long, hide = true, overrides_with = "no_nested_groups")]
    nested_groups: bool,
    /// Only direct members count
    #[arg(long, help_heading = "Sync")]
    no_nested_groups: bool,
    /// Where people are searched [default: the whole domain]
    #[arg(long, value_name = "DN", help_heading = "Sync")]
    base_dn: Option<String>,
    /// Only people below this organizational unit; repeat for several
    #[arg(long, value_name = "DN", help_heading = "Sync")]
    include_ou: Option<Vec<String>>,
    /// Nobody below this organizational unit; repeat for several
    #[arg(long, value_name = "DN", help_heading = "Sync")]
    exclude_ou: Option<Vec<String>>,
    /// LDAP filter that people must also match, such as '(department=IT)'
    #[arg(long, value_name = "FILTER", help_heading = "Sync")]
    filter: Option<String>,
    /// When a plan is held for a person to decide; repeat for several. KEY is CLASS.BOUND: classes are removals,
    /// disables, members_lost, attribute_cleared, joins; bounds are percent, least, most; a VALUE is a number or
    /// `default`. A class's limit is that percent of its base, but never below least or above most [default: 5 %, 3,
    /// 200; joins: 25 %, 20, 2000]
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Sync")]
    guard: Vec<Bound>,
    /// Whose attributes an employee of several accounts shows: the highest [default: 0]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Sync"
    )]
    precedence: Option<i32>,
    /// Mail suffix this domain is authoritative for, when linking by mail; repeat for several [default: those the
    /// directory proves]
    #[arg(long, value_name = "SUFFIX", help_heading = "Sync")]
    mail_suffix: Option<Vec<String>>,
    #[command(flatten)]
    rotation: Rotation,
}

/// What becomes of an employee whose last account leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Removal {
    Keep,
    Deactivate,
    Delete,
}

/// Settings and the paths of those that were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Edit {
    pub(super) domain: Domain,
    pub(super) paths: Vec<String>,
}

impl Settings {
    /// The message that holds what was given.
    pub(super) fn edit(
        &self,
        servers: Option<&[String]>,
        inputs: &mut Inputs,
    ) -> Result<Edit, Failure> {
        let mut edit = Edit::default();
        let directory = self.directory(servers, inputs, &mut edit.paths)?;
        let Edit { domain, paths } = &mut edit;
        domain.directory = Some(Directory::ActiveDirectory(directory));
        take(
            &self.display_name,
            "display_name",
            &mut domain.display_name,
            paths,
        );
        take(
            &self.sync_group,
            "sync_group",
            &mut domain.sync_group,
            paths,
        );
        take(
            &self.rotation_group,
            "rotation_group",
            &mut domain.rotation_group,
            paths,
        );
        let days = self.auto_password_change_days.map(Some);
        take(
            &days,
            "auto_password_change_days",
            &mut domain.auto_password_change_days,
            paths,
        );
        take(
            &self.sync_interval.map(Some),
            "sync_interval",
            &mut domain.sync_interval,
            paths,
        );
        let policy = self
            .removal_policy
            .map(|policy| RemovalPolicy::from(policy).into());
        take(&policy, "removal_policy", &mut domain.removal_policy, paths);
        take(
            &self.removal_grace.map(Some),
            "removal_grace",
            &mut domain.removal_grace,
            paths,
        );
        take(
            &self.precedence,
            "precedence",
            &mut domain.precedence,
            paths,
        );
        take(
            &given(&self.mail_suffix),
            "mail_suffixes",
            &mut domain.mail_suffixes,
            paths,
        );
        self.rotation.edit(domain, paths);
        for bound in &self.guard {
            bound.set(domain.guard_limits.get_or_insert_default());
            paths.push(bound.path());
        }
        Ok(edit)
    }

    fn directory(
        &self,
        servers: Option<&[String]>,
        inputs: &mut Inputs,
        paths: &mut Vec<String>,
    ) -> Result<ActiveDirectorySettings, Failure> {
        let mut ad = ActiveDirectorySettings::default();
        let authorities = match &self.ca_file {
            Some(source) => Some(inputs.text("--ca-file", source)?),
            None => self.public_authorities.then(String::new),
        };
        take(
            &servers.map(<[String]>::to_vec),
            "active_directory.servers",
            &mut ad.servers,
            paths,
        );
        let start_tls = switch(self.start_tls, self.no_start_tls);
        take(
            &start_tls,
            "active_directory.start_tls",
            &mut ad.start_tls,
            paths,
        );
        take(
            &authorities,
            "active_directory.ca_bundle_pem",
            &mut ad.ca_bundle_pem,
            paths,
        );
        take(
            &self.base_dn,
            "active_directory.base_dn",
            &mut ad.base_dn,
            paths,
        );
        let nested = switch(self.nested_groups, self.no_nested_groups).map(Some);
        take(
            &nested,
            "active_directory.nested_groups",
            &mut ad.nested_groups,
            paths,
        );
        take(
            &given(&self.include_ou),
            "active_directory.include_ous",
            &mut ad.include_ous,
            paths,
        );
        take(
            &given(&self.exclude_ou),
            "active_directory.exclude_ous",
            &mut ad.exclude_ous,
            paths,
        );
        take(
            &self.filter,
            "active_directory.user_filter",
            &mut ad.user_filter,
            paths,
        );
        Ok(ad)
    }
}

fn take<T: Clone>(given: &Option<T>, path: &str, field: &mut T, paths: &mut Vec<String>) {
    if let Some(value) = given {
        field.clone_from(value);
        paths.push(path.to_owned());
    }
}

/// A list whose only element is empty is the empty list.
fn given(list: &Option<Vec<String>>) -> Option<Vec<String>> {
    list.as_ref().map(|list| {
        list.iter()
            .filter(|text| !text.is_empty())
            .cloned()
            .collect()
    })
}

fn switch(on: bool, off: bool) -> Option<bool> {
    match (on, off) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

impl From<Removal> for RemovalPolicy {
    fn from(removal: Removal) -> Self {
        match removal {
            Removal::Keep => Self::Keep,
            Removal::Deactivate => Self::Deactivate,
            Removal::Delete => Self::Delete,
        }
    }
}

/// `90s`, `15m`, `1h30m`, `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 90s, 15m, 1h30m or 7d".to_owned();
    let span: Span = text.parse().map_err(|_| wrong())?;
    let days = SpanRelativeTo::days_are_24_hours();
    let length = span.to_duration(days).map_err(|_| wrong())?;
    // A bare span may be negative, or of months, which have no length.
    if length.is_negative() || span.total((Unit::Second, days)).is_err() {
        return Err(wrong());
    }
    Ok(Duration {
        seconds: length.as_secs(),
        nanos: length.subsec_nanos(),
    })
}
