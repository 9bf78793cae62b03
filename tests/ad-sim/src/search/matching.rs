//! Whether an object matches a filter: yes, no, or undefined ([MS-ADTS] 3.1.1.3.1.3.1).

use std::collections::BTreeSet;

use crate::read::View;
use crate::schema::{Attr, Class, Syntax, flag};
use crate::security::{Token, objects_of, right};
use crate::sid::Sid;
use crate::store::link::{FORWARD, forward_of};
use crate::store::object::Id;
use crate::store::replica::Replica;
use crate::wire::filter::Filter;
use crate::wire::outcome::{Outcome, code};

/// Matching rules beyond the standard's.
mod rule {
    /// LDAP_MATCHING_RULE_BIT_AND
    pub(super) const ALL_BITS: &str = "1.2.840.113556.1.4.803";
    /// LDAP_MATCHING_RULE_BIT_OR
    pub(super) const ANY_BIT: &str = "1.2.840.113556.1.4.804";
    /// LDAP_MATCHING_RULE_IN_CHAIN
    pub(super) const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";
}

/// A filter whose names and values are looked up once, and not for each object.
#[derive(Debug)]
pub(crate) enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Present(Attr),
    Equal(Attr, Wanted),
    AtLeast(Attr, Wanted),
    AtMost(Attr, Wanted),
    Substrings(Attr, Vec<u8>, Vec<Vec<u8>>, Vec<u8>),
    Bits {
        attribute: Attr,
        mask: i64,
        all: bool,
    },
    Chain(Attr, Option<Id>),
    /// An attribute that the schema doesn't know, or a value that can't be one.
    Undefined,
}

/// A value as it is compared.
#[derive(Debug)]
pub(crate) enum Wanted {
    Number(i64),
    Bytes(Vec<u8>),
    /// In lower case.
    Text(String),
    Object(Option<Id>, String),
}

impl Replica {
    /// Prepares a filter. One on a computed attribute is refused.
    pub(crate) fn prepare(&self, filter: &Filter) -> Result<Test, Outcome> {
        let all = |filters: &[Filter]| -> Result<Vec<Test>, Outcome> {
            filters.iter().map(|filter| self.prepare(filter)).collect()
        };
        let of = |name: &str| -> Result<Option<Attr>, Outcome> {
            let attribute = Attr::find(name);
            if attribute.is_some_and(|attribute| attribute.is(flag::CONSTRUCTED)) {
                // ERROR_DS_FILTER_USES_CONTRUCTED_ATTRS
                return Err(Outcome::new(
                    code::INAPPROPRIATE_MATCHING,
                    "000020E1: SvcErr: DSID-0314010A, problem 5003 (WILL_NOT_PERFORM), data 0\n",
                ));
            }
            Ok(attribute)
        };
        let compared = |name: &str, value: &[u8], make: fn(Attr, Wanted) -> Test| {
            let Some(attribute) = of(name)? else {
                return Ok(Test::Undefined);
            };
            Ok(self
                .wanted(attribute, value)
                .map_or(Test::Undefined, |wanted| make(attribute, wanted)))
        };
        Ok(match filter {
            Filter::And(filters) => Test::And(all(filters)?),
            Filter::Or(filters) => Test::Or(all(filters)?),
            Filter::Not(filter) => Test::Not(Box::new(self.prepare(filter)?)),
            Filter::Present(name) => of(name)?.map_or(Test::Undefined, Test::Present),
            Filter::Equal(name, value) | Filter::Approximate(name, value) => {
                compared(name, value, Test::Equal)?
            }
            Filter::AtLeast(name, value) => compared(name, value, Test::AtLeast)?,
            Filter::AtMost(name, value) => compared(name, value, Test::AtMost)?,
            Filter::Substrings {
                attribute,
                initial,
                any,
                last,
            } => {
                let lower = |part: &[u8]| String::from_utf8_lossy(part).to_lowercase().into_bytes();
                let edge = |part: &Option<Vec<u8>>| part.as_deref().map(lower).unwrap_or_default();
                of(attribute)?.map_or(Test::Undefined, |attribute| {
                    Test::Substrings(
                        attribute,
                        edge(initial),
                        any.iter().map(|part| lower(part)).collect(),
                        edge(last),
                    )
                })
            }
            Filter::Extensible {
                rule,
                attribute,
                value,
                in_dn: _,
            } => {
                let name = attribute.as_deref().unwrap_or_default();
                let text = String::from_utf8_lossy(value);
                match (of(name)?, rule.as_deref()) {
                    (None, _) => Test::Undefined,
                    (Some(_), None) => compared(name, value, Test::Equal)?,
                    (Some(attribute), Some(rule::ALL_BITS | rule::ANY_BIT)) => {
                        text.parse().map_or(Test::Undefined, |mask| Test::Bits {
                            attribute,
                            mask,
                            all: rule.as_deref() == Some(rule::ALL_BITS),
                        })
                    }
                    (Some(attribute), Some(rule::IN_CHAIN)) => {
                        Test::Chain(attribute, self.find(&text))
                    }
                    (Some(_), Some(_)) => {
                        return Err(Outcome::new(
                            code::INAPPROPRIATE_MATCHING,
                            "00002085: the matching rule is not known",
                        ));
                    }
                }
            }
        })
    }

    fn wanted(&self, attribute: Attr, value: &[u8]) -> Option<Wanted> {
        let text = || std::str::from_utf8(value).ok();
        Some(match attribute.of().syntax {
            Syntax::Int => Wanted::Number(text()?.parse().ok()?),
            Syntax::Octets | Syntax::Sd => Wanted::Bytes(value.to_vec()),
            Syntax::Sid => match text().and_then(Sid::parse) {
                Some(sid) => Wanted::Bytes(sid.to_bytes()),
                None => Wanted::Bytes(value.to_vec()),
            },
            Syntax::Dn if attribute == Attr::OBJECT_CATEGORY => {
                let named = text()?;
                let category = match Class::category_of(named) {
                    Some(name) if !named.contains('=') => {
                        let class = Class::ALL.iter().find(|class| class.category() == name)?;
                        self.category(*class)
                    }
                    _ => named.to_owned(),
                };
                Wanted::Text(category.to_lowercase())
            }
            Syntax::Dn => {
                let name = text()?;
                Wanted::Object(self.find(name), name.to_lowercase())
            }
            Syntax::Text | Syntax::Bool | Syntax::Time | Syntax::Oid => {
                Wanted::Text(text()?.to_lowercase())
            }
        })
    }

    /// The objects that could match at most, where an index knows.
    pub(crate) fn candidates(&self, test: &Test) -> Option<BTreeSet<Id>> {
        let found = |id: Option<Id>| Some(id.into_iter().collect());
        match test {
            Test::Equal(Attr::OBJECT_GUID, Wanted::Bytes(bytes)) => {
                let guid = uuid::Uuid::from_slice_le(bytes).ok();
                found(guid.and_then(|guid| self.by_guid(guid.as_u128())))
            }
            Test::Equal(Attr::OBJECT_SID, Wanted::Bytes(bytes)) => {
                found(Sid::from_bytes(bytes).and_then(|sid| self.by_sid(&sid)))
            }
            Test::Equal(Attr::USER_PRINCIPAL_NAME, Wanted::Text(name)) => found(self.by_upn(name)),
            Test::Equal(Attr::MEMBER, Wanted::Object(Some(id), _)) => {
                Some(self.links.to(Attr::MEMBER, *id).collect())
            }
            Test::Equal(Attr::MEMBER_OF, Wanted::Object(Some(id), _)) => {
                Some(self.links.of(Attr::MEMBER, *id).collect())
            }
            Test::And(tests) => tests.iter().find_map(|test| self.candidates(test)),
            Test::Or(tests) => {
                let mut all = BTreeSet::new();
                for test in tests {
                    all.extend(self.candidates(test)?);
                }
                Some(all)
            }
            Test::Not(_)
            | Test::Present(_)
            | Test::Equal(..)
            | Test::AtLeast(..)
            | Test::AtMost(..)
            | Test::Substrings(..)
            | Test::Bits { .. }
            | Test::Chain(..)
            | Test::Undefined => None,
        }
    }

    /// Nothing: undefined.
    pub(crate) fn test(&self, id: Id, test: &Test, token: &Token) -> Option<bool> {
        let readable = |attribute: Attr| self.is_readable(id, attribute, token);
        match test {
            Test::And(tests) => {
                let mut all = Some(true);
                for test in tests {
                    match self.test(id, test, token) {
                        Some(false) => return Some(false),
                        None => all = None,
                        Some(true) => {}
                    }
                }
                all
            }
            Test::Or(tests) => {
                let mut any = Some(false);
                for test in tests {
                    match self.test(id, test, token) {
                        Some(true) => return Some(true),
                        None => any = None,
                        Some(false) => {}
                    }
                }
                any
            }
            Test::Not(test) => self.test(id, test, token).map(|matches| !matches),
            Test::Undefined => None,
            Test::Present(attribute) => Some(readable(*attribute) && self.has(id, *attribute)),
            // Not to be read is as not to be there.
            Test::Equal(attribute, _)
            | Test::AtLeast(attribute, _)
            | Test::AtMost(attribute, _)
            | Test::Substrings(attribute, ..)
            | Test::Bits { attribute, .. }
            | Test::Chain(attribute, _)
                if !readable(*attribute) =>
            {
                None
            }
            Test::Equal(attribute, wanted) => Some(self.equals(id, *attribute, wanted)),
            Test::AtLeast(attribute, wanted) => {
                Some(self.compares(id, *attribute, wanted, std::cmp::Ordering::is_ge))
            }
            Test::AtMost(attribute, wanted) => {
                Some(self.compares(id, *attribute, wanted, std::cmp::Ordering::is_le))
            }
            Test::Substrings(attribute, initial, any, last) => Some(
                self.values(id, *attribute, View::default())
                    .iter()
                    .any(|value| contains(value, initial, any, last)),
            ),
            Test::Bits {
                attribute,
                mask,
                all,
            } => Some(self.numbers(id, *attribute).any(|number| {
                if *all {
                    number & mask == *mask
                } else {
                    number & mask != 0
                }
            })),
            Test::Chain(attribute, target) => {
                Some(target.is_some_and(|target| self.is_in_chain(id, *attribute, target)))
            }
        }
    }

    fn has(&self, id: Id, attribute: Attr) -> bool {
        match attribute {
            Attr::OBJECT_CLASS | Attr::OBJECT_GUID | Attr::NAME => true,
            _ => !self.values(id, attribute, View::default()).is_empty(),
        }
    }

    fn equals(&self, id: Id, attribute: Attr, wanted: &Wanted) -> bool {
        let object = self.object(id);
        match (attribute, wanted) {
            // The common ones, without putting their values together first.
            (Attr::OBJECT_CLASS, Wanted::Text(class)) => object
                .class
                .names()
                .iter()
                .any(|name| name.eq_ignore_ascii_case(class)),
            (Attr::OBJECT_CATEGORY, Wanted::Text(category)) => {
                (!object.is_deleted || self.domain.recycle_bin)
                    && self.category(object.class).eq_ignore_ascii_case(category)
            }
            (_, Wanted::Object(Some(target), _)) if FORWARD.contains(&attribute) => {
                self.links.is_member(attribute, id, *target)
            }
            (_, Wanted::Object(Some(target), _)) if attribute.is(flag::BACKLINK) => {
                forward_of(attribute)
                    .is_some_and(|forward| self.links.is_member(forward, *target, id))
            }
            (_, Wanted::Number(wanted)) => {
                self.numbers(id, attribute).any(|number| number == *wanted)
            }
            (_, Wanted::Bytes(wanted)) => self
                .values(id, attribute, View::default())
                .iter()
                .any(|value| value == wanted),
            (_, Wanted::Text(wanted)) => self.texts(id, attribute).any(|text| text == *wanted),
            (_, Wanted::Object(_, name)) => self.texts(id, attribute).any(|text| text == *name),
        }
    }

    fn compares(
        &self,
        id: Id,
        attribute: Attr,
        wanted: &Wanted,
        is: fn(std::cmp::Ordering) -> bool,
    ) -> bool {
        match wanted {
            Wanted::Number(wanted) => self
                .numbers(id, attribute)
                .any(|number| is(number.cmp(wanted))),
            Wanted::Text(wanted) => self.texts(id, attribute).any(|text| is(text.cmp(wanted))),
            Wanted::Bytes(_) | Wanted::Object(..) => false,
        }
    }

    fn numbers(&self, id: Id, attribute: Attr) -> impl Iterator<Item = i64> {
        self.values(id, attribute, View::default())
            .into_iter()
            .filter_map(|value| std::str::from_utf8(&value).ok()?.parse().ok())
    }

    fn texts(&self, id: Id, attribute: Attr) -> impl Iterator<Item = String> {
        self.values(id, attribute, View::default())
            .into_iter()
            .map(|value| String::from_utf8_lossy(&value).to_lowercase())
    }

    /// Whether `target` is reached from an object by its links, and theirs.
    fn is_in_chain(&self, id: Id, attribute: Attr, target: Id) -> bool {
        let mut seen = BTreeSet::from([id]);
        let mut next = vec![id];
        while let Some(of) = next.pop() {
            let linked: Vec<_> = match forward_of(attribute) {
                Some(forward) => self.links.to(forward, of).collect(),
                None => self.links.of(attribute, of).collect(),
            };
            if linked.contains(&target) {
                return true;
            }
            next.extend(linked.into_iter().filter(|found| seen.insert(*found)));
        }
        false
    }

    /// Whether somebody may read an attribute of an object.
    pub(crate) fn is_readable(&self, id: Id, attribute: Attr, token: &Token) -> bool {
        token.is_administrator()
            || self.has_default_access(id)
            || self.may(token, id, right::READ_PROPERTY, &objects_of(attribute))
    }

    /// Whether somebody sees that an object is there at all.
    pub(crate) fn is_visible(&self, id: Id, token: &Token) -> bool {
        if token.is_administrator() {
            return true;
        }
        self.object(id).parent.is_none_or(|parent| {
            self.has_default_access(parent) || self.may(token, parent, right::LIST_CONTENTS, &[])
        })
    }
}

fn contains(value: &[u8], initial: &[u8], any: &[Vec<u8>], last: &[u8]) -> bool {
    let value = String::from_utf8_lossy(value).to_lowercase();
    let Some(mut rest) = value.as_bytes().strip_prefix(initial) else {
        return false;
    };
    for part in any {
        let place = rest
            .windows(part.len().max(1))
            .position(|window| window == part.as_slice());
        match place.and_then(|place| rest.get(place + part.len()..)) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_in_their_order() {
        let any = [b"b".to_vec(), b"d".to_vec()];
        assert!(contains(b"aXbXdXe", b"a", &any, b"e"));
        assert!(!contains(b"aXdXbXe", b"a", &any, b"e"));
        assert!(!contains(b"ab", b"a", &any, b""));
        assert!(contains(b"ABC", b"ab", &[], b"c"));
    }
}
