#![doc = include_str!("../README.md")]

mod account;
mod cursor;
mod group;
mod id;
mod sid;

pub use account::{Account, AccountState, Attribute, Flag, Kind, Presence};
pub use cursor::{Cursor, Mechanism};
pub use group::{Edge, Group};
pub use id::{AccountKey, DirectoryKind, DomainId, DomainIdError, ObjectId, ObjectIdError};
pub use sid::{Sid, SidError};
