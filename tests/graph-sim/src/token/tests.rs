use std::process::{Command, Stdio};
use std::sync::OnceLock;

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::application::{Certificate, ClientSecret, FederatedCredential, IssuerKey};

const AUTHORITY: &str = "https://localhost:1";
const GRAPH: &str = "https://localhost:2";
const TENANT: Uuid = Uuid::from_u128(1);
const APP: Uuid = Uuid::from_u128(2);
const SECRET: &str = "the-value+of/a=secret";
const ISSUER: &str = "https://cluster.test";

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// One RSA key for all tests: making one takes a while.
fn key() -> &'static [u8] {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    KEY.get_or_init(|| {
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA"])
            .args(["-pkeyopt", "rsa_keygen_bits:2048"])
            .stderr(Stdio::null())
            .output()
            .unwrap();
        assert!(made.status.success(), "openssl failed");
        let key = PrivatePkcs8KeyDer::from_pem_slice(&made.stdout).unwrap();
        key.secret_pkcs8_der().to_vec()
    })
}

fn certificate() -> Vec<u8> {
    let key = rcgen::KeyPair::try_from(key()).unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params.self_signed(&key).unwrap().der().to_vec()
}

fn tenant() -> Tenant {
    let mut application = Application::new(APP, &["User.Read.All"]);
    let secret = |value: &str, end: &str| ClientSecret {
        key_id: Uuid::nil(),
        value: value.to_owned(),
        start: "2026-01-01T00:00:00Z".parse().unwrap(),
        end: end.parse().unwrap(),
    };
    application.secrets = vec![
        secret(SECRET, "2027-01-01T00:00:00Z"),
        secret("expired", "2026-03-01T12:00:00Z"),
    ];
    application
        .certificates
        .push(Certificate::new(Uuid::nil(), &certificate()).unwrap());
    let pair = RsaKeyPair::from_pkcs8(key()).unwrap();
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
    application.federated.push(FederatedCredential {
        issuer: ISSUER.to_owned(),
        subject: "system:serviceaccount:hes:entra".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
        keys: vec![IssuerKey {
            id: "k1".to_owned(),
            modulus: public.n,
            exponent: public.e,
        }],
    });
    let mut tenant = Tenant::new(TENANT, "corp.onmicrosoft.test");
    let disabled = Application {
        is_disabled: true,
        ..Application::new(Uuid::from_u128(3), &[])
    };
    tenant.applications = vec![application, disabled];
    tenant
}

/// A request that is granted, to be changed by each case.
fn by_secret() -> Vec<(&'static str, String)> {
    vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", APP.to_string()),
        ("scope", format!("{GRAPH}/.default")),
        ("client_secret", SECRET.to_owned()),
    ]
}

fn by_assertion(assertion: &str) -> Vec<(&'static str, String)> {
    let mut form = by_secret();
    form.retain(|(name, _)| *name != "client_secret");
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    form.push(("client_assertion_type", kind.to_owned()));
    form.push(("client_assertion", assertion.to_owned()));
    form
}

fn with(
    mut form: Vec<(&'static str, String)>,
    name: &'static str,
    value: &str,
) -> Vec<(&'static str, String)> {
    form.retain(|(known, _)| *known != name);
    if !value.is_empty() {
        form.push((name, value.to_owned()));
    }
    form
}

/// The number of the refusal; 0 where it is granted.
fn ask(at: &str, form: &[(&'static str, String)], authorization: Option<&str>) -> u32 {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let tenant = tenant();
    let asked = Asked {
        tenant: at,
        content_type: "application/x-www-form-urlencoded; charset=utf-8",
        authorization,
        body: body.as_bytes(),
    };
    let realm = Realm {
        tenant: &tenant,
        authority: AUTHORITY,
        graph: GRAPH,
        now: now(),
    };
    match grant(&asked, &realm) {
        Ok(application) => {
            assert_eq!(application.app_id, APP);
            0
        }
        Err(refusal) => refusal.code.number,
    }
}

fn ask_here(form: &[(&'static str, String)]) -> u32 {
    ask(&TENANT.to_string(), form, None)
}

fn sign(
    header: &Value,
    claims: &Value,
    algorithm: &'static dyn ring::signature::RsaEncoding,
) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let pair = RsaKeyPair::from_pkcs8(key()).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        algorithm,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn own_header() -> Value {
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(certificate()));
    json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint })
}

fn own_claims() -> Value {
    json!({
        "aud": format!("{AUTHORITY}/{TENANT}/oauth2/v2.0/token"),
        "iss": APP.to_string(),
        "sub": APP.to_string(),
        "jti": "c0ffee00-0000-4000-8000-000000000000",
        "nbf": now().as_second(),
        "iat": now().as_second(),
        "exp": now().as_second() + 600,
    })
}

fn federated_claims() -> Value {
    json!({
        "aud": ["api://AzureADTokenExchange"],
        "iss": ISSUER,
        "sub": "system:serviceaccount:hes:entra",
        "exp": now().as_second() + 3_600,
    })
}

fn changed(mut object: Value, name: &str, value: Value) -> Value {
    object
        .as_object_mut()
        .unwrap()
        .insert(name.to_owned(), value);
    object
}

#[test]
fn a_secret_is_taken_from_the_body_or_the_header_and_from_nowhere_else() {
    assert_eq!(ask_here(&by_secret()), 0);
    assert_eq!(ask("CORP.onmicrosoft.test", &by_secret(), None), 0);
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{APP}:{encoded}"))
    );
    let form = with(with(by_secret(), "client_secret", ""), "client_id", "");
    assert_eq!(ask(&TENANT.to_string(), &form, Some(&basic)), 0);
    assert_eq!(ask(&TENANT.to_string(), &form, Some("Basic ?")), 90_023);
}

#[test]
fn each_fault_of_a_request_has_its_code() {
    let elsewhere = format!("{GRAPH}/.default https://vault.azure.net/.default");
    let cases = [
        (with(by_secret(), "grant_type", ""), 900_144),
        (with(by_secret(), "grant_type", "password"), 70_003),
        (with(by_secret(), "client_id", ""), 900_144),
        (
            with(by_secret(), "client_id", &Uuid::from_u128(9).to_string()),
            700_016,
        ),
        (
            with(by_secret(), "client_id", &Uuid::from_u128(3).to_string()),
            7_000_112,
        ),
        (with(by_secret(), "scope", ""), 900_144),
        (with(by_secret(), "scope", "User.Read"), 70_011),
        (with(by_secret(), "scope", &elsewhere), 70_011),
        (
            with(by_secret(), "scope", "https://graph.microsoft.us/.default"),
            500_011,
        ),
        (with(by_secret(), "client_secret", ""), 7_000_218),
        (with(by_secret(), "client_secret", "wrong"), 7_000_215),
        (with(by_secret(), "client_secret", "expired"), 7_000_222),
        (with(by_secret(), "claims", "{"), 90_023),
        (
            with(
                by_secret(),
                "claims",
                r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#,
            ),
            0,
        ),
        ([by_secret(), by_secret()].concat(), 90_023),
    ];
    for (form, code) in cases {
        assert_eq!(ask_here(&form), code, "{form:?}");
    }
    for (tenant, code) in [
        ("common", 50_194),
        ("organizations", 50_194),
        ("00000000-0000-0000-0000-000000000009", 90_002),
        ("other.onmicrosoft.test", 90_002),
        ("no tenant", 900_023),
    ] {
        assert_eq!(ask(tenant, &by_secret(), None), code, "{tenant}");
    }
}

#[test]
fn a_certificate_proves_the_application_by_all_of_its_assertion() {
    let ask = |header: &Value, claims: &Value| {
        ask_here(&by_assertion(&sign(header, claims, &RSA_PSS_SHA256)))
    };
    assert_eq!(ask(&own_header(), &own_claims()), 0);
    let padded = format!("{}=", own_header()["x5t#S256"].as_str().unwrap());
    assert_eq!(
        ask(
            &changed(own_header(), "x5t#S256", padded.into()),
            &own_claims()
        ),
        0
    );

    let wrong_claims = [
        (
            "aud",
            json!("https://login.microsoftonline.com/x/oauth2/v2.0/token"),
            700_023,
        ),
        ("sub", json!("somebody"), 700_021),
        ("iss", json!("somebody"), 700_211),
        ("jti", json!(""), 50_027),
        ("exp", json!(now().as_second() - 301), 700_024),
        ("nbf", json!(now().as_second() + 301), 700_024),
    ];
    for (name, value, code) in wrong_claims {
        assert_eq!(
            ask(&own_header(), &changed(own_claims(), name, value)),
            code,
            "{name}"
        );
    }
    let wrong_headers = [
        ("alg", json!("RS256"), 50_027),
        ("typ", json!("JOSE"), 50_027),
        ("x5t#S256", json!("AAAA"), 700_027),
        ("x5t#S256", json!(""), 700_027),
    ];
    for (name, value, code) in wrong_headers {
        assert_eq!(
            ask(&changed(own_header(), name, value), &own_claims()),
            code,
            "{name}"
        );
    }
    // Said to be PS256, and signed otherwise.
    let assertion = sign(&own_header(), &own_claims(), &RSA_PKCS1_SHA256);
    assert_eq!(ask_here(&by_assertion(&assertion)), 700_027);
    assert_eq!(ask_here(&by_assertion("no.jwt")), 50_027);
    let both = with(by_assertion(&assertion), "client_secret", SECRET);
    assert_eq!(ask_here(&both), 90_023);
    assert_eq!(
        ask_here(&with(
            by_assertion(&assertion),
            "client_assertion_type",
            "saml"
        )),
        90_023
    );
}

#[test]
fn a_federated_token_is_taken_from_its_issuer_for_its_subject_and_audience() {
    let header = json!({ "alg": "RS256", "kid": "k1" });
    let ask = |header: &Value, claims: &Value| {
        ask_here(&by_assertion(&sign(header, claims, &RSA_PKCS1_SHA256)))
    };
    assert_eq!(ask(&header, &federated_claims()), 0);
    let cases = [
        ("iss", json!("https://other.test"), 700_211),
        ("sub", json!("system:serviceaccount:hes:other"), 700_213),
        ("aud", json!("api://other"), 700_212),
        ("exp", json!(now().as_second() - 301), 700_024),
    ];
    for (name, value, code) in cases {
        assert_eq!(
            ask(&header, &changed(federated_claims(), name, value)),
            code,
            "{name}"
        );
    }
    for (name, value) in [("kid", json!("k2")), ("alg", json!("PS256"))] {
        assert_eq!(
            ask(&changed(header.clone(), name, value), &federated_claims()),
            700_027,
            "{name}"
        );
    }
}

#[test]
fn a_refusal_says_what_clients_look_for_and_never_the_secret() {
    let refusal = check_secret("hunter2", &tenant().applications[0], now()).unwrap_err();

    assert_eq!(refusal.status(), 401);
    let body = refusal.body(now(), Uuid::from_u128(7), Uuid::from_u128(8));
    assert_eq!(body["error"], "invalid_client");
    assert_eq!(body["error_codes"], json!([7_000_215]));
    assert_eq!(body["timestamp"], "2026-03-01 12:00:00Z");
    let description = body["error_description"].as_str().unwrap();
    assert!(description.starts_with("AADSTS7000215: "), "{description}");
    assert!(!body.to_string().contains("hunter2"));
}
