use std::{collections::BTreeSet, fmt, str::FromStr};

/// Who makes a call. A handler finds it in the request's extensions, or by [`Caller::of`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Caller {
    #[default]
    Anonymous,
    /// The holder of the bootstrap token.
    Administrator,
    /// A person, or an outside client, with the roles their token gives.
    Person {
        /// Stable and unique at its issuer.
        subject: String,
        roles: BTreeSet<Role>,
    },
    /// Another service of the suite.
    Service(ServiceName),
}

/// What a person may do: the values of `hes.auth.v1.Role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees everything but secrets.
    Viewer,
    /// Runs what is configured: syncs, rotations.
    Operator,
    /// Configures.
    Administrator,
    /// A workstation's client: reads its passwordless settings.
    Workstation,
    /// A client beside a security key: receives passwords.
    Delivery,
}

/// The name of a service of the suite, as in `spiffe://hes/<service>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(String);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a service's name: expected `[a-z0-9-]`, or `spiffe://hes/` and that")]
pub struct ServiceNameError(String);

const SPIFFE: &str = "spiffe://hes/";

impl Caller {
    /// The caller of the request in hand. Without the server's access check in front, nobody.
    pub fn of<T>(request: &tonic::Request<T>) -> &Self {
        static ANONYMOUS: Caller = Caller::Anonymous;
        request.extensions().get().unwrap_or(&ANONYMOUS)
    }

    pub fn person(subject: impl Into<String>, roles: impl IntoIterator<Item = Role>) -> Self {
        Self::Person {
            subject: subject.into(),
            roles: roles.into_iter().collect(),
        }
    }

    pub fn service(name: &str) -> Result<Self, ServiceNameError> {
        name.parse().map(Self::Service)
    }

    /// Whether the caller holds the role, or one above it.
    pub fn has_role(&self, wanted: Role) -> bool {
        match self {
            Self::Administrator => Role::Administrator.includes(wanted),
            Self::Person { roles, .. } => roles.iter().any(|role| role.includes(wanted)),
            Self::Anonymous | Self::Service(_) => false,
        }
    }
}

impl Role {
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Operator,
        Self::Administrator,
        Self::Workstation,
        Self::Delivery,
    ];

    /// The number and the name of the value in `hes.auth.v1.Role`.
    pub fn proto(self) -> (i32, &'static str) {
        match self {
            Self::Viewer => (1, "ROLE_VIEWER"),
            Self::Operator => (2, "ROLE_OPERATOR"),
            Self::Administrator => (3, "ROLE_ADMINISTRATOR"),
            Self::Workstation => (4, "ROLE_WORKSTATION"),
            Self::Delivery => (5, "ROLE_DELIVERY"),
        }
    }

    pub fn from_proto(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.proto().0 == number)
    }

    /// Viewer < operator < administrator; workstation and delivery stand apart, and nobody inherits them.
    pub fn includes(self, wanted: Self) -> bool {
        match (self.rank(), wanted.rank()) {
            (Some(mine), Some(wanted)) => mine >= wanted,
            (None, _) | (_, None) => self == wanted,
        }
    }

    fn rank(self) -> Option<u8> {
        match self {
            Self::Viewer => Some(1),
            Self::Operator => Some(2),
            Self::Administrator => Some(3),
            Self::Workstation | Self::Delivery => None,
        }
    }
}

impl ServiceName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it stands in a certificate.
    pub fn spiffe_id(&self) -> String {
        format!("{SPIFFE}{}", self.0)
    }
}

impl FromStr for ServiceName {
    type Err = ServiceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix(SPIFFE).unwrap_or(text);
        let valid = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            Err(ServiceNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As the audit log and the traces write it.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Administrator => f.write_str("administrator"),
            Self::Person { subject, .. } => write!(f, "person:{subject}"),
            Self::Service(name) => write!(f, "service:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_includes_those_below_it_and_none_that_stand_apart() {
        use Role::{Administrator, Delivery, Operator, Viewer, Workstation};
        let included = |role: Role| {
            Role::ALL
                .into_iter()
                .filter(|wanted| role.includes(*wanted))
                .collect::<Vec<_>>()
        };

        assert_eq!(included(Viewer), [Viewer]);
        assert_eq!(included(Operator), [Viewer, Operator]);
        assert_eq!(included(Administrator), [Viewer, Operator, Administrator]);
        assert_eq!(included(Workstation), [Workstation]);
        assert_eq!(included(Delivery), [Delivery]);
    }

    #[test]
    fn a_service_is_named_plainly_or_by_its_spiffe_id_in_our_trust_domain_only() {
        let name: ServiceName = "spiffe://hes/ad-connector".parse().unwrap();
        assert_eq!(name, "ad-connector".parse().unwrap());
        assert_eq!(name.spiffe_id(), "spiffe://hes/ad-connector");

        for wrong in [
            "",
            "spiffe://hes/",
            "spiffe://other/ad-connector",
            "AD",
            "a/b",
            "spiffe://hes/a/b",
        ] {
            assert!(wrong.parse::<ServiceName>().is_err(), "{wrong}");
        }
    }
}
