//! Named points in the course of work that must survive its process, where a test ends or stops the process.
//!
//! `HES_TEST_POINT=NAME:N:kill` ends it at the N-th time it comes there, `NAME:N:stop` stops it until it is continued.
//! Debug builds only: a release does not look.

/// Says that the work has come here.
pub fn reached(name: &str) {
    #[cfg(debug_assertions)]
    debug::reached(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod debug {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    const VARIABLE: &str = "HES_TEST_POINT";

    struct Point {
        name: String,
        turn: u32,
        signal: Signal,
        passed: AtomicU32,
    }

    static POINT: LazyLock<Option<Point>> = LazyLock::new(|| {
        let text = std::env::var(VARIABLE).ok()?;
        let [name, turn, what] = text.split(':').collect::<Vec<_>>().try_into().ok()?;
        Some(Point {
            name: name.to_owned(),
            turn: turn.parse().ok()?,
            signal: match what {
                "kill" => Signal::KILL,
                "stop" => Signal::STOP,
                _ => return None,
            },
            passed: AtomicU32::new(0),
        })
    });

    pub(super) fn reached(name: &str) {
        let Some(point) = POINT.as_ref().filter(|point| point.name == name) else {
            return;
        };
        if point.passed.fetch_add(1, Ordering::Relaxed) + 1 == point.turn {
            // A process may always signal itself: there is no error to see to.
            let _ = kill_process(getpid(), point.signal);
        }
    }
}
