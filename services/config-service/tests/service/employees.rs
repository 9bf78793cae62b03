use std::sync::Arc;

use api::config::v1::{
    DeleteDomainRequest, Domain, Employee, GetDomainRequest, GetEmployeeRequest, LinkReason,
    ListEmployeesRequest, RemovalPolicy, StreamEmployeesRequest, UpdateDomainRequest,
    WatchEmployeesRequest,
};
use api::directory::v1::Presence;
use events::{Bus as _, ConsumerSpec, Filter, Received};
use futures::TryStreamExt as _;
use prost_types::{Duration, FieldMask};
use runtime::grpc::Reason;
use tonic::Code;

use crate::connector::FakeConnector;
use crate::requests::update;
use crate::world::{self, World, person, pinned, poll};

const DAY: u64 = 24;

fn keeps(policy: RemovalPolicy) -> impl FnOnce(&mut Domain) {
    move |domain| {
        domain.removal_policy = policy.into();
        domain.removal_grace = Some(Duration {
            seconds: 10 * 86_400,
            nanos: 0,
        });
    }
}

#[tokio::test]
async fn a_member_becomes_an_employee_and_follows_the_directory() {
    let world = World::new().await;
    world.domain("corp").await;

    let joined = person("corp", 1).named("Ada").mail("ada@corp.example.com");
    world.tell(&joined.account()).await;
    let employee = world.employee_of(&person("corp", 1).account()).await;
    assert_eq!(
        (employee.display_name.as_str(), employee.mail.as_str()),
        ("Ada", "ada@corp.example.com")
    );
    assert_eq!((employee.active, employee.generation), (true, 1));
    assert_eq!(employee.accounts[0].link_reason(), LinkReason::First);

    let renamed = person("corp", 1).named("Ada King").generation(2).account();
    world.tell(&renamed).await;
    let after = world.employee_of(&renamed).await;
    assert_eq!(
        (
            after.display_name.as_str(),
            after.mail.as_str(),
            after.generation
        ),
        ("Ada King", "", 2)
    );
    assert_eq!(
        (after.name.as_str(), &after.create_time),
        (employee.name.as_str(), &employee.create_time)
    );

    let disabled = person("corp", 1)
        .named("Ada King")
        .disabled()
        .generation(3)
        .account();
    world.tell(&disabled).await;
    assert!(!world.employee_of(&disabled).await.active);
}

#[tokio::test]
async fn what_is_old_or_told_twice_changes_nothing_and_tells_nothing() {
    let world = World::new().await;
    world.domain("corp").await;
    let filter = Filter::family("employee").unwrap();
    let spec = ConsumerSpec {
        name: "test".into(),
        filter,
        max_deliver: 3,
        ack_wait: std::time::Duration::from_secs(60),
        lifetime: events::Lifetime::Durable,
    };
    let mut consumer = world.bus.consumer(spec).await.unwrap();
    let newer = person("corp", 1).named("Newer").generation(5).account();
    for account in [
        newer.clone(),
        person("corp", 1).named("Older").generation(4).account(),
        newer.clone(),
    ] {
        world.tell(&account).await;
    }
    world.settled().await;

    let employee = world.employee_of(&newer).await;
    assert_eq!(
        (employee.display_name.as_str(), employee.generation),
        ("Newer", 1)
    );
    let id = employee.name.strip_prefix("employees/").unwrap().to_owned();
    let mut subjects = Vec::new();
    while subjects.len() < 2 {
        let Received::Events(deliveries) = consumer.next(10).await.unwrap() else {
            panic!("a gap");
        };
        consumer.ack(&deliveries).await.unwrap();
        subjects.extend(
            deliveries
                .into_iter()
                .map(|delivery| delivery.envelope.subject.to_string()),
        );
    }
    // One for the person, one for the marker told last.
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert_eq!(subjects[0], format!("hes.employee.{id}.employee.created"));
    assert!(!subjects[1].contains(&id) && subjects[1].ends_with(".employee.created"));
}

#[tokio::test]
async fn only_members_become_employees() {
    let world = World::new().await;
    world.domain("corp").await;
    for (number, presence) in [
        (1, Presence::RotationOnly),
        (2, Presence::Left),
        (3, Presence::Deleted),
    ] {
        world
            .tell(&person("corp", number).presence(presence).account())
            .await;
    }
    // Of a domain that isn't configured here.
    world.tell(&person("elsewhere", 4).account()).await;
    world.settled().await;
    assert_eq!(world.all_employees().await.len(), 1, "the marker alone");

    let member = person("corp", 1).generation(2).account();
    world.tell(&member).await;
    assert!(world.employee_of(&member).await.active);
}

/// The employee after their only account left, and what became of it ten days later.
async fn leaver(policy: RemovalPolicy) -> (Employee, Option<Employee>) {
    let world = World::new().await;
    world.domain_with("corp", keeps(policy)).await;
    world.tell(&person("corp", 1).account()).await;
    let left = person("corp", 1)
        .presence(Presence::Left)
        .generation(2)
        .account();
    world.tell(&left).await;
    let after = world.employee_of(&left).await;

    world
        .clock
        .advance(std::time::Duration::from_hours(11 * DAY));
    let get = GetEmployeeRequest {
        name: after.name.clone(),
    };
    let later = if policy == RemovalPolicy::Delete {
        poll("the employee is deleted", async || {
            let status = world.employees().get_employee(get.clone()).await.err()?;
            (status.code() == Code::NotFound).then_some(())
        })
        .await;
        // The account is known all the same, and makes a new employee when it returns.
        let back = person("corp", 1).generation(3).account();
        world.tell(&back).await;
        assert_ne!(world.employee_of(&back).await.name, after.name);
        None
    } else {
        world.settled().await;
        Some(
            world
                .employees()
                .get_employee(get)
                .await
                .unwrap()
                .into_inner(),
        )
    };
    (after, later)
}

#[tokio::test]
async fn who_leaves_is_kept_deactivated_or_deleted_as_the_domain_says() {
    let (kept, later) = leaver(RemovalPolicy::Keep).await;
    assert!(kept.active && kept.purge_time.is_none() && later == Some(kept));

    let (deactivated, later) = leaver(RemovalPolicy::Deactivate).await;
    assert!(!deactivated.active && deactivated.purge_time.is_none() && later == Some(deactivated));

    let (leaving, gone) = leaver(RemovalPolicy::Delete).await;
    assert!(!leaving.active && leaving.purge_time.is_some() && gone.is_none());
}

#[tokio::test]
async fn who_returns_before_the_purge_is_revived_and_who_is_recreated_is_new() {
    let world = World::new().await;
    world
        .domain_with("corp", keeps(RemovalPolicy::Delete))
        .await;
    let mail = "ada@corp.example.com";
    world.tell(&person("corp", 1).mail(mail).account()).await;
    let deleted = person("corp", 1)
        .mail(mail)
        .presence(Presence::Deleted)
        .generation(2)
        .account();
    world.tell(&deleted).await;
    let before = world.employee_of(&deleted).await;
    assert!(before.purge_time.is_some());

    // The same name and mail under another object id.
    let recreated = person("corp", 2).mail(mail).account();
    world.tell(&recreated).await;
    assert_ne!(world.employee_of(&recreated).await.name, before.name);

    let restored = person("corp", 1).mail(mail).generation(3).account();
    world.tell(&restored).await;
    let after = world.employee_of(&restored).await;
    assert_eq!(
        (after.name.as_str(), after.active, after.purge_time),
        (before.name.as_str(), true, None)
    );
}

#[tokio::test]
async fn a_policy_that_changes_gives_who_left_long_ago_the_whole_grace() {
    let world = World::new().await;
    let domain = world
        .domain_with("corp", keeps(RemovalPolicy::Deactivate))
        .await;
    world.tell(&person("corp", 1).account()).await;
    let left = person("corp", 1)
        .presence(Presence::Left)
        .generation(2)
        .account();
    world.tell(&left).await;
    let name = world.employee_of(&left).await.name;
    world
        .clock
        .advance(std::time::Duration::from_hours(100 * DAY));

    let mut request = UpdateDomainRequest {
        domain: Some(Domain {
            name: domain.name,
            ..Default::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["removal_policy".into()],
        }),
        validate_only: false,
    };
    request
        .domain
        .as_mut()
        .unwrap()
        .set_removal_policy(RemovalPolicy::Delete);
    world.domains().update_domain(request).await.unwrap();

    let get = GetEmployeeRequest { name };
    let leaving = poll("the employee is leaving", async || {
        let employee = world
            .employees()
            .get_employee(get.clone())
            .await
            .unwrap()
            .into_inner();
        employee.purge_time.is_some().then_some(employee)
    })
    .await;
    let now: i64 = runtime::Clock::now(&world.clock).as_second();
    assert_eq!(leaving.purge_time.unwrap().seconds, now + 10 * 86_400);
}

#[tokio::test]
async fn lists_are_filtered_by_domain_and_by_the_beginning_of_a_name() {
    let world = World::new().await;
    world.domain("corp").await;
    world.domain("lab").await;
    let people = [
        person("corp", 1)
            .named("Ada Lovelace")
            .mail("ada@x.example"),
        person("corp", 2).named("Émile Zola"),
        person("lab", 3)
            .named("Grace Hopper")
            .mail("amazing@y.example"),
    ];
    for person in people {
        world.tell(&person.account()).await;
    }
    world.settled().await;

    let names = async |domain: &str, query: &str, page_size: i32, page_token: &str| {
        let request = ListEmployeesRequest {
            page_size,
            page_token: page_token.into(),
            domain: domain.into(),
            query: query.into(),
        };
        let answer = world
            .employees()
            .list_employees(request)
            .await
            .map(tonic::Response::into_inner)?;
        let next = answer.next_page_token.clone();
        let employees = answer.into_employees().unwrap();
        let names = employees.into_iter().map(|employee| employee.display_name);
        Ok::<_, tonic::Status>((names.collect::<Vec<_>>(), next))
    };

    assert_eq!(names("", "", 0, "").await.unwrap().0.len(), 4);
    assert_eq!(
        names("domains/lab", "", 0, "").await.unwrap().0,
        ["Grace Hopper"]
    );
    assert_eq!(names("", "ADA L", 0, "").await.unwrap().0, ["Ada Lovelace"]);
    assert_eq!(names("", "émi", 0, "").await.unwrap().0, ["Émile Zola"]);
    assert_eq!(names("", "lab-3", 0, "").await.unwrap().0, ["Grace Hopper"]);
    assert_eq!(names("", "lovelace", 0, "").await.unwrap().0.len(), 0);
    assert_eq!(
        names("domains/corp", "a", 0, "").await.unwrap().0,
        ["Ada Lovelace"]
    );
    assert_eq!(names("", "%", 0, "").await.unwrap().0.len(), 0);
    let (first, token) = names("domains/corp", "", 1, "").await.unwrap();
    let (second, end) = names("domains/corp", "", 1, &token).await.unwrap();
    let mut both = [first, second].concat();
    both.sort();
    assert_eq!(both, ["Ada Lovelace", "Émile Zola"]);
    assert_eq!(end, "");
    let foreign = names("domains/lab", "", 1, &token).await.unwrap_err();
    assert_eq!(Reason::of(&foreign), Some(Reason::InvalidPageToken));
    assert_eq!(
        names("nonsense", "", 0, "").await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn changes_are_watched_and_everybody_is_streamed() {
    let world = World::new().await;
    world.domain("corp").await;
    let mut watch = world
        .employees()
        .watch_employees(WatchEmployeesRequest {})
        .await
        .unwrap()
        .into_inner();

    world.tell(&person("corp", 1).named("Ada").account()).await;

    let seen = watch.message().await.unwrap().unwrap().employee.unwrap();
    assert_eq!(seen.display_name, "Ada");
    let stream = world
        .employees()
        .stream_employees(StreamEmployeesRequest {})
        .await
        .unwrap()
        .into_inner();
    let all: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].employee, Some(seen));
    assert!(all[0].read_time.is_some());
}

#[tokio::test]
async fn a_snapshot_makes_up_for_events_that_were_missed() {
    let world = World::new().await;
    world.domain("corp").await;
    world
        .tell(&person("corp", 1).named("Known").account())
        .await;
    world.employee_of(&person("corp", 1).account()).await;
    let dir = world.stop().await;
    let missed = person("corp", 2).named("Missed").generation(7).account();

    // Told while the service was down for longer than the bus keeps events.
    world::tell_late(dir.path(), &missed).await;
    let connector = Arc::new(FakeConnector::default());
    *connector.accounts.lock().unwrap() =
        vec![person("corp", 1).named("Stale").account(), missed.clone()];
    // And so was what the domain turned out to be, since it was last told.
    let mut news = pinned("corp", 3);
    if let Some(identity) = &mut news.identity {
        identity.proven_mail_suffixes.push("new.example.com".into());
    }
    *connector.pinned.lock().unwrap() = Some(news.clone());
    let world = World::with(dir, connector).await;

    assert_eq!(world.employee_of(&missed).await.display_name, "Missed");
    let known = world.employee_of(&person("corp", 1).account()).await;
    assert_eq!(known.display_name, "Known");
    let request = GetDomainRequest {
        name: "domains/corp".into(),
    };
    let domain = world.domains().get_domain(request).await.unwrap();
    assert_eq!(domain.into_inner().identity, news.identity);
}

async fn now_active(world: &World, account: api::directory::v1::Account) -> bool {
    world.tell(&account).await;
    world.employee_of(&account).await.active
}

#[tokio::test]
async fn a_policy_of_keeping_brings_nobody_back_who_had_left_before_it() {
    let world = World::new().await;
    world
        .domain_with("corp", keeps(RemovalPolicy::Deactivate))
        .await;
    for number in [1, 2] {
        assert!(now_active(&world, person("corp", number).account()).await);
    }
    let left = |number, generation| {
        let person = person("corp", number).presence(Presence::Left);
        person.generation(generation).account()
    };
    assert!(!now_active(&world, left(1, 2)).await);

    for (path, days) in [("removal_policy", 0), ("removal_grace", 5)] {
        world.clock.advance(std::time::Duration::from_hours(1));
        let request = update("corp", &[path], |domain| {
            domain.set_removal_policy(RemovalPolicy::Keep);
            domain.removal_grace = Some(Duration {
                seconds: days * 86_400,
                nanos: 0,
            });
        });
        world.domains().update_domain(request).await.unwrap();
        world.clock.advance(std::time::Duration::from_hours(1));
        let generation = 3 + days;
        assert!(!now_active(&world, left(1, generation)).await);
        // Who leaves under it is kept, whatever becomes of a grace period that it doesn't have.
        assert!(now_active(&world, left(2, generation)).await);
    }
}

#[tokio::test]
async fn who_had_left_a_domain_whose_record_ended_never_becomes_active_again() {
    let world = World::new().await;
    world
        .domain_with("corp", keeps(RemovalPolicy::Delete))
        .await;
    world.domain("lab").await;
    let mail = "ada@example.com";
    assert!(now_active(&world, person("corp", 1).mail(mail).account()).await);
    let in_lab = person("lab", 2).mail(mail);
    assert!(now_active(&world, in_lab.account()).await);
    let left = person("corp", 1).mail(mail).presence(Presence::Left);
    assert!(now_active(&world, left.generation(2).account()).await);

    let delete = DeleteDomainRequest {
        name: "domains/corp".into(),
        etag: String::new(),
    };
    world.domains().delete_domain(delete).await.unwrap();
    world
        .clock
        .advance(std::time::Duration::from_hours(31 * DAY));
    poll("the record ends", async || {
        let status = world.domains().get_domain(world::get("corp")).await.err()?;
        (status.code() == Code::NotFound).then_some(())
    })
    .await;

    // The last account that kept them active goes, and the one of the ended domain is no reason to go on.
    let left = person("lab", 2).mail(mail).presence(Presence::Left);
    let left = left.generation(2).account();
    assert!(!now_active(&world, left.clone()).await);
    assert_eq!(world.employee_of(&left).await.accounts.len(), 2);
}
