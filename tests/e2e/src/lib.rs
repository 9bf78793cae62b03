#![doc = include_str!("../README.md")]

mod hes;
mod people;
mod world;

pub use hes::{Apart, Hes, Ran, refused};
pub use people::{People, Person};
pub use world::{GROUP, ROTATION_GROUP, World, add_domain};
