//! S8: who is one person, and who must never become one.

use api::config::v1::{
    DecideLinkProposalRequest, Domain, Employee, LinkEmployeesRequest, LinkProposal, LinkReason,
    ListLinkProposalsRequest, RemovalPolicy, UnlinkAccountRequest, UpdateDomainRequest,
};
use api::directory::v1::{Account, Presence};
use prost_types::FieldMask;
use runtime::grpc::Reason;
use tonic::Status;

use crate::world::{World, operator, person, poll};

const CHIEF: &str = "chief@example.com";

/// Two domains, both authoritative for `example.com`.
async fn two_domains() -> World {
    let world = World::new().await;
    world.domain("corp").await;
    world.domain("lab").await;
    world
}

async fn told(world: &World, account: Account) -> Employee {
    world.tell(&account).await;
    world.employee_of(&account).await
}

async fn proposals(world: &World) -> Vec<LinkProposal> {
    let request = ListLinkProposalsRequest::default();
    world
        .employees()
        .list_link_proposals(request)
        .await
        .unwrap()
        .into_inner()
        .link_proposals
}

async fn link(world: &World, kept: &Employee, other: &Employee) -> Result<Employee, Status> {
    let request = LinkEmployeesRequest {
        name: kept.name.clone(),
        other: other.name.clone(),
    };
    world
        .employees()
        .link_employees(request)
        .await
        .map(tonic::Response::into_inner)
}

async fn unlink(world: &World, employee: &Employee, account: &Account) -> Result<Employee, Status> {
    let request = UnlinkAccountRequest {
        name: employee.name.clone(),
        account: account.name.clone(),
    };
    let channel = world.channel(operator());
    let mut client = api::config::v1::employee_service_client::EmployeeServiceClient::new(channel);
    client
        .unlink_account(request)
        .await
        .map(tonic::Response::into_inner)
}

#[tokio::test]
async fn the_same_mail_in_two_authoritative_domains_links() {
    let world = two_domains().await;

    let first = told(&world, person("corp", 1).mail(CHIEF).account()).await;
    let second = told(&world, person("lab", 2).mail("Chief@Example.COM").account()).await;

    assert_eq!(first.name, second.name);
    let reasons: Vec<_> = second
        .accounts
        .iter()
        .map(|account| account.link_reason())
        .collect();
    assert_eq!(reasons, [LinkReason::First, LinkReason::Mail]);
    assert_eq!(proposals(&world).await, []);
}

#[tokio::test]
async fn an_attacker_with_the_chiefs_mail_in_the_same_domain_stays_somebody_else() {
    let world = two_domains().await;
    let chief = told(&world, person("corp", 1).mail(CHIEF).account()).await;

    let attacker = told(&world, person("corp", 2).mail("eve@example.com").account()).await;
    let after = told(
        &world,
        person("corp", 2).mail(CHIEF).generation(2).account(),
    )
    .await;
    let fresh = told(&world, person("corp", 3).mail(CHIEF).account()).await;

    assert_eq!(after.name, attacker.name);
    assert!(after.name != chief.name && fresh.name != chief.name && fresh.name != after.name);
    assert_eq!(
        proposals(&world).await,
        [],
        "such a link could not be made by anybody"
    );
}

#[tokio::test]
async fn an_attacker_who_sets_their_mail_to_the_chiefs_in_another_domain_moves_nothing() {
    let world = two_domains().await;
    let chief = told(&world, person("corp", 1).mail(CHIEF).account()).await;
    let attacker = told(&world, person("lab", 2).mail("eve@example.com").account()).await;

    let after = told(&world, person("lab", 2).mail(CHIEF).generation(2).account()).await;

    assert_eq!(after.name, attacker.name);
    assert_ne!(after.name, chief.name);
    assert_eq!(after.accounts.len(), 1);
}

#[tokio::test]
async fn a_new_account_is_proposed_where_its_domain_does_not_vouch_for_the_mail() {
    let world = World::new().await;
    world.domain("corp").await;
    world
        .domain_with("lab", |domain| {
            domain.mail_suffixes = vec!["lab.example.com".into()];
        })
        .await;
    let chief = told(&world, person("corp", 1).mail(CHIEF).account()).await;

    let attacker = told(&world, person("lab", 2).mail(CHIEF).account()).await;

    assert_ne!(attacker.name, chief.name);
    let proposals = proposals(&world).await;
    assert_eq!(proposals.len(), 1);
    assert_eq!(
        (&proposals[0].employee, &proposals[0].candidate),
        (&attacker.name, &chief.name)
    );
    assert!(
        proposals[0].reason.contains("authoritative"),
        "{}",
        proposals[0].reason
    );
}

#[tokio::test]
async fn a_privileged_chief_is_proposed_never_linked() {
    let world = two_domains().await;
    let chief = told(&world, person("corp", 1).mail(CHIEF).privileged().account()).await;

    let other = told(&world, person("lab", 2).mail(CHIEF).account()).await;

    assert_ne!(other.name, chief.name);
    assert_eq!(proposals(&world).await.len(), 1);
}

#[tokio::test]
async fn an_unlink_stands_for_good_and_only_a_person_undoes_it() {
    let world = two_domains().await;
    let (mine, theirs) = (
        person("corp", 1).mail(CHIEF).account(),
        person("lab", 2).mail(CHIEF).account(),
    );
    told(&world, mine.clone()).await;
    let linked = told(&world, theirs.clone()).await;

    let new = unlink(&world, &linked, &theirs).await.unwrap();
    assert_ne!(new.name, linked.name);
    assert_eq!(
        (new.accounts.len(), new.accounts[0].link_reason()),
        (1, LinkReason::First)
    );

    // Told again, changed, left and back: it stays apart, and nobody is asked.
    for (generation, presence) in [
        (2, Presence::Member),
        (3, Presence::Left),
        (4, Presence::Member),
    ] {
        let again = person("lab", 2)
            .mail(CHIEF)
            .presence(presence)
            .generation(generation)
            .account();
        assert_eq!(told(&world, again).await.name, new.name);
    }
    assert_eq!(proposals(&world).await, []);

    let only = unlink(&world, &new, &theirs).await.unwrap_err();
    assert_eq!(Reason::of(&only), Some(Reason::LinkConflict));

    let again = link(&world, &linked, &new).await.unwrap();
    assert_eq!(again.accounts.len(), 2);
    assert_eq!(again.accounts[1].linked_by, "administrator");
}

#[tokio::test]
async fn an_account_taken_apart_stays_apart_even_after_its_employee_was_deleted() {
    let world = World::new().await;
    world.domain("corp").await;
    world
        .domain_with("lab", |domain| {
            domain.removal_policy = RemovalPolicy::Delete.into();
            domain.removal_grace = Some(prost_types::Duration::default());
        })
        .await;
    let theirs = person("lab", 2).mail(CHIEF);
    told(&world, person("corp", 1).mail(CHIEF).account()).await;
    let linked = told(&world, theirs.account()).await;
    let new = unlink(&world, &linked, &person("lab", 2).account())
        .await
        .unwrap();

    let left = person("lab", 2).mail(CHIEF).presence(Presence::Left);
    world.tell(&left.generation(2).account()).await;
    world.settled().await;
    assert!(
        world
            .all_employees()
            .await
            .iter()
            .all(|employee| employee.name != new.name)
    );
    let back = told(&world, person("lab", 2).mail(CHIEF).generation(3).account()).await;

    assert!(back.name != linked.name && back.name != new.name);
    assert_eq!(proposals(&world).await, [], "it was decided for good");
}

#[tokio::test]
async fn people_cannot_link_within_one_domain_either() {
    let world = two_domains().await;
    let one = told(&world, person("corp", 1).account()).await;
    let two = told(&world, person("corp", 2).account()).await;
    let three = told(&world, person("lab", 3).account()).await;

    for (kept, other) in [(&one, &two), (&one, &one)] {
        let status = link(&world, kept, other).await.unwrap_err();
        assert_eq!(Reason::of(&status), Some(Reason::LinkConflict));
    }
    let linked = link(&world, &one, &three).await.unwrap();
    assert_eq!(linked.accounts.len(), 2);
    let status = link(&world, &two, &three).await.unwrap_err();
    assert_eq!(Reason::of(&status), Some(Reason::NotFound), "{status}");
}

#[tokio::test]
async fn a_proposal_is_accepted_or_refused_once_and_for_good() {
    let world = World::new().await;
    world.domain("corp").await;
    world
        .domain_with("lab", |domain| {
            domain.mail_suffixes = vec!["lab.example.com".into()];
        })
        .await;
    let chief = told(&world, person("corp", 1).mail(CHIEF).account()).await;
    told(&world, person("lab", 2).mail(CHIEF).account()).await;
    told(&world, person("corp", 3).mail("ada@example.com").account()).await;
    told(&world, person("lab", 4).mail("ada@example.com").account()).await;
    // Made at one instant of a clock that stands still, they are in no order.
    let mut open = proposals(&world).await;
    open.sort_by_key(|proposal| proposal.candidate != chief.name);
    let decide = async |name: &str, accept| {
        let request = DecideLinkProposalRequest {
            name: name.into(),
            accept,
        };
        world
            .employees()
            .decide_link_proposal(request)
            .await
            .map(tonic::Response::into_inner)
    };

    let accepted = decide(&open[0].name, true).await.unwrap();
    assert_eq!(accepted.decided_by, "administrator");
    let person_now = world.employee_of(&person("lab", 2).account()).await;
    assert_eq!(
        (person_now.name.as_str(), person_now.accounts.len()),
        (chief.name.as_str(), 2)
    );

    decide(&open[1].name, false).await.unwrap();
    for name in [&open[0].name, &open[1].name] {
        let status = decide(name, true).await.unwrap_err();
        assert_eq!(Reason::of(&status), Some(Reason::ProposalDecided));
    }
    assert_eq!(proposals(&world).await, []);
}

#[tokio::test]
async fn the_active_account_of_the_highest_precedence_is_shown_whole() {
    let world = World::new().await;
    world.domain("corp").await;
    world
        .domain_with("lab", |domain| domain.precedence = 5)
        .await;
    told(
        &world,
        person("corp", 1).named("Of corp").mail(CHIEF).account(),
    )
    .await;
    let shown = told(
        &world,
        person("lab", 2).named("Of lab").mail(CHIEF).account(),
    )
    .await;
    assert_eq!(shown.display_name, "Of lab");

    let disabled = person("lab", 2)
        .named("Of lab")
        .mail(CHIEF)
        .disabled()
        .generation(2)
        .account();
    let shown = told(&world, disabled).await;
    assert_eq!(
        (shown.display_name.as_str(), shown.active),
        ("Of corp", true)
    );

    told(
        &world,
        person("lab", 2)
            .named("Of lab")
            .mail(CHIEF)
            .generation(3)
            .account(),
    )
    .await;
    let mut domain = Domain {
        name: "domains/corp".into(),
        precedence: 9,
        ..Default::default()
    };
    domain.etag.clear();
    let request = UpdateDomainRequest {
        domain: Some(domain),
        update_mask: Some(FieldMask {
            paths: vec!["precedence".into()],
        }),
        validate_only: false,
    };
    world.domains().update_domain(request).await.unwrap();
    poll("the precedence has its effect", async || {
        let employee = world.employee_of(&person("corp", 1).account()).await;
        (employee.display_name == "Of corp").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_changed_mail_keeps_the_link_and_the_last_account_decides_whether_they_are_active() {
    let world = two_domains().await;
    let linked = told(&world, person("corp", 1).mail(CHIEF).account()).await;
    told(&world, person("lab", 2).mail(CHIEF).account()).await;

    let moved = told(
        &world,
        person("lab", 2)
            .mail("other@example.com")
            .generation(2)
            .account(),
    )
    .await;
    assert_eq!(
        (moved.name.as_str(), moved.accounts.len()),
        (linked.name.as_str(), 2)
    );

    let one_left = person("corp", 1)
        .mail(CHIEF)
        .presence(Presence::Left)
        .generation(2)
        .account();
    assert!(told(&world, one_left).await.active);
    let both_left = person("lab", 2)
        .presence(Presence::Deleted)
        .generation(3)
        .account();
    let gone = told(&world, both_left).await;
    assert_eq!((gone.active, gone.accounts.len()), (false, 2));
}

#[tokio::test]
async fn an_entra_account_belongs_to_the_twin_it_is_synced_from_and_to_no_other_forests() {
    let world = two_domains().await;
    // Entra domains can't be added yet; their accounts are linked all the same.
    world.settled().await;
    world
        .execute("UPDATE domain SET kind = 2 WHERE id = 'lab'")
        .await
        .unwrap();
    let twin = "S-1-5-21-1-2-4-1104";
    let foreign = "S-1-5-21-9-9-9-1104";
    let on_premises = told(&world, person("corp", 1).sid(twin).account()).await;
    let elsewhere = told(&world, person("corp", 2).sid(foreign).account()).await;

    let synced = told(&world, person("lab", 3).sid(twin).account()).await;
    let claimed = told(&world, person("lab", 4).sid(foreign).account()).await;

    assert_eq!(synced.name, on_premises.name);
    let reasons: Vec<_> = synced
        .accounts
        .iter()
        .map(|account| account.link_reason())
        .collect();
    assert_eq!(reasons, [LinkReason::First, LinkReason::SecurityIdentifier]);
    assert_ne!(claimed.name, elsewhere.name);
}

#[tokio::test]
async fn a_sid_alone_links_nobody_within_one_kind_of_directory() {
    let world = two_domains().await;
    let one = told(
        &world,
        person("corp", 1).sid("S-1-5-21-1-2-4-1104").account(),
    )
    .await;
    let two = told(
        &world,
        person("lab", 2).sid("S-1-5-21-1-2-4-1104").account(),
    )
    .await;
    assert_ne!(one.name, two.name);
}

#[tokio::test]
async fn a_crowd_of_namesakes_elsewhere_hides_no_rival() {
    let mail = "chief@example.com";
    // So many that the rival is the last to be looked at, and one more, so that it isn't.
    for crowd in [63, 64] {
        let world = World::new().await;
        world
            .domain_with("aaa", |domain| {
                domain.mail_suffixes = vec!["elsewhere.example".into()];
            })
            .await;
        world.domain("corp").await;
        world.domain("lab").await;
        for number in 0..crowd {
            world
                .tell(&person("aaa", 1000 + number).mail(mail).account())
                .await;
        }
        let chief = told(&world, person("corp", 1).mail(mail).account()).await;
        told(&world, person("corp", 2).mail(mail).account()).await;

        let attacker = told(&world, person("lab", 3).mail(mail).account()).await;

        assert_ne!(attacker.name, chief.name, "{crowd}");
        assert_eq!(attacker.accounts.len(), 1);
    }
}
