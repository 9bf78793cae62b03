//! Schemas, embedded in the program.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrationType, Migrator};

use crate::settings::Engine;

/// One step of a schema. A released one is never edited: a changed text is refused by databases that ran the old one.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// From 1, in order.
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

/// A service's schema, one list an engine: the same tables, each in its engine's own words. The kit's own tables come
/// before it and need no mention.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    pub sqlite: &'static [Migration],
    pub postgres: &'static [Migration],
}

/// Versions below are the kit's.
const FIRST_OF_SERVICE: i64 = 1000;

const KIT: Migrations = crate::migrations!["0001_kit"];

impl Migrations {
    /// Only the kit's tables.
    pub const NONE: Self = Self {
        sqlite: &[],
        postgres: &[],
    };

    fn list(&self, engine: Engine) -> &'static [Migration] {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }

    pub(crate) fn of(&self, engine: Engine) -> Migrator {
        let kit = KIT.list(engine).iter().map(|step| (step.version, step));
        let service = self
            .list(engine)
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

/// Embeds the named files of `migrations/sqlite` and `migrations/postgres`, in order:
/// `storage::migrations!["0001_accounts", "0002_runs"]`. With `sqlite:` before them, for what is never anywhere else.
#[macro_export]
macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        $crate::Migrations {
            sqlite: $crate::migrations!(@list "/migrations/sqlite/", $($name),+),
            postgres: $crate::migrations!(@list "/migrations/postgres/", $($name),+),
        }
    };
    (sqlite: $($name:literal),+ $(,)?) => {
        $crate::Migrations {
            sqlite: $crate::migrations!(@list "/migrations/sqlite/", $($name),+),
            postgres: &[],
        }
    };
    (@list $folder:literal, $($name:literal),+) => {
        &{
            let mut version = 0;
            [$({
                version += 1;
                $crate::Migration {
                    version,
                    name: $name,
                    sql: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), $folder, $name, ".sql")),
                }
            }),+]
        }
    };
}
