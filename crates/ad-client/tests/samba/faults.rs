use std::time::Duration;

use ad_client::{Connector, Error, Page, Proof, ReadScope, Session, Timeouts, UserFilter};
use testkit::chaos::{Cut, Direction, Mode, Proxy};

use crate::dc::{dc, ordinary, target};

async fn read(session: &Session) -> Result<(Vec<Page>, Proof), Error> {
    let scope = ReadScope {
        page_size: 7,
        user_filter: Some(UserFilter::parse("(sAMAccountName=user*)").unwrap()),
        ..ReadScope::default()
    };
    let mut read = session.read(&scope).await?;
    let mut pages = Vec::new();
    while let Some(page) = read.next().await? {
        assert!(read.proof().is_err(), "proven before the end");
        pages.push(page);
    }
    let proof = read.proof()?.clone();
    Ok((pages, proof))
}

#[tokio::test]
async fn a_read_cut_anywhere_is_an_error_and_never_a_shorter_directory() {
    let samba = dc().await;
    let proxy = Proxy::start(samba.ldaps_address()).await.unwrap();
    let url = format!("ldaps://{}", proxy.address());
    let mut target = target(samba, &url);
    target.timeouts = Timeouts {
        operation: Duration::from_secs(2),
        ..Timeouts::default()
    };
    let connector = Connector::new(&target).unwrap();
    let session = connector.connect(&ordinary(samba)).await.unwrap();
    let (_, whole) = read(&session).await.unwrap();
    assert_eq!(whole.accounts, 50);

    let mut cut = 0;
    let mut try_cut = async |mode| {
        proxy.set(Mode::Pass);
        let session = connector.connect(&ordinary(samba)).await.unwrap();
        proxy.set(Mode::Cut(mode));
        match read(&session).await {
            Ok((_, proof)) => assert_eq!(proof.accounts, 50),
            Err(error) => {
                assert!(
                    matches!(error, Error::Lost { .. } | Error::Timeout { .. }),
                    "{error:?}"
                );
                assert!(error.is_transient());
                cut += 1;
            }
        }
    };
    for records in (0..48).step_by(4) {
        let at = Cut::after_tls_records(Direction::ToClient, records);
        try_cut(at).await;
        try_cut(at.closing()).await;
    }
    try_cut(Cut::after_tls_records(Direction::ToClient, 9).hanging()).await;
    assert!(cut >= 10, "only {cut} of 25 reads were cut");
    proxy.set(Mode::Pass);
    assert!(
        read(&connector.connect(&ordinary(samba)).await.unwrap())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_session_unused_for_long_or_cut_off_is_stale() {
    let samba = dc().await;
    let proxy = Proxy::start(samba.ldaps_address()).await.unwrap();
    let mut target = target(samba, &format!("ldaps://{}", proxy.address()));
    target.timeouts.idle = Duration::ZERO;
    let session = Connector::new(&target)
        .unwrap()
        .connect(&ordinary(samba))
        .await
        .unwrap();
    assert!(session.is_stale());

    target.timeouts.idle = Duration::from_secs(60);
    let session = Connector::new(&target)
        .unwrap()
        .connect(&ordinary(samba))
        .await
        .unwrap();
    assert!(!session.is_stale());
    proxy.close_all();
    assert!(session.identity().await.is_err());
    assert!(session.is_stale());
}
