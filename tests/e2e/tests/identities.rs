//! Who may call what, asked of the running services: every method by every kind of caller gets what its rule says.
#![expect(
    clippy::unwrap_used,
    reason = "code of tests: a failure here is a failed test"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::Hes;
use prost_reflect::{MethodDescriptor, Value};
use testkit::ca::{Ca, Names};
use tonic::client::Grpc;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

const SERVICES: [&str; 6] = [
    "config-service",
    "ad-connector",
    "entra-connector",
    "rotation-scheduler",
    "console",
    "nobody-we-know",
];

/// Somebody who calls.
#[derive(Clone, Debug)]
enum Caller {
    Anonymous,
    /// With the bootstrap token.
    Administrator,
    /// By certificate.
    Service(&'static str),
    /// By a certificate that names two.
    TwoServices,
}

impl Caller {
    fn all() -> Vec<Self> {
        let services = SERVICES.map(Self::Service);
        [Self::Anonymous, Self::Administrator, Self::TwoServices]
            .into_iter()
            .chain(services)
            .collect()
    }

    /// What the rule in the descriptor says of them.
    fn verdict(&self, server: &str, method: &MethodDescriptor) -> Verdict {
        let (roles, services) = rule(method);
        match self {
            Self::Anonymous | Self::TwoServices => Verdict::Stranger,
            // People come to config-service and to rotation-scheduler: nobody else knows their tokens.
            Self::Administrator if server == "ad-connector" => Verdict::Stranger,
            // The administrator is an operator and a viewer too, and nothing else.
            Self::Administrator if roles.iter().any(|role| (1..=3).contains(role)) => {
                Verdict::MayCall
            }
            Self::Service(name) if services.contains(*name) => Verdict::MayCall,
            Self::Administrator | Self::Service(_) => Verdict::MayNot,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    MayCall,
    MayNot,
    Stranger,
}

impl Verdict {
    fn of(answer: &Result<(), Status>) -> Self {
        match answer {
            Err(status) if status.code() == Code::PermissionDenied => Self::MayNot,
            Err(status) if status.code() == Code::Unauthenticated => Self::Stranger,
            _ => Self::MayCall,
        }
    }
}

/// Roles by number, and services by name.
fn rule(method: &MethodDescriptor) -> (Vec<i32>, BTreeSet<String>) {
    let pool = api::descriptor_pool();
    let option = pool.get_extension_by_name("hes.auth.v1.access").unwrap();
    let options = method.options();
    let access = options.get_extension(&option);
    let list = |field: &str| {
        let message = access.as_message().unwrap();
        let value = message.get_field_by_name(field).unwrap();
        value.as_list().unwrap().to_vec()
    };
    let roles = list("roles")
        .iter()
        .filter_map(Value::as_enum_number)
        .collect();
    let services = list("services")
        .iter()
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .collect();
    (roles, services)
}

struct World {
    hes: Hes,
    ca: Ca,
    token: String,
}

impl World {
    async fn new() -> Result<Self> {
        let mut hes = Hes::apart(&[]).await?;
        let ca = hes.parts()?.ca.clone();
        let token = std::fs::read_to_string(hes.data().join("admin.token"))?;
        Ok(Self {
            hes,
            ca,
            token: token.trim().to_owned(),
        })
    }

    fn channel(&self, address: SocketAddr, caller: &Caller) -> Result<Channel> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.ca.pem()))
            .domain_name("localhost");
        let certified = |names: &[&str]| -> Result<ClientTlsConfig> {
            let names = names.iter().fold(Names::dns("client"), |names, name| {
                names.and_uri(format!("spiffe://hes/{name}"))
            });
            let issued = self.ca.server(&names)?;
            Ok(tls
                .clone()
                .identity(Identity::from_pem(issued.certificate, issued.key)))
        };
        let tls = match caller {
            Caller::Anonymous | Caller::Administrator => tls.clone(),
            Caller::Service(name) => certified(&[name])?,
            Caller::TwoServices => certified(&["ad-connector", "config-service"])?,
        };
        let endpoint = Endpoint::from_shared(format!("https://{address}"))?;
        Ok(endpoint.tls_config(tls)?.connect_lazy())
    }

    /// Calls a method with an empty request.
    async fn call(&self, channel: &Channel, method: &str, caller: &Caller) -> Result<(), Status> {
        let mut client = Grpc::new(channel.clone());
        client
            .ready()
            .await
            .map_err(|error| Status::unknown(format!("{error:?}")))?;
        let mut request = Request::new(());
        // A stream that lives is one that was let in.
        request.set_timeout(Duration::from_millis(500));
        if let Caller::Administrator = caller {
            let token = format!("Bearer {}", self.token).parse();
            let token = token.map_err(|_| Status::unknown("no token"))?;
            request.metadata_mut().insert("authorization", token);
        }
        let path = format!("/{method}")
            .parse()
            .map_err(|_| Status::unknown("no path"))?;
        let codec = ProstCodec::<(), ()>::default();
        client.unary(request, path, codec).await.map(|_| ())
    }
}

#[tokio::test]
async fn every_method_answers_every_caller_as_its_rule_says() -> Result<()> {
    let mut world = World::new().await?;
    let served = [
        (
            "config-service",
            vec!["hes.config.v1.", "hes.connector.v1.SyncService"],
        ),
        (
            "ad-connector",
            vec![
                "hes.connector.v1.ConnectorService",
                "hes.connector.v1.PasswordService",
            ],
        ),
    ];

    let mut asked = 0;
    let mut wrong = Vec::new();
    for (server, families) in &served {
        let address = world.hes.parts()?.address(server)?;
        for caller in Caller::all() {
            let channel = world.channel(address, &caller)?;
            for service in api::descriptor_pool().services() {
                if !families
                    .iter()
                    .any(|family| service.full_name().starts_with(family))
                {
                    continue;
                }
                for method in service.methods() {
                    let name = format!("{}/{}", service.full_name(), method.name());
                    let answer = world.call(&channel, &name, &caller).await;
                    if Verdict::of(&answer) != caller.verdict(server, &method) {
                        wrong.push(format!("{caller:?} got {answer:?} of {name} at {server}"));
                    }
                    asked += 1;
                }
            }
        }
    }

    assert_eq!(wrong, Vec::<String>::new());
    assert!(asked > 300, "only {asked} questions were asked");
    Ok(())
}

/// The rules themselves, so that no edit of a contract lets anybody near a secret unseen.
#[test]
fn secrets_and_passwords_are_for_the_services_that_need_them_alone() -> Result<()> {
    let pool = api::descriptor_pool();
    for (service, allowed) in [
        (
            "hes.config.v1.CredentialService",
            &["ad-connector", "entra-connector"][..],
        ),
        ("hes.connector.v1.PasswordService", &["rotation-scheduler"]),
        // rotation-scheduler takes snapshots of accounts.
        (
            "hes.connector.v1.ConnectorService",
            &["config-service", "rotation-scheduler"],
        ),
    ] {
        let service = pool.get_service_by_name(service).context("a service")?;
        for method in service.methods() {
            let (roles, services) = rule(&method);
            assert_eq!(roles, Vec::<i32>::new(), "{}", method.full_name());
            let allowed = allowed.iter().map(|name| (*name).to_owned()).collect();
            assert!(
                services.is_subset(&allowed),
                "{}: {services:?}",
                method.full_name()
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_administrators_token_opens_no_credential() -> Result<()> {
    let mut world = World::new().await?;
    let address = world.hes.parts()?.address("config-service")?;
    let channel = world.channel(address, &Caller::Administrator)?;

    let method = "hes.config.v1.CredentialService/GetCredential";
    let refused = world.call(&channel, method, &Caller::Administrator).await;

    let refused = refused.err().context("it was answered")?;
    assert_eq!(refused.code(), Code::PermissionDenied);
    let info = refused.get_details_error_info().context("no reason")?;
    assert_eq!(info.reason, "PERMISSION_DENIED");
    // And it is on record.
    let audited = testkit::poll_until(Duration::from_secs(30), "an audit record", async || {
        let log = world.hes.json("audit list").await.ok()?.to_string();
        (log.contains("GetCredential") && log.contains("administrator")).then_some(())
    });
    audited.await
}
