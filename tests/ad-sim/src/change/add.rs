use super::{Writer, bad_syntax, taken, writable};
use crate::dn;
use crate::policy::uac;
use crate::schema::{Attr, Class};
use crate::security::right;
use crate::store::object::{Birth, Id, Partition, Secret, Values};
use crate::store::replica::{Replica, Stamp, bytes, fits, text};
use crate::wire::message::{Change, Verb};
use crate::wire::outcome::{Outcome, code};

/// Security group of global scope.
const GLOBAL_SECURITY: i64 = -2_147_483_646;
/// Of ordinary users: Domain Users.
const DOMAIN_USERS: i64 = 513;
const DOMAIN_COMPUTERS: i64 = 515;

impl Replica {
    /// Adds an object as a client asks for it.
    pub(crate) fn add(
        &mut self,
        writer: Writer<'_>,
        dn: &str,
        attributes: &[(String, Vec<Vec<u8>>)],
        is_protected: bool,
    ) -> Result<Id, Outcome> {
        let parts = dn::parse(dn).ok_or_else(Outcome::bad_dn)?;
        let ((naming, name), above) = parts.split_first().ok_or_else(Outcome::bad_dn)?;
        let class = class_of(attributes)?;
        if Attr::find(naming) != Some(class.naming()) {
            return Err(Outcome::new(
                code::NAMING_VIOLATION,
                "00002099: NameErr: DSID-03050F4E, problem 2004 (NAMING_VIOLATION), data 0\n",
            ));
        }
        let above = dn::join(above);
        let parent = self
            .by_dn(&above)
            .filter(|parent| !self.object(*parent).is_deleted)
            .ok_or_else(|| Outcome::no_such_object(&above))?;
        if !writer.may(
            self,
            parent,
            right::CREATE_CHILD,
            &[uuid::Uuid::from_u128(class.guid())],
        ) {
            return Err(Outcome::no_access());
        }
        if !self.is_free(parent, class, name) {
            return Err(taken(0x2071));
        }
        let given: Vec<_> = attributes
            .iter()
            .filter(|(name, _)| {
                ![
                    "objectClass",
                    "objectCategory",
                    "cn",
                    "ou",
                    "name",
                    "distinguishedName",
                ]
                .iter()
                .any(|implied| implied.eq_ignore_ascii_case(name))
            })
            .collect();
        self.check_unique(&given, None)?;
        for (name, values) in &given {
            let attribute = writable(name)?;
            if values.iter().any(|value| !fits(attribute, value)) {
                return Err(bad_syntax(attribute));
            }
        }
        let stamp = self.stamp();
        let guid = self.domain.next_guid();
        let birth = Birth {
            guid,
            class,
            partition: Partition::Domain,
            parent: Some(parent),
            name: name.clone(),
        };
        let id = self.insert(birth, stamp);
        self.born(id, stamp);
        let changes: Vec<_> = given
            .into_iter()
            .map(|(attribute, values)| Change {
                verb: Verb::Replace,
                attribute: attribute.clone(),
                values: values.clone(),
            })
            .collect();
        // Whoever may make an object may fill it.
        match self.modify(Writer::Owner, id, &changes, is_protected) {
            Ok(()) => {
                self.object_mut(id).settle();
                Ok(id)
            }
            Err(outcome) => {
                self.unborn(id);
                Err(outcome)
            }
        }
    }

    fn check_unique(
        &self,
        attributes: &[&(String, Vec<Vec<u8>>)],
        except: Option<Id>,
    ) -> Result<(), Outcome> {
        for (name, values) in attributes {
            let value = values.first().map(|value| String::from_utf8_lossy(value));
            self.check_one_unique(Attr::find(name), value.as_deref(), except)?;
        }
        Ok(())
    }

    pub(super) fn check_one_unique(
        &self,
        attribute: Option<Attr>,
        value: Option<&str>,
        except: Option<Id>,
    ) -> Result<(), Outcome> {
        let Some(value) = value else {
            return Ok(());
        };
        let other = |found: Option<Id>| found.is_some_and(|found| Some(found) != except);
        match attribute {
            Some(Attr::SAM_ACCOUNT_NAME) if other(self.by_logon(value)) => Err(taken(0x524)),
            Some(Attr::USER_PRINCIPAL_NAME) if other(self.by_upn(value)) => {
                Err(Outcome::attribute(
                    code::CONSTRAINT_VIOLATION,
                    0x21c8,
                    "1005 (CONSTRAINT_ATT_TYPE)",
                    "90290 (userPrincipalName)",
                ))
            }
            _ => Ok(()),
        }
    }

    /// What every object has from its first day, beside what is asked for.
    pub(crate) fn born(&mut self, id: Id, stamp: Stamp) {
        let class = self.object(id).class;
        for attribute in [
            Attr::OBJECT_CLASS,
            Attr::INSTANCE_TYPE,
            Attr::WHEN_CREATED,
            Attr::SECURITY_DESCRIPTOR,
            Attr::NAME,
            Attr::OBJECT_CATEGORY,
            class.naming(),
        ] {
            self.mark(id, attribute, stamp);
        }
        let mut implied: Vec<(Attr, Values)> = Vec::new();
        if class.is_account() || class == Class::Group {
            let rid = self.domain.next_rid();
            let sid = self.domain.sid.with_rid(rid);
            implied.push((Attr::OBJECT_SID, bytes(sid.to_bytes())));
            // What a domain controller makes up when nobody gives a name.
            implied.push((Attr::SAM_ACCOUNT_NAME, text(format!("${rid:06X}-SIM"))));
        }
        if class == Class::Group {
            implied.push((Attr::GROUP_TYPE, text(GLOBAL_SECURITY)));
            implied.push((Attr::SAM_ACCOUNT_TYPE, text(0x1000_0000)));
        }
        if class.is_account() {
            let (control, kind, group) = if class == Class::User {
                let control = uac::DISABLED | uac::PASSWORD_NOT_REQUIRED | uac::NORMAL;
                (control, 0x3000_0000, DOMAIN_USERS)
            } else {
                (uac::WORKSTATION, 0x3000_0001, DOMAIN_COMPUTERS)
            };
            implied.push((Attr::USER_ACCOUNT_CONTROL, text(control)));
            implied.push((Attr::SAM_ACCOUNT_TYPE, text(kind)));
            implied.push((Attr::PRIMARY_GROUP_ID, text(group)));
            implied.push((Attr::PWD_LAST_SET, text(0)));
            implied.push((Attr::ACCOUNT_EXPIRES, text(i64::MAX)));
            self.object_mut(id).secret = Some(Box::new(Secret::default()));
        }
        for (attribute, values) in implied {
            self.write(id, attribute, values, stamp);
        }
        for attribute in [
            Attr::BAD_PWD_COUNT,
            Attr::BAD_PASSWORD_TIME,
            Attr::LAST_LOGON,
            Attr::LOGON_COUNT,
        ] {
            if class.is_account() {
                self.put(id, attribute, text(0));
            }
        }
    }
}

fn class_of(attributes: &[(String, Vec<Vec<u8>>)]) -> Result<Class, Outcome> {
    let violation = || {
        Outcome::new(
            code::OBJECT_CLASS_VIOLATION,
            "0000207D: UpdErr: DSID-0315166D, problem 6002 (OBJ_CLASS_VIOLATION), data 0\n",
        )
    };
    let (_, values) = attributes
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("objectClass"))
        .ok_or_else(violation)?;
    // The most special of those named.
    values
        .iter()
        .filter_map(|value| Class::named(std::str::from_utf8(value).ok()?))
        .max_by_key(|class| class.names().len())
        .ok_or_else(violation)
}
