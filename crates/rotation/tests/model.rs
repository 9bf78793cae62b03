//! The machine in every way the world can go, with up to a number of faults: a worker killed or stopped anywhere, a lease
//! taken over, an answer lost, a request that is carried out late, a refusal, another controller, an administrator's own
//! reset, messages to targets late or lost, a target that lies, one that is lost, a person who leaves and returns.
//!
//! The machine is the real one; workers, directory and targets are as simple as their rules. Times are those of the rules.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "code of a test: a failure here is a failed test"
)]

#[path = "model/explore.rs"]
mod explore;
#[path = "model/oracle.rs"]
mod oracle;
#[path = "model/world.rs"]
mod world;

use explore::{Bounds, Explored, Scope, Variant, explore};
use world::Honesty::{self, Honest, Lies};

fn run(faults: u8, scope: Scope, targets: [Honesty; 2], variant: Variant) -> Explored {
    let explored = explore(&Bounds {
        scope,
        faults,
        generations: 2,
        targets,
        variant,
    });
    println!(
        "{variant:?}, {scope:?}, {targets:?}, {faults} faults: {} worlds, {} closed",
        explored.worlds, explored.closed
    );
    explored
}

/// With up to so many faults, and with one more where time doesn't matter.
fn holds(faults: u8, scope: Scope, targets: [Honesty; 2]) {
    let explored = run(
        faults + u8::from(std::env::var_os("HES_TEST_LONG").is_some()),
        scope,
        targets,
        Variant::Whole,
    );
    if let Some((broken, trace)) = explored.violation {
        panic!("{broken}\n{}", trace.join("\n"));
    }
    assert!(explored.closed > 0, "no rotation was ever closed");
}

#[test]
fn no_password_is_lost_to_the_directory() {
    holds(5, Scope::Directory, [Honest, Honest]);
}

#[test]
fn no_password_is_lost_on_its_way_to_the_targets() {
    holds(3, Scope::Delivery, [Honest, Honest]);
}

#[test]
fn a_target_that_lies_takes_the_password_from_nobody_else() {
    holds(2, Scope::Delivery, [Lies, Honest]);
}

#[test]
fn no_password_is_lost_to_everything_at_once() {
    holds(2, Scope::Everything, [Honest, Honest]);
}

fn finds(variant: Variant, faults: u8) {
    let explored = run(faults, Scope::Directory, [Honest, Honest], variant);
    let (broken, trace) = explored.violation.expect("the check cannot fail");
    println!("{broken}, after\n{}", trace.join("\n"));
}

#[test]
fn discarding_on_any_refusal_loses_a_password() {
    finds(Variant::DiscardsOnAnyRefusal, 3);
}

#[test]
fn a_new_value_after_a_timeout_loses_a_password() {
    finds(Variant::NewValueAfterTimeout, 2);
}

#[test]
fn a_next_generation_without_quiescence_loses_a_password() {
    finds(Variant::NoQuiescence, 3);
}
