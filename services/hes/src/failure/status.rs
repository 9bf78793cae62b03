//! What the API refused, from its status: the message, each bad field, the reason, and what to do next.

use std::error::Error;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::Failure;

/// The flag that sets each field. Messages name fields as the API does; who typed a command knows flags.
pub(super) const FLAGS: [(&str, &str); 23] = [
    ("domain_id", "ID"),
    ("display_name", "--display-name"),
    ("active_directory.domain_name", "--domain-name"),
    ("active_directory.servers", "--server"),
    ("active_directory.start_tls", "--start-tls"),
    ("active_directory.ca_bundle_pem", "--ca-file"),
    ("active_directory.base_dn", "--base-dn"),
    ("active_directory.nested_groups", "--no-nested-groups"),
    ("active_directory.include_ous", "--include-ou"),
    ("active_directory.exclude_ous", "--exclude-ou"),
    ("active_directory.user_filter", "--filter"),
    ("sync_group", "--sync-group"),
    ("rotation_group", "--rotation-group"),
    ("auto_password_change_days", "--auto-password-change-days"),
    ("sync_interval", "--sync-interval"),
    ("removal_policy", "--removal-policy"),
    ("removal_grace", "--removal-grace"),
    ("guard_limits", "--guard"),
    ("precedence", "--precedence"),
    ("mail_suffixes", "--mail-suffix"),
    (
        "credentials.active_directory.logon_name",
        "--logon-name or --logon-name-file",
    ),
    ("credentials.active_directory.password", "--password-file"),
    ("etag", "--etag"),
];

impl Failure {
    /// The API did not do what was asked.
    pub(crate) fn call(tried: impl Into<String>, status: &Status) -> Self {
        let details = status.get_error_details();
        let mut failure = Self::new(tried).because(in_flags(&message(status)));
        let told = status.message();
        failure.why.extend(
            violations(&details)
                .filter(|(_, problem)| !told.contains(problem.as_str()))
                .map(|(field, problem)| in_flags(&format!("{field}: {problem}"))),
        );
        failure.why.extend(causes(status));
        let reason = details.error_info().map(|info| info.reason.clone());
        if let Some(reason) = reason.as_deref().filter(|reason| !reason.is_empty()) {
            failure = failure.because(format!("({}, {reason})", code(status.code())));
        }
        match remedy(&details).or_else(|| advice(status, failure.why.join("\n").as_str())) {
            Some(next) => failure.next(next),
            None => failure,
        }
    }
}

fn message(status: &Status) -> String {
    if status.message().is_empty() {
        format!("the API answered {}", code(status.code()))
    } else {
        status.message().to_owned()
    }
}

/// Each line that begins with a field says the flag too.
fn in_flags(message: &str) -> String {
    let lines = message.lines().map(|line| {
        let field = line.split_once(": ").map_or("", |(field, _)| field);
        let flag = FLAGS.iter().find(|(path, _)| {
            let rest = field.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
        });
        match flag {
            Some((_, flag)) => line.replacen(field, &format!("{flag} ({field})"), 1),
            None => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The bad fields, and what is wrong with each.
fn violations(details: &ErrorDetails) -> impl Iterator<Item = (String, String)> {
    let fields = details
        .bad_request()
        .into_iter()
        .flat_map(|bad| &bad.field_violations);
    fields.map(|violation| (violation.field.clone(), violation.description.clone()))
}

/// Errors of this side, such as a certificate that is not trusted.
fn causes(status: &Status) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = Error::source(status);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes
}

/// What the server itself says to do.
fn remedy(details: &ErrorDetails) -> Option<String> {
    let info = details.error_info()?;
    info.metadata
        .get("remedy")
        .filter(|text| !text.is_empty())
        .cloned()
}

fn advice(status: &Status, why: &str) -> Option<String> {
    let why = why.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    let advice = match status.code() {
        Code::Unavailable
            if says(&[
                "unknownissuer",
                "unknown issuer",
                "selfsigned",
                "self-signed",
            ]) =>
        {
            "the API's certificate is not trusted: give its authority by --api-ca-file (with `hes up`: DIR/ca.pem)"
        }
        Code::Unavailable if says(&["notvalidforname", "not valid for name"]) => {
            "the API's certificate has another name: use that name in --api, or `hes up --listen` with this one"
        }
        Code::Unavailable if says(&["expired"]) => {
            "the API's certificate has expired: renew it (`hes up` renews its own when it starts)"
        }
        Code::Unavailable if says(&["connect", "transport", "dns", "refused"]) => {
            "check that it is running (`hes up`) and that --api or HES_API is its address"
        }
        Code::Unauthenticated => {
            "give the token by --api-token-file or HES_API_TOKEN_FILE (with `hes up`: DIR/admin.token)"
        }
        Code::PermissionDenied => "use a token of a role that may do this",
        Code::DeadlineExceeded => "try again; `hes status` tells which part is slow or away",
        Code::Unavailable => "try again; `hes status` tells which part is away",
        Code::Unimplemented => "this version of the server can't do that yet",
        Code::Internal | Code::DataLoss | Code::Unknown => "the server's log says more",
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange => return None,
    };
    Some(advice.to_owned())
}

/// The code as gRPC spells it.
fn code(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
