//! One real domain controller, shared by the tests of this binary. Each test makes its own objects.

use ad_client::{Connector, Credentials, Session, Target, Timeouts};
use directory::ObjectId;
use testkit::Samba;
use testkit::samba::{Entry, NewUser, Options};
use tokio::sync::OnceCell;

pub(crate) const PASSWORD: &str = "Us3r-Passw0rd!";

/// Started at the first use; it ends with this process.
pub(crate) async fn dc() -> &'static Samba {
    static DC: OnceCell<Samba> = OnceCell::const_new();
    DC.get_or_init(async || {
        let samba = Samba::start(Options::default()).await.unwrap();
        let name = |n: u32| format!("user{n:02}");
        for n in 0..50 {
            let user = NewUser::named(name(n)).mail(format!("{}@corp.test", name(n)));
            samba.create_user(user).await.unwrap();
        }
        samba.create_group("Keys").await.unwrap();
        samba.create_group("Inner").await.unwrap();
        let names: Vec<String> = (0..20).map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        samba.add_members("Inner", &names[10..]).await.unwrap();
        samba.add_members("Keys", &names[..10]).await.unwrap();
        samba.add_members("Keys", &["Inner"]).await.unwrap();
        samba
    })
    .await
}

pub(crate) fn target(samba: &Samba, url: &str) -> Target {
    Target {
        servers: vec![url.parse().unwrap()],
        start_tls: true,
        ca_pem: Some(samba.ca().pem().into_bytes()),
        timeouts: Timeouts::default(),
    }
}

/// An ordinary account, with no more rights than any other.
pub(crate) fn ordinary(samba: &Samba) -> Credentials {
    let logon = samba.service();
    Credentials::new(logon.name, logon.password.into()).in_domain(samba.dns_domain())
}

pub(crate) async fn connect(samba: &Samba, credentials: &Credentials) -> Session {
    let target = target(samba, &samba.ldaps_url());
    Connector::new(&target)
        .unwrap()
        .connect(credentials)
        .await
        .unwrap()
}

pub(crate) async fn reader(samba: &Samba) -> Session {
    connect(samba, &ordinary(samba)).await
}

pub(crate) async fn admin(samba: &Samba) -> Session {
    let logon = samba.administrator();
    connect(samba, &Credentials::new(logon.upn, logon.password.into())).await
}

pub(crate) fn id(entry: &Entry) -> ObjectId {
    ObjectId::from_uuid(entry.guid).unwrap()
}

/// Adds an entry in SDDL to an object's access list, before those it has; `{}` stands for the ordinary account's SID.
pub(crate) async fn add_ace(samba: &Samba, which: &str, ace: &str) {
    let sid = samba
        .entry(&samba.service().name)
        .await
        .unwrap()
        .sid
        .unwrap();
    let sddl = samba.security(which).await.unwrap();
    let dacl = sddl.find("D:").unwrap();
    let first = dacl + sddl[dacl..].find('(').unwrap();
    let ace = ace.replace("{}", &sid);
    let sddl = format!("{}{ace}{}", &sddl[..first], &sddl[first..]);
    samba.set_security(which, &sddl).await.unwrap();
}
