//! The identity platform's address: tokens, and what clients look up before they ask for one.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use serde_json::json;

use crate::server::{Answer, Service, json, plain};
use crate::state::State;
use crate::token::{self, Asked, Realm};

pub(crate) struct Authority(pub(crate) Arc<State>);

impl Service for Authority {
    fn answer(&self, head: &Parts, body: &Bytes) -> Answer {
        let path = head.uri.path();
        let mut segments = path.trim_start_matches('/').splitn(2, '/');
        let tenant = segments.next().unwrap_or_default();
        match (&head.method, segments.next().unwrap_or_default()) {
            (&Method::POST, "oauth2/v2.0/token") => self.token(tenant, &head.headers, body),
            (&Method::GET, "v2.0/.well-known/openid-configuration") => self.configuration(tenant),
            _ => plain(404, "there is nothing here"),
        }
    }
}

impl Authority {
    fn token(&self, tenant: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let asked = Asked {
            tenant,
            content_type: text(header::CONTENT_TYPE).unwrap_or_default(),
            authorization: text(header::AUTHORIZATION),
            body,
        };
        let state = &self.0;
        let now = state.clock.now();
        let granted = {
            let tenant = state.tenant();
            let realm = Realm {
                tenant: &tenant,
                authority: &state.authority,
                graph: &state.graph,
                now,
            };
            token::grant(&asked, &realm).map(|application| application.roles.clone())
        };
        match granted {
            Ok(roles) => {
                let (token, lifetime) = state.issue(roles);
                json(200, &token::granted(&token, lifetime))
            }
            Err(refusal) => {
                let body = refusal.body(now, state.id(), state.id());
                json(refusal.status(), &body)
            }
        }
    }

    /// What MSAL reads first: all under one origin.
    fn configuration(&self, tenant: &str) -> Answer {
        let authority = &self.0.authority;
        json(
            200,
            &json!({
                "token_endpoint": format!("{authority}/{tenant}/oauth2/v2.0/token"),
                "token_endpoint_auth_methods_supported":
                    ["client_secret_post", "private_key_jwt", "client_secret_basic"],
                "jwks_uri": format!("{authority}/{tenant}/discovery/v2.0/keys"),
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token"],
                "scopes_supported": ["openid"],
                "issuer": format!("{authority}/{tenant}/v2.0"),
                "authorization_endpoint": format!("{authority}/{tenant}/oauth2/v2.0/authorize"),
                "tenant_region_scope": "EU",
                "msgraph_host": self.0.graph.trim_start_matches("https://"),
            }),
        )
    }
}
