//! Client assertions: JWTs signed with an application's certificate, or by an issuer that is trusted in its place.

use base64::{Engine as _, engine::GeneralPurpose};
use base64::{alphabet, engine::DecodePaddingMode, engine::GeneralPurposeConfig};
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

use super::{Realm, Refusal, code};
use crate::application::{Application, FederatedCredential};

/// Some clients pad what RFC 7515 writes without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

struct Jwt<'a> {
    header: Value,
    claims: Value,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| -> Option<Value> {
            let value: Value = serde_json::from_slice(&LENIENT.decode(part).ok()?).ok()?;
            value.is_object().then_some(value)
        };
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            signed: signed.as_bytes(),
            signature: LENIENT.decode(signature).ok()?,
        })
    }

    fn head(&self, name: &str) -> &str {
        self.header.get(name).and_then(Value::as_str).unwrap_or("")
    }

    fn claim(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Of one audience, in either form that RFC 7519 allows.
    fn is_for(&self, audience: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(audience)),
            one => one.and_then(Value::as_str) == Some(audience),
        }
    }
}

pub(crate) fn check(
    text: &str,
    application: &Application,
    realm: &Realm<'_>,
) -> Result<(), Refusal> {
    let malformed = |message: &str| Refusal::new(code::ASSERTION_MALFORMED, message.to_owned());
    let jwt = Jwt::parse(text)
        .ok_or_else(|| malformed("JWT token is invalid or malformed: three parts of base64url."))?;
    check_times(&jwt, realm)?;
    match jwt.claim("iss") == application.app_id.to_string() {
        true => check_own(&jwt, application, realm),
        false => check_federated(&jwt, application),
    }
}

fn check_times(jwt: &Jwt<'_>, realm: &Realm<'_>) -> Result<(), Refusal> {
    /// What clocks may differ by, in seconds.
    const SKEW: i64 = 300;
    let now = realm.now.as_second();
    let time = |name: &str| jwt.claims.get(name).and_then(Value::as_i64);
    let is_begun = time("nbf").is_none_or(|begin| begin <= now + SKEW);
    let is_over = time("exp").is_none_or(|end| end + SKEW < now);
    if is_begun && !is_over {
        return Ok(());
    }
    let message = format!(
        "Client assertion is not within its valid time range. Current time: {}.",
        realm.now
    );
    Err(Refusal::new(code::ASSERTION_TIME, message))
}

/// Signed by the application itself, with a registered certificate.
fn check_own(jwt: &Jwt<'_>, application: &Application, realm: &Realm<'_>) -> Result<(), Refusal> {
    let refused = |code, message: &str| Err(Refusal::new(code, message.to_owned()));
    if jwt.head("alg") != "PS256" || !jwt.head("typ").eq_ignore_ascii_case("JWT") {
        return refused(
            code::ASSERTION_MALFORMED,
            "JWT token is invalid or malformed: PS256 is expected.",
        );
    }
    if jwt.claim("sub") != jwt.claim("iss") {
        return refused(
            code::ASSERTION_ISSUER,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        );
    }
    if jwt.claim("jti").is_empty() {
        return refused(
            code::ASSERTION_MALFORMED,
            "JWT token is invalid or malformed: it has no 'jti'.",
        );
    }
    let endpoint = format!("{}/{}/oauth2/v2.0/token", realm.authority, realm.tenant.id);
    let is_for_us = jwt.is_for(&endpoint)
        || realm.tenant.domains.iter().any(|domain| {
            let name = &domain.name;
            jwt.is_for(&format!("{}/{name}/oauth2/v2.0/token", realm.authority))
        });
    if !is_for_us {
        return refused(
            code::ASSERTION_AUDIENCE,
            "Client assertion audience claim does not match Realm issuer.",
        );
    }
    let thumbprint = jwt.head("x5t#S256").trim_end_matches('=');
    let mut certificates = application.certificates.iter();
    let known = certificates.find(|known| known.thumbprint == thumbprint && !thumbprint.is_empty());
    let Some(known) = known else {
        return refused(
            code::ASSERTION,
            "Client assertion failed signature validation. The certificate with the thumbprint it names is not registered.",
        );
    };
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &known.public_key);
    if key.verify(jwt.signed, &jwt.signature).is_err() {
        return refused(
            code::ASSERTION,
            "Client assertion failed signature validation.",
        );
    }
    if realm.now < known.start || realm.now >= known.end {
        return refused(
            code::EXPIRED_SECRET,
            "The provided client certificate has expired.",
        );
    }
    Ok(())
}

/// Signed by another issuer: its subject, its audience, and one of its keys.
fn check_federated(jwt: &Jwt<'_>, application: &Application) -> Result<(), Refusal> {
    let refused = |code, what: &str, value: &str| {
        let message = format!(
            "No matching federated identity record found for presented assertion {what} '{value}'."
        );
        Err(Refusal::new(code, message))
    };
    let trusted = &application.federated;
    let issuer = jwt.claim("iss");
    let by_issuer: Vec<&FederatedCredential> = trusted
        .iter()
        .filter(|known| known.issuer == issuer)
        .collect();
    if by_issuer.is_empty() {
        return refused(code::NO_FEDERATED_ISSUER, "issuer", issuer);
    }
    let subject = jwt.claim("sub");
    let mut by_subject = by_issuer.iter().filter(|known| known.subject == subject);
    let Some(known) = by_subject.next() else {
        return refused(code::NO_FEDERATED_SUBJECT, "subject", subject);
    };
    if !jwt.is_for(&known.audience) {
        return refused(code::NO_FEDERATED_AUDIENCE, "audience", jwt.claim("aud"));
    }
    let id = jwt.head("kid");
    let key = known.keys.iter().find(|key| key.id == id);
    let is_signed = key.is_some_and(|key| {
        let components = RsaPublicKeyComponents {
            n: &key.modulus,
            e: &key.exponent,
        };
        let verified = components.verify(&RSA_PKCS1_2048_8192_SHA256, jwt.signed, &jwt.signature);
        jwt.head("alg") == "RS256" && verified.is_ok()
    });
    if !is_signed {
        let message = "Client assertion failed signature validation.".to_owned();
        return Err(Refusal::new(code::ASSERTION, message));
    }
    Ok(())
}
