//! DirSync: what changed since a cookie ([MS-ADTS] 3.1.1.3.4.1.3).

use uuid::Uuid;

use super::select::Shown;
use crate::read::View;
use crate::schema::Attr;
use crate::security::{Token, extended, right};
use crate::store::link::FORWARD;
use crate::store::object::{Id, Meta};
use crate::store::replica::Replica;
use crate::wire::ber::{INTEGER, Malformed, OCTETS, Reader, SEQUENCE, Writer};
use crate::wire::outcome::{Outcome, code};

/// Flags of a request.
mod asked {
    /// Only what the caller may see, for callers without the right to replicate.
    pub(super) const OBJECT_SECURITY: i64 = 0x1;
    /// Parents before their children.
    pub(super) const ANCESTORS_FIRST: i64 = 0x800;
    /// Single values of links, and not whole lists.
    pub(super) const INCREMENTAL_VALUES: i64 = 0x8000_0000;
}

/// Objects in one answer, however much room a client leaves.
const MOST: usize = 1000;

/// What a client asks with.
#[derive(Debug)]
pub(crate) struct Request {
    flags: i64,
    max_bytes: i64,
    cookie: Vec<u8>,
}

impl Request {
    pub(crate) fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value).nested(SEQUENCE)?;
        Ok(Self {
            // Some send the highest bit as a sign.
            flags: reader.integer()? & 0xffff_ffff,
            max_bytes: reader.integer()?,
            cookie: reader.octets()?,
        })
    }
}

/// How far a client has come.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    /// Where it was written.
    invocation: Uuid,
    /// Attributes that changed up to here are known from earlier rounds.
    known: u64,
    /// Objects whose last change is up to here were sent in this round.
    sent: u64,
    /// What is known of changes that were made elsewhere, too: the up-to-dateness vector.
    vector: Vec<(Uuid, u64)>,
}

const MAGIC: &[u8] = b"MSDS";

impl Cookie {
    fn write(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.invocation.as_bytes());
        bytes.extend(self.known.to_le_bytes());
        bytes.extend(self.sent.to_le_bytes());
        for (invocation, usn) in &self.vector {
            bytes.extend(invocation.as_bytes());
            bytes.extend(usn.to_le_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (invocation, rest) = rest.split_first_chunk::<16>()?;
        let (known, rest) = rest.split_first_chunk::<8>()?;
        let (sent, rest) = rest.split_first_chunk::<8>()?;
        let (pairs, []) = rest.as_chunks::<24>() else {
            return None;
        };
        let vector = pairs.iter().filter_map(|pair| {
            let (invocation, usn) = pair.split_first_chunk::<16>()?;
            Some((
                Uuid::from_bytes(*invocation),
                u64::from_le_bytes(usn.try_into().ok()?),
            ))
        });
        Some(Self {
            invocation: Uuid::from_bytes(*invocation),
            known: u64::from_le_bytes(*known),
            sent: u64::from_le_bytes(*sent),
            vector: vector.collect(),
        })
    }
}

/// One round, or a part of it.
pub(crate) struct Round {
    pub(crate) entries: Vec<(String, Shown)>,
    /// The value of the control in the answer.
    pub(crate) control: Vec<u8>,
}

impl Replica {
    pub(crate) fn dirsync(
        &self,
        request: &Request,
        base: Id,
        attributes: Option<&[Attr]>,
        view: View,
        token: &Token,
    ) -> Result<Round, Outcome> {
        if !self.heads().contains(&base) {
            return Err(Outcome::new(
                code::INSUFFICIENT_ACCESS_RIGHTS,
                "00002105: LdapErr: DSID-0C0909F9, comment: the base is not the root of a naming context, data 0, v2580",
            ));
        }
        let sees_all = self.may(token, base, right::CONTROL_ACCESS, &[extended::GET_CHANGES]);
        let is_limited = request.flags & asked::OBJECT_SECURITY != 0;
        if !sees_all && !is_limited {
            return Err(Outcome::no_access());
        }
        let cookie = if request.cookie.is_empty() {
            None
        } else {
            Some(Cookie::read(&request.cookie).ok_or_else(Outcome::bad_control)?)
        };
        let here = self.invocation();
        let since = Since {
            usn: cookie
                .as_ref()
                .filter(|cookie| cookie.invocation == here)
                .map(|cookie| cookie.known),
            vector: cookie
                .as_ref()
                .map(|cookie| cookie.vector.clone())
                .unwrap_or_default(),
            is_first: cookie
                .as_ref()
                .is_none_or(|cookie| cookie.known == 0 && cookie.invocation == here),
        };
        let sent = cookie
            .as_ref()
            .filter(|cookie| cookie.invocation == here)
            .map_or(0, |cookie| cookie.sent);
        let partition = self.object(base).partition;
        let incremental = request.flags & asked::INCREMENTAL_VALUES != 0;
        let room = usize::try_from(request.max_bytes)
            .unwrap_or(usize::MAX)
            .max(1);

        let mut changed: Vec<_> = self
            .changed_after(sent)
            .filter(|(_, id)| self.object(*id).partition == partition)
            .collect();
        if request.flags & asked::ANCESTORS_FIRST != 0 {
            changed.sort_by_key(|(_, id)| self.ancestors(*id).count());
        }
        let (mut entries, mut bytes, mut last, mut more) = (Vec::new(), 0, sent, false);
        for (usn, id) in changed {
            if entries.len() >= MOST || (bytes >= room && !entries.is_empty()) {
                more = request.flags & asked::ANCESTORS_FIRST == 0;
                if more {
                    break;
                }
            }
            last = last.max(usn);
            if !sees_all && !self.is_visible(id, token) {
                continue;
            }
            let shown = self.changes(id, &since, attributes, incremental, view);
            let shown = self.readable(id, shown, sees_all, token);
            if shown.is_empty() {
                continue;
            }
            bytes += shown
                .iter()
                .flat_map(|(name, values)| values.iter().map(move |value| name.len() + value.len()))
                .sum::<usize>();
            entries.push((self.shown_dn(id, view), self.with_identity(id, shown)));
        }
        let next = Cookie {
            invocation: here,
            known: if more {
                since.usn.unwrap_or(0)
            } else {
                self.highest_usn()
            },
            sent: if more { last } else { self.highest_usn() },
            vector: if more { since.vector } else { self.vector() },
        };
        let mut control = Writer::default();
        control.nested(SEQUENCE, |control| {
            control.integer(INTEGER, i64::from(more));
            control.integer(INTEGER, 0);
            control.primitive(OCTETS, &next.write());
        });
        Ok(Round {
            entries,
            control: control.0,
        })
    }

    /// How far this domain controller has followed each of them, itself included.
    fn vector(&self) -> Vec<(Uuid, u64)> {
        let followed = self
            .followed
            .iter()
            .map(|(invocation, usn)| (*invocation, *usn));
        std::iter::once((self.invocation(), self.highest_usn()))
            .chain(followed)
            .collect()
    }

    fn changes(
        &self,
        id: Id,
        since: &Since,
        attributes: Option<&[Attr]>,
        incremental: bool,
        view: View,
    ) -> Shown {
        let object = self.object(id);
        let wanted = |attribute: Attr| attributes.is_none_or(|wanted| wanted.contains(&attribute));
        let mut shown = Shown::new();
        for (attribute, meta) in object.all_meta() {
            if !wanted(attribute) || !self.is_new(meta, since) {
                continue;
            }
            let values = self.values(id, attribute, view);
            // On the first round there is nothing to be cleared.
            if !values.is_empty() || !since.is_first {
                shown.push((attribute.of().name.to_owned(), values));
            }
        }
        // What stands for something else that changed.
        let moved = object
            .meta(Attr::NAME)
            .is_some_and(|meta| self.is_new(meta, since));
        if moved && attributes.is_some() && wanted(Attr::PARENT_GUID) {
            let values = self.values(id, Attr::PARENT_GUID, view);
            shown.push((Attr::PARENT_GUID.of().name.to_owned(), values));
        }
        if object.is_deleted && !self.domain.recycle_bin {
            return shown;
        }
        for attribute in FORWARD.into_iter().filter(|attribute| wanted(*attribute)) {
            self.link_changes(id, attribute, since, incremental, view, &mut shown);
        }
        shown
    }

    fn link_changes(
        &self,
        id: Id,
        attribute: Attr,
        since: &Since,
        incremental: bool,
        view: View,
        shown: &mut Shown,
    ) {
        let name = attribute.of().name;
        let fresh: Vec<_> = self
            .links
            .all(attribute, id)
            .filter(|(_, link)| self.is_new(&link.meta, since))
            .map(|(to, link)| (to, link.is_present))
            .collect();
        if fresh.is_empty() {
            return;
        }
        if !incremental {
            let values = self.values(id, attribute, view);
            if !values.is_empty() || !since.is_first {
                shown.push((name.to_owned(), values));
            }
            return;
        }
        for (present, range) in [(true, "1-1"), (false, "0-0")] {
            let values: Vec<_> = fresh
                .iter()
                .filter(|(_, is_present)| *is_present == present)
                .map(|(to, _)| self.shown_dn(*to, view).into_bytes())
                .collect();
            if !values.is_empty() && (present || !since.is_first) {
                shown.push((format!("{name};range={range}"), values));
            }
        }
    }

    fn is_new(&self, meta: &Meta, since: &Since) -> bool {
        if let Some(usn) = since.usn {
            return meta.usn > usn;
        }
        let origin = self.origins.get(usize::from(meta.origin));
        let known = since
            .vector
            .iter()
            .find(|(invocation, _)| Some(invocation) == origin);
        known.is_none_or(|(_, usn)| meta.origin_usn > *usn)
    }

    fn readable(&self, id: Id, shown: Shown, sees_all: bool, token: &Token) -> Shown {
        if sees_all {
            return shown;
        }
        let readable = |name: &str| {
            let name = name.split(';').next().unwrap_or_default();
            Attr::find(name).is_some_and(|attribute| self.is_readable(id, attribute, token))
        };
        shown
            .into_iter()
            .filter(|(name, _)| readable(name))
            .collect()
    }

    /// Every entry says which object it is of, whatever was asked for.
    fn with_identity(&self, id: Id, mut shown: Shown) -> Shown {
        for attribute in [Attr::OBJECT_GUID, Attr::INSTANCE_TYPE] {
            if !shown.iter().any(|(name, _)| name == attribute.of().name) {
                let values = self.values(id, attribute, View::default());
                shown.push((attribute.of().name.to_owned(), values));
            }
        }
        shown
    }
}

/// Since when changes are new.
struct Since {
    /// By this domain controller's own count; nothing where the cookie is of another one.
    usn: Option<u64>,
    vector: Vec<(Uuid, u64)>,
    is_first: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_as_it_was_written() {
        let cookie = Cookie {
            invocation: Uuid::from_u128(7),
            known: 3,
            sent: 9,
            vector: vec![(Uuid::from_u128(7), 9), (Uuid::from_u128(8), 2)],
        };

        assert_eq!(Cookie::read(&cookie.write()), Some(cookie));
        assert_eq!(Cookie::read(b"nonsense"), None);
    }
}
