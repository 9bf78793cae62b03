//! Databases for tests, of the engine that the environment names: one suite, run on both.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use testkit::postgres::{self, Database as Made};

use crate::settings::{Postgres, Settings};

/// `postgres`, or nothing for SQLite.
pub const ENGINE: &str = "HES_TEST_DATABASE";

/// Where a test's database is: the file `path`, or a database of a real PostgreSQL that belongs to `path`, the same each
/// time it is asked for while the server lives, from this process or from one that it starts.
pub async fn settings(path: &Path) -> Settings {
    if !on_postgres() {
        return Settings::at(path);
    }
    let note = beside(path, "postgres");
    if let Ok(text) = std::fs::read_to_string(&note) {
        return read(&text, path);
    }
    let made = make().await;
    let password_file = beside(path, "password");
    std::fs::write(&password_file, &made.password).unwrap();
    let lines = [
        made.host,
        made.port.to_string(),
        made.name,
        made.user,
        made.ca_file.display().to_string(),
    ];
    let text = lines.join("\n");
    std::fs::write(&note, &text).unwrap();
    read(&text, path)
}

/// Whether this run of the tests is on PostgreSQL.
pub fn on_postgres() -> bool {
    std::env::var(ENGINE).is_ok_and(|engine| engine == "postgres")
}

async fn make() -> Made {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let server = postgres::shared().await.unwrap();
    let name = format!("test{}", MADE.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).await.unwrap()
}

fn read(text: &str, path: &Path) -> Settings {
    let mut lines = text.lines().map(str::to_owned);
    let mut next = || lines.next().unwrap();
    Settings::on(Postgres {
        host: next(),
        port: next().parse().unwrap(),
        name: next(),
        user: next(),
        password_file: beside(path, "password"),
        ca_file: next().into(),
        connections: 5,
        ..Postgres::default()
    })
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    path.with_extension(extension)
}
