//! The command line that scripts rely on.

use clap::{CommandFactory, Parser, error::ErrorKind};

use super::*;

/// Command lines that must stay valid, each as it stands in the documentation.
const FIXED: &str = r"
hes up --data-dir D
hes up --data-dir D --listen 127.0.0.1:7443 --kek-file F
hes status
hes domain add ad corp --domain-name corp.example.com --server ldaps://dc1 --ca-file F --logon-name-file F --password-file F
hes domain add ad corp --domain-name corp.example.com --server ldaps://dc1:636 --server ldaps://dc2 --ca-file F --logon-name N --password-file F
hes domain add ad corp --domain-name corp.example.com --server ldap://dc1 --start-tls --ca-file F --skip-credentials
hes domain add ad corp --domain-name d --server ldaps://dc1 --ca-file F --skip-credentials --display-name N --sync-group G --rotation-group G --auto-password-change-days 28 --sync-interval 1h --removal-policy keep --no-nested-groups --base-dn DN --include-ou DN --include-ou DN --exclude-ou DN --exclude-ou DN --filter F --guard removals.percent=5 --guard joins.most=20 --precedence 1 --mail-suffix S --mail-suffix S
hes domain add ad corp --domain-name d --server ldaps://dc1 --ca-file F --skip-credentials --removal-policy deactivate
hes domain add ad corp --domain-name d --server ldaps://dc1 --ca-file F --skip-credentials --removal-policy delete
hes domain list
hes domain get corp
hes domain update corp --display-name N
hes domain test corp
hes domain set-credentials corp --logon-name N --password-file -
hes domain set-credentials corp --logon-name-file F --password-file -
hes domain set-credentials corp --skip-credentials
hes domain remove-credentials corp --yes
hes domain delete corp --yes
hes domain undelete corp
hes domain passwordless get corp
hes domain passwordless set corp --file F
hes sync run corp
hes sync run corp --full --dry-run --wait
hes sync list
hes sync list corp
hes sync show 0f
hes sync approve 0f
hes sync approve 0f --yes
hes sync reject 0f
hes employee list
hes employee get 0f
hes employee link 0f 1f
hes employee unlink 0f 2f --yes
hes employee proposals
hes employee proposals accept 0f
hes employee proposals reject 0f
hes rotation list
hes rotation list --domain corp --employee 0f --all --limit 5
hes rotation show 0f
hes rotation now 0f
hes rotation now --domain corp --yes
hes rotation pause
hes rotation pause corp
hes rotation resume
hes rotation resume corp
hes rotation forecast corp
hes rotation forecast corp --days 7
hes rotation held
hes rotation release 0f --reason R --yes
hes delivery target add 0f --store D
hes delivery target add 0f --sealing-key K --signing-key K --name N
hes delivery target list
hes delivery target list --employee 0f --all
hes delivery target revoke 0f --yes
hes delivery client add c --domain corp --domain other --token-file F --offers-per-hour 5
hes delivery client list
hes delivery client revoke c --yes
hes delivery agent --store D --api-token-file F
hes delivery store --store D
hes audit list
hes audit verify
hes migrate config-service --settings F
hes migrate ad-connector --settings F --check
hes migrate rotation-scheduler --settings F
hes generate token --token-file F --hash-file F
hes generate kek --file F
hes status -o json
hes -o yaml status
hes domain list --api https://hes.example.com --api-token-file F --api-ca-file F --output table
hes --api https://hes.example.com --api-token-file F --api-ca-file F sync list";

const USAGE_ERRORS: &str = r"
hes domain add ad corp --domain-name d --ca-file F --skip-credentials
hes domain add ad corp --server ldaps://dc1 --ca-file F --skip-credentials
hes domain add ad corp --domain-name d --server ldaps://dc1 --ca-file F
hes domain add ad corp --domain-name d --server ldaps://dc1 --logon-name N
hes domain add ad corp --domain-name d --server ldaps://dc1 --password-file F
hes domain add ad corp --domain-name d --server ldaps://dc1 --logon-name N --logon-name-file F --password-file F
hes domain add ad corp --domain-name d --server ldaps://dc1 --logon-name N --password-file F --skip-credentials
hes domain add ad corp --domain-name d --server ldaps://dc1 --skip-credentials --password P
hes domain add ad corp --domain-name d --server ldaps://dc1 --skip-credentials --sync-interval soon
hes domain add ad corp --domain-name d --server ldaps://dc1 --skip-credentials --removal-policy forget
hes domain add ad corp --domain-name d --server ldaps://dc1 --skip-credentials --guard removals=5
hes domain set-credentials corp
hes domain update corp --domain-name other
hes domain get
hes sync run
hes employee link 0f
hes up
hes status -o xml
hes status --api 127.0.0.1";

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}

#[test]
fn the_tree_of_commands_is_valid() {
    Cli::command().debug_assert();
}

#[test]
fn the_fixed_command_lines_are_understood() {
    for line in lines(FIXED) {
        if let Err(error) = parse(line) {
            panic!("{line}\n{error}");
        }
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for line in lines(USAGE_ERRORS) {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        assert_ne!(error.kind(), ErrorKind::DisplayHelp, "{line}");
    }
}

#[test]
fn an_address_without_its_scheme_is_told_the_form_of_one() {
    for address in ["foo", "localhost:7443", "127.0.0.1:7443"] {
        let error = parse(&format!("hes status --api {address}")).expect_err(address);
        assert!(error.to_string().contains("https://HOST[:PORT]"), "{error}");
    }
}

#[test]
fn every_command_says_what_it_does_and_no_flag_takes_a_secret() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "{path} says nothing");
        for argument in command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
        {
            let name = argument.get_id();
            assert!(argument.get_help().is_some(), "{path}: {name} says nothing");
            let is_secret = ["password", "secret", "token", "key"]
                .iter()
                .any(|word| argument.get_long().is_some_and(|long| long.ends_with(word)));
            // Everybody may know these.
            let is_public = ["sealing-key", "signing-key"]
                .iter()
                .any(|public| argument.get_long() == Some(public));
            assert!(
                !is_secret || is_public,
                "{path}: {name} would put a secret on the command line"
            );
        }
        command
            .get_subcommands()
            .for_each(|inner| check(inner, &path));
    }
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    check(&root, "");
}
