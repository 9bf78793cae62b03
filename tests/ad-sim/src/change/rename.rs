use super::{Writer, taken};
use crate::dn;
use crate::schema::Attr;
use crate::security::right;
use crate::store::object::Id;
use crate::store::replica::Replica;
use crate::wire::outcome::{Outcome, code};

impl Replica {
    /// Another name, another parent, or both.
    pub(crate) fn rename(
        &mut self,
        writer: Writer<'_>,
        id: Id,
        rdn: &str,
        superior: Option<&str>,
    ) -> Result<(), Outcome> {
        let parts = dn::parse(rdn).ok_or_else(Outcome::bad_dn)?;
        let [(naming, name)] = parts.as_slice() else {
            return Err(Outcome::bad_dn());
        };
        let class = self.object(id).class;
        if Attr::find(naming) != Some(class.naming()) {
            return Err(Outcome::new(
                code::NAMING_VIOLATION,
                "00002099: NameErr: DSID-03050F4E, problem 2004 (NAMING_VIOLATION), data 0\n",
            ));
        }
        let old = self
            .object(id)
            .parent
            .ok_or_else(|| Outcome::unwilling(0x2015))?;
        let parent = match superior {
            Some(superior) => self
                .find(superior)
                .filter(|parent| !self.object(*parent).is_deleted)
                .ok_or_else(|| Outcome::no_such_object(""))?,
            None => old,
        };
        writer.may_write(self, id, Attr::NAME)?;
        if parent != old {
            let class = uuid::Uuid::from_u128(class.guid());
            let allowed = writer.may(self, parent, right::CREATE_CHILD, &[class])
                && (writer.may(self, id, right::DELETE, &[])
                    || writer.may(self, old, right::DELETE_CHILD, &[]));
            if !allowed {
                return Err(Outcome::no_access());
            }
            if self.is_below(parent, id) {
                return Err(Outcome::unwilling(0x2089));
            }
        }
        let same = parent == old && dn::key(name) == dn::key(&self.object(id).name);
        if !same && !self.is_free(parent, class, name) {
            return Err(taken(0x2071));
        }
        let stamp = self.stamp();
        self.place(id, parent, name);
        // A move is told by the same attribute as a new name.
        self.mark(id, Attr::NAME, stamp);
        self.mark(id, class.naming(), stamp);
        Ok(())
    }
}
