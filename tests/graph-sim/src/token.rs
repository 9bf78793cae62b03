//! `POST /{tenant}/oauth2/v2.0/token`: client credentials for an access token.
//!
//! Checks come in the order in which the service's own errors let one infer it: the tenant, the request's form, the scope,
//! the application, and what it proves itself with.

mod assertion;
mod error;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::application::Application;
use crate::tenant::Tenant;

pub(crate) use error::{Refusal, code};

/// What the token endpoint is asked.
pub(crate) struct Asked<'a> {
    /// The first segment of the path.
    pub(crate) tenant: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) authorization: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// What it answers by.
pub(crate) struct Realm<'a> {
    pub(crate) tenant: &'a Tenant,
    /// `https://host:port` of the authority.
    pub(crate) authority: &'a str,
    /// `https://host:port` of Graph: what a scope names.
    pub(crate) graph: &'a str,
    pub(crate) now: Timestamp,
}

/// An access token that was given out.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    /// As they were then: a role that is granted later is not in it.
    pub(crate) roles: Vec<String>,
    pub(crate) expires: Timestamp,
}

/// Who may have a token, by what was asked; or why not.
pub(crate) fn grant<'a>(asked: &Asked<'_>, realm: &Realm<'a>) -> Result<&'a Application, Refusal> {
    check_tenant(asked.tenant, realm.tenant)?;
    let form = form(asked)?;
    let field = |name: &str| {
        form.get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    let required = |name: &'static str| field(name).ok_or(Refusal::missing(name));
    let grant_type = required("grant_type")?;
    if grant_type != "client_credentials" {
        return Err(Refusal::new(
            code::UNSUPPORTED_GRANT,
            format!("The app requested an unsupported grant type '{grant_type}'."),
        ));
    }
    if let Some(claims) = field("claims")
        && !serde_json::from_str::<Value>(claims).is_ok_and(|claims| claims.is_object())
    {
        let message = "The claims parameter is not valid JSON.".to_owned();
        return Err(Refusal::new(code::MALFORMED, message));
    }
    let basic = asked.authorization.map(basic).transpose()?;
    let client_id = match &basic {
        Some((id, _)) => id.as_str(),
        None => required("client_id")?,
    };
    check_scope(required("scope")?, realm.graph)?;
    let application = find(client_id, realm.tenant)?;
    let secret = match &basic {
        Some((_, secret)) => Some(secret.as_str()),
        None => field("client_secret"),
    };
    let assertion = field("client_assertion");
    match (secret, assertion) {
        (Some(_), Some(_)) => Err(Refusal::new(
            code::MALFORMED,
            "Both a client secret and a client assertion are presented.".to_owned(),
        )),
        (Some(secret), None) => check_secret(secret, application, realm.now),
        (None, Some(assertion)) => {
            const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            if required("client_assertion_type")? != BEARER {
                let message = "The client_assertion_type is not supported.".to_owned();
                return Err(Refusal::new(code::MALFORMED, message));
            }
            assertion::check(assertion, application, realm)
        }
        (None, None) => Err(Refusal::new(
            code::NO_CREDENTIAL,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
                .to_owned(),
        )),
    }?;
    Ok(application)
}

/// The body of a success.
pub(crate) fn granted(token: &str, expires_in: i64) -> Value {
    json!({
        "token_type": "Bearer",
        "expires_in": expires_in,
        "ext_expires_in": expires_in,
        "access_token": token,
    })
}

fn check_tenant(asked: &str, tenant: &Tenant) -> Result<(), Refusal> {
    let shared = ["common", "consumers", "organizations"];
    if shared.contains(&asked) {
        return Err(Refusal::new(
            code::NOT_A_TENANT,
            format!("Use a tenant-specific endpoint: '{asked}' does not allow this grant."),
        ));
    }
    let is_domain = asked.contains('.')
        && asked
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let is_ours = match Uuid::parse_str(asked) {
        Ok(id) => id == tenant.id,
        Err(_) if is_domain => tenant.has_domain(asked),
        Err(_) => {
            let message = format!(
                "Specified tenant identifier '{asked}' is neither a valid DNS name, nor a valid external domain."
            );
            return Err(Refusal::new(code::MALFORMED_TENANT, message));
        }
    };
    if is_ours {
        return Ok(());
    }
    let message = format!(
        "Tenant '{asked}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
    );
    Err(Refusal::new(code::NO_TENANT, message))
}

/// The fields, each at most once.
fn form(asked: &Asked<'_>) -> Result<HashMap<String, String>, Refusal> {
    let media = asked.content_type.split(';').next().unwrap_or_default();
    if !media
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        // What comes in another form has no parameters at all.
        return Err(Refusal::missing("grant_type"));
    }
    let mut form = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(asked.body) {
        let name = name.into_owned();
        if form.contains_key(&name) {
            let message = format!("The parameter '{name}' is duplicated.");
            return Err(Refusal::new(code::MALFORMED, message));
        }
        form.insert(name, value.into_owned());
    }
    Ok(form)
}

/// Client id and secret of an Authorization header (RFC 6749, section 2.3.1).
fn basic(header: &str) -> Result<(String, String), Refusal> {
    let malformed = || {
        Refusal::new(
            code::MALFORMED,
            "The Authorization header is malformed.".to_owned(),
        )
    };
    let encoded = header.strip_prefix("Basic ").ok_or_else(malformed)?;
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| malformed())?;
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let (id, secret) = text.split_once(':').ok_or_else(malformed)?;
    let decoded = |part: &str| {
        let pair = format!("v={part}");
        url::form_urlencoded::parse(pair.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Ok((decoded(id), decoded(secret)))
}

fn check_scope(scope: &str, graph: &str) -> Result<(), Refusal> {
    let mut resources = scope.split_ascii_whitespace();
    let resource = resources
        .next()
        .and_then(|one| one.strip_suffix("/.default"));
    let (Some(resource), None) = (resource, resources.next()) else {
        let message = format!(
            "The provided value for the input parameter 'scope' is not valid: '{scope}' is not the default scope of one resource."
        );
        return Err(Refusal::new(code::SCOPE, message));
    };
    if resource.trim_end_matches('/') != graph {
        let message = format!(
            "The resource principal named {resource} was not found in the tenant. Another cloud's Graph is another resource."
        );
        return Err(Refusal::new(code::RESOURCE, message));
    }
    Ok(())
}

fn find<'a>(client_id: &str, tenant: &'a Tenant) -> Result<&'a Application, Refusal> {
    let id = Uuid::parse_str(client_id).ok();
    let mut applications = tenant.applications.iter();
    let found = applications.find(|application| Some(application.app_id) == id);
    let Some(application) = found else {
        let message = format!(
            "Application with identifier '{client_id}' was not found in the directory '{}'.",
            tenant.display_name
        );
        return Err(Refusal::new(code::NO_APPLICATION, message));
    };
    if application.is_disabled {
        let message = format!("Application '{client_id}' is disabled.");
        return Err(Refusal::new(code::DISABLED_APPLICATION, message));
    }
    Ok(application)
}

fn check_secret(secret: &str, application: &Application, now: Timestamp) -> Result<(), Refusal> {
    let mut secrets = application.secrets.iter();
    let Some(known) = secrets.find(|known| known.value == secret) else {
        let message = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not \
             the client secret ID, for a secret added to app '{}'.",
            application.app_id
        );
        return Err(Refusal::new(code::WRONG_SECRET, message));
    };
    if now < known.start || now >= known.end {
        let message = format!(
            "The provided client secret keys for app '{}' are expired.",
            application.app_id
        );
        return Err(Refusal::new(code::EXPIRED_SECRET, message));
    }
    Ok(())
}
