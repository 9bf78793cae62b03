//! Programs are run, listened to and killed.

use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::poll_until;
use testkit::programs::{self, Running};

const DEADLINE: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

#[tokio::test]
async fn a_program_is_heard_line_by_line_and_ends_when_asked() {
    let mut program = Running::start(shell(
        "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done",
    ))
    .unwrap();
    program
        .line(DEADLINE, |line| line == "ready")
        .await
        .unwrap();

    program.terminate();
    let status = program.wait(DEADLINE).await.unwrap();

    assert!(program.stdout().contains("bye"));
    assert!(!status.success());
}

#[tokio::test]
async fn a_program_that_ends_early_says_why() {
    let mut program = Running::start(shell("echo no such thing >&2; exit 1")).unwrap();

    let error = program.line(DEADLINE, |line| line == "ready").await;

    assert!(error.unwrap_err().to_string().contains("ended first"));
    assert!(program.stderr().contains("no such thing"));
    let output = programs::run(shell("echo out; exit 4"), DEADLINE).await;
    let output = output.unwrap();
    assert_eq!(
        (output.status.code(), output.stdout),
        (Some(4), b"out\n".to_vec())
    );
}

#[tokio::test]
async fn nothing_is_left_behind_when_the_test_itself_is_killed() {
    const NAME: &str = "nothing_is_left_behind_when_the_test_itself_is_killed";
    const CHILD_FILE: &str = "TESTKIT_CHILD_FILE";
    if let Some(file) = std::env::var_os(CHILD_FILE) {
        // The test that is killed: this one, run again.
        let program = Running::start(shell("exec sleep 1000")).unwrap();
        std::fs::write(file, program.id().to_string()).unwrap();
        return std::future::pending().await;
    }
    let dir = testkit::temp_dir("child").unwrap();
    let file = dir.path().join("child");
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env(CHILD_FILE, &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let child = poll_until(DEADLINE, "the test to start a child", async || {
        std::fs::read_to_string(&file).ok()?.parse().ok()
    });
    let child: u32 = child.await.unwrap();
    assert!(is_running(child));

    test.kill().unwrap();
    test.wait().unwrap();

    poll_until(DEADLINE, "the orphan to be killed", async || {
        (!is_running(child)).then_some(())
    })
    .await
    .unwrap();
}

/// Whether it exists and isn't merely waiting to be reaped.
fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
