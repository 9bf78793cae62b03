use std::collections::BTreeMap;

use super::{Writer, bad_syntax, writable};
use crate::logon::digest;
use crate::policy::{Refusal, uac};
use crate::schema::{Attr, Class, flag};
use crate::security::{extended, right};
use crate::store::link::Link;
use crate::store::object::{Id, Secret, Values};
use crate::store::replica::{Replica, fits, text};
use crate::wire::message::{Change, Verb};
use crate::wire::outcome::{Outcome, code};

/// What a request comes to, kept apart until all of it is known to be right.
#[derive(Default)]
struct Edit {
    values: BTreeMap<Attr, Values>,
    links: Vec<(Attr, Id, bool)>,
    password: Option<Password>,
}

struct Password {
    digest: [u8; 32],
}

impl Replica {
    /// Changes an object: all of it or nothing. `is_protected`: the connection is one that passwords may cross.
    pub(crate) fn modify(
        &mut self,
        writer: Writer<'_>,
        id: Id,
        changes: &[Change],
        is_protected: bool,
    ) -> Result<(), Outcome> {
        let mut edit = Edit::default();
        let (passwords, others): (Vec<_>, Vec<_>) = changes
            .iter()
            .partition(|change| change.attribute.eq_ignore_ascii_case("unicodePwd"));
        for change in others {
            self.plan(writer, id, change, &mut edit)?;
        }
        if !passwords.is_empty() {
            let digest = self.password(writer, id, &passwords, is_protected)?;
            edit.password = Some(Password { digest });
        }
        self.apply(id, edit);
        Ok(())
    }

    fn plan(
        &self,
        writer: Writer<'_>,
        id: Id,
        change: &Change,
        edit: &mut Edit,
    ) -> Result<(), Outcome> {
        let attribute = writable(&change.attribute)?;
        writer.may_write(self, id, attribute)?;
        if attribute.is(flag::LINK) {
            return self.plan_links(id, attribute, change, edit);
        }
        // Taken, and of no effect: it is no password here (dSHeuristics fUserPwdSupport is off).
        if attribute == Attr::USER_PASSWORD {
            return Ok(());
        }
        if change.values.iter().any(|value| !fits(attribute, value)) {
            return Err(bad_syntax(attribute));
        }
        let before = edit
            .values
            .get(&attribute)
            .cloned()
            .unwrap_or_else(|| self.object(id).stored(attribute).to_vec());
        let given: Values = change
            .values
            .iter()
            .cloned()
            .map(Vec::into_boxed_slice)
            .collect();
        let after = match change.verb {
            Verb::Replace => given,
            Verb::Add => {
                if given.iter().any(|value| before.contains(value))
                    || (!attribute.is(flag::MULTI) && !before.is_empty())
                {
                    return Err(Outcome::attribute(
                        code::ATTRIBUTE_OR_VALUE_EXISTS,
                        0x2083,
                        "1006 (ATT_OR_VALUE_EXISTS)",
                        &change.attribute,
                    ));
                }
                before.iter().cloned().chain(given).collect()
            }
            Verb::Delete => {
                let missing = given.iter().any(|value| !before.contains(value));
                if missing || before.is_empty() {
                    return Err(Outcome::attribute(
                        code::NO_SUCH_ATTRIBUTE,
                        0x2085,
                        "1001 (NO_ATTRIBUTE_OR_VAL)",
                        &change.attribute,
                    ));
                }
                let kept = before.iter().filter(|value| !given.contains(value));
                if given.is_empty() {
                    Values::new()
                } else {
                    kept.cloned().collect()
                }
            }
        };
        if after.len() > 1 && !attribute.is(flag::MULTI) {
            return Err(Outcome::attribute(
                code::CONSTRAINT_VIOLATION,
                0x2081,
                "1005 (CONSTRAINT_ATT_TYPE)",
                &change.attribute,
            ));
        }
        let first = after
            .first()
            .map(|value| String::from_utf8_lossy(value).into_owned());
        self.check_one_unique(Some(attribute), first.as_deref(), Some(id))?;
        let after = self.special(attribute, first.as_deref(), after)?;
        edit.values.insert(attribute, after);
        Ok(())
    }

    /// Attributes that take certain values only, or mean another one by it.
    fn special(
        &self,
        attribute: Attr,
        value: Option<&str>,
        after: Values,
    ) -> Result<Values, Outcome> {
        let refused = || {
            Outcome::attribute(
                code::CONSTRAINT_VIOLATION,
                0x57,
                "1005 (CONSTRAINT_ATT_TYPE)",
                attribute.of().name,
            )
        };
        match (attribute, value) {
            (Attr::PWD_LAST_SET, Some("0")) | (Attr::LOCKOUT_TIME, Some("0")) => Ok(after),
            (Attr::PWD_LAST_SET, Some("-1")) => Ok(text(self.now())),
            (Attr::PWD_LAST_SET | Attr::LOCKOUT_TIME, _) => Err(refused()),
            // Of no meaning when it is written: it is computed.
            (Attr::USER_ACCOUNT_CONTROL, Some(control)) => {
                let control: i64 = control.parse().map_err(|_| refused())?;
                Ok(text(control & !(uac::LOCKED | uac::PASSWORD_EXPIRED)))
            }
            _ => Ok(after),
        }
    }

    fn plan_links(
        &self,
        id: Id,
        attribute: Attr,
        change: &Change,
        edit: &mut Edit,
    ) -> Result<(), Outcome> {
        let mut named = Vec::new();
        for value in &change.values {
            let name = std::str::from_utf8(value).map_err(|_| bad_syntax(attribute))?;
            let to = self
                .find(name)
                .filter(|to| !self.object(*to).is_deleted)
                .ok_or_else(|| Outcome::no_such_object(""))?;
            named.push(to);
        }
        let is_there = |edit: &Edit, to: Id| {
            let planned = edit
                .links
                .iter()
                .rev()
                .find(|(planned, other, _)| *planned == attribute && *other == to);
            planned.map_or_else(
                || self.links.is_member(attribute, id, to),
                |(_, _, present)| *present,
            )
        };
        match change.verb {
            Verb::Add => {
                for to in named {
                    if is_there(edit, to) {
                        return Err(super::taken(0x562));
                    }
                    edit.links.push((attribute, to, true));
                }
            }
            Verb::Delete if named.is_empty() => {
                let all: Vec<_> = self.links.of(attribute, id).collect();
                edit.links
                    .extend(all.into_iter().map(|to| (attribute, to, false)));
            }
            Verb::Delete => {
                for to in named {
                    if !is_there(edit, to) {
                        return Err(Outcome::unwilling(0x561));
                    }
                    edit.links.push((attribute, to, false));
                }
            }
            Verb::Replace => {
                let before: Vec<_> = self.links.of(attribute, id).collect();
                let gone = before.iter().filter(|to| !named.contains(to));
                edit.links.extend(gone.map(|to| (attribute, *to, false)));
                let fresh = named.iter().filter(|to| !before.contains(to));
                edit.links.extend(fresh.map(|to| (attribute, *to, true)));
            }
        }
        Ok(())
    }

    /// Judges a write of `unicodePwd`: a replacement is a reset, a deletion with an addition is a change by the owner.
    fn password(
        &mut self,
        writer: Writer<'_>,
        id: Id,
        changes: &[&Change],
        is_protected: bool,
    ) -> Result<[u8; 32], Outcome> {
        if !is_protected || !self.object(id).class.is_account() {
            return Err(Outcome::unwilling(0x1f));
        }
        let one = |verb: Verb| {
            let change = changes.iter().find(|change| change.verb == verb)?;
            match change.values.as_slice() {
                [value] => Some(value),
                _ => None,
            }
        };
        let (value, is_change) = match changes {
            [_] => (one(Verb::Replace), false),
            [_, _] => (one(Verb::Add), true),
            _ => (None, false),
        };
        let needed = if is_change {
            extended::CHANGE_PASSWORD
        } else {
            extended::RESET_PASSWORD
        };
        if !writer.may(self, id, right::CONTROL_ACCESS, &[needed]) {
            return Err(Outcome::no_access());
        }
        let new = value
            .and_then(|value| unquoted(value))
            .ok_or_else(|| Outcome::unwilling(0x1f))?;
        let guid = self.object(id).guid;
        if is_change {
            let old = one(Verb::Delete).and_then(|value| unquoted(value));
            let old = old.map(|old| digest(guid, &old));
            let present = self
                .object(id)
                .secret
                .as_ref()
                .and_then(|kept| kept.digests.first().copied());
            if old.is_none() || old != present {
                let now = self.now();
                self.count_wrong(id, now);
                return Err(refusal(code::CONSTRAINT_VIOLATION, 0x56));
            }
        }
        let new_digest = digest(guid, &new);
        self.judge(id, &new, &new_digest, is_change)
            .map_err(|refused| match refused {
                Refusal::Length | Refusal::Complexity | Refusal::History | Refusal::TooYoung => {
                    if is_change {
                        refusal(code::CONSTRAINT_VIOLATION, 0x52d)
                    } else {
                        Outcome::unwilling(0x52d)
                    }
                }
            })?;
        Ok(new_digest)
    }

    fn apply(&mut self, id: Id, edit: Edit) {
        let stamp = self.stamp();
        for (attribute, values) in edit.values {
            if attribute == Attr::LOCKOUT_TIME {
                self.put(id, Attr::BAD_PWD_COUNT, text(0));
            }
            if self.object(id).stored(attribute) != values.as_slice() {
                self.write(id, attribute, values, stamp);
            }
        }
        for (attribute, to, is_present) in edit.links {
            let before = self.links.get(attribute, id, to);
            let meta = stamp.after(before.map(|link| &link.meta));
            self.links.put(attribute, id, to, Link { is_present, meta });
            if self.object(id).usn_changed != stamp.usn {
                self.touch(id, stamp);
            }
        }
        if let Some(Password { digest }) = edit.password {
            let kept = self.object_mut(id).secret.take().unwrap_or_default();
            self.object_mut(id).secret = Some(Box::new(Secret::replaced(&kept, digest, stamp.now)));
            self.mark(id, Attr::UNICODE_PWD, stamp);
            self.write(id, Attr::PWD_LAST_SET, text(stamp.now), stamp);
        }
    }

    /// Marks the accounts and groups that are protected, as a domain controller does every hour: those that are in one of
    /// the groups of administrators get an access list that nothing from above changes.
    pub(crate) fn protect_administrators(&mut self) {
        let groups: Vec<_> = [512, 518, 519]
            .map(|rid| self.domain.sid.with_rid(rid))
            .into_iter()
            .chain([544, 548, 549, 550, 551].map(crate::sid::Sid::builtin))
            .filter_map(|sid| self.by_sid(&sid))
            .collect();
        let holder = crate::security::admin_sd_holder(&self.domain.sid);
        let candidates: Vec<_> = self
            .ids()
            .filter(|id| !self.object(*id).is_deleted)
            .filter(|id| matches!(self.object(*id).class, Class::User | Class::Group))
            .filter(|id| {
                groups.contains(id)
                    || self
                        .groups_of(*id)
                        .iter()
                        .any(|group| groups.contains(group))
            })
            .collect();
        for id in candidates {
            if self.object(id).number(Attr::ADMIN_COUNT) != Some(1) {
                let stamp = self.stamp();
                self.write(id, Attr::ADMIN_COUNT, text(1), stamp);
                self.mark(id, Attr::SECURITY_DESCRIPTOR, stamp);
            }
            self.access.insert(id, holder.clone());
        }
    }
}

fn refusal(code: u8, error: u32) -> Outcome {
    Outcome::attribute(
        code,
        error,
        "1005 (CONSTRAINT_ATT_TYPE)",
        "9005a (unicodePwd)",
    )
}

/// A password as `unicodePwd` takes it: in quotes, as UTF-16 ([MS-ADTS] 3.1.1.3.1.5).
fn unquoted(value: &[u8]) -> Option<String> {
    let (units, []) = value.as_chunks::<2>() else {
        return None;
    };
    let units: Vec<_> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let text = String::from_utf16(&units).ok()?;
    Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}
