use directory::{DomainId, ObjectId};

use super::*;
use crate::testing::{account, object};

struct Person {
    key: AccountKey,
    account: Account,
    presence: Presence,
    policy: RemovalPolicy,
    precedence: i32,
}

fn person(domain: &str, id: ObjectId) -> Person {
    let domain: DomainId = domain.parse().unwrap();
    Person {
        key: AccountKey { domain, object: id },
        account: account(id, "ada"),
        presence: Presence::Member,
        policy: RemovalPolicy::Deactivate,
        precedence: 0,
    }
}

fn day(n: i64) -> Timestamp {
    Timestamp::from_second(n * 86_400).unwrap()
}

/// Everybody's presence dates from day 0.
fn holdings(people: &[Person]) -> Vec<Holding<'_>> {
    fn holding(person: &Person) -> Holding<'_> {
        Holding {
            key: &person.key,
            account: &person.account,
            presence: person.presence,
            since: day(0),
            policy: person.policy,
            precedence: person.precedence,
        }
    }
    people.iter().map(holding).collect()
}

fn prevails(people: &[Person]) -> Option<String> {
    let holdings = holdings(people);
    prevailing(&holdings, day(1)).map(|holding| holding.key.domain.to_string())
}

#[test]
fn the_highest_precedence_prevails_then_the_lowest_domain_id() {
    let mut people = [
        person("b", object(1)),
        person("c", object(2)),
        person("a", object(3)),
    ];

    assert_eq!(prevails(&people).as_deref(), Some("a"));
    people[1].precedence = 1;
    assert_eq!(prevails(&people).as_deref(), Some("c"));
    assert_eq!(prevails(&[]), None);
}

#[test]
fn an_active_account_prevails_over_an_inactive_one_of_higher_precedence() {
    let mut people = [person("a", object(1)), person("b", object(2))];
    people[0].precedence = 9;
    people[0].account.state.disabled = true;

    assert_eq!(prevails(&people).as_deref(), Some("b"));
    assert_eq!(standing(&holdings(&people), day(1)), Standing::Active);
}

#[test]
fn what_a_departure_does_is_the_policy_of_the_domain() {
    let grace = SignedDuration::from_hours(24 * 30);
    let table = [
        (RemovalPolicy::Keep, 29, Standing::Active),
        (RemovalPolicy::Keep, 31, Standing::Active),
        (RemovalPolicy::Deactivate, 31, Standing::Inactive),
        (RemovalPolicy::Delete { grace }, 29, Standing::Inactive),
        (RemovalPolicy::Delete { grace }, 30, Standing::Removable),
    ];

    for (policy, days, expected) in table {
        for presence in [Presence::Left, Presence::Deleted] {
            let mut ada = person("a", object(1));
            ada.policy = policy;
            ada.presence = presence;

            let found = standing(&holdings(&[ada]), day(days));
            assert_eq!(found, expected, "{policy:?} after {days} days");
        }
    }
}

#[test]
fn an_employee_is_removable_only_when_every_account_is() {
    let delete = RemovalPolicy::Delete {
        grace: SignedDuration::ZERO,
    };
    let mut people = [person("a", object(1)), person("b", object(2))];
    for person in &mut people {
        person.presence = Presence::Deleted;
        person.policy = delete;
    }

    assert_eq!(standing(&holdings(&people), day(1)), Standing::Removable);
    people[1].policy = RemovalPolicy::Deactivate;
    assert_eq!(standing(&holdings(&people), day(1)), Standing::Inactive);
    assert_eq!(standing(&[], day(1)), Standing::Inactive);
}
