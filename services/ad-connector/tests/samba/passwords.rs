//! Passwords: read, set once, and found out about, on a real domain controller.

use std::time::Duration;

use ad_connector::Settings;
use api::connector::v1 as proto;
use api::connector::v1::{
    ChangeEvidence, Convergence, Eligibility, Match, RefusalReason, SetOutcome, Trial,
};
use jiff::{SignedDuration, Timestamp};
use runtime::SystemClock;
use runtime::grpc::Reason;
use testkit::Samba;
use testkit::chaos::{Cut, Direction, Mode, Proxy};
use testkit::samba::{NewUser, Options};
use tokio::sync::OnceCell;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::dc::Test;

/// A domain controller of its own: here the service account may reset passwords.
async fn dc() -> &'static Samba {
    static DC: OnceCell<Samba> = OnceCell::const_new();
    DC.get_or_init(async || {
        let samba = Samba::start(Options::default()).await.unwrap();
        delegate(&samba).await;
        samba
    })
    .await
}

async fn delegate(samba: &Samba) {
    let users = format!("CN=Users,{}", samba.base_dn());
    samba
        .allow_reset_password(&samba.service().name, &users)
        .await
        .unwrap();
}

/// Passwords that every policy here takes.
const NEW: &str = "bcdeFGHI0123+-*/bcde";
const OTHER: &str = "CDEFghij4567+-*/CDEF";
/// What everybody has at first.
const OLD: &str = "klnrTUVK89+-*/klnr";

struct Account<'a> {
    test: &'a Test,
    name: String,
}

impl<'a> Account<'a> {
    async fn new(test: &'a Test, samba: &Samba, user: impl Into<NewUser>) -> Self {
        let entry = samba.create_user(user.into().password(OLD)).await.unwrap();
        Self::of(test, entry.guid)
    }

    fn of(test: &'a Test, guid: Uuid) -> Self {
        Self {
            test,
            name: format!("domains/corp/accounts/{guid}"),
        }
    }

    async fn try_read(&self, previous: &[u8]) -> Result<proto::ReadResponse, Status> {
        let request = proto::ReadRequest {
            account: self.name.clone(),
            previous_anchor: previous.to_vec(),
        };
        let mut client = self.test.world.passwords.clone();
        Ok(client.read(request).await?.into_inner())
    }

    async fn read(&self) -> proto::ReadResponse {
        self.try_read(&[]).await.unwrap()
    }

    async fn set_by(
        &self,
        anchor: &[u8],
        number: i32,
        value: &str,
        deadline: Timestamp,
    ) -> Result<proto::SetResponse, Status> {
        let request = proto::SetRequest {
            anchor: anchor.to_vec(),
            intent: "test".to_owned(),
            send_number: number,
            deadline: Some(prost_types::Timestamp {
                seconds: deadline.as_second(),
                nanos: deadline.subsec_nanosecond(),
            }),
            value: value.to_owned(),
        };
        let mut client = self.test.world.passwords.clone();
        Ok(client.set(request).await?.into_inner())
    }

    /// What became of it, and why.
    async fn set(&self, anchor: &[u8], number: i32, value: &str) -> (SetOutcome, RefusalReason) {
        let deadline = now() + SignedDuration::from_secs(30);
        let set = self.set_by(anchor, number, value, deadline).await.unwrap();
        (set.outcome(), set.refusal())
    }

    async fn verify(
        &self,
        anchor: &[u8],
        value: &str,
        (applied, unknown): (i32, i32),
        trial: Trial,
    ) -> proto::VerifyResponse {
        let request = proto::VerifyRequest {
            anchor: anchor.to_vec(),
            value: value.to_owned(),
            applied_sends: applied,
            unknown_sends: unknown,
            trial: trial.into(),
            convergence: true,
        };
        let mut client = self.test.world.passwords.clone();
        client.verify(request).await.unwrap().into_inner()
    }
}

fn now() -> Timestamp {
    SystemClock::shared().now()
}

const APPLIED: (SetOutcome, RefusalReason) = (SetOutcome::Applied, RefusalReason::Unspecified);
const UNKNOWN: (SetOutcome, RefusalReason) = (SetOutcome::Unknown, RefusalReason::Unspecified);

fn refused(reason: RefusalReason) -> (SetOutcome, RefusalReason) {
    (SetOutcome::Refused, reason)
}

#[tokio::test]
async fn a_password_is_set_once_and_proven_by_the_directorys_own_record() {
    let samba = dc().await;
    let test = Test::on(samba, "pa", Settings::default()).await;
    let user = NewUser::named("pa-ada").display_name("Ada Lovelace");
    let ada = Account::new(&test, samba, user).await;

    let read = ada.read().await;
    assert_eq!(read.eligibility(), Eligibility::Eligible, "{read:?}");
    assert_eq!(
        (read.logon_name.as_str(), read.display_name.as_str()),
        ("pa-ada", "Ada Lovelace")
    );
    let policy = read.policy.unwrap();
    assert_eq!((policy.min_length, policy.complexity), (7, true));
    assert!(!policy.may_be_stricter);
    assert_eq!(policy.max_age.unwrap().seconds, 42 * 24 * 3_600);
    assert!(read.password_version > 0);
    let clock = read.directory_time.unwrap().seconds;
    assert!((clock - now().as_second()).abs() < 60);

    let before = ada
        .verify(&read.anchor, NEW, (0, 1), Trial::WhereItMayFit)
        .await;
    assert_eq!(before.change(), ChangeEvidence::Unchanged);
    assert_eq!(before.r#match(), Match::Unverifiable, "tried for nothing");

    assert_eq!(ada.set(&read.anchor, 1, NEW).await, APPLIED);

    let after = ada.verify(&read.anchor, NEW, (1, 0), Trial::Never).await;
    assert_eq!(after.change(), ChangeEvidence::AsSent);
    assert_eq!(after.convergence(), Convergence::Reached);
    assert_eq!(after.password_version, read.password_version + 1);
    assert!(after.nowhere_else);
    let right = ada
        .verify(&read.anchor, NEW, (1, 0), Trial::WhereItMayFit)
        .await;
    assert_eq!(right.r#match(), Match::Right);
    let wrong = ada.verify(&read.anchor, OTHER, (1, 0), Trial::Always).await;
    assert_eq!(wrong.r#match(), Match::Wrong);
    // One write more than was sent is somebody else's.
    samba.set_password("pa-ada", OTHER).await.unwrap();
    let foreign = ada
        .verify(&read.anchor, NEW, (1, 0), Trial::WhereItMayFit)
        .await;
    assert_eq!(foreign.change(), ChangeEvidence::Otherwise);
    assert_eq!(foreign.r#match(), Match::Unverifiable, "tried for nothing");
}

#[tokio::test]
async fn who_may_not_be_rotated_is_refused_whatever_is_asked() {
    let samba = dc().await;
    let test = Test::on(samba, "pb", Settings::default()).await;
    for name in [
        "pb-disabled",
        "pb-expired",
        "pb-must",
        "pb-card",
        "pb-locked",
        "pb-nested",
        "pb-marked",
        "pb-gone",
    ] {
        samba
            .create_user(NewUser::named(name).password(OLD))
            .await
            .unwrap();
    }
    samba.disable("pb-disabled").await.unwrap();
    samba.expire_account("pb-expired").await.unwrap();
    samba.must_change_password("pb-must").await.unwrap();
    samba
        .set_account_flag("pb-card", 0x40000, true)
        .await
        .unwrap();
    samba.lock_out("pb-locked").await.unwrap();
    samba.create_group("pb-admins").await.unwrap();
    samba
        .add_members("pb-admins", &["pb-nested"])
        .await
        .unwrap();
    samba
        .add_members("Backup Operators", &["pb-admins"])
        .await
        .unwrap();
    samba.set("pb-marked", "adminCount", &["1"]).await.unwrap();
    samba.create_ou("pb-elsewhere", None).await.unwrap();
    let elsewhere = format!("OU=pb-elsewhere,{}", samba.base_dn());
    samba
        .create_user(NewUser::named("pb-noright").within(elsewhere).password(OLD))
        .await
        .unwrap();
    let host = format!("{}$", samba.host_name().split('.').next().unwrap());
    let service = samba.service().name;
    let cases = [
        (
            "pb-disabled",
            Eligibility::Disabled,
            RefusalReason::NotEligible,
        ),
        (
            "pb-expired",
            Eligibility::Expired,
            RefusalReason::NotEligible,
        ),
        (
            "pb-must",
            Eligibility::MustChange,
            RefusalReason::NotEligible,
        ),
        (
            "pb-card",
            Eligibility::SmartcardRequired,
            RefusalReason::NotEligible,
        ),
        (
            "pb-nested",
            Eligibility::Privileged,
            RefusalReason::NotEligible,
        ),
        (
            "pb-marked",
            Eligibility::Privileged,
            RefusalReason::NotEligible,
        ),
        (
            "Administrator",
            Eligibility::Privileged,
            RefusalReason::NotEligible,
        ),
        (
            "krbtgt",
            Eligibility::NotAPerson,
            RefusalReason::NotEligible,
        ),
        (&host, Eligibility::NotAPerson, RefusalReason::NotEligible),
        (
            &service,
            Eligibility::NotAPerson,
            RefusalReason::NotEligible,
        ),
        ("pb-noright", Eligibility::NoRight, RefusalReason::NoRight),
    ];
    for (name, eligibility, refusal) in cases {
        let account = Account::of(&test, samba.entry(name).await.unwrap().guid);

        let read = account.read().await;
        let set = account.set(&read.anchor, 1, NEW).await;
        let after = account.read().await;

        assert_eq!(read.eligibility(), eligibility, "{name}: {}", read.reason);
        assert!(!read.reason.is_empty(), "{name}");
        assert_eq!(set, refused(refusal), "{name}");
        assert_eq!(after.password_version, read.password_version, "{name}");
    }

    // Locked is told, and no reason to refuse: the value is right, and only a logon can't show it.
    let locked = Account::of(&test, samba.entry("pb-locked").await.unwrap().guid);
    let read = locked.read().await;
    assert_eq!(read.eligibility(), Eligibility::Locked);
    assert_eq!(locked.set(&read.anchor, 1, NEW).await, APPLIED);
    let seen = locked
        .verify(&read.anchor, NEW, (1, 0), Trial::Always)
        .await;
    assert_eq!(
        (seen.change(), seen.r#match()),
        (ChangeEvidence::AsSent, Match::Unverifiable)
    );
    assert!(seen.locked);

    // Deleted between the read and the send.
    let gone = Account::of(&test, samba.entry("pb-gone").await.unwrap().guid);
    let read = gone.read().await;
    samba.delete("pb-gone").await.unwrap();
    assert_eq!(
        gone.set(&read.anchor, 1, NEW).await,
        refused(RefusalReason::NotFound)
    );
    assert_eq!(gone.read().await.eligibility(), Eligibility::Deleted);
}

#[tokio::test]
async fn a_refusal_that_only_the_right_password_gets_proves_it() {
    let samba = dc().await;
    let test = Test::on(samba, "pc", Settings::default()).await;
    for name in ["pc-disabled", "pc-expired", "pc-must"] {
        let account = Account::new(&test, samba, name).await;
        let read = account.read().await;
        assert_eq!(account.set(&read.anchor, 1, NEW).await, APPLIED);
        match name {
            "pc-disabled" => samba.disable(name).await.unwrap(),
            "pc-expired" => samba.expire_account(name).await.unwrap(),
            _ => samba.must_change_password(name).await.unwrap(),
        }

        let right = account
            .verify(&read.anchor, NEW, (1, 0), Trial::Always)
            .await;
        let wrong = account
            .verify(&read.anchor, OTHER, (1, 0), Trial::Always)
            .await;

        assert_eq!(right.r#match(), Match::Right, "{name}");
        assert_eq!(wrong.r#match(), Match::Wrong, "{name}");
    }
}

#[tokio::test]
async fn the_policy_is_the_one_that_applies_to_the_account() {
    let samba = dc().await;
    let test = Test::on(samba, "pd", Settings::default()).await;
    let strict = Account::new(&test, samba, "pd-strict").await;
    let settings = samba
        .password_policy("pd-policy", 30, "pd-strict")
        .await
        .unwrap();

    // Its contents are the administrators' own: all that is known is that there is one.
    let read = strict.read().await;
    let policy = read.policy.unwrap();
    assert!(policy.may_be_stricter);
    assert_eq!(policy.min_length, 7);
    assert_eq!(
        strict.set(&read.anchor, 1, NEW).await,
        refused(RefusalReason::Policy)
    );
    assert_eq!(strict.read().await.password_version, read.password_version);

    samba
        .allow_reading(&samba.service().name, &settings)
        .await
        .unwrap();
    let policy = strict.read().await.policy.unwrap();
    assert!(!policy.may_be_stricter);
    assert_eq!((policy.min_length, policy.max_age), (30, None));
    let long = NEW.repeat(2);
    assert_eq!(strict.set(&read.anchor, 1, &long).await, APPLIED);
}

#[tokio::test]
async fn a_connection_that_breaks_around_the_send_leaves_the_outcome_open() {
    let samba = dc().await;
    let proxy = Proxy::start(samba.ldaps_address()).await.unwrap();
    let test = Test::on(samba, "pe", Settings::default()).await;
    test.settings(|settings| {
        settings.servers = vec![format!("ldaps://127.0.0.1:{}", proxy.port())];
    });
    // What is asked before a password is sent, in bytes: of one that somebody else changed, nothing follows.
    let changed = Account::new(&test, samba, "pe-changed").await;
    let read = changed.read().await;
    samba.set_password("pe-changed", OTHER).await.unwrap();
    let before = proxy.counters().to_server_bytes;
    assert_eq!(
        changed.set(&read.anchor, 1, NEW).await,
        refused(RefusalReason::Changed)
    );
    let asked = proxy.counters().to_server_bytes - before;

    // The request goes through, the answer does not: the account and the time come before it. The rest was read just now.
    let account = Account::new(&test, samba, "pe-after").await;
    let read = account.read().await;
    let cut = Cut::after_tls_records(Direction::ToServer, 3);
    proxy.set(Mode::Cut(cut.once()));
    assert_eq!(account.set(&read.anchor, 1, NEW).await, UNKNOWN);
    assert_eq!(proxy.counters().cuts, 1);
    proxy.set(Mode::Pass);
    let seen = account
        .verify(&read.anchor, NEW, (0, 1), Trial::WhereItMayFit)
        .await;
    assert_eq!(
        (seen.change(), seen.r#match()),
        (ChangeEvidence::AsSent, Match::Right)
    );

    // The request itself is lost on its way. Nobody can know that at once.
    let account = Account::new(&test, samba, "pe-before").await;
    let read = account.read().await;
    let cut = Cut::after_bytes(Direction::ToServer, asked + 20);
    proxy.set(Mode::Cut(cut.once()));
    assert_eq!(account.set(&read.anchor, 1, NEW).await, UNKNOWN);
    assert_eq!(proxy.counters().cuts, 2);
    proxy.set(Mode::Pass);
    let seen = account
        .verify(&read.anchor, NEW, (0, 1), Trial::WhereItMayFit)
        .await;
    assert_eq!(seen.change(), ChangeEvidence::Unchanged);
    // The same value again, as its second send.
    assert_eq!(account.set(&read.anchor, 2, NEW).await, APPLIED);
    let seen = account
        .verify(&read.anchor, NEW, (1, 1), Trial::WhereItMayFit)
        .await;
    assert_eq!(
        (seen.change(), seen.r#match()),
        (ChangeEvidence::AsSent, Match::Right)
    );

    // No connection at all: certainly not sent.
    let account = Account::new(&test, samba, "pe-refused").await;
    let read = account.read().await;
    proxy.set(Mode::Refuse);
    proxy.close_all();
    assert_eq!(
        account.set(&read.anchor, 1, NEW).await,
        refused(RefusalReason::Unreachable)
    );
    proxy.set(Mode::Pass);
    assert_eq!(account.read().await.password_version, read.password_version);
}

#[tokio::test]
async fn what_is_too_late_or_overtaken_is_not_sent() {
    let samba = dc().await;
    let test = Test::on(samba, "pf", Settings::default()).await;
    let account = Account::new(&test, samba, "pf-ada").await;
    let read = account.read().await;
    for seconds in [-1, 0, 61] {
        let deadline = now() + SignedDuration::from_secs(seconds);
        let set = account
            .set_by(&read.anchor, 1, NEW, deadline)
            .await
            .unwrap();
        let set = (set.outcome(), set.refusal());
        assert_eq!(set, refused(RefusalReason::Deadline), "{seconds}");
    }
    assert_eq!(account.read().await.password_version, read.password_version);

    samba.set_password("pf-ada", OTHER).await.unwrap();

    assert_eq!(
        account.set(&read.anchor, 1, NEW).await,
        refused(RefusalReason::Changed)
    );
    let seen = account
        .verify(&read.anchor, OTHER, (0, 0), Trial::Always)
        .await;
    assert_eq!(
        seen.r#match(),
        Match::Right,
        "the administrator's reset was undone"
    );
}

#[tokio::test]
async fn another_controller_takes_over_and_lag_is_no_failure() {
    let one = Samba::start(Options::domain("two.test")).await.unwrap();
    delegate(&one).await;
    let user = one
        .create_user(NewUser::named("ada").password(OLD))
        .await
        .unwrap();
    let two = one.second_dc().await.unwrap();
    two.pull_from(&one).await.unwrap();
    let mut settings = Settings::default();
    settings.directory.operation_timeout = Duration::from_secs(2);
    let test = Test::on(&one, "pg", settings).await;
    // The second is named first: what is wanted is the PDC emulator.
    test.settings(|settings| settings.servers = vec![two.ldaps_url(), one.ldaps_url()]);
    let ada = Account::of(&test, user.guid);

    let read = ada.read().await;
    let first = one.ldaps_address().to_string();
    assert_eq!(read.server, first);
    assert_eq!(ada.set(&read.anchor, 1, NEW).await, APPLIED);
    let seen = ada
        .verify(&read.anchor, NEW, (1, 0), Trial::WhereItMayFit)
        .await;
    assert_eq!(
        (seen.change(), seen.r#match()),
        (ChangeEvidence::AsSent, Match::Right)
    );
    assert_eq!(seen.convergence(), Convergence::NotYet);
    assert_eq!(seen.lagging_servers, [two.ldaps_address().to_string()]);
    two.pull_from(&one).await.unwrap();
    let seen = ada.verify(&read.anchor, NEW, (1, 0), Trial::Never).await;
    assert_eq!(seen.convergence(), Convergence::Reached);

    // The first is away after a send to it: the other takes the same value, and both are remembered.
    let read = ada.read().await;
    assert_eq!(ada.set(&read.anchor, 1, OTHER).await, APPLIED);
    one.pause();
    let moved = ada.try_read(&read.anchor).await.unwrap();
    assert_eq!(moved.server, two.ldaps_address().to_string());
    let seen = ada
        .verify(&moved.anchor, OTHER, (0, 1), Trial::WhereItMayFit)
        .await;
    assert_eq!(seen.change(), ChangeEvidence::Unchanged);
    assert!(!seen.nowhere_else, "nobody asked the first");
    assert_eq!(seen.convergence(), Convergence::NotYet);
    assert_eq!(ada.set(&moved.anchor, 2, OTHER).await, APPLIED);
    one.resume();
    one.pull_from(&two).await.unwrap();
    let seen = ada
        .verify(&moved.anchor, OTHER, (1, 1), Trial::WhereItMayFit)
        .await;
    assert_eq!(
        (seen.change(), seen.r#match()),
        (ChangeEvidence::AsSent, Match::Right)
    );
    assert!(!seen.nowhere_else, "the first has it too");
}

#[tokio::test]
async fn what_is_no_anchor_and_a_logon_that_is_refused_say_so() {
    let samba = dc().await;
    let test = Test::on(samba, "ph", Settings::default()).await;
    let account = Account::new(&test, samba, "ph-ada").await;
    let read = account.read().await;
    let deadline = now() + SignedDuration::from_secs(30);
    for anchor in [&b""[..], b"nonsense", &read.anchor[..10]] {
        let error = account.set_by(anchor, 1, NEW, deadline).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
    let empty = account
        .set_by(&read.anchor, 1, "", deadline)
        .await
        .unwrap_err();
    assert_eq!(empty.code(), Code::InvalidArgument);

    test.config
        .set_credentials("corp", &samba.service().name, "wrong");
    let error = account.try_read(&[]).await.unwrap_err();
    assert_eq!(Reason::of(&error), Some(Reason::DirectoryLogonRefused));
    let error = account
        .set_by(&read.anchor, 1, NEW, deadline)
        .await
        .unwrap_err();
    assert_eq!(Reason::of(&error), Some(Reason::DirectoryLogonRefused));

    test.config.remove_credentials("corp");
    let error = account.try_read(&[]).await.unwrap_err();
    assert_eq!(Reason::of(&error), Some(Reason::CredentialsMissing));
}
