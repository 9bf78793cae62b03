//! A new domain: its partitions, its containers, its built-in groups, and its administrator.

use uuid::Uuid;

use crate::logon::DELETED_OBJECTS;
use crate::policy::Policy;
use crate::schema::{Attr, Class, Syntax, flag};
use crate::security;
use crate::sid::Sid;
use crate::store::object::{Birth, Id, Partition};
use crate::store::replica::{Replica, bytes, text};

/// Groups every domain has: their names, their ids, and whether those are the domain's own.
const GROUPS: [(&str, u32, bool); 14] = [
    ("Domain Admins", 512, true),
    ("Domain Users", 513, true),
    ("Domain Guests", 514, true),
    ("Domain Computers", 515, true),
    ("Domain Controllers", 516, true),
    ("Schema Admins", 518, true),
    ("Enterprise Admins", 519, true),
    ("Administrators", 544, false),
    ("Users", 545, false),
    ("Account Operators", 548, false),
    ("Server Operators", 549, false),
    ("Print Operators", 550, false),
    ("Backup Operators", 551, false),
    ("Remote Desktop Users", 555, false),
];

pub(crate) const ADMINISTRATOR: &str = "Administrator";

impl Replica {
    /// Makes the domain, once, on its first domain controller. The others get it from there.
    pub(crate) fn found(&mut self, policy: &Policy, upn_suffixes: &[String]) {
        let dns_name = self.domain.dns_name.clone();
        let root = self.make(Class::DomainDns, Partition::Domain, None, &dns_name);
        let configuration = self.make(
            Class::Configuration,
            Partition::Configuration,
            Some(root),
            "Configuration",
        );
        let schema = self.make(Class::Dmd, Partition::Schema, Some(configuration), "Schema");
        let sid = self.domain.sid.clone();
        let stamp = self.stamp();
        self.write(root, Attr::OBJECT_SID, bytes(sid.to_bytes()), stamp);
        self.set_policy(policy);

        for name in ["Users", "Computers", "System", "Builtin"] {
            self.container(root, Class::Container, name);
        }
        self.container(root, Class::OrganizationalUnit, "Domain Controllers");
        self.container(root, Class::LostAndFound, "LostAndFound");
        let deleted = self.container(root, Class::Container, DELETED_OBJECTS);
        self.access.insert(deleted, security::deleted_objects(&sid));
        if let Some(system) = self.well_known("System") {
            let settings = self.container(
                system,
                Class::PasswordSettingsContainer,
                "Password Settings Container",
            );
            self.access
                .insert(settings, security::deleted_objects(&sid));
        }
        self.configuration(configuration, root, upn_suffixes);
        self.attributes_of(schema);
        self.groups();
        self.administrator();
        self.protect_administrators();
    }

    fn make(&mut self, class: Class, partition: Partition, parent: Option<Id>, name: &str) -> Id {
        let birth = Birth {
            guid: self.domain.next_guid(),
            class,
            partition,
            parent,
            name: name.to_owned(),
        };
        let stamp = self.stamp();
        let id = self.insert(birth, stamp);
        self.born(id, stamp);
        id
    }

    fn container(&mut self, parent: Id, class: Class, name: &str) -> Id {
        let partition = self.object(parent).partition;
        let id = self.make(class, partition, Some(parent), name);
        let stamp = self.stamp();
        self.write(id, Attr::IS_CRITICAL_SYSTEM_OBJECT, text("TRUE"), stamp);
        id
    }

    /// Changes the domain's own policy.
    pub(crate) fn set_policy(&mut self, policy: &Policy) {
        let Some(root) = self.head(Partition::Domain) else {
            return;
        };
        let stamp = self.stamp();
        let never = |age: i64| if age == 0 { i64::MIN } else { -age };
        for (attribute, value) in [
            (
                Attr::MIN_PWD_LENGTH,
                i64::try_from(policy.min_length).unwrap_or(i64::MAX),
            ),
            (Attr::PWD_PROPERTIES, i64::from(policy.is_complex)),
            (
                Attr::PWD_HISTORY_LENGTH,
                i64::try_from(policy.history).unwrap_or(i64::MAX),
            ),
            (Attr::MIN_PWD_AGE, -policy.min_age),
            (Attr::MAX_PWD_AGE, never(policy.max_age)),
            (Attr::LOCKOUT_THRESHOLD, policy.lockout_threshold),
            (Attr::LOCKOUT_DURATION, never(policy.lockout_duration)),
            (Attr::LOCKOUT_OBSERVATION_WINDOW, -policy.lockout_window),
        ] {
            self.write(root, attribute, text(value), stamp);
        }
    }

    fn configuration(&mut self, configuration: Id, root: Id, upn_suffixes: &[String]) {
        let partitions = self.container(configuration, Class::CrossRefContainer, "Partitions");
        let stamp = self.stamp();
        let suffixes = upn_suffixes
            .iter()
            .map(|suffix| suffix.clone().into_bytes().into_boxed_slice());
        self.write(partitions, Attr::UPN_SUFFIXES, suffixes.collect(), stamp);
        let netbios = self.domain.netbios_name.clone();
        let cross = self.container(partitions, Class::CrossRef, &netbios);
        let stamp = self.stamp();
        let (root, dns) = (self.dn(root), self.domain.dns_name.clone());
        self.write(cross, Attr::NC_NAME, text(root), stamp);
        self.write(cross, Attr::NETBIOS_NAME, text(netbios), stamp);
        self.write(cross, Attr::DNS_ROOT, text(dns), stamp);
        let sites = self.container(configuration, Class::Container, "Sites");
        let site = self.container(sites, Class::Container, "Default-First-Site-Name");
        self.container(site, Class::Container, "Servers");
    }

    /// The server's own objects, which tell who it is; and its machine account.
    pub(crate) fn introduce(&mut self) {
        let name = self
            .host
            .split('.')
            .next()
            .unwrap_or_default()
            .to_uppercase();
        let Some(configuration) = self.head(Partition::Configuration) else {
            return;
        };
        let sites = format!(
            "CN=Servers,CN=Default-First-Site-Name,CN=Sites,{}",
            self.dn(configuration)
        );
        let Some(servers) = self.by_dn(&sites) else {
            return;
        };
        let server = self.container(servers, Class::Server, &name);
        let settings = self.container(server, Class::NtdsDsa, "NTDS Settings");
        let stamp = self.stamp();
        let invocation = self.invocation();
        self.write(
            settings,
            Attr::INVOCATION_ID,
            bytes(invocation.to_bytes_le().to_vec()),
            stamp,
        );
        self.write(server, Attr::DNS_HOST_NAME, text(self.host.clone()), stamp);
        self.site_dn = self.dn(server);
        let Some(root) = self.head(Partition::Domain) else {
            return;
        };
        let above = format!("OU=Domain Controllers,{}", self.dn(root));
        if let Some(above) = self.by_dn(&above) {
            let machine = self.container(above, Class::Computer, &name);
            let stamp = self.stamp();
            self.write(
                machine,
                Attr::SAM_ACCOUNT_NAME,
                text(format!("{name}$")),
                stamp,
            );
            // A domain controller's: SERVER_TRUST_ACCOUNT.
            self.write(machine, Attr::USER_ACCOUNT_CONTROL, text(0x8_2000), stamp);
            self.write(machine, Attr::PRIMARY_GROUP_ID, text(516), stamp);
        }
    }

    /// The invocation id as the server's own object tells it, after it has changed.
    pub(crate) fn tell_invocation(&mut self) {
        let settings = format!("CN=NTDS Settings,{}", self.site_dn);
        if let Some(settings) = self.by_dn(&settings) {
            let stamp = self.stamp();
            let invocation = self.invocation();
            self.write(
                settings,
                Attr::INVOCATION_ID,
                bytes(invocation.to_bytes_le().to_vec()),
                stamp,
            );
        }
    }

    fn attributes_of(&mut self, schema: Id) {
        for attribute in Attr::all() {
            let known = attribute.of();
            let name = known.name;
            let id = self.container(schema, Class::AttributeSchema, name);
            let stamp = self.stamp();
            let guid = |number: u128| Uuid::from_u128(number).to_bytes_le().to_vec();
            self.write(id, Attr::LDAP_DISPLAY_NAME, text(name), stamp);
            self.write(id, Attr::SCHEMA_ID_GUID, bytes(guid(known.guid)), stamp);
            if known.property_set != 0 {
                self.write(
                    id,
                    Attr::ATTRIBUTE_SECURITY_GUID,
                    bytes(guid(known.property_set)),
                    stamp,
                );
            }
            self.write(
                id,
                Attr::SEARCH_FLAGS,
                text(if attribute.is(flag::KEPT) { 8 } else { 0 }),
                stamp,
            );
            self.write(
                id,
                Attr::ATTRIBUTE_SYNTAX,
                text(syntax_oid(known.syntax)),
                stamp,
            );
            let single = if attribute.is(flag::MULTI) {
                "FALSE"
            } else {
                "TRUE"
            };
            self.write(id, Attr::IS_SINGLE_VALUED, text(single), stamp);
        }
    }

    fn groups(&mut self) {
        for (name, rid, is_domains) in GROUPS {
            let place = if is_domains { "Users" } else { "Builtin" };
            let Some(place) = self.well_known(place) else {
                continue;
            };
            let id = self.container(place, Class::Group, name);
            let stamp = self.stamp();
            let sid = if is_domains {
                self.domain.sid.with_rid(rid)
            } else {
                Sid::builtin(rid)
            };
            self.write(id, Attr::OBJECT_SID, bytes(sid.to_bytes()), stamp);
            self.write(id, Attr::SAM_ACCOUNT_NAME, text(name), stamp);
            if !is_domains {
                // BUILTIN_LOCAL_GROUP, RESOURCE_GROUP and SECURITY_ENABLED.
                self.write(id, Attr::GROUP_TYPE, text(-2_147_483_643i64), stamp);
            }
        }
        let nested = [(512, 544), (519, 544), (513, 545)];
        for (member, group) in nested {
            let member = self.by_sid(&self.domain.sid.with_rid(member));
            let group = self.by_sid(&Sid::builtin(group));
            if let (Some(member), Some(group)) = (member, group) {
                self.join(group, member);
            }
        }
    }

    /// Makes something a member, whatever anybody says.
    pub(crate) fn join(&mut self, group: Id, member: Id) {
        let name = self.dn(member).into_bytes();
        let change = crate::wire::message::Change {
            verb: crate::wire::message::Verb::Add,
            attribute: "member".to_owned(),
            values: vec![name],
        };
        // It is new: nothing can be in its way.
        drop(self.modify(crate::change::Writer::Owner, group, &[change], true));
    }

    fn administrator(&mut self) {
        let Some(users) = self.well_known("Users") else {
            return;
        };
        for (name, rid) in [(ADMINISTRATOR, 500), ("krbtgt", 502)] {
            let id = self.container(users, Class::User, name);
            let stamp = self.stamp();
            let sid = self.domain.sid.with_rid(rid);
            self.write(id, Attr::OBJECT_SID, bytes(sid.to_bytes()), stamp);
            self.write(id, Attr::SAM_ACCOUNT_NAME, text(name), stamp);
            let is_administrator = rid == 500;
            let control = if is_administrator { 0x200 } else { 0x202 };
            self.write(id, Attr::USER_ACCOUNT_CONTROL, text(control), stamp);
            self.write(id, Attr::PWD_LAST_SET, text(self.now()), stamp);
            if is_administrator {
                for group in [512, 518, 519] {
                    if let Some(group) = self.by_sid(&self.domain.sid.with_rid(group)) {
                        self.join(group, id);
                    }
                }
            }
        }
    }
}

fn syntax_oid(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::Text => "2.5.5.12",
        Syntax::Int => "2.5.5.9",
        Syntax::Bool => "2.5.5.8",
        Syntax::Time => "2.5.5.11",
        Syntax::Octets => "2.5.5.10",
        Syntax::Sid => "2.5.5.17",
        Syntax::Dn => "2.5.5.1",
        Syntax::Oid => "2.5.5.2",
        Syntax::Sd => "2.5.5.15",
    }
}
