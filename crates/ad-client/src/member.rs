//! A group's member values, asked for with the extended DN control: the member's object id comes with its name, so that
//! an edge needs no lookup and survives a rename.

use directory::{ObjectId, Sid};

use crate::dn::Dn;

/// What a member value names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// An object of this domain.
    Object(ObjectId),
    /// An account of another domain, behind a foreign security principal.
    Foreign { sid: String },
    /// A foreign security principal for a well-known identity such as Authenticated Users: nobody's account.
    WellKnown,
    /// Not understood.
    Unresolvable,
}

/// Decodes `<GUID=…>;<SID=…>;CN=…` (no SID for contacts and the like).
pub(crate) fn decode(value: &str) -> Member {
    let mut id = None;
    let mut rest = value;
    while let Some((component, after)) = rest
        .strip_prefix('<')
        .and_then(|inner| inner.split_once(">;"))
    {
        if let Some(guid) = component.strip_prefix("GUID=") {
            id = guid.parse::<ObjectId>().ok();
        }
        rest = after;
    }
    let Ok(dn) = Dn::parse(rest) else {
        return Member::Unresolvable;
    };
    let foreign = dn.has_part("cn", "foreignsecurityprincipals");
    match (
        dn.leaf().filter(|leaf| foreign && leaf.starts_with("s-1-")),
        id,
    ) {
        (Some(sid), _) => match sid.to_ascii_uppercase() {
            sid if sid.starts_with("S-1-5-21-") && sid.parse::<Sid>().is_ok() => {
                Member::Foreign { sid }
            }
            _ => Member::WellKnown,
        },
        (None, Some(id)) => Member::Object(id),
        (None, None) => Member::Unresolvable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_values_become_ids_or_say_why_not() {
        let user = "<GUID=8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e>;<SID=S-1-5-21-1-2-3-1105>;\
                    CN=Doe\\, Jane;<x>,OU=Staff,DC=corp,DC=test";
        let contact = "<GUID=8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e>;CN=Contact,DC=corp,DC=test";
        let foreign = "<GUID=8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5f>;<SID=S-1-5-21-9-9-9-500>;\
                       CN=S-1-5-21-9-9-9-500,CN=ForeignSecurityPrincipals,DC=corp,DC=test";
        let everyone = "<GUID=8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5f>;<SID=S-1-5-11>;\
                        CN=S-1-5-11,CN=ForeignSecurityPrincipals,DC=corp,DC=test";
        let id: ObjectId = "8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e".parse().unwrap();

        assert_eq!(decode(user), Member::Object(id));
        assert_eq!(decode(contact), Member::Object(id));
        assert_eq!(
            decode(foreign),
            Member::Foreign {
                sid: "S-1-5-21-9-9-9-500".to_owned()
            }
        );
        assert_eq!(decode(everyone), Member::WellKnown);
        assert_eq!(decode("CN=Jane,DC=corp,DC=test"), Member::Unresolvable);
        assert_eq!(decode("nonsense"), Member::Unresolvable);
    }
}
