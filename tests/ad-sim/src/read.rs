//! What an attribute of an object says: stored, implied, or computed when it is asked for.

use uuid::Uuid;

use crate::clock::{generalized, seconds};
use crate::policy::uac;
use crate::schema::{Attr, Class, flag};
use crate::security::part;
use crate::store::link::{FORWARD, forward_of};
use crate::store::object::{Id, Partition};
use crate::store::replica::Replica;

/// How values are to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Names with ids in front of them: the format, as the control says it.
    pub(crate) extended: Option<i64>,
    /// Which parts of security descriptors.
    pub(crate) descriptor: i64,
}

impl Default for View {
    fn default() -> Self {
        Self {
            extended: None,
            descriptor: part::ALL,
        }
    }
}

impl Replica {
    /// All values, in a stable order.
    pub(crate) fn values(&self, id: Id, attribute: Attr, view: View) -> Vec<Vec<u8>> {
        let object = self.object(id);
        let one = |value: String| vec![value.into_bytes()];
        // What a tombstone lost with the rest of its attributes.
        let is_tombstone = object.is_deleted && !self.domain.recycle_bin;
        match attribute {
            Attr::OBJECT_CLASS => object
                .class
                .names()
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect(),
            Attr::OBJECT_GUID => vec![Uuid::from_u128(object.guid).to_bytes_le().to_vec()],
            Attr::OBJECT_CATEGORY if is_tombstone => Vec::new(),
            Attr::OBJECT_CATEGORY => one(self.category(object.class)),
            Attr::INSTANCE_TYPE => {
                let is_head = self.heads().contains(&id);
                one(if is_head { "5" } else { "4" }.to_owned())
            }
            Attr::DISTINGUISHED_NAME => one(self.dn(id)),
            Attr::NAME => one(object.name.to_string()),
            _ if attribute == object.class.naming() => one(object.name.to_string()),
            Attr::WHEN_CREATED => one(generalized(object.when_created)),
            Attr::WHEN_CHANGED => one(generalized(object.when_changed)),
            Attr::USN_CREATED => one(object.usn_created.to_string()),
            Attr::USN_CHANGED => one(object.usn_changed.to_string()),
            Attr::IS_DELETED if object.is_deleted => one("TRUE".to_owned()),
            Attr::SECURITY_DESCRIPTOR => vec![self.descriptor(id).to_bytes(view.descriptor)],
            Attr::REPL_PROPERTY_META_DATA => vec![self.property_metadata(id)],
            // Written, never read.
            Attr::UNICODE_PWD | Attr::USER_PASSWORD => Vec::new(),
            _ if FORWARD.contains(&attribute) => self.names(self.links.of(attribute, id), view),
            _ if attribute.is(flag::BACKLINK) => match forward_of(attribute) {
                Some(forward) => self.names(self.links.to(forward, id), view),
                None => Vec::new(),
            },
            _ if attribute.is(flag::CONSTRUCTED) => self.constructed(id, attribute, view),
            _ => object
                .stored(attribute)
                .iter()
                .map(|value| value.to_vec())
                .collect(),
        }
    }

    pub(crate) fn shown_dn(&self, id: Id, view: View) -> String {
        match view.extended {
            Some(format) => self.extended_dn(id, format),
            None => self.dn(id),
        }
    }

    fn names(&self, ids: impl Iterator<Item = Id>, view: View) -> Vec<Vec<u8>> {
        ids.map(|id| self.shown_dn(id, view).into_bytes()).collect()
    }

    pub(crate) fn category(&self, class: Class) -> String {
        let schema = self.head(Partition::Schema).map(|head| self.dn(head));
        format!("CN={},{}", class.category(), schema.unwrap_or_default())
    }

    /// Which attributes have values, computed ones left out.
    pub(crate) fn attributes(&self, id: Id) -> Vec<Attr> {
        Attr::all()
            .filter(|attribute| !attribute.is(flag::CONSTRUCTED))
            .filter(|attribute| {
                // The two that are given to those only who ask for them.
                *attribute != Attr::SECURITY_DESCRIPTOR
                    && *attribute != Attr::REPL_PROPERTY_META_DATA
            })
            .filter(|attribute| !self.values(id, *attribute, View::default()).is_empty())
            .collect()
    }

    fn constructed(&self, id: Id, attribute: Attr, view: View) -> Vec<Vec<u8>> {
        let object = self.object(id);
        let is_account = object.class.is_account();
        let number = |number: i64| vec![number.to_string().into_bytes()];
        match attribute {
            Attr::USER_ACCOUNT_CONTROL_COMPUTED if is_account => {
                let mut bits = 0;
                if self.is_locked(id) {
                    bits |= uac::LOCKED;
                }
                if self.password_expiry(id) <= self.now() {
                    bits |= uac::PASSWORD_EXPIRED;
                }
                number(bits)
            }
            Attr::PASSWORD_EXPIRY_COMPUTED if is_account => number(self.password_expiry(id)),
            Attr::RESULTANT_PSO => self.names(self.resultant_pso(id).into_iter(), view),
            Attr::PRIMARY_GROUP_TOKEN if object.class == Class::Group => {
                let rid = self.sid_of(id).map(|sid| sid.rid());
                rid.map(|rid| number(i64::from(rid))).unwrap_or_default()
            }
            Attr::TOKEN_GROUPS if is_account || object.class == Class::Group => self
                .groups_of(id)
                .into_iter()
                .filter_map(|group| self.sid_of(group))
                .map(|sid| sid.to_bytes())
                .collect(),
            Attr::PARENT_GUID => object
                .parent
                .map(|parent| {
                    Uuid::from_u128(self.object(parent).guid)
                        .to_bytes_le()
                        .to_vec()
                })
                .into_iter()
                .collect(),
            Attr::CANONICAL_NAME => vec![self.canonical(id).into_bytes()],
            Attr::REPL_ATTRIBUTE_META_DATA => self.attribute_metadata(id),
            _ => Vec::new(),
        }
    }

    fn canonical(&self, id: Id) -> String {
        let object = self.object(id);
        match object.parent {
            None => format!("{}/", self.domain.dns_name),
            Some(parent) => {
                let above = self.canonical(parent);
                let above = above.trim_end_matches('/');
                format!("{above}/{}", object.name.replace('/', "\\/"))
            }
        }
    }

    /// PROPERTY_META_DATA_VECTOR ([MS-DRSR] 4.1.10.2.22 names its parts; [MS-ADTS] 3.1.1.3.1.1.2 the whole).
    fn property_metadata(&self, id: Id) -> Vec<u8> {
        let object = self.object(id);
        let count = u32::try_from(object.all_meta().count()).unwrap_or(u32::MAX);
        let mut bytes = Vec::new();
        for number in [1, 0, count, 0u32] {
            bytes.extend(number.to_le_bytes());
        }
        for (attribute, meta) in object.all_meta() {
            let origin = self.origins.get(usize::from(meta.origin));
            bytes.extend(attribute.of().id.to_le_bytes());
            bytes.extend(meta.version.to_le_bytes());
            bytes.extend(seconds(meta.time).to_le_bytes());
            bytes.extend(origin.copied().unwrap_or_default().to_bytes_le());
            bytes.extend(meta.origin_usn.to_le_bytes());
            bytes.extend(meta.usn.to_le_bytes());
        }
        bytes
    }

    fn attribute_metadata(&self, id: Id) -> Vec<Vec<u8>> {
        let object = self.object(id);
        let text = object.all_meta().map(|(attribute, meta)| {
            let origin = self.origins.get(usize::from(meta.origin));
            format!(
                "<DS_REPL_ATTR_META_DATA>\n\t<pszAttributeName>{}</pszAttributeName>\n\t<dwVersion>{}</dwVersion>\n\t<ftimeLastOriginatingChange>{}</ftimeLastOriginatingChange>\n\t<uuidLastOriginatingDsaInvocationID>{}</uuidLastOriginatingDsaInvocationID>\n\t<usnOriginatingChange>{}</usnOriginatingChange>\n\t<usnLocalChange>{}</usnLocalChange>\n\t<pszLastOriginatingDsaDN></pszLastOriginatingDsaDN>\n</DS_REPL_ATTR_META_DATA>\n\0",
                attribute.of().name,
                meta.version,
                generalized(meta.time),
                origin.copied().unwrap_or_default(),
                meta.origin_usn,
                meta.usn,
            )
            .into_bytes()
        });
        text.collect()
    }
}
