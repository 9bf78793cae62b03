//! Refusals of the token endpoint, with their AADSTS codes.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// A code, the OAuth error it comes with, and the status: documented as 400, and seen as 401 for `invalid_client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) number: u32,
    error: &'static str,
}

/// Those that are known here. What each says is in Microsoft's list of error codes.
pub(crate) mod code {
    use super::Code;

    const fn of(number: u32, error: &'static str) -> Code {
        Code { number, error }
    }

    pub(crate) const MISSING: Code = of(900_144, "invalid_request");
    /// No code is documented for these.
    pub(crate) const MALFORMED: Code = of(90_023, "invalid_request");
    pub(crate) const NOT_A_TENANT: Code = of(50_194, "invalid_request");
    pub(crate) const MALFORMED_TENANT: Code = of(900_023, "invalid_request");
    pub(crate) const NO_TENANT: Code = of(90_002, "invalid_request");
    pub(crate) const UNSUPPORTED_GRANT: Code = of(70_003, "unsupported_grant_type");
    pub(crate) const SCOPE: Code = of(70_011, "invalid_scope");
    pub(crate) const RESOURCE: Code = of(500_011, "invalid_resource");
    pub(crate) const NO_APPLICATION: Code = of(700_016, "unauthorized_client");
    pub(crate) const DISABLED_APPLICATION: Code = of(7_000_112, "unauthorized_client");
    pub(crate) const NO_CREDENTIAL: Code = of(7_000_218, "invalid_client");
    pub(crate) const WRONG_SECRET: Code = of(7_000_215, "invalid_client");
    pub(crate) const EXPIRED_SECRET: Code = of(7_000_222, "invalid_client");
    /// A key that is not registered, or a signature that is not its own.
    pub(crate) const ASSERTION: Code = of(700_027, "invalid_client");
    pub(crate) const ASSERTION_MALFORMED: Code = of(50_027, "invalid_request");
    pub(crate) const ASSERTION_TIME: Code = of(700_024, "invalid_client");
    pub(crate) const ASSERTION_AUDIENCE: Code = of(700_023, "invalid_client");
    pub(crate) const ASSERTION_ISSUER: Code = of(700_021, "invalid_client");
    pub(crate) const NO_FEDERATED_ISSUER: Code = of(700_211, "invalid_client");
    pub(crate) const NO_FEDERATED_AUDIENCE: Code = of(700_212, "invalid_client");
    pub(crate) const NO_FEDERATED_SUBJECT: Code = of(700_213, "invalid_client");
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    message: String,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: String) -> Self {
        Self { code, message }
    }

    pub(crate) fn missing(name: &str) -> Self {
        let message = format!("The request body must contain the following parameter: '{name}'.");
        Self::new(code::MISSING, message)
    }

    pub(crate) fn status(&self) -> u16 {
        match self.code.error {
            "invalid_client" => 401,
            _ => 400,
        }
    }

    pub(crate) fn body(&self, now: Timestamp, trace: Uuid, correlation: Uuid) -> Value {
        let Code { number, error } = self.code;
        let at = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        json!({
            "error": error,
            "error_description": format!(
                "AADSTS{number}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}",
                self.message
            ),
            "error_codes": [number],
            "timestamp": at,
            "trace_id": trace.to_string(),
            "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
        })
    }
}
