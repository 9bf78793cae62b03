//! Signals reach the whole process, so this test has one of its own.
#![expect(
    clippy::unwrap_used,
    reason = "all of this is test code, helpers included"
)]

use std::{process::Command, time::Duration};

use runtime::{OnEnd, Shutdown, Tasks};

fn terminate_myself() {
    let myself = std::process::id().to_string();
    let sent = Command::new("kill").args(["-TERM", &myself]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_leaves_at_once() {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    shutdown.on_signals(&tasks).unwrap();
    tasks.spawn("stubborn", OnEnd::ShutDown, std::future::pending::<()>());
    assert!(!shutdown.is_signalled());

    terminate_myself();
    shutdown.signalled().await;
    assert!(futures::poll!(std::pin::pin!(shutdown.abort_signalled())).is_pending());

    terminate_myself();
    let joined = tokio::time::timeout(
        Duration::from_secs(20),
        tasks.join(Duration::from_secs(3600)),
    );
    let stuck = joined.await.unwrap().unwrap_err();

    assert_eq!(stuck.names, ["stubborn"]);
    assert_eq!(shutdown.failure(), None);
}
