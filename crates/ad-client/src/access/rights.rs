//! Rights over many objects at once.

use std::collections::HashMap;

use directory::{Attribute, ObjectId, Sid};
use ldap3::Scope;
use uuid::{Uuid, uuid};

use super::evaluate::{Access, RESET_PASSWORD, Subject, Token, may_control, may_read};
use super::schema::ldap_name;
use super::{AttributeSchema, SecurityDescriptor};
use crate::control;
use crate::entry;
use crate::error::Error;
use crate::filter;
use crate::identity::Identity;
use crate::object::Object;
use crate::session::{Query, Session};

/// schemaIDGUIDs of the classes an entry may be limited to.
const USER: Uuid = uuid!("bf967aba-0de6-11d0-a285-00aa003049e2");
const INET_ORG_PERSON: Uuid = uuid!("4828cc14-1437-45bc-9b07-ad6f015e5f28");
const GROUP: Uuid = uuid!("bf967a9c-0de6-11d0-a285-00aa003049e2");

/// What must be asked for to judge an object.
pub(crate) const ATTRIBUTES: &[&str] = &[
    "objectGUID",
    "objectSid",
    "objectClass",
    "nTSecurityDescriptor",
];

/// Objects judged in one search.
const BATCH: usize = 50;

/// Which attributes of one object may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readability {
    pub object: ObjectId,
    pub attributes: Vec<(Attribute, Access)>,
}

impl Session {
    /// For each of the objects, which of the attributes may be read. Ask for those that seem to have been cleared: one
    /// that isn't [`Access::Granted`] may have been hidden instead.
    pub async fn readable(
        &self,
        identity: &Identity,
        objects: &[ObjectId],
        attributes: &[Attribute],
    ) -> Result<Vec<Readability>, Error> {
        let names: Vec<&str> = attributes.iter().copied().map(ldap_name).collect();
        let schema = self.attribute_schema(identity, &names).await?;
        let token = self.token(identity).await?;
        let judge = |object: Option<&Object>| {
            attributes
                .iter()
                .map(|attribute| {
                    let schema = schema.get(&ldap_name(*attribute).to_ascii_lowercase());
                    (*attribute, attribute_access(object, token.as_ref(), schema))
                })
                .collect()
        };
        let mut all = Vec::with_capacity(objects.len());
        for batch in objects.chunks(BATCH) {
            let found = self.descriptors(identity, batch).await?;
            all.extend(batch.iter().map(|id| Readability {
                object: *id,
                attributes: judge(found.get(id)),
            }));
        }
        Ok(all)
    }

    /// Whether a group's members may be read: a group whose members are hidden looks empty.
    pub async fn members_readable(
        &self,
        identity: &Identity,
        group: ObjectId,
    ) -> Result<Access, Error> {
        let schema = self.attribute_schema(identity, &["member"]).await?;
        let token = self.token(identity).await?;
        let found = self.descriptors(identity, &[group]).await?;
        Ok(attribute_access(
            found.get(&group),
            token.as_ref(),
            schema.get("member"),
        ))
    }

    /// For each of the accounts, whether its password may be reset.
    pub async fn may_reset_passwords(
        &self,
        identity: &Identity,
        accounts: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Access)>, Error> {
        let token = self.token(identity).await?;
        let mut all = Vec::with_capacity(accounts.len());
        for batch in accounts.chunks(BATCH) {
            let found = self.descriptors(identity, batch).await?;
            all.extend(
                batch
                    .iter()
                    .map(|id| (*id, reset_access(found.get(id), token.as_ref()))),
            );
        }
        Ok(all)
    }

    /// The first of the attributes that is not known to be readable on the object.
    pub(crate) async fn hidden_attribute(
        &self,
        identity: &Identity,
        object: ObjectId,
        names: &[String],
    ) -> Result<Option<String>, Error> {
        if names.is_empty() {
            return Ok(None);
        }
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let schema = self.attribute_schema(identity, &asked).await?;
        let token = self.token(identity).await?;
        let found = self.descriptors(identity, &[object]).await?;
        let readable = |name: &String| {
            let schema = schema.get(&name.to_ascii_lowercase());
            // What the schema doesn't hold has no values to hide.
            schema.is_none()
                || attribute_access(found.get(&object), token.as_ref(), schema) == Access::Granted
        };
        Ok(names.iter().find(|name| !readable(name)).cloned())
    }

    async fn descriptors(
        &self,
        identity: &Identity,
        ids: &[ObjectId],
    ) -> Result<HashMap<ObjectId, Object>, Error> {
        let query = Query {
            what: "read security descriptors",
            base: &identity.naming_context,
            scope: Scope::Subtree,
            filter: &filter::any_of(ids),
            attributes: ATTRIBUTES,
            controls: vec![control::security_descriptor()],
        };
        let answer = self.search(query).await?;
        Ok(answer
            .objects
            .into_iter()
            .filter_map(|object| Some((entry::object_id(&object)?, object)))
            .collect())
    }
}

/// Whether an account's password may be reset, from what was read of it.
pub(crate) fn reset_access(object: Option<&Object>, token: Option<&Token>) -> Access {
    judge(object, token, |subject, token| {
        may_control(subject, token, RESET_PASSWORD)
    })
}

fn attribute_access(
    object: Option<&Object>,
    token: Option<&Token>,
    schema: Option<&AttributeSchema>,
) -> Access {
    let Some(schema) = schema else {
        return Access::Unknown("the attribute is not in the schema");
    };
    judge(object, token, |subject, token| {
        may_read(subject, token, schema)
    })
}

fn judge(
    object: Option<&Object>,
    token: Option<&Token>,
    decide: impl FnOnce(&Subject<'_>, &Token) -> Access,
) -> Access {
    let Some(object) = object else {
        return Access::Unknown("it cannot be seen");
    };
    let Some(token) = token else {
        return Access::Unknown("the groups of the account used to log on cannot be read");
    };
    let Some(bytes) = object.bytes("nTSecurityDescriptor") else {
        return Access::Unknown("its security descriptor cannot be read");
    };
    let Ok(descriptor) = SecurityDescriptor::parse(bytes) else {
        return Access::Unknown("its security descriptor is malformed");
    };
    let sid = object
        .bytes("objectSid")
        .and_then(|bytes| Sid::from_bytes(bytes).ok());
    let classes: Vec<Uuid> = object
        .texts("objectClass")
        .filter_map(|class| match class.to_ascii_lowercase().as_str() {
            "user" => Some(USER),
            "inetorgperson" => Some(INET_ORG_PERSON),
            "group" => Some(GROUP),
            _ => None,
        })
        .collect();
    decide(
        &Subject {
            descriptor: &descriptor,
            sid: sid.as_ref(),
            classes: &classes,
        },
        token,
    )
}
