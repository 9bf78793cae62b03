//! Schemas, embedded in the program.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrationType, Migrator};

/// One step of a schema. A released one is never edited: a changed text is refused by databases that ran the old one.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// From 1, in order.
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

/// A service's schema, one list an engine. The kit's own tables come before it and need no mention.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    pub sqlite: &'static [Migration],
}

/// Versions below are the kit's.
const FIRST_OF_SERVICE: i64 = 1000;

const KIT_SQLITE: &[Migration] = &[Migration {
    version: 1,
    name: "kit",
    sql: include_str!("../migrations/sqlite/0001_kit.sql"),
}];

impl Migrations {
    /// Only the kit's tables.
    pub const NONE: Self = Self { sqlite: &[] };

    pub(crate) fn for_sqlite(&self) -> Migrator {
        let kit = KIT_SQLITE.iter().map(|step| (step.version, step));
        let service = self
            .sqlite
            .iter()
            .map(|step| (FIRST_OF_SERVICE + step.version, step));
        let steps = kit
            .chain(service)
            .map(|(version, step)| {
                sqlx::migrate::Migration::new(
                    version,
                    Cow::Borrowed(step.name),
                    MigrationType::Simple,
                    step.sql.into_sql_str(),
                    false,
                )
            })
            .collect();
        Migrator::with_migrations(steps)
    }
}

/// Embeds the named files of `migrations/sqlite`, in order: `storage::migrations!["0001_accounts", "0002_runs"]`.
#[macro_export]
macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        $crate::Migrations {
            sqlite: &{
                let mut version = 0;
                [$({
                    version += 1;
                    $crate::Migration {
                        version,
                        name: $name,
                        sql: include_str!(concat!(
                            env!("CARGO_MANIFEST_DIR"),
                            "/migrations/sqlite/",
                            $name,
                            ".sql"
                        )),
                    }
                }),+]
            },
        }
    };
}
