//! Whose password is never reset, whatever a group says (R9): accounts that a directory's own administrators are, and
//! those that are no person's.

use directory::Sid;

/// Relative ids of a domain's groups whose members hold, or can take, control of it: those that AdminSDHolder protects, and
/// the owners of group policy.
const DOMAIN_GROUPS: &[u32] = &[
    512, // Domain Admins
    516, // Domain Controllers
    518, // Schema Admins
    519, // Enterprise Admins
    520, // Group Policy Creator Owners
    521, // Read-only Domain Controllers
    526, // Key Admins
    527, // Enterprise Key Admins
];

/// Relative ids of BUILTIN's.
const BUILTIN_GROUPS: &[u32] = &[
    544, // Administrators
    548, // Account Operators
    549, // Server Operators
    550, // Print Operators
    551, // Backup Operators
    552, // Replicator
];

/// The first relative id that is not given out by the directory itself.
const FIRST_ORDINARY: u32 = 1_000;

/// Whether an account of this relative id came with the directory: the administrator, guest, krbtgt and their like.
pub(super) fn is_built_in(account: &Sid) -> bool {
    account.rid().is_none_or(|rid| rid < FIRST_ORDINARY)
}

/// The first of the account's groups that is protected.
pub(super) fn protected_group<'a>(
    domain: &Sid,
    groups: impl IntoIterator<Item = &'a Sid>,
) -> Option<&'a Sid> {
    groups.into_iter().find(|group| {
        let Some(rid) = group.rid() else {
            return false;
        };
        match group.domain() {
            // Enterprise and Schema Admins are of the forest's root domain, which may be another.
            Some(of) if of == *domain => DOMAIN_GROUPS.contains(&rid),
            Some(of) if of.to_string() == "S-1-5-32" => BUILTIN_GROUPS.contains(&rid),
            Some(of) if of.to_string().starts_with("S-1-5-21-") => matches!(rid, 518 | 519 | 527),
            Some(_) | None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(text: &str) -> Sid {
        text.parse().unwrap()
    }

    #[test]
    fn protected_groups_are_told_by_domain_and_number() {
        let domain = sid("S-1-5-21-1-2-3");
        for (group, protected) in [
            ("S-1-5-21-1-2-3-512", true),
            ("S-1-5-21-1-2-3-513", false),
            ("S-1-5-21-1-2-3-1512", false),
            ("S-1-5-32-544", true),
            ("S-1-5-32-545", false),
            // Of the forest's root, and of a domain that is merely trusted.
            ("S-1-5-21-9-9-9-519", true),
            ("S-1-5-21-9-9-9-512", false),
        ] {
            let group = sid(group);
            let found = protected_group(&domain, [&group]);
            assert_eq!(found.is_some(), protected, "{group}");
        }
    }

    #[test]
    fn accounts_that_came_with_the_directory_are_told_by_number() {
        assert!(is_built_in(&sid("S-1-5-21-1-2-3-500")));
        assert!(is_built_in(&sid("S-1-5-21-1-2-3-999")));
        assert!(!is_built_in(&sid("S-1-5-21-1-2-3-1000")));
    }
}
