use ad_client::access::Access;
use ad_client::check::{Check, Checks, Grade, IDS, Plan};
use ad_client::{Credentials, GroupMatch, ReadScope, Session, UserFilter};
use directory::{Attribute, ObjectId};
use testkit::Samba;
use testkit::ca::Ca;
use testkit::samba::NewUser;

use crate::dc::{add_ace, admin, dc, id, ordinary, reader, target};

const RESET: &str = "00299570-246d-11d0-a768-00aa006e0529";
const USER_CLASS: &str = "bf967aba-0de6-11d0-a285-00aa003049e2";
const COMPUTER_CLASS: &str = "bf967a86-0de6-11d0-a285-00aa003049e2";

async fn group(session: &Session, name: &str) -> ObjectId {
    let found = session.group_by_name("DC=corp,DC=test", name).await;
    let Ok(GroupMatch::One(group)) = found else {
        panic!("{found:?}");
    };
    group.id
}

fn plan(samba: &Samba) -> Plan {
    Plan {
        target: target(samba, &samba.ldaps_url()),
        credentials: ordinary(samba),
        dns_domain: "corp.test".to_owned(),
        sync_group: "Keys".to_owned(),
        rotation_group: "Keys".to_owned(),
        nested_groups: true,
        scope: ReadScope::default(),
        pinned_domain: None,
        now: jiff_now(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "Samba has no other clock than the machine's"
)]
fn jiff_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

async fn checked(plan: Plan) -> Vec<Check> {
    let mut checks = Checks::new(plan);
    let mut all = Vec::new();
    while let Some(check) = checks.next().await {
        assert_eq!(
            check.what_to_do.is_empty(),
            check.grade == Grade::Ok,
            "{check:?}"
        );
        all.push(check);
    }
    assert_eq!(all.iter().map(|check| check.id).collect::<Vec<_>>(), IDS);
    all
}

fn grades(checks: &[Check]) -> Vec<Grade> {
    checks.iter().map(|check| check.grade).collect()
}

fn named<'a>(checks: &'a [Check], id: &str) -> &'a Check {
    checks.iter().find(|check| check.id == id).unwrap()
}

fn detail<'a>(check: &'a Check, name: &str) -> &'a str {
    let found = check.details.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

#[tokio::test]
async fn the_reset_right_is_seen_where_it_was_delegated() {
    let samba = dc().await;
    let delegated = samba.create_ou("Delegated", None).await.unwrap();
    let wrongly = samba.create_ou("Wrongly", None).await.unwrap();
    let mut ids = Vec::new();
    let outside = "CN=Users,DC=corp,DC=test";
    for (name, ou) in [
        ("r-in", delegated.dn.as_str()),
        ("r-denied", &delegated.dn),
        ("r-class", &wrongly.dn),
        ("r-out", outside),
    ] {
        let user = samba
            .create_user(NewUser::named(name).within(ou))
            .await
            .unwrap();
        ids.push(id(&user));
    }
    samba.create_group("Rotated").await.unwrap();
    let members = ["r-in", "r-denied", "r-class", "r-out"];
    samba.add_members("Rotated", &members).await.unwrap();
    add_ace(
        samba,
        &delegated.dn,
        &format!("(OA;CIIO;CR;{RESET};{USER_CLASS};{{}})"),
    )
    .await;
    add_ace(
        samba,
        &wrongly.dn,
        &format!("(OA;CIIO;CR;{RESET};{COMPUTER_CLASS};{{}})"),
    )
    .await;
    add_ace(samba, "r-denied", &format!("(OD;;CR;{RESET};;{{}})")).await;
    let session = reader(samba).await;
    let identity = session.identity().await.unwrap();

    let rights = session.may_reset_passwords(&identity, &ids).await.unwrap();
    let rights: Vec<_> = rights.into_iter().map(|(_, access)| access).collect();
    use Access::{Denied, Granted};
    assert_eq!(rights, [Granted, Denied, Denied, Denied]);
    let session = admin(samba).await;
    let rights = session
        .may_reset_passwords(&identity, &ids[3..])
        .await
        .unwrap();
    assert_eq!(rights, [(ids[3], Granted)]);

    let checks = checked(Plan {
        rotation_group: "Rotated".to_owned(),
        ..plan(samba)
    })
    .await;
    let check = named(&checks, "reset-password");
    assert_eq!(check.grade, Grade::Failed);
    let lacking = detail(check, "first_lacking");
    assert!(
        lacking.contains("r-out") && !lacking.contains("r-in"),
        "{lacking}"
    );
    assert_eq!(detail(check, "may_reset"), "1");
    assert_eq!(detail(check, "not_in_sync_group"), "4");
}

#[tokio::test]
async fn a_hidden_attribute_is_not_taken_for_a_cleared_one() {
    let samba = dc().await;
    let me = samba.service().name;
    let mut objects = Vec::new();
    for user in [
        NewUser::named("h-mail").mail("h@corp.test"),
        NewUser::named("h-none"),
        NewUser::named("h-sealed"),
    ] {
        objects.push(id(&samba.create_user(user).await.unwrap()));
    }
    samba.create_group("Veiled").await.unwrap();
    samba.add_members("Veiled", &["h-mail"]).await.unwrap();
    samba.deny_read("h-mail", "mail", &me).await.unwrap();
    add_ace(samba, "h-sealed", "(D;;RC;;;{})").await;
    samba.deny_read("Veiled", "member", &me).await.unwrap();
    let session = reader(samba).await;
    let scope = ReadScope {
        user_filter: Some(UserFilter::parse("(sAMAccountName=h-*)").unwrap()),
        ..ReadScope::default()
    };
    let mut read = session.read(&scope).await.unwrap();
    let mut mails = Vec::new();
    while let Some(page) = read.next().await.unwrap() {
        mails.extend(page.accounts.into_iter().map(|account| account.mail));
    }
    assert_eq!(mails, [None, None, None]);

    let identity = read.identity();
    let asked = [Attribute::Mail, Attribute::Surname];
    let readable = session.readable(identity, &objects, &asked).await.unwrap();
    assert_eq!(
        readable[0].attributes,
        [
            (Attribute::Mail, Access::Denied),
            (Attribute::Surname, Access::Granted)
        ]
    );
    assert_eq!(
        readable[1].attributes[0],
        (Attribute::Mail, Access::Granted)
    );
    assert!(matches!(readable[2].attributes[0].1, Access::Unknown(_)));

    let veiled = group(&session, "Veiled").await;
    assert_eq!(
        session.members_readable(identity, veiled).await.unwrap(),
        Access::Denied
    );
    let keys = group(&session, "Keys").await;
    assert_eq!(
        session.members_readable(identity, keys).await.unwrap(),
        Access::Granted
    );
    let checks = checked(Plan {
        sync_group: "Veiled".to_owned(),
        rotation_group: "Veiled".to_owned(),
        ..plan(samba)
    })
    .await;
    assert_eq!(named(&checks, "members").grade, Grade::Failed);
    assert_eq!(named(&checks, "reset-password").grade, Grade::Unknown);
}

#[tokio::test]
async fn a_connection_test_grades_every_step_and_skips_what_an_earlier_one_needs() {
    use Grade::{Failed, Ok, Skipped, Warning};
    let samba = dc().await;

    let checks = checked(plan(samba)).await;
    assert_eq!(grades(&checks)[..9], [Ok; 9], "{checks:#?}");
    assert_eq!(named(&checks, "deleted-objects").grade, Warning);
    assert_eq!(detail(named(&checks, "members"), "members"), "20");
    assert_eq!(detail(named(&checks, "members"), "nested_groups"), "1");
    let flat = checked(Plan {
        nested_groups: false,
        ..plan(samba)
    })
    .await;
    assert_eq!(detail(named(&flat, "members"), "members"), "10");

    let target = target(samba, &format!("{}:1", samba.ldaps_url()));
    let checks = checked(Plan {
        target,
        ..plan(samba)
    })
    .await;
    assert_eq!(grades(&checks)[..3], [Ok, Failed, Skipped]);
    assert_eq!(grades(&checks)[3..], [Skipped; 8]);

    let foreign = Ca::new("Foreign CA").unwrap();
    let target = ad_client::Target {
        ca_pem: Some(foreign.pem().into_bytes()),
        ..plan(samba).target
    };
    let checks = checked(Plan {
        target,
        ..plan(samba)
    })
    .await;
    assert_eq!(grades(&checks)[..4], [Ok, Ok, Failed, Skipped]);
    assert!(
        named(&checks, "tls")
            .message
            .contains("corp.test test authority"),
        "{checks:?}"
    );

    let credentials = Credentials::new("svc-hes@corp.test", "wrong".into());
    let checks = checked(Plan {
        credentials,
        ..plan(samba)
    })
    .await;
    assert_eq!(grades(&checks)[2..5], [Ok, Failed, Skipped]);

    let checks = checked(Plan {
        dns_domain: "other.test".to_owned(),
        ..plan(samba)
    })
    .await;
    assert_eq!(grades(&checks)[3..6], [Ok, Failed, Skipped]);

    let typo = UserFilter::parse("(deparment=Sales)").unwrap();
    let checks = checked(Plan {
        sync_group: "No such group".to_owned(),
        scope: ReadScope {
            user_filter: Some(typo),
            ..ReadScope::default()
        },
        ..plan(samba)
    })
    .await;
    assert_eq!(grades(&checks)[5..9], [Failed, Failed, Ok, Skipped]);
    assert!(named(&checks, "scope").message.contains("deparment"));
}
