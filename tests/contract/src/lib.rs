#![doc = include_str!("../README.md")]

mod client;
mod directory;

pub use client::{Answer, Change, Client, Entry, control};
pub use directory::{Directory, Kind};

/// Runs each of these tests on the simulated directory and on Samba.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod simulated {
            $(#[tokio::test]
            async fn $name() -> anyhow::Result<()> {
                super::$name(&contract::Directory::simulated().await?).await
            })+
        }
        mod samba {
            $(#[tokio::test]
            async fn $name() -> anyhow::Result<()> {
                super::$name(&contract::Directory::samba().await?).await
            })+
        }
    };
}
