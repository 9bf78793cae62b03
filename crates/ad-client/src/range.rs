//! Values beyond what a domain controller gives at once (1,500 by default): asked for in ranges.

use directory::ObjectId;

use crate::control;
use crate::error::Error;
use crate::object::Object;
use crate::session::Session;

/// How many values are asked for at once. The server may give fewer: Windows caps at 1,500, or 5,000 at most.
pub(crate) const WINDOW: usize = 1500;

const WHAT: &str = "read a group's members";

/// What an answer holds of a multi-valued attribute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) values: &'a [Vec<u8>],
    /// Where the next range begins; `None` when this was the last.
    pub(crate) next: Option<usize>,
}

/// The option to ask for values from `start` on: `member;range=0-1499`.
pub(crate) fn option(attribute: &str, start: usize, window: usize) -> String {
    let last = start + window.max(1) - 1;
    format!("{attribute};range={start}-{last}")
}

/// Finds an attribute in an answer, plain or ranged, in any case and order.
///
/// A truncating server sends the plain attribute too, empty, beside the ranged one. An attribute without values is not
/// sent at all: `None`.
pub(crate) fn part<'a>(object: &'a Object, attribute: &str) -> Option<Part<'a>> {
    let mut plain = None;
    for (name, values) in object.attributes() {
        let mut options = name.split(';');
        if !options
            .next()
            .is_some_and(|base| base.eq_ignore_ascii_case(attribute))
        {
            continue;
        }
        let range = options.find_map(|option| {
            let (key, range) = option.split_once('=')?;
            key.eq_ignore_ascii_case("range").then_some(range)
        });
        match range {
            Some(range) => {
                let (start, last) = range.split_once('-')?;
                let start: usize = start.parse().ok()?;
                let next = match last {
                    "*" => None,
                    // Some servers answer the range asked for although it is the last one, and shorter.
                    _ if values.is_empty() => None,
                    _ => Some(start + values.len()),
                };
                return Some(Part { values, next });
            }
            None => plain = Some(Part { values, next: None }),
        }
    }
    plain
}

/// Reads one group's remaining members, range by range.
///
/// The positions of a range mean nothing once the list changes, so the group's uSNChanged is compared from the first
/// range to the last: when it moved, all ranges are read again. What was yielded before stays yielded: each of these
/// was a member while the read ran.
#[derive(Debug)]
pub(crate) struct Ranges {
    pub(crate) group: ObjectId,
    start: usize,
    window: usize,
    usn: Option<String>,
    restarts: u32,
    finished: bool,
}

impl Ranges {
    /// Continues after a first part that came with the group itself, when its uSNChanged was `usn`.
    pub(crate) fn after(group: ObjectId, start: usize, usn: Option<&str>, window: usize) -> Self {
        Self {
            group,
            start,
            window,
            usn: usn.map(str::to_owned),
            restarts: 0,
            finished: false,
        }
    }

    pub(crate) fn from_start(group: ObjectId, window: usize) -> Self {
        Self::after(group, 0, None, window)
    }

    /// The next values; `None` after the last.
    pub(crate) async fn next(&mut self, session: &Session) -> Result<Option<Vec<Vec<u8>>>, Error> {
        if self.finished {
            return Ok(None);
        }
        let base = format!("<GUID={}>", self.group);
        let option = option("member", self.start, self.window);
        let object = session
            .object(
                WHAT,
                &base,
                &[&option, "uSNChanged"],
                vec![control::extended_dn()],
            )
            .await?;
        let Some(object) = object else {
            return Err(Error::Incomplete {
                what: WHAT,
                why: format!("group {} vanished meanwhile", self.group),
            });
        };
        let usn = object.text("uSNChanged").map(str::to_owned);
        let first = self.start == 0;
        if first {
            self.usn = usn;
        } else if usn != self.usn {
            self.restarts += 1;
            if self.restarts > 5 {
                return Err(Error::Incomplete {
                    what: WHAT,
                    why: format!("group {} kept changing while it was read", self.group),
                });
            }
            self.start = 0;
            return Ok(Some(Vec::new()));
        }
        // Beyond the end there is nothing, and the attribute is left out: the list ended at a range's edge.
        let Some(part) = part(&object, "member") else {
            self.finished = true;
            return Ok(Some(Vec::new()));
        };
        match part.next {
            Some(next) => self.start = next,
            None => self.finished = true,
        }
        Ok(Some(part.values.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DN: &str = "CN=g,DC=corp,DC=test";

    #[test]
    fn the_range_is_found_beside_an_empty_plain_attribute_in_any_case_and_order() {
        let values: &[&[u8]] = &[b"a", b"b", b"c"];
        for object in [
            Object::of(DN, &[("member", &[]), ("member;range=0-2", values)]),
            Object::of(DN, &[("Member;Range=0-2", values), ("member", &[])]),
            Object::of(DN, &[("memberOf", &[b"x"]), ("MEMBER;range=0-2", values)]),
        ] {
            let part = part(&object, "member").unwrap();
            assert_eq!(part.values, values);
            assert_eq!(part.next, Some(3));
        }
    }

    #[test]
    fn a_star_a_plain_attribute_or_none_is_the_end() {
        let last = Object::of(DN, &[("member;range=1500-*", &[b"a"])]);
        assert_eq!(part(&last, "member").unwrap().next, None);
        let plain = Object::of(DN, &[("member", &[b"a"])]);
        assert_eq!(part(&plain, "member").unwrap().next, None);
        assert_eq!(
            part(&Object::of(DN, &[("memberOf", &[b"a"])]), "member"),
            None
        );
    }

    #[test]
    fn a_server_that_gives_fewer_than_asked_is_followed() {
        let object = Object::of(DN, &[("member;range=0-1", &[b"a", b"b"])]);

        assert_eq!(option("member", 0, 1500), "member;range=0-1499");
        assert_eq!(part(&object, "member").unwrap().next, Some(2));
        assert_eq!(option("member", 2, 1500), "member;range=2-1501");
    }
}
