//! What the schema says of attributes' protection.

use std::collections::HashMap;

use directory::Attribute;
use ldap3::Scope;
use uuid::Uuid;

use crate::error::Error;
use crate::filter;
use crate::identity::Identity;
use crate::session::{Query, Session};

/// By what an entry of an access list may name an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeSchema {
    /// schemaIDGUID
    pub id: Uuid,
    /// attributeSecurityGUID: a right to the set is a right to each of it.
    pub property_set: Option<Uuid>,
    pub confidential: bool,
}

/// searchFlags: reading takes the control access right too.
const CONFIDENTIAL: i64 = 0x80;

/// The directory's name of an attribute.
pub fn ldap_name(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::UserPrincipalName => "userPrincipalName",
        Attribute::DisplayName => "displayName",
        Attribute::GivenName => "givenName",
        Attribute::Surname => "sn",
        Attribute::Mail => "mail",
        Attribute::Phone => "telephoneNumber",
        Attribute::Department => "department",
        Attribute::Company => "company",
        Attribute::Title => "title",
    }
}

impl Session {
    /// The attributes' schema, by lower-case name. Those the schema doesn't hold are left out.
    pub async fn attribute_schema(
        &self,
        identity: &Identity,
        names: &[&str],
    ) -> Result<HashMap<String, AttributeSchema>, Error> {
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let terms: String = names
            .iter()
            .map(|name| format!("(lDAPDisplayName={})", filter::escape(name)))
            .collect();
        let query = Query {
            what: "read the schema",
            base: &identity.schema_dn,
            scope: Scope::OneLevel,
            filter: &format!("(&(objectClass=attributeSchema)(|{terms}))"),
            attributes: &[
                "lDAPDisplayName",
                "schemaIDGUID",
                "attributeSecurityGUID",
                "searchFlags",
            ],
            controls: vec![],
        };
        let answer = self.search(query).await?;
        let uuid = |bytes: Option<&[u8]>| Uuid::from_slice_le(bytes?).ok();
        Ok(answer
            .objects
            .iter()
            .filter_map(|object| {
                let schema = AttributeSchema {
                    id: uuid(object.bytes("schemaIDGUID"))?,
                    property_set: uuid(object.bytes("attributeSecurityGUID")),
                    confidential: object.number("searchFlags").unwrap_or(0) & CONFIDENTIAL != 0,
                };
                Some((object.text("lDAPDisplayName")?.to_ascii_lowercase(), schema))
            })
            .collect())
    }
}
