//! A tenant: who it is, its domains, and the applications in it.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::application::Application;

/// One Entra tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: Uuid,
    pub display_name: String,
    /// Verified domains, the initial one first.
    pub domains: Vec<Domain>,
    pub applications: Vec<Application>,
}

/// A verified domain.
#[derive(Clone, Debug)]
pub struct Domain {
    pub name: String,
    /// Its people prove who they are elsewhere: their passwords are not the tenant's.
    pub is_federated: bool,
    pub is_default: bool,
    /// After how many days a password expires; none where it says nothing of it, which means 90.
    pub password_validity_days: Option<u32>,
}

impl Domain {
    pub fn managed(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_federated: false,
            is_default: false,
            password_validity_days: None,
        }
    }

    fn authentication_type(&self) -> &'static str {
        match self.is_federated {
            true => "Federated",
            false => "Managed",
        }
    }
}

impl Tenant {
    /// An empty tenant.
    pub fn new(id: Uuid, initial_domain: &str) -> Self {
        let domain = Domain {
            is_default: true,
            ..Domain::managed(initial_domain)
        };
        Self {
            id,
            display_name: initial_domain
                .split('.')
                .next()
                .unwrap_or_default()
                .to_owned(),
            domains: vec![domain],
            applications: Vec::new(),
        }
    }

    /// Whether the first segment of a path names it by a domain.
    pub(crate) fn has_domain(&self, name: &str) -> bool {
        let mut domains = self.domains.iter();
        domains.any(|domain| domain.name.eq_ignore_ascii_case(name))
    }

    /// As `GET /organization` shows it.
    pub(crate) fn organization(&self) -> Value {
        let domains = self.domains.iter().enumerate().map(|(index, domain)| {
            json!({
                "capabilities": "Email, OfficeCommunicationsOnline",
                "isDefault": domain.is_default,
                "isInitial": index == 0,
                "name": domain.name,
                "type": domain.authentication_type(),
            })
        });
        json!({
            "id": self.id.to_string(),
            "displayName": self.display_name,
            "tenantType": "AAD",
            "onPremisesSyncEnabled": null,
            "verifiedDomains": domains.collect::<Vec<_>>(),
        })
    }

    /// As `GET /domains` shows them.
    pub(crate) fn domains(&self) -> Vec<Value> {
        let domains = self.domains.iter().enumerate().map(|(index, domain)| {
            json!({
                "id": domain.name,
                "authenticationType": domain.authentication_type(),
                "isAdminManaged": true,
                "isDefault": domain.is_default,
                "isInitial": index == 0,
                "isRoot": true,
                "isVerified": true,
                "supportedServices": ["Email", "OfficeCommunicationsOnline"],
                "passwordValidityPeriodInDays": domain.password_validity_days,
                "passwordNotificationWindowInDays": null,
            })
        });
        domains.collect()
    }
}
