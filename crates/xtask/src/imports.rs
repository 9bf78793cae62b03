//! Who may import whom (`docs/architecture.md`), read from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use crate::run;

/// What each of our crates may import of ours. A new crate says it here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("directory", &[]),
    ("sync", &["directory"]),
    ("rotation", &["directory"]),
    ("sealing", &[]),
    ("api", &["directory"]),
    // Its databases for tests, behind a feature.
    ("storage", &["testkit"]),
    ("events", &["storage"]),
    ("runtime", &["api"]),
    ("heap", &[]),
    (
        "program",
        &["events", "heap", "runtime", "sealing", "storage"],
    ),
    ("ad-client", &["directory"]),
    (
        "connector",
        &["api", "directory", "events", "runtime", "storage", "sync"],
    ),
    (
        "config-service",
        &[
            "api",
            "directory",
            "events",
            "program",
            "runtime",
            "sealing",
            "storage",
            "sync",
        ],
    ),
    (
        "ad-connector",
        &[
            "ad-client",
            "api",
            "connector",
            "directory",
            "events",
            "program",
            "runtime",
            "storage",
            "sync",
        ],
    ),
    (
        "rotation-scheduler",
        &[
            "api",
            "directory",
            "events",
            "program",
            "rotation",
            "runtime",
            "sealing",
            "storage",
        ],
    ),
    (
        "hes",
        &[
            "ad-connector",
            "ad-sim",
            "api",
            "config-service",
            "directory",
            "events",
            "heap",
            "program",
            "rotation-scheduler",
            "runtime",
            "sealing",
            "storage",
            "sync",
        ],
    ),
    ("xtask", &[]),
    ("testkit", &[]),
    ("ad-sim", &[]),
    ("graph-sim", &[]),
    ("contract", &["ad-sim", "testkit"]),
    // Measures the services from inside.
    (
        "bench",
        &[
            "ad-sim",
            "api",
            "config-service",
            "e2e",
            "events",
            "runtime",
            "sealing",
            "storage",
            "testkit",
        ],
    ),
    // Tests through the whole suite, from outside.
    ("e2e", &["ad-sim", "api", "testkit"]),
];

/// Crates that decide and never do: they know no way to reach anything, however indirectly.
const PURE: &[&str] = &["directory", "sync", "rotation"];
const IMPURE: &[&str] = &[
    "async-nats",
    "axum",
    "hyper",
    "ldap3",
    "reqwest",
    "rustls",
    "sqlx",
    "tokio",
    "tonic",
];

/// A simulator or test kit that shares our code shares our mistakes: not even its tests import ours.
const FOREIGN: &[&str] = &["testkit", "ad-sim", "contract"];

/// One TLS provider, ring: two in a process is a panic at the first connection.
const BANNED: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
];

/// Whether every rule is kept.
pub(crate) fn check() -> Result<bool> {
    let metadata = MetadataCommand::new()
        .manifest_path(run::root()?.join("Cargo.toml"))
        .exec()?;
    let mut broken = Vec::new();
    broken.extend(layers(&metadata));
    broken.extend(purity(&metadata)?);
    broken.extend(providers(&metadata));
    for rule in &broken {
        eprintln!("error: {rule}");
    }
    Ok(broken.is_empty())
}

fn layers(metadata: &Metadata) -> Vec<String> {
    let ours: BTreeSet<&str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut broken = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(allowed) = allowed.get(name) else {
            broken.push(format!(
                "`{name}` isn't in the table of crates/xtask/src/imports.rs"
            ));
            continue;
        };
        for import in imports(package) {
            if ours.contains(import) && !allowed.contains(&import) {
                broken.push(format!("`{name}` must not import `{import}`"));
            }
        }
    }
    broken
}

/// What a package imports; for test kits, what its tests import too.
fn imports(package: &Package) -> impl Iterator<Item = &str> {
    let counts_tests = FOREIGN.contains(&package.name.as_str());
    package
        .dependencies
        .iter()
        .filter(move |dependency| counts_tests || dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

fn purity(metadata: &Metadata) -> Result<Vec<String>> {
    let names: BTreeMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let mut broken = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        if !PURE.contains(&name) {
            continue;
        }
        for reached in reachable(metadata, &package.id)? {
            let reached = names.get(reached).copied().unwrap_or_default();
            if IMPURE.contains(&reached) {
                broken.push(format!("`{name}` is pure and must not reach `{reached}`"));
            }
        }
    }
    Ok(broken)
}

/// Everything that is compiled into the package, tests aside.
fn reachable<'a>(metadata: &'a Metadata, from: &'a PackageId) -> Result<BTreeSet<&'a PackageId>> {
    let graph = metadata
        .resolve
        .as_ref()
        .context("cargo resolved nothing")?;
    let nodes: BTreeMap<_, _> = graph.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        let dependencies = nodes.get(id).map(|node| node.deps.as_slice());
        for dependency in dependencies.unwrap_or_default() {
            let is_compiled_in = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            if is_compiled_in && seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    Ok(seen)
}

fn providers(metadata: &Metadata) -> Vec<String> {
    metadata
        .packages
        .iter()
        .filter(|package| BANNED.contains(&package.name.as_str()))
        .map(|package| format!("`{}` must not be in Cargo.lock", package.name))
        .collect()
}
