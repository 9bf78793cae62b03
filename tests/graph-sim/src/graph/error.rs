//! Graph's error envelope.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// Why there is no answer but this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    code: &'static str,
    message: String,
}

impl Problem {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }

    pub(crate) fn unsupported_query(message: impl Into<String>) -> Self {
        Self::new(400, "Request_UnsupportedQuery", message)
    }

    pub(crate) fn unauthenticated(message: &str) -> Self {
        Self::new(401, "InvalidAuthenticationToken", message)
    }

    pub(crate) fn denied() -> Self {
        let message = "Insufficient privileges to complete the operation.";
        Self::new(403, "Authorization_RequestDenied", message)
    }

    pub(crate) fn no_segment(name: &str) -> Self {
        let message = format!("Resource not found for the segment '{name}'.");
        Self::bad_request(message)
    }

    pub(crate) fn body(&self, now: Timestamp, request: Uuid, client: Option<Uuid>) -> Value {
        json!({
            "error": {
                "code": self.code,
                "message": self.message,
                "innerError": {
                    "date": now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                    "request-id": request.to_string(),
                    "client-request-id": client.unwrap_or(request).to_string(),
                },
            },
        })
    }
}
