#![doc = include_str!("../README.md")]

pub mod changes;
mod hes;
pub mod keys;
mod people;
mod world;

pub use hes::{Apart, Hes, Ran, refused};
pub use people::{People, Person};
pub use world::{GROUP, ROTATION_GROUP, World, add_domain};

/// How often something is killed in one test: in `cargo xtask test`, and with `--long`.
pub fn kills() -> u64 {
    if std::env::var_os("HES_TEST_LONG").is_some() {
        500
    } else {
        30
    }
}
