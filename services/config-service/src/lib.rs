#![doc = include_str!("../README.md")]
#![expect(dead_code, reason = "the service that uses it follows")]
pub mod audit;
mod mask;
mod validate;
