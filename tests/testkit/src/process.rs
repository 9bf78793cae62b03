//! Child processes that don't outlive the test.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::poll_until;

/// Waits for its standard input to end, which it does however this process dies, then kills the group `$0`.
const WATCHDOG: &str = r#"read _; kill -s KILL -- "-$0""#;

/// A child in a process group of its own. Dropping it kills the group; so does a watchdog when this process is killed.
#[derive(Debug)]
pub(crate) struct Supervised {
    child: Child,
    group: Pid,
    watchdog: Child,
    ended: Option<ExitStatus>,
}

impl Supervised {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        use std::os::unix::process::CommandExt as _;

        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {program}"))?;
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG])
            .arg(child.id().to_string())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let watchdog = match watchdog {
            Ok(watchdog) => watchdog,
            Err(error) => {
                let mut child = child;
                let _ = child.kill();
                let _ = child.wait();
                return Err(error).context("failed to start the watchdog of a child process");
            }
        };
        Ok(Self {
            group: Pid::from_child(&child),
            child,
            watchdog,
            ended: None,
        })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Signals the whole group. A group that has ended is no error.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            let _ = kill_process_group(self.group, signal);
            if signal == Signal::STOP {
                stands_still(self.group);
            }
        }
    }

    /// Signals the child alone.
    pub(crate) fn signal_leader(&self, signal: Signal) {
        if self.ended.is_none() {
            let _ = kill_process(self.group, signal);
            if signal == Signal::STOP {
                stands_still(self.group);
            }
        }
    }

    /// Signals the child and its own children, whatever their groups.
    pub(crate) fn signal_family(&self, signal: Signal) {
        self.signal_leader(signal);
        let id = self.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        for child in children.unwrap_or_default().split_ascii_whitespace() {
            if let Some(child) = child.parse().ok().and_then(Pid::from_raw) {
                let _ = kill_process(child, signal);
                if signal == Signal::STOP {
                    stands_still(child);
                }
            }
        }
    }

    /// How the child ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.bury(status);
        }
        self.ended
    }

    /// Kills the group now.
    pub(crate) fn kill(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.signal(Signal::KILL);
            if let Ok(status) = self.child.wait() {
                self.bury(status);
            }
        }
        self.ended
    }

    /// Asks the group to end, and kills it when it hasn't by the deadline.
    pub(crate) async fn terminate(&mut self, deadline: Duration) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let ended = poll_until(deadline, "a process to end", async || self.ended()).await;
        ended.ok().or_else(|| self.kill())
    }

    /// Notes the end, and ends what is left of the group and the watchdog.
    fn bury(&mut self, status: ExitStatus) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        self.ended = Some(status);
    }
}

/// Waits until a stopped process stands still: the signal is only on its way, and a server goes on answering until it comes.
fn stands_still(process: Pid) {
    let path = format!("/proc/{}/stat", process.as_raw_nonzero());
    for _ in 0..1_000 {
        let state = std::fs::read_to_string(&path).unwrap_or_default();
        // Behind the name, which may hold anything: T is stopped, Z and X are dead.
        let state = state
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        if matches!(state, None | Some('T' | 't' | 'Z' | 'X')) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.kill();
    }
}
