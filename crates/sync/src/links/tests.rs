use directory::DomainId;
use uuid::Uuid;

use super::*;
use crate::testing::object;

const CHIEF: &str = "chief@example.com";

fn employee(n: u128) -> EmployeeId {
    EmployeeId(Uuid::from_u128(n))
}

/// An ordinary account of an AD domain that holds the suffix, with the chief executive's mail.
fn party(domain: &str, n: u128) -> Party {
    let domain: DomainId = domain.parse().unwrap();
    Party {
        key: AccountKey {
            domain,
            object: object(n),
        },
        employee: None,
        directory: DirectoryKind::ActiveDirectory,
        domain_sid: None,
        sid: None,
        kind: Kind::Member,
        presence: Presence::Member,
        privileged: Flag::No,
        mail: CHIEF.parse().ok(),
        authoritative: true,
    }
}

fn of(n: u128, party: Party) -> Party {
    Party {
        employee: Some(employee(n)),
        ..party
    }
}

fn proposal(employees: &[u128], doubts: &[Doubt]) -> Decision {
    Decision::Propose {
        employees: employees.iter().copied().map(employee).collect(),
        reason: LinkReason::Mail,
        doubts: doubts.to_vec(),
    }
}

fn linked(n: u128, reason: LinkReason) -> Decision {
    Decision::LinkTo {
        employee: employee(n),
        reason,
    }
}

#[test]
fn two_ordinary_accounts_alone_with_a_mail_both_domains_hold_are_one_person() {
    let decision = decide(&party("b", 2), &[of(1, party("a", 1))], &[]);

    assert_eq!(decision, linked(1, LinkReason::Mail));
}

#[test]
fn nobody_with_the_mail_is_a_new_employee() {
    let stranger = Party {
        mail: "other@example.com".parse().ok(),
        ..of(1, party("a", 1))
    };
    let without = Party {
        mail: None,
        ..party("b", 2)
    };

    let decided = decide(&party("b", 2), &[stranger], &[]);
    assert_eq!(decided, Decision::NewEmployee);
    let decided = decide(&without, &[of(1, party("a", 1))], &[]);
    assert_eq!(decided, Decision::NewEmployee);
}

// The hijack: an attacker sets their own mail to the chief executive's.

#[test]
fn hijack_within_one_domain_makes_no_link_and_no_proposal() {
    let attacker = party("a", 2);

    let decision = decide(&attacker, &[of(1, party("a", 1))], &[]);

    assert_eq!(decision, Decision::NewEmployee);
}

#[test]
fn hijack_from_a_domain_that_does_not_hold_the_suffix_is_proposed() {
    let attacker = Party {
        authoritative: false,
        ..party("b", 2)
    };

    let decision = decide(&attacker, &[of(1, party("a", 1))], &[]);

    assert_eq!(decision, proposal(&[1], &[Doubt::NotAuthoritative]));
}

#[test]
fn hijack_of_a_privileged_chief_is_proposed_and_unknown_is_privileged() {
    for privileged in [Flag::Yes, Flag::Unknown] {
        let chief = Party {
            privileged,
            ..of(1, party("a", 1))
        };

        let decision = decide(&party("b", 2), std::slice::from_ref(&chief), &[]);
        assert_eq!(decision, proposal(&[1], &[Doubt::Privileged]));

        let admin = Party {
            employee: None,
            ..chief
        };
        let decision = decide(&admin, &[of(2, party("b", 2))], &[]);
        assert_eq!(decision, proposal(&[2], &[Doubt::Privileged]));
    }
}

#[test]
fn hijack_of_a_chief_with_another_privileged_account_is_proposed() {
    let chief = of(1, party("a", 1));
    let admin = Party {
        privileged: Flag::Yes,
        mail: None,
        ..of(1, party("c", 3))
    };

    let decision = decide(&party("b", 2), &[chief, admin], &[]);

    assert_eq!(decision, proposal(&[1], &[Doubt::Privileged]));
}

#[test]
fn hijack_where_the_chief_has_accounts_in_both_domains_is_never_linked() {
    let chief = [of(1, party("a", 1)), of(1, party("b", 2))];

    let decision = decide(&party("b", 3), &chief, &[]);

    let doubts = [Doubt::SameDomain, Doubt::NotUnique];
    assert_eq!(decision, proposal(&[1], &doubts));
}

#[test]
fn hijack_by_changing_the_mail_of_an_account_that_has_an_employee_moves_nothing() {
    let attacker = of(9, party("b", 2));

    let decision = decide(&attacker, &[of(1, party("a", 1))], &[]);

    assert_eq!(decision, Decision::Keep(employee(9)));
}

#[test]
fn a_rival_on_either_side_leaves_it_to_a_person() {
    let chief = of(1, party("a", 1));
    let rival_there = of(2, party("a", 3));
    let rival_here = Party {
        privileged: Flag::Yes,
        ..of(3, party("b", 4))
    };

    let decision = decide(&party("b", 2), &[chief.clone(), rival_there], &[]);
    let doubts = [Doubt::SeveralEmployees, Doubt::NotUnique];
    assert_eq!(decision, proposal(&[1, 2], &doubts));

    let decision = decide(&party("b", 2), &[chief, rival_here], &[]);
    assert_eq!(decision, proposal(&[1], &[Doubt::NotUnique]));
}

#[test]
fn guests_are_never_linked_by_mail_and_are_nobodys_rival() {
    let chief = of(1, party("a", 1));
    let guest = Party {
        kind: Kind::Guest,
        ..party("b", 2)
    };
    let guest_there = of(
        2,
        Party {
            kind: Kind::Guest,
            ..party("a", 3)
        },
    );

    let decision = decide(&guest, std::slice::from_ref(&chief), &[]);
    assert_eq!(decision, proposal(&[1], &[Doubt::Guest]));
    let decision = decide(
        &party("b", 4),
        &[chief, of(2, party("b", 5)), guest_there],
        &[],
    );
    assert!(matches!(decision, Decision::Propose { .. }), "{decision:?}");
}

#[test]
fn a_mail_passed_on_by_somebody_who_left_is_proposed() {
    let left = Party {
        presence: Presence::Left,
        ..of(1, party("a", 1))
    };

    let decision = decide(&party("b", 2), &[left], &[]);

    assert_eq!(decision, proposal(&[1], &[Doubt::NotPresent]));
}

#[test]
fn a_domain_without_say_cannot_spoil_a_link_between_those_that_have() {
    let chief = of(1, party("a", 1));
    let squatter = Party {
        authoritative: false,
        ..of(2, party("c", 3))
    };

    let decision = decide(&party("b", 2), &[chief, squatter], &[]);

    assert_eq!(decision, linked(1, LinkReason::Mail));
}

#[test]
fn an_unlink_stands_for_good_in_both_directions() {
    let (here, there) = (party("b", 2), of(1, party("a", 1)));
    let unlinks = [
        Unlink(here.key.clone(), there.key.clone()),
        Unlink(there.key.clone(), here.key.clone()),
    ];

    for unlink in unlinks {
        let decision = decide(&here, std::slice::from_ref(&there), &[unlink]);
        assert_eq!(decision, Decision::NewEmployee);
    }
}

#[test]
fn an_unlink_from_one_account_is_an_unlink_from_its_employee() {
    let here = party("b", 2);
    let others = [of(1, party("a", 1)), of(1, party("c", 3))];
    let unlink = Unlink(here.key.clone(), others[1].key.clone());

    assert_eq!(decide(&here, &others, &[unlink]), Decision::NewEmployee);
}

fn synced_pair() -> (Party, Party) {
    let on_premises = Party {
        domain_sid: "S-1-5-21-1-2-3".parse().ok(),
        sid: "S-1-5-21-1-2-3-1104".parse().ok(),
        mail: None,
        ..party("a", 1)
    };
    let cloud = Party {
        directory: DirectoryKind::EntraId,
        sid: on_premises.sid.clone(),
        mail: None,
        ..party("tenant", 2)
    };
    (on_premises, cloud)
}

#[test]
fn a_twin_is_linked_by_its_security_identifier_whichever_came_first() {
    let (on_premises, cloud) = synced_pair();
    let expected = linked(1, LinkReason::SecurityIdentifier);

    let decided = decide(&cloud, &[of(1, on_premises.clone())], &[]);
    assert_eq!(decided, expected);
    assert_eq!(decide(&on_premises, &[of(1, cloud)], &[]), expected);
}

#[test]
fn a_security_identifier_of_another_domain_or_kind_proves_nothing() {
    let (on_premises, cloud) = synced_pair();
    let foreign = Party {
        domain_sid: "S-1-5-21-9-9-9".parse().ok(),
        ..on_premises.clone()
    };
    let unpinned = Party {
        domain_sid: None,
        ..on_premises.clone()
    };
    let same_kind = Party {
        key: party("b", 3).key,
        ..on_premises
    };

    for other in [foreign, unpinned] {
        let decided = decide(&cloud, &[of(1, other)], &[]);
        assert_eq!(decided, Decision::NewEmployee);
    }
    let decided = decide(&same_kind, &[of(1, synced_pair().0)], &[]);
    assert_eq!(decided, Decision::NewEmployee);
}

#[test]
fn a_twin_goes_before_a_mail() {
    let (on_premises, mut cloud) = synced_pair();
    cloud.mail = CHIEF.parse().ok();

    let others = [of(1, on_premises), of(2, party("b", 3))];

    let expected = linked(1, LinkReason::SecurityIdentifier);
    assert_eq!(decide(&cloud, &others, &[]), expected);
}

#[test]
fn two_tenants_that_name_one_account_leave_it_to_a_person() {
    let (on_premises, cloud) = synced_pair();
    let other_cloud = Party {
        key: party("tenant-2", 3).key,
        ..cloud.clone()
    };

    let decision = decide(&on_premises, &[of(1, cloud), of(2, other_cloud)], &[]);

    let expected = Decision::Propose {
        employees: vec![employee(1), employee(2)],
        reason: LinkReason::SecurityIdentifier,
        doubts: vec![Doubt::SeveralEmployees],
    };
    assert_eq!(decision, expected);
}
