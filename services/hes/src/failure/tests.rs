//! How errors read.

use runtime::grpc::{Failure as ApiFailure, Reason};

use super::*;
use crate::output::tests::screen;

fn rendered(status: ApiFailure) -> String {
    Failure::call("could not add domain `corp`", &status.into_status()).render(&screen(None))
}

#[test]
fn every_bad_field_is_named_with_its_flag_and_what_is_wrong_with_it() {
    let status = ApiFailure::new(Reason::InvalidField, "2 fields can't be taken")
        .field("active_directory.servers[0]", "must begin with ldaps://")
        .field("sync_interval", "is out of range; give 1 minute to 7 days");
    assert_eq!(
        rendered(status),
        "\
error: could not add domain `corp`
  2 fields can't be taken
  --server (active_directory.servers[0]): must begin with ldaps://
  --sync-interval (sync_interval): is out of range; give 1 minute to 7 days
  (INVALID_ARGUMENT, INVALID_FIELD)"
    );
}

#[test]
fn fields_that_have_no_flag_are_named_as_the_api_does() {
    let text = rendered(ApiFailure::invalid("sync_groups", "is unknown"));
    assert!(text.contains("\n  sync_groups: is unknown"), "{text}");
    let text = rendered(ApiFailure::invalid("guard_limits.joins.percent", "is 200"));
    assert!(
        text.contains("\n  --guard (guard_limits.joins.percent): is 200"),
        "{text}"
    );
}

#[test]
fn every_flag_stands_for_a_field_of_the_request() {
    let request = api::descriptor_pool()
        .get_message_by_name("hes.config.v1.CreateDomainRequest")
        .unwrap();
    let domain = request.get_field_by_name("domain").unwrap();
    for (path, flag) in status::FLAGS {
        let found = [request.clone(), domain.kind().as_message().unwrap().clone()]
            .into_iter()
            .any(|mut message| {
                path.split('.').all(|part| {
                    let field = message.get_field_by_name(part);
                    if let Some(inner) = field.as_ref().and_then(|f| f.kind().as_message().cloned())
                    {
                        message = inner;
                    }
                    field.is_some()
                })
            });
        assert!(found, "{path}, for {flag}, is no field");
    }
}

#[test]
fn a_server_that_cannot_be_reached_says_what_to_check() {
    let message = "failed to reach https://127.0.0.1:7443: tcp connect error: Connection refused";
    let text = rendered(ApiFailure::new(Reason::Unreachable, message));
    assert!(text.contains("Connection refused"), "{text}");
    assert!(
        text.contains("next: check that it is running (`hes up`)"),
        "{text}"
    );
}

#[test]
fn a_certificate_that_is_not_trusted_says_which_flag_gives_its_authority() {
    let message = "failed to reach https://h: TLS: invalid peer certificate: UnknownIssuer";
    let text = rendered(ApiFailure::new(Reason::Unreachable, message));
    assert!(text.contains("--api-ca-file"), "{text}");
}

#[test]
fn a_missing_token_says_where_it_is() {
    let text = rendered(ApiFailure::new(Reason::Unauthenticated, "no bearer token"));
    assert!(
        text.contains("--api-token-file") && text.contains("admin.token"),
        "{text}"
    );
}

#[test]
fn a_remedy_of_the_server_goes_before_our_own() {
    let status = ApiFailure::new(Reason::EtagMismatch, "changed").with("remedy", "do as I say");
    assert!(rendered(status).ends_with("next: do as I say"));
}

#[test]
fn a_cause_that_its_error_repeats_is_said_once() {
    let failure = Failure::new("could not start")
        .because("failed to bind: address in use")
        .because("address in use");
    assert_eq!(
        failure.render(&screen(None)),
        "error: could not start\n  failed to bind: address in use"
    );
}
