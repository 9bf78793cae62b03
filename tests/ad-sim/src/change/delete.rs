use super::{Writer, taken};
use crate::dn;
use crate::logon::DELETED_OBJECTS;
use crate::schema::{Attr, flag};
use crate::security::right;
use crate::store::object::{Id, Values};
use crate::store::replica::{Replica, text};
use crate::wire::outcome::{Outcome, code};

impl Replica {
    /// Makes a tombstone of an object, or, with the Recycle Bin, a deleted object that keeps what it had.
    pub(crate) fn delete(&mut self, writer: Writer<'_>, id: Id) -> Result<(), Outcome> {
        let object = self.object(id);
        let (Some(parent), false) = (object.parent, object.is_deleted) else {
            return Err(Outcome::unwilling(0x2015));
        };
        if object.text(Attr::IS_CRITICAL_SYSTEM_OBJECT) == Some("TRUE") {
            return Err(Outcome::unwilling(0x20ec));
        }
        let allowed = writer.may(self, id, right::DELETE, &[])
            || writer.may(self, parent, right::DELETE_CHILD, &[]);
        if !allowed {
            return Err(Outcome::no_access());
        }
        if self.children(id).next().is_some() {
            return Err(Outcome::new(
                code::NOT_ALLOWED_ON_NON_LEAF,
                "00002015: UpdErr: DSID-031A11BE, problem 6003 (CANT_ON_NON_LEAF), data 0\n",
            ));
        }
        self.bury(id);
        Ok(())
    }

    fn bury(&mut self, id: Id) {
        let stamp = self.stamp();
        let (name, guid) = {
            let object = self.object(id);
            (object.name.to_string(), uuid::Uuid::from_u128(object.guid))
        };
        let parent = self.object(id).parent.map(|parent| self.dn(parent));
        self.reindex(id, true);
        if !self.domain.recycle_bin {
            let lost: Vec<_> = self
                .object(id)
                .stored_attributes()
                .filter(|attribute| !attribute.is(flag::KEPT))
                .collect();
            for attribute in lost {
                self.write(id, attribute, Values::new(), stamp);
            }
            self.object_mut(id).secret = None;
            self.mark(id, Attr::OBJECT_CATEGORY, stamp);
        }
        // Nobody who held it as a member is changed by it, or told.
        self.links.forget(id);
        self.write(
            id,
            Attr::LAST_KNOWN_PARENT,
            text(parent.unwrap_or_default()),
            stamp,
        );
        if let Some(container) = self.well_known(DELETED_OBJECTS) {
            self.place(id, container, &format!("{name}\nDEL:{guid}"));
        }
        self.mark(id, Attr::NAME, stamp);
        self.mark(id, Attr::IS_DELETED, stamp);
    }

    /// Brings a deleted object back, under the name that is given.
    pub(crate) fn restore(&mut self, writer: Writer<'_>, id: Id, dn: &str) -> Result<(), Outcome> {
        if let Writer::Caller(token) = writer
            && !token.is_administrator()
        {
            return Err(Outcome::no_access());
        }
        if !self.object(id).is_deleted {
            return Err(Outcome::unwilling(0x2015));
        }
        let parts = dn::parse(dn).ok_or_else(Outcome::bad_dn)?;
        let ((_, name), above) = parts.split_first().ok_or_else(Outcome::bad_dn)?;
        let parent = self
            .by_dn(&dn::join(above))
            .ok_or_else(|| Outcome::no_such_object(""))?;
        let class = self.object(id).class;
        if !self.is_free(parent, class, name) {
            return Err(taken(0x2071));
        }
        if let Some(logon) = self.object(id).text(Attr::SAM_ACCOUNT_NAME) {
            self.check_one_unique(Some(Attr::SAM_ACCOUNT_NAME), Some(logon), Some(id))?;
        }
        let stamp = self.stamp();
        self.reindex(id, false);
        self.place(id, parent, name);
        self.write(id, Attr::LAST_KNOWN_PARENT, Values::new(), stamp);
        for attribute in [Attr::NAME, Attr::IS_DELETED, Attr::OBJECT_CATEGORY] {
            self.mark(id, attribute, stamp);
        }
        if class.is_account() && self.object(id).secret.is_none() {
            // A tombstone has lost its password with the rest: what comes back is disabled and without one.
            self.object_mut(id).secret = Some(Box::default());
            self.write(id, Attr::PWD_LAST_SET, text(0), stamp);
            self.write(id, Attr::ACCOUNT_EXPIRES, text(i64::MAX), stamp);
            self.write(id, Attr::PRIMARY_GROUP_ID, text(513), stamp);
            let control = self
                .object(id)
                .number(Attr::USER_ACCOUNT_CONTROL)
                .unwrap_or_default();
            let control = control | crate::policy::uac::DISABLED;
            self.write(id, Attr::USER_ACCOUNT_CONTROL, text(control), stamp);
        }
        Ok(())
    }

    /// Takes back what was only just added, and never seen.
    pub(super) fn unborn(&mut self, id: Id) {
        self.reindex(id, true);
        self.links.forget(id);
        self.hide(id);
    }
}
