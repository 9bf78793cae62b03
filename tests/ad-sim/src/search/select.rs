//! Which attributes of an object are given, and how many values of each.

use crate::read::View;
use crate::schema::{Attr, flag};
use crate::security::Token;
use crate::store::object::Id;
use crate::store::replica::Replica;

/// Values of one attribute that are given at once (MaxValRange).
pub const MAX_VALUES: usize = 1500;

/// What a client asked to see.
#[derive(Debug)]
pub(crate) struct Selection {
    /// All that are not computed.
    all: bool,
    named: Vec<Named>,
    types_only: bool,
}

#[derive(Debug)]
struct Named {
    attribute: Attr,
    range: Option<Range>,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    first: usize,
    /// Nothing: to the end.
    last: Option<usize>,
}

pub(crate) type Shown = Vec<(String, Vec<Vec<u8>>)>;

impl Selection {
    /// Names that mean nothing are left out, as a domain controller does.
    pub(crate) fn new(names: &[String], types_only: bool) -> Self {
        let named = names.iter().filter_map(|name| {
            let (name, option) = name.split_once(';').unwrap_or((name, ""));
            Some(Named {
                attribute: Attr::find(name)?,
                range: range(option),
            })
        });
        Self {
            all: names.is_empty() || names.iter().any(|name| name == "*"),
            named: named.collect(),
            types_only,
        }
    }

    /// The attributes, for what has its own way of showing them.
    pub(crate) fn attributes(&self) -> Option<Vec<Attr>> {
        (!self.all).then(|| self.named.iter().map(|named| named.attribute).collect())
    }
}

fn range(option: &str) -> Option<Range> {
    let (key, range) = option.split_once('=')?;
    if !key.eq_ignore_ascii_case("range") {
        return None;
    }
    let (first, last) = range.split_once('-')?;
    Some(Range {
        first: first.parse().ok()?,
        last: match last {
            "*" => None,
            last => Some(last.parse().ok()?),
        },
    })
}

impl Replica {
    /// An object's attributes as they are sent.
    pub(crate) fn show(&self, id: Id, selection: &Selection, view: View, token: &Token) -> Shown {
        let mut shown = Shown::new();
        if selection.all {
            for attribute in self.attributes(id) {
                if !selection
                    .named
                    .iter()
                    .any(|named| named.attribute == attribute)
                {
                    self.show_one(id, attribute, None, view, token, &mut shown);
                }
            }
        }
        for named in &selection.named {
            self.show_one(id, named.attribute, named.range, view, token, &mut shown);
        }
        if selection.types_only {
            for (_, values) in &mut shown {
                values.clear();
            }
        }
        shown
    }

    fn show_one(
        &self,
        id: Id,
        attribute: Attr,
        range: Option<Range>,
        view: View,
        token: &Token,
        shown: &mut Shown,
    ) {
        if !self.is_readable(id, attribute, token) {
            return;
        }
        let name = attribute.of().name;
        let values = self.values(id, attribute, view);
        if values.is_empty() {
            return;
        }
        match range {
            Some(range) => {
                if let Some((last, part)) = cut(&values, range) {
                    shown.push((format!("{name};range={}-{last}", range.first), part));
                }
            }
            None if values.len() > MAX_VALUES && attribute.is(flag::MULTI) => {
                let whole = Range {
                    first: 0,
                    last: None,
                };
                if let Some((last, part)) = cut(&values, whole) {
                    // The attribute itself comes too, empty.
                    shown.push((name.to_owned(), Vec::new()));
                    shown.push((format!("{name};range=0-{last}"), part));
                }
            }
            None => shown.push((name.to_owned(), values)),
        }
    }
}

/// The part of the values that a range means, as much as is given at once, and how its end is told.
fn cut(values: &[Vec<u8>], range: Range) -> Option<(String, Vec<Vec<u8>>)> {
    let wanted = range
        .last
        .map_or(MAX_VALUES, |last| (last + 1).saturating_sub(range.first));
    let end = range.first + wanted.min(MAX_VALUES);
    let part = values.get(range.first..end.min(values.len()))?;
    if part.is_empty() {
        return None;
    }
    let last = if end >= values.len() {
        "*".to_owned()
    } else {
        (end - 1).to_string()
    };
    Some((last, part.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_as_long_as_it_may_be_and_says_where_it_ends() {
        let values: Vec<_> = (0..3200u32)
            .map(|number| number.to_le_bytes().to_vec())
            .collect();
        let told = |first, last| {
            cut(&values, Range { first, last }).map(|(last, part)| (last, part.len()))
        };

        assert_eq!(told(0, None), Some(("1499".into(), 1500)));
        assert_eq!(told(0, Some(4999)), Some(("1499".into(), 1500)));
        assert_eq!(told(1500, None), Some(("2999".into(), 1500)));
        assert_eq!(told(3000, None), Some(("*".into(), 200)));
        assert_eq!(told(10, Some(19)), Some(("19".into(), 10)));
        assert_eq!(told(3190, Some(3199)), Some(("*".into(), 10)));
        assert_eq!(told(3200, None), None);
    }
}
