//! Graph's address: who asks, whether they may, and what of it is there.

mod error;
mod options;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Answer, Service, json};
use crate::state::State;
use crate::token::Issued;
use error::Problem;
use options::Options;

const VERSION: &str = "v1.0";

pub(crate) struct Graph(pub(crate) Arc<State>);

impl Service for Graph {
    fn answer(&self, head: &Parts, _body: &Bytes) -> Answer {
        let id = self.0.id();
        let mut answer = match self.respond(head) {
            Ok(body) => json(200, &body),
            Err(problem) => {
                let body = problem.body(self.0.clock.now(), id, client_request_id(&head.headers));
                let mut answer = json(problem.status, &body);
                if problem.status == 401 {
                    let challenge = HeaderValue::from_static("Bearer realm=\"\"");
                    answer
                        .headers_mut()
                        .insert(header::WWW_AUTHENTICATE, challenge);
                }
                answer
            }
        };
        let headers = answer.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
            headers.insert("request-id", id);
        }
        if let Some(id) = head.headers.get("client-request-id") {
            headers.insert("client-request-id", id.clone());
        }
        answer
    }
}

impl Graph {
    fn respond(&self, head: &Parts) -> Result<Value, Problem> {
        let caller = self.caller(&head.headers)?;
        let path = head.uri.path();
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let Some((&VERSION, segments)) = segments.split_first() else {
            return Err(Problem::bad_request("Invalid version."));
        };
        let options = Options::parse(head.uri.query().unwrap_or_default())?;
        match (&head.method, segments) {
            (&Method::GET, ["organization"]) => {
                let roles = [
                    "User.Read.All",
                    "Organization.Read.All",
                    "Directory.Read.All",
                ];
                caller.must_have(&roles)?;
                let organization = self.0.tenant().organization();
                let one = options.select("organization", organization)?;
                Ok(self.collection("organization", vec![one]))
            }
            (&Method::GET, ["domains"]) => {
                caller.must_have(&["Domain.Read.All", "Directory.Read.All"])?;
                let domains = self.0.tenant().domains().into_iter();
                let domains = domains.map(|domain| options.select("domain", domain));
                Ok(self.collection("domains", domains.collect::<Result<_, _>>()?))
            }
            (_, segments) => {
                let name = segments.first().copied().unwrap_or_default();
                Err(Problem::no_segment(name))
            }
        }
    }

    fn caller(&self, headers: &HeaderMap) -> Result<Issued, Problem> {
        let header = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let Some(header) = header else {
            return Err(Problem::unauthenticated("Access token is empty."));
        };
        let token = header.strip_prefix("Bearer ");
        let issued = token.and_then(|token| self.0.bearer(token));
        issued.ok_or_else(|| {
            Problem::unauthenticated("Access token validation failure, or it has expired.")
        })
    }

    fn collection(&self, name: &str, value: Vec<Value>) -> Value {
        json!({
            "@odata.context": format!("{}/{VERSION}/$metadata#{name}", self.0.graph),
            "value": value,
        })
    }
}

impl Issued {
    /// One of these permissions, from the least on.
    fn must_have(&self, roles: &[&str]) -> Result<(), Problem> {
        match self.roles.iter().any(|role| roles.contains(&role.as_str())) {
            true => Ok(()),
            false => Err(Problem::denied()),
        }
    }
}

fn client_request_id(headers: &HeaderMap) -> Option<Uuid> {
    let text = headers.get("client-request-id")?.to_str().ok()?;
    Uuid::parse_str(text).ok()
}
