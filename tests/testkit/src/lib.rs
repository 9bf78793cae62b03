#![doc = include_str!("../README.md")]

pub mod balancer;
pub mod ca;
pub mod chaos;
pub mod nats;
pub mod otlp;
mod place;
mod poll;
pub mod postgres;
mod process;
pub mod programs;
pub mod samba;

pub use place::temp_dir;
pub use poll::poll_until;
pub use samba::Samba;
