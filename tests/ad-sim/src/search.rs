//! Searching: where, for what, and how much of it at once.

pub(crate) mod dirsync;
pub(crate) mod matching;
pub(crate) mod select;

use std::collections::VecDeque;

use crate::read::View;
use crate::security::Token;
use crate::store::object::{Id, Partition};
use crate::store::replica::Replica;
use crate::wire::ber::{INTEGER, OCTETS, Reader, SEQUENCE, Writer};
use crate::wire::message::{Attached, Control, Scope, Search};
use crate::wire::outcome::{Outcome, code};
use matching::Test;
use select::{Selection, Shown};

/// Entries that are given at once (MaxPageSize).
pub const MAX_PAGE: usize = 1000;
/// Paged searches that a connection keeps open (MaxResultSetsPerConn).
pub const MAX_RESULT_SETS: usize = 10;

mod oid {
    pub(super) const PAGED: &str = "1.2.840.113556.1.4.319";
    pub(super) const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
    pub(super) const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";
    pub(super) const SD_FLAGS: &str = "1.2.840.113556.1.4.801";
    pub(super) const DIRSYNC: &str = "1.2.840.113556.1.4.841";
    pub(super) const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
    pub(super) const SHOW_RECYCLED: &str = "1.2.840.113556.1.4.2064";
}

/// The controls that are known: what the rootDSE says, and the only ones that may be critical.
pub(crate) const CONTROLS: [&str; 7] = [
    oid::PAGED,
    oid::SHOW_DELETED,
    oid::EXTENDED_DN,
    oid::SD_FLAGS,
    oid::DIRSYNC,
    oid::DOMAIN_SCOPE,
    oid::SHOW_RECYCLED,
];

/// What the controls of a search say.
#[derive(Debug, Default)]
pub(crate) struct Options {
    paged: Option<Paged>,
    pub(crate) shows_deleted: bool,
    stays_here: bool,
    view: View,
    dirsync: Option<dirsync::Request>,
}

#[derive(Debug)]
struct Paged {
    size: usize,
    cookie: Vec<u8>,
}

impl Options {
    pub(crate) fn read(controls: &[Control]) -> Result<Self, Outcome> {
        let mut options = Self::default();
        for control in controls {
            let value = control.value.as_deref().unwrap_or_default();
            let number = || {
                Reader::new(value)
                    .nested(SEQUENCE)
                    .and_then(|mut reader| reader.integer())
                    .map_err(|_| Outcome::bad_control())
            };
            match control.oid.as_str() {
                oid::PAGED => options.paged = Some(paged(value)?),
                oid::SHOW_DELETED | oid::SHOW_RECYCLED => options.shows_deleted = true,
                oid::DOMAIN_SCOPE => options.stays_here = true,
                oid::EXTENDED_DN => {
                    options.view.extended = Some(if value.is_empty() { 0 } else { number()? });
                }
                oid::SD_FLAGS => options.view.descriptor = number()?,
                oid::DIRSYNC => {
                    let request = dirsync::Request::read(value);
                    options.dirsync = Some(request.map_err(|_| Outcome::bad_control())?);
                }
                _ if control.critical => {
                    return Err(Outcome::new(
                        code::UNAVAILABLE_CRITICAL_EXTENSION,
                        "00000057: LdapErr: DSID-0C090795, comment: the control is not known, data 0, v2580",
                    ));
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

fn paged(value: &[u8]) -> Result<Paged, Outcome> {
    let read = || {
        let mut reader = Reader::new(value).nested(SEQUENCE)?;
        Ok((reader.integer()?, reader.octets()?))
    };
    let (size, cookie) = read().map_err(|_: crate::wire::ber::Malformed| Outcome::bad_control())?;
    Ok(Paged {
        size: usize::try_from(size).map_err(|_| Outcome::bad_control())?,
        cookie,
    })
}

/// What is left of the paged searches of one connection. A cookie is of no use on another one.
#[derive(Debug, Default)]
pub(crate) struct ResultSets {
    sets: VecDeque<(u64, VecDeque<Id>)>,
    next: u64,
}

impl ResultSets {
    fn take(&mut self, cookie: &[u8]) -> Option<VecDeque<Id>> {
        let number = u64::from_le_bytes(cookie.try_into().ok()?);
        let place = self.sets.iter().position(|(kept, _)| *kept == number)?;
        self.sets.remove(place).map(|(_, left)| left)
    }

    fn keep(&mut self, left: VecDeque<Id>) -> Vec<u8> {
        self.next += 1;
        self.sets.push_back((self.next, left));
        // The oldest is lost when there are too many.
        while self.sets.len() > MAX_RESULT_SETS {
            self.sets.pop_front();
        }
        self.next.to_le_bytes().to_vec()
    }
}

/// What a search found.
pub(crate) struct Answer {
    pub(crate) entries: Vec<(String, Shown)>,
    pub(crate) references: Vec<String>,
    pub(crate) outcome: Outcome,
    pub(crate) controls: Vec<Attached>,
}

impl Answer {
    pub(crate) fn refused(outcome: Outcome) -> Self {
        Self {
            entries: Vec::new(),
            references: Vec::new(),
            outcome,
            controls: Vec::new(),
        }
    }
}

impl Replica {
    pub(crate) fn search(
        &self,
        search: &Search,
        options: &Options,
        token: &Token,
        sets: &mut ResultSets,
    ) -> Answer {
        self.try_search(search, options, token, sets)
            .unwrap_or_else(Answer::refused)
    }

    fn try_search(
        &self,
        search: &Search,
        options: &Options,
        token: &Token,
        sets: &mut ResultSets,
    ) -> Result<Answer, Outcome> {
        let selection = Selection::new(&search.attributes, search.types_only);
        if search.base.is_empty() && search.scope == Scope::Base {
            return Ok(Answer {
                entries: vec![(String::new(), self.root_dse(&search.attributes))],
                ..Answer::refused(Outcome::success())
            });
        }
        if token.is_anonymous() {
            return Err(Outcome::bind_first());
        }
        let base = self.base(search, options, token)?;
        if let Some(request) = &options.dirsync {
            let wanted = selection.attributes();
            let round = self.dirsync(request, base, wanted.as_deref(), options.view, token)?;
            return Ok(Answer {
                entries: round.entries,
                controls: vec![Attached {
                    oid: oid::DIRSYNC,
                    value: round.control,
                }],
                ..Answer::refused(Outcome::success())
            });
        }
        let (mut left, is_first) = match &options.paged {
            Some(paged) if !paged.cookie.is_empty() => {
                let left = sets.take(&paged.cookie).ok_or_else(Outcome::bad_control)?;
                (left, false)
            }
            Some(_) | None => {
                let test = self.prepare(&search.filter)?;
                (
                    self.matching(base, search.scope, &test, options, token),
                    true,
                )
            }
        };
        let asked = options
            .paged
            .as_ref()
            .map_or(usize::MAX, |paged| paged.size);
        let limit = if search.size_limit == 0 {
            usize::MAX
        } else {
            search.size_limit
        };
        let most = asked.min(MAX_PAGE).min(limit);
        let mut entries = Vec::new();
        while entries.len() < most
            && let Some(id) = left.pop_front()
        {
            // Deleted since the first page.
            if self.object(id).is_deleted && !options.shows_deleted {
                continue;
            }
            let shown = self.show(id, &selection, options.view, token);
            entries.push((self.shown_dn(id, options.view), shown));
        }
        let is_cut = !left.is_empty() && (options.paged.is_none() || most == limit);
        let mut controls = Vec::new();
        if options.paged.is_some() {
            let cookie = if left.is_empty() || is_cut {
                Vec::new()
            } else {
                sets.keep(left)
            };
            let mut value = Writer::default();
            value.nested(SEQUENCE, |value| {
                value.integer(INTEGER, 0);
                value.primitive(OCTETS, &cookie);
            });
            controls.push(Attached {
                oid: oid::PAGED,
                value: value.0,
            });
        }
        let is_root = Some(base) == self.head(Partition::Domain);
        let refers = is_root && is_first && search.scope == Scope::Subtree && !options.stays_here;
        Ok(Answer {
            entries,
            references: if refers {
                self.references()
            } else {
                Vec::new()
            },
            outcome: if is_cut {
                Outcome::new(code::SIZE_LIMIT_EXCEEDED, "")
            } else {
                Outcome::success()
            },
            controls,
        })
    }

    fn base(&self, search: &Search, options: &Options, token: &Token) -> Result<Id, Outcome> {
        let head = self.head(Partition::Domain).map(|head| self.dn(head));
        let missing = || Outcome::no_such_object(head.as_deref().unwrap_or_default());
        if !search.base.starts_with('<') && crate::dn::parse(&search.base).is_none() {
            return Err(Outcome::bad_dn());
        }
        let base = self
            .find(&search.base)
            .ok_or_else(|| self.elsewhere(&search.base).unwrap_or_else(missing))?;
        let is_container = Some(base) == self.well_known(crate::logon::DELETED_OBJECTS);
        let hidden = (self.object(base).is_deleted || is_container) && !options.shows_deleted;
        if hidden || !self.is_visible(base, token) {
            return Err(missing());
        }
        Ok(base)
    }

    /// A name that is of another domain is referred there.
    fn elsewhere(&self, base: &str) -> Option<Outcome> {
        let parts = crate::dn::parse(base)?;
        let labels: Vec<_> = parts
            .iter()
            .filter(|(attribute, _)| attribute.eq_ignore_ascii_case("DC"))
            .map(|(_, value)| value.as_str())
            .collect();
        let domain = labels.join(".");
        if domain.is_empty() || domain.eq_ignore_ascii_case(&self.domain.dns_name) {
            return None;
        }
        Some(Outcome {
            referral: Some(format!("ldap://{domain}/{base}")),
            ..Outcome::new(
                code::REFERRAL,
                "0000202B: RefErr: DSID-031007F9, data 0, 1 access points\n",
            )
        })
    }

    fn references(&self) -> Vec<String> {
        let domain = &self.domain.dns_name;
        let root: Vec<_> = domain
            .split('.')
            .map(|label| format!("DC={label}"))
            .collect();
        let root = root.join(",");
        vec![
            format!("ldap://ForestDnsZones.{domain}/DC=ForestDnsZones,{root}"),
            format!("ldap://DomainDnsZones.{domain}/DC=DomainDnsZones,{root}"),
            format!("ldap://{domain}/CN=Configuration,{root}"),
        ]
    }

    fn matching(
        &self,
        base: Id,
        scope: Scope,
        test: &Test,
        options: &Options,
        token: &Token,
    ) -> VecDeque<Id> {
        let partition = self.object(base).partition;
        let is_head = self.head(partition) == Some(base);
        let within = |id: Id| match scope {
            Scope::Base => id == base,
            Scope::OneLevel => self.object(id).parent == Some(base),
            Scope::Subtree => is_head || self.is_below(id, base),
        };
        let matches = |id: &Id| {
            let object = self.object(*id);
            let shown = !object.is_deleted || options.shows_deleted;
            shown
                && object.partition == partition
                && within(*id)
                && self.test(*id, test, token) == Some(true)
                && self.is_visible(*id, token)
        };
        if scope == Scope::Base {
            return [base].into_iter().filter(matches).collect();
        }
        if let Some(candidates) = self.candidates(test) {
            return candidates.into_iter().filter(matches).collect();
        }
        if scope == Scope::OneLevel {
            return self.children(base).filter(matches).collect();
        }
        self.objects().map(|(id, _)| id).filter(matches).collect()
    }

    fn root_dse(&self, asked: &[String]) -> Shown {
        let dn = |partition| {
            self.head(partition)
                .map(|head| self.dn(head))
                .unwrap_or_default()
        };
        let domain = dn(Partition::Domain);
        let configuration = dn(Partition::Configuration);
        let schema = dn(Partition::Schema);
        let many = |values: &[&str]| {
            values
                .iter()
                .map(|value| value.as_bytes().to_vec())
                .collect()
        };
        let all: Vec<(&str, Vec<Vec<u8>>)> = vec![
            (
                "currentTime",
                many(&[&crate::clock::generalized(self.now())]),
            ),
            (
                "subschemaSubentry",
                many(&[&format!("CN=Aggregate,{schema}")]),
            ),
            (
                "dsServiceName",
                many(&[&format!("CN=NTDS Settings,{}", self.site_dn)]),
            ),
            ("namingContexts", many(&[&domain, &configuration, &schema])),
            ("defaultNamingContext", many(&[&domain])),
            ("schemaNamingContext", many(&[&schema])),
            ("configurationNamingContext", many(&[&configuration])),
            ("rootDomainNamingContext", many(&[&domain])),
            ("supportedControl", many(&CONTROLS)),
            ("supportedLDAPVersion", many(&["3", "2"])),
            (
                "highestCommittedUSN",
                many(&[&self.highest_usn().to_string()]),
            ),
            (
                "supportedSASLMechanisms",
                many(&["GSSAPI", "GSS-SPNEGO", "EXTERNAL", "DIGEST-MD5"]),
            ),
            ("dnsHostName", many(&[&self.host])),
            (
                "ldapServiceName",
                many(&[&format!(
                    "{}:{}$@{}",
                    self.domain.dns_name,
                    self.host,
                    self.domain.dns_name.to_uppercase()
                )]),
            ),
            ("serverName", many(&[&self.site_dn])),
            (
                "supportedCapabilities",
                many(&["1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670"]),
            ),
            ("isSynchronized", many(&["TRUE"])),
            ("isGlobalCatalogReady", many(&["TRUE"])),
            (
                "supportedExtension",
                many(&[crate::server::WHO_AM_I, crate::server::START_TLS]),
            ),
            ("domainFunctionality", many(&["7"])),
            ("forestFunctionality", many(&["7"])),
            ("domainControllerFunctionality", many(&["7"])),
        ];
        let everything = asked.is_empty() || asked.iter().any(|name| name == "*");
        all.into_iter()
            .filter(|(name, _)| {
                everything || asked.iter().any(|asked| asked.eq_ignore_ascii_case(name))
            })
            .map(|(name, values)| (name.to_owned(), values))
            .collect()
    }
}
