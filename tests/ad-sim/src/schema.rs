//! What kinds of attributes and objects there are.

mod table;

use std::collections::HashMap;
use std::sync::OnceLock;

pub(crate) use table::ATTRIBUTES;

/// An attribute, by its place in the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Attr(pub(crate) u16);

impl std::fmt::Debug for Attr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.of().name)
    }
}

/// How values are written and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// Compared without regard to case.
    Text,
    Int,
    Bool,
    /// GeneralizedTime.
    Time,
    Octets,
    Sid,
    Dn,
    /// An object class or an attribute, by its display name.
    Oid,
    /// A security descriptor.
    Sd,
}

/// What is special about an attribute.
pub(crate) mod flag {
    /// Stays when its object is deleted (fPRESERVEONDELETE).
    pub(crate) const KEPT: u8 = 1;
    /// Each domain controller has its own value.
    pub(crate) const LOCAL: u8 = 2;
    /// Computed when it is asked for by name.
    pub(crate) const CONSTRUCTED: u8 = 4;
    pub(crate) const MULTI: u8 = 8;
    /// Points at objects, which point back.
    pub(crate) const LINK: u8 = 16;
    pub(crate) const BACKLINK: u8 = 32;
}

/// What the schema says of an attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    /// ATTRTYP, as replication metadata names it.
    pub(crate) id: u32,
    pub(crate) guid: u128,
    /// attributeSecurityGUID; 0: none.
    pub(crate) property_set: u128,
    pub(crate) syntax: Syntax,
    pub(crate) flags: u8,
}

impl Attr {
    pub(crate) fn find(name: &str) -> Option<Self> {
        static NAMES: OnceLock<HashMap<String, Attr>> = OnceLock::new();
        let names = NAMES.get_or_init(|| {
            (0u16..)
                .zip(ATTRIBUTES)
                .map(|(place, attribute)| (attribute.name.to_ascii_lowercase(), Attr(place)))
                .collect()
        });
        names.get(&name.to_ascii_lowercase()).copied()
    }

    pub(crate) fn of(self) -> &'static Attribute {
        // Every `Attr` is a place in the table.
        ATTRIBUTES.get(usize::from(self.0)).unwrap_or(&UNKNOWN)
    }

    pub(crate) fn is(self, flag: u8) -> bool {
        self.of().flags & flag != 0
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0u16..).zip(ATTRIBUTES).map(|(place, _)| Self(place))
    }
}

static UNKNOWN: Attribute = Attribute {
    name: "unknown",
    id: 0,
    guid: 0,
    property_set: 0,
    syntax: Syntax::Octets,
    flags: 0,
};

/// A structural class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    User,
    Contact,
    Computer,
    ManagedServiceAccount,
    Group,
    OrganizationalUnit,
    Container,
    DomainDns,
    Configuration,
    Dmd,
    CrossRef,
    CrossRefContainer,
    Server,
    NtdsDsa,
    PasswordSettings,
    PasswordSettingsContainer,
    ForeignSecurityPrincipal,
    AttributeSchema,
    LostAndFound,
}

impl Class {
    pub(crate) const ALL: &'static [Self] = &[
        Self::User,
        Self::Contact,
        Self::Computer,
        Self::ManagedServiceAccount,
        Self::Group,
        Self::OrganizationalUnit,
        Self::Container,
        Self::DomainDns,
        Self::Configuration,
        Self::Dmd,
        Self::CrossRef,
        Self::CrossRefContainer,
        Self::Server,
        Self::NtdsDsa,
        Self::PasswordSettings,
        Self::PasswordSettingsContainer,
        Self::ForeignSecurityPrincipal,
        Self::AttributeSchema,
        Self::LostAndFound,
    ];

    /// objectClass, from `top` down.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::User => &["top", "person", "organizationalPerson", "user"],
            Self::Contact => &["top", "person", "organizationalPerson", "contact"],
            Self::Computer => &["top", "person", "organizationalPerson", "user", "computer"],
            Self::ManagedServiceAccount => &[
                "top",
                "person",
                "organizationalPerson",
                "user",
                "computer",
                "msDS-GroupManagedServiceAccount",
            ],
            Self::Group => &["top", "group"],
            Self::OrganizationalUnit => &["top", "organizationalUnit"],
            Self::Container => &["top", "container"],
            Self::DomainDns => &["top", "domain", "domainDNS"],
            Self::Configuration => &["top", "configuration"],
            Self::Dmd => &["top", "dMD"],
            Self::CrossRef => &["top", "crossRef"],
            Self::CrossRefContainer => &["top", "crossRefContainer"],
            Self::Server => &["top", "server"],
            Self::NtdsDsa => &["top", "applicationSettings", "nTDSDSA"],
            Self::PasswordSettings => &["top", "msDS-PasswordSettings"],
            Self::PasswordSettingsContainer => &["top", "msDS-PasswordSettingsContainer"],
            Self::ForeignSecurityPrincipal => &["top", "foreignSecurityPrincipal"],
            Self::AttributeSchema => &["top", "attributeSchema"],
            Self::LostAndFound => &["top", "lostAndFound"],
        }
    }

    /// The common name of objectCategory: users are of the category of persons.
    pub(crate) fn category(self) -> &'static str {
        match self {
            Self::User | Self::Contact => "Person",
            Self::Computer => "Computer",
            Self::ManagedServiceAccount => "ms-DS-Group-Managed-Service-Account",
            Self::Group => "Group",
            Self::OrganizationalUnit => "Organizational-Unit",
            Self::Container => "Container",
            Self::DomainDns => "Domain-DNS",
            Self::Configuration => "Configuration",
            Self::Dmd => "DMD",
            Self::CrossRef => "Cross-Ref",
            Self::CrossRefContainer => "Cross-Ref-Container",
            Self::Server => "Server",
            Self::NtdsDsa => "NTDS-DSA",
            Self::PasswordSettings => "ms-DS-Password-Settings",
            Self::PasswordSettingsContainer => "ms-DS-Password-Settings-Container",
            Self::ForeignSecurityPrincipal => "Foreign-Security-Principal",
            Self::AttributeSchema => "Attribute-Schema",
            Self::LostAndFound => "Lost-And-Found",
        }
    }

    /// The category a class name stands for in a filter: `(objectCategory=person)`.
    pub(crate) fn category_of(name: &str) -> Option<&'static str> {
        if name.eq_ignore_ascii_case("user") {
            return Some("Person");
        }
        if name.eq_ignore_ascii_case("person") || name.eq_ignore_ascii_case("organizationalPerson")
        {
            return Some("Person");
        }
        Self::named(name).map(Self::category)
    }

    /// The class whose most specific name this is.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|class| {
                class
                    .names()
                    .last()
                    .is_some_and(|last| last.eq_ignore_ascii_case(name))
            })
            .copied()
    }

    /// The schemaIDGUID that entries of an access list are limited to a class by; 0 where none is needed.
    pub(crate) fn guid(self) -> u128 {
        match self {
            Self::User => 0xbf967aba_0de6_11d0_a285_00aa003049e2,
            Self::Contact => 0x5cb41ed0_0e4c_11d0_a286_00aa003049e2,
            Self::Computer => 0xbf967a86_0de6_11d0_a285_00aa003049e2,
            Self::Group => 0xbf967a9c_0de6_11d0_a285_00aa003049e2,
            Self::OrganizationalUnit => 0xbf967aa5_0de6_11d0_a285_00aa003049e2,
            Self::ManagedServiceAccount
            | Self::Container
            | Self::DomainDns
            | Self::Configuration
            | Self::Dmd
            | Self::CrossRef
            | Self::CrossRefContainer
            | Self::Server
            | Self::NtdsDsa
            | Self::PasswordSettings
            | Self::PasswordSettingsContainer
            | Self::ForeignSecurityPrincipal
            | Self::AttributeSchema
            | Self::LostAndFound => 0,
        }
    }

    pub(crate) fn is_account(self) -> bool {
        matches!(
            self,
            Self::User | Self::Computer | Self::ManagedServiceAccount
        )
    }

    /// The attribute an object of this class is named by.
    pub(crate) fn naming(self) -> Attr {
        match self {
            Self::OrganizationalUnit => Attr::OU,
            Self::DomainDns => Attr::DC,
            Self::User
            | Self::Contact
            | Self::Computer
            | Self::ManagedServiceAccount
            | Self::Group
            | Self::Container
            | Self::Configuration
            | Self::Dmd
            | Self::CrossRef
            | Self::CrossRefContainer
            | Self::Server
            | Self::NtdsDsa
            | Self::PasswordSettings
            | Self::PasswordSettingsContainer
            | Self::ForeignSecurityPrincipal
            | Self::AttributeSchema
            | Self::LostAndFound => Attr::CN,
        }
    }
}
