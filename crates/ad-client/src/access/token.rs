//! The bind account's token.

use directory::Sid;
use ldap3::Scope;

use super::evaluate::Token;
use crate::error::Error;
use crate::filter;
use crate::identity::Identity;
use crate::session::{Query, Session};

const WHAT: &str = "read the groups of the account used to log on";

impl Session {
    /// As whom the directory sees this session. `None` when it won't say.
    ///
    /// The rootDSE's tokenGroups is the token itself, well-known SIDs included. Where it is withheld, the account is
    /// found by the name the server knows it by, and its own tokenGroups stands in.
    pub async fn token(&self, identity: &Identity) -> Result<Option<Token>, Error> {
        let root = self.object(WHAT, "", &["tokenGroups"], vec![]).await?;
        let sids: Vec<Sid> = root
            .iter()
            .flat_map(|root| sids(root.values("tokenGroups")))
            .collect();
        if !sids.is_empty() {
            return Ok(Some(Token::new(sids)));
        }
        let name = self.who_am_i().await?;
        let Some((_, name)) = name.rsplit_once('\\') else {
            return Ok(None);
        };
        let query = Query {
            what: WHAT,
            base: &identity.naming_context,
            scope: Scope::Subtree,
            filter: &format!("(sAMAccountName={})", filter::escape(name)),
            attributes: &["objectSid"],
            controls: vec![],
        };
        let Some(own) = self.search(query).await?.objects.into_iter().next() else {
            return Ok(None);
        };
        // Constructed, and only for a search of the object itself.
        let groups = self.object(WHAT, &own.dn, &["tokenGroups"], vec![]).await?;
        let all: Vec<Sid> = sids_of(own.values("objectSid"), groups.as_ref());
        Ok((all.len() > 1).then(|| Token::new(all)))
    }
}

fn sids_of(own: &[Vec<u8>], groups: Option<&crate::object::Object>) -> Vec<Sid> {
    let groups = groups
        .map(|object| object.values("tokenGroups"))
        .unwrap_or_default();
    sids(own).chain(sids(groups)).collect()
}

fn sids(values: &[Vec<u8>]) -> impl Iterator<Item = Sid> {
    values
        .iter()
        .filter_map(|value| Sid::from_bytes(value).ok())
}
