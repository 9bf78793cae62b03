//! LDAP messages (RFC 4511, 4): requests as they are read, answers as they are written.

use super::ber::{ENUMERATED, INTEGER, Malformed, Reader, SEQUENCE, SET, Writer, boolean, text};
use super::filter::{self, Filter};
use super::outcome::Outcome;

/// A request, its number, and its controls.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: i64,
    pub(crate) request: Request,
    pub(crate) controls: Vec<Control>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) oid: String,
    pub(crate) critical: bool,
    pub(crate) value: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Request {
    Bind {
        name: String,
        password: Password,
    },
    Unbind,
    Search(Search),
    Modify {
        dn: String,
        changes: Vec<Change>,
    },
    Add {
        dn: String,
        attributes: Vec<(String, Vec<Vec<u8>>)>,
    },
    Delete {
        dn: String,
    },
    ModifyDn {
        dn: String,
        rdn: String,
        superior: Option<String>,
    },
    Compare,
    Abandon,
    Extended {
        oid: String,
    },
}

/// How a bind proves who it is.
#[derive(Clone)]
pub(crate) enum Password {
    Simple(Vec<u8>),
    Other,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Base,
    OneLevel,
    Subtree,
}

#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) size_limit: usize,
    pub(crate) types_only: bool,
    pub(crate) filter: Filter,
    pub(crate) attributes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Delete,
    Replace,
}

#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) verb: Verb,
    pub(crate) attribute: String,
    pub(crate) values: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Change {
    // A value may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.verb, self.attribute)
    }
}

/// Which answer ends which request.
pub(crate) mod answer {
    pub(crate) const BIND: u8 = 0x61;
    pub(crate) const ENTRY: u8 = 0x64;
    pub(crate) const DONE: u8 = 0x65;
    pub(crate) const MODIFY: u8 = 0x67;
    pub(crate) const ADD: u8 = 0x69;
    pub(crate) const DELETE: u8 = 0x6b;
    pub(crate) const MODIFY_DN: u8 = 0x6d;
    pub(crate) const COMPARE: u8 = 0x6f;
    pub(crate) const REFERENCE: u8 = 0x73;
    pub(crate) const EXTENDED: u8 = 0x78;
}

pub(crate) fn read(bytes: &[u8]) -> Result<Message, Malformed> {
    let mut message = Reader::new(bytes).nested(SEQUENCE)?;
    let id = message.integer()?;
    let (tag, content) = message.element()?;
    let request = request(tag, content)?;
    let mut controls = Vec::new();
    if let Some(content) = message.optional(0xa0)? {
        let mut list = Reader::new(content);
        while !list.is_empty() {
            controls.push(control(&mut list)?);
        }
    }
    Ok(Message {
        id,
        request,
        controls,
    })
}

fn control(list: &mut Reader<'_>) -> Result<Control, Malformed> {
    let mut control = list.nested(SEQUENCE)?;
    let oid = control.text()?;
    let critical = match control.optional(super::ber::BOOLEAN)? {
        Some(content) => boolean(content)?,
        None => false,
    };
    let value = control.optional(super::ber::OCTETS)?.map(<[u8]>::to_vec);
    Ok(Control {
        oid,
        critical,
        value,
    })
}

fn request(tag: u8, content: &[u8]) -> Result<Request, Malformed> {
    let mut reader = Reader::new(content);
    Ok(match tag {
        0x60 => {
            let _version = reader.integer()?;
            let name = reader.text()?;
            let password = match reader.element()? {
                (0x80, password) => Password::Simple(password.to_vec()),
                _ => Password::Other,
            };
            Request::Bind { name, password }
        }
        0x42 => Request::Unbind,
        0x63 => Request::Search(search(&mut reader)?),
        0x66 => {
            let dn = reader.text()?;
            let mut list = reader.nested(SEQUENCE)?;
            let mut changes = Vec::new();
            while !list.is_empty() {
                let mut change = list.nested(SEQUENCE)?;
                let verb = match change.enumerated()? {
                    0 => Verb::Add,
                    1 => Verb::Delete,
                    2 => Verb::Replace,
                    _ => return Err(Malformed),
                };
                let (attribute, values) = attribute(&mut change)?;
                changes.push(Change {
                    verb,
                    attribute,
                    values,
                });
            }
            Request::Modify { dn, changes }
        }
        0x68 => {
            let dn = reader.text()?;
            let mut list = reader.nested(SEQUENCE)?;
            let mut attributes = Vec::new();
            while !list.is_empty() {
                attributes.push(attribute(&mut list)?);
            }
            Request::Add { dn, attributes }
        }
        0x4a => Request::Delete { dn: text(content)? },
        0x6c => {
            let dn = reader.text()?;
            let rdn = reader.text()?;
            let _delete_old = reader.boolean()?;
            let superior = reader.optional(0x80)?.map(text).transpose()?;
            Request::ModifyDn { dn, rdn, superior }
        }
        0x6e => Request::Compare,
        0x50 => Request::Abandon,
        0x77 => Request::Extended {
            oid: text(reader.expect(0x80)?)?,
        },
        _ => return Err(Malformed),
    })
}

fn attribute(list: &mut Reader<'_>) -> Result<(String, Vec<Vec<u8>>), Malformed> {
    let mut attribute = list.nested(SEQUENCE)?;
    let name = attribute.text()?;
    let mut set = attribute.nested(SET)?;
    let mut values = Vec::new();
    while !set.is_empty() {
        values.push(set.octets()?);
    }
    Ok((name, values))
}

fn search(reader: &mut Reader<'_>) -> Result<Search, Malformed> {
    let base = reader.text()?;
    let scope = match reader.enumerated()? {
        0 => Scope::Base,
        1 => Scope::OneLevel,
        2 => Scope::Subtree,
        _ => return Err(Malformed),
    };
    let _aliases = reader.enumerated()?;
    let size_limit = usize::try_from(reader.integer()?).map_err(|_| Malformed)?;
    let _time_limit = reader.integer()?;
    let types_only = reader.boolean()?;
    let filter = filter::read(reader)?;
    let mut list = reader.nested(SEQUENCE)?;
    let mut attributes = Vec::new();
    while !list.is_empty() {
        attributes.push(list.text()?);
    }
    Ok(Search {
        base,
        scope,
        size_limit,
        types_only,
        filter,
        attributes,
    })
}

/// A control of an answer.
pub(crate) struct Attached {
    pub(crate) oid: &'static str,
    pub(crate) value: Vec<u8>,
}

pub(crate) fn entry(into: &mut Writer, id: i64, dn: &str, attributes: &[(String, Vec<Vec<u8>>)]) {
    into.nested(SEQUENCE, |message| {
        message.integer(INTEGER, id);
        message.nested(answer::ENTRY, |entry| {
            entry.octets(dn.as_bytes());
            entry.nested(SEQUENCE, |list| {
                for (name, values) in attributes {
                    list.nested(SEQUENCE, |attribute| {
                        attribute.octets(name.as_bytes());
                        attribute.nested(SET, |set| {
                            for value in values {
                                set.octets(value);
                            }
                        });
                    });
                }
            });
        });
    });
}

pub(crate) fn reference(into: &mut Writer, id: i64, url: &str) {
    into.nested(SEQUENCE, |message| {
        message.integer(INTEGER, id);
        message.nested(answer::REFERENCE, |urls| urls.octets(url.as_bytes()));
    });
}

/// The last answer to a request.
pub(crate) fn end(
    into: &mut Writer,
    id: i64,
    tag: u8,
    outcome: &Outcome,
    extra: Option<(&str, &[u8])>,
    controls: &[Attached],
) {
    into.nested(SEQUENCE, |message| {
        message.integer(INTEGER, id);
        message.nested(tag, |result| {
            result.integer(ENUMERATED, i64::from(outcome.code));
            result.octets(outcome.matched.as_bytes());
            result.octets(outcome.text.as_bytes());
            if let Some(url) = &outcome.referral {
                result.nested(0xa3, |urls| urls.octets(url.as_bytes()));
            }
            if let Some((name, value)) = extra {
                if !name.is_empty() {
                    result.primitive(0x8a, name.as_bytes());
                }
                if !value.is_empty() {
                    result.primitive(0x8b, value);
                }
            }
        });
        if !controls.is_empty() {
            message.nested(0xa0, |list| {
                for attached in controls {
                    list.nested(SEQUENCE, |control| {
                        control.octets(attached.oid.as_bytes());
                        control.octets(&attached.value);
                    });
                }
            });
        }
    });
}
