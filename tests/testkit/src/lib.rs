#![doc = include_str!("../README.md")]

pub mod ca;
pub mod chaos;
mod place;
mod poll;
mod process;
pub mod programs;
pub mod samba;

pub use poll::poll_until;
pub use samba::Samba;
