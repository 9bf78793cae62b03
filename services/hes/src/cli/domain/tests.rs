//! What the flags of a domain become.

use std::fs;

use api::config::v1::{
    Domain, GuardLimit, RemovalPolicy, create_domain_request, credentials::Kind, domain::Directory,
};
use clap::Parser;

use super::{add::ActiveDirectory, update::Update};
use crate::failure::Exit;

#[derive(Parser)]
struct Adding {
    #[command(flatten)]
    args: ActiveDirectory,
}

#[derive(Parser)]
struct Updating {
    #[command(flatten)]
    args: Update,
}

fn update(line: &str) -> Result<(Domain, Vec<String>), crate::failure::Failure> {
    let args = Updating::try_parse_from(["update"].into_iter().chain(line.split_whitespace()));
    let request = args.unwrap().args.request()?;
    Ok((request.domain.unwrap(), request.update_mask.unwrap().paths))
}

#[test]
fn an_update_masks_exactly_what_was_named() {
    let (domain, paths) = update(
        "corp --etag 7 --sync-interval 1h30m --removal-policy keep --no-nested-groups --server ldaps://dc1 \
         --server ldaps://dc2 --guard removals.percent=10 --guard members_lost.most=default --include-ou= \
         --precedence -1 --auto-password-change-days 0",
    )
    .unwrap();

    assert_eq!(
        paths,
        [
            "active_directory.servers",
            "active_directory.nested_groups",
            "active_directory.include_ous",
            "auto_password_change_days",
            "sync_interval",
            "removal_policy",
            "precedence",
            "guard_limits.removals.percent",
            "guard_limits.members_lost.most",
        ]
    );
    assert_eq!(
        (domain.name.as_str(), domain.etag.as_str()),
        ("domains/corp", "7")
    );
    assert_eq!(domain.sync_interval.unwrap().seconds, 5400);
    assert_eq!(domain.removal_policy(), RemovalPolicy::Keep);
    assert_eq!(domain.auto_password_change_days, Some(0));
    assert_eq!(domain.precedence, -1);
    let limits = domain.guard_limits.unwrap();
    assert_eq!(limits.removals.unwrap().percent, Some(10));
    assert_eq!(limits.members_lost, Some(GuardLimit::default()));
    let Some(Directory::ActiveDirectory(directory)) = domain.directory else {
        panic!("not Active Directory")
    };
    assert_eq!(directory.servers, ["ldaps://dc1", "ldaps://dc2"]);
    assert_eq!(directory.nested_groups, Some(false));
    assert!(directory.include_ous.is_empty());
}

#[test]
fn every_path_an_update_can_mask_is_in_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    fs::write(&file, "PEM").unwrap();
    let (_, paths) = update(&format!(
        "corp --server s --start-tls --ca-file {} --display-name n --sync-group g --rotation-group g \
         --auto-password-change-days 1 --sync-interval 1h --removal-policy delete --removal-grace 7d --nested-groups \
         --base-dn d --include-ou o --exclude-ou o --filter f --guard joins.least=1 --precedence 1 --mail-suffix m",
        file.display()
    ))
    .unwrap();

    assert_eq!(paths.len(), 18);
    for path in paths {
        let mut message = api::descriptor_pool().get_message_by_name("hes.config.v1.Domain");
        for name in path.split('.') {
            let field = message.unwrap().get_field_by_name(name).expect(&path);
            message = field.kind().as_message().cloned();
        }
    }
}

#[test]
fn an_update_of_nothing_is_a_usage_error() {
    let failure = update("corp --etag 7").unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
}

#[test]
fn a_new_domain_has_its_credentials_from_files() {
    let dir = tempfile::tempdir().unwrap();
    let (name, password) = (dir.path().join("name"), dir.path().join("password"));
    fs::write(&name, "svc-hes@corp.example.com\n").unwrap();
    fs::write(&password, "p4ss\n").unwrap();
    let line = format!(
        "add corp --domain-name corp.example.com --server ldaps://dc1,ldaps://dc2 --logon-name-file {} \
         --password-file {}",
        name.display(),
        password.display()
    );

    let request = Adding::try_parse_from(line.split_whitespace())
        .unwrap()
        .args
        .request()
        .unwrap();

    assert!(!format!("{request:?}").contains("p4ss"));
    let Some(create_domain_request::Logon::Credentials(credentials)) = request.logon else {
        panic!("no credentials")
    };
    let Some(Kind::ActiveDirectory(account)) = credentials.kind else {
        panic!("not of Active Directory")
    };
    assert_eq!(account.logon_name, "svc-hes@corp.example.com");
    assert_eq!(account.password, "p4ss");
    let Some(Directory::ActiveDirectory(directory)) = request.domain.unwrap().directory else {
        panic!("not Active Directory")
    };
    assert_eq!(directory.domain_name, "corp.example.com");
    assert_eq!(directory.servers.len(), 2);
    // Absent means the default, which is the server's to know.
    assert_eq!(directory.nested_groups, None);
}
