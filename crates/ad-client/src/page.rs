//! Paged search (RFC 2696). Complete, or an error.

use ldap3::LdapResult;
use ldap3::asn1::parse_tag;
use ldap3::controls::{ControlType, RawControl};

use crate::control;
use crate::error::Error;
use crate::object::Object;
use crate::session::{Query, Session};

/// A search read page by page. Its cookie belongs to this session: another connection, even to the same domain
/// controller, has to begin again.
#[derive(Debug)]
pub(crate) struct Pager {
    pub(crate) what: &'static str,
    pub(crate) base: String,
    pub(crate) filter: String,
    pub(crate) attributes: Vec<String>,
    pub(crate) controls: Vec<RawControl>,
    /// At most 1000, the most a domain controller gives by default.
    pub(crate) size: u16,
    pub(crate) next: Next,
}

#[derive(Debug)]
pub(crate) enum Next {
    First,
    Cookie(Vec<u8>),
    Finished,
}

impl Pager {
    /// The next page, possibly empty; `None` after the last.
    pub(crate) async fn next(&mut self, session: &Session) -> Result<Option<Vec<Object>>, Error> {
        let cookie = match &self.next {
            Next::First => Vec::new(),
            Next::Cookie(cookie) => cookie.clone(),
            Next::Finished => return Ok(None),
        };
        let attributes: Vec<&str> = self.attributes.iter().map(String::as_str).collect();
        let mut controls = self.controls.clone();
        controls.push(control::paged(self.size.clamp(1, 1000), cookie));
        let answer = session
            .search(Query {
                what: self.what,
                base: &self.base,
                scope: ldap3::Scope::Subtree,
                filter: &self.filter,
                attributes: &attributes,
                controls,
            })
            .await?;
        self.next = match cookie_of(&answer.result) {
            Some(cookie) if cookie.is_empty() => Next::Finished,
            Some(cookie) => Next::Cookie(cookie),
            // Success without the control says nothing of what is left.
            None => {
                return Err(Error::Incomplete {
                    what: self.what,
                    why: "the directory answered a page without saying whether more follow"
                        .to_owned(),
                });
            }
        };
        Ok(Some(answer.objects))
    }
}

fn cookie_of(result: &LdapResult) -> Option<Vec<u8>> {
    let control = result
        .ctrls
        .iter()
        .find(|control| matches!(control.0, Some(ControlType::PagedResults)))?;
    let (_, value) = parse_tag(control.1.val.as_deref()?).ok()?;
    value
        .expect_constructed()?
        .into_iter()
        .nth(1)?
        .expect_primitive()
}
