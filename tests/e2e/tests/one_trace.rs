//! One command is one trace: from the command line through every service and the bus.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::{GROUP, Hes, ROTATION_GROUP, World};
use testkit::otlp::{Collector, Kind, Span};
use testkit::samba::Options;
use testkit::{Samba, poll_until, programs};

const EVERY_SERVICE: [&str; 4] = [
    "ad-connector",
    "config-service",
    "hes",
    "rotation-scheduler",
];

/// The spans of one command, once every service has told of its part.
async fn trace_of(collector: &Collector, command: &str) -> Result<Vec<Span>> {
    let found = poll_until(Duration::from_secs(30), "the whole trace", async || {
        let spans = collector.spans();
        let root = spans.iter().find(|span| span.name == command)?;
        let trace: Vec<Span> = spans
            .iter()
            .filter(|span| span.trace == root.trace)
            .cloned()
            .collect();
        let ids: BTreeSet<&str> = trace.iter().map(|span| span.id.as_str()).collect();
        let whole = trace
            .iter()
            .all(|span| span.parent.is_empty() || ids.contains(span.parent.as_str()));
        let count = |name: &str| trace.iter().filter(|span| span.name == name).count();
        // By config-service and by rotation-scheduler; and then told on.
        let handled = count("process hes.directory.account.created") == 6
            && count("send hes.employee.employee.created") == 3;
        let services: BTreeSet<&str> = trace.iter().map(|span| span.service.as_str()).collect();
        let has_everybody = services == EVERY_SERVICE.into();
        (whole && handled && has_everybody).then_some(trace)
    })
    .await;
    found.with_context(|| {
        let line = |span: &Span| {
            format!(
                "{} {} < {:16} {:?} {} {}",
                span.trace, span.id, span.parent, span.kind, span.service, span.name
            )
        };
        let lines: Vec<String> = collector.spans().iter().map(line).collect();
        lines.join("\n")
    })
}

#[tokio::test]
async fn a_sync_is_one_trace_from_the_command_line_through_the_services_and_the_bus() -> Result<()>
{
    let collector = Collector::start().await?;
    let endpoint = collector.endpoint();
    let samba = Samba::start(Options::default()).await?;
    samba.create_group(GROUP).await?;
    samba.create_group(ROTATION_GROUP).await?;
    let hes = Hes::apart(&[
        ("HES__TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
    ])
    .await?;
    let world = World { samba, hes };
    world.fill(3).await?;
    world.add(&[]).await?;

    let mut command = programs::hes_command(["sync", "run", "corp", "--wait"])?;
    command
        .env("HES_API", world.hes.api())
        .env("HES_API_TOKEN_FILE", world.hes.data().join("admin.token"))
        .env("HES_API_CA_FILE", world.hes.data().join("ca.pem"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    let output = programs::run(command, Duration::from_secs(120)).await?;
    assert!(output.status.success(), "{output:?}");
    world.settled(3).await?;

    let trace = trace_of(&collector, "hes sync").await?;
    let roots: Vec<&Span> = trace.iter().filter(|span| span.parent.is_empty()).collect();
    assert_eq!(roots.len(), 1, "{roots:#?}");
    assert_eq!(
        (roots[0].service.as_str(), roots[0].name.as_str()),
        ("hes", "hes sync")
    );
    let services: BTreeSet<&str> = trace.iter().map(|span| span.service.as_str()).collect();
    assert_eq!(services, EVERY_SERVICE.into());
    for span in &trace {
        let parent = trace.iter().find(|other| other.id == span.parent);
        let parent = parent.map(|parent| (parent.kind, parent.service == span.service));
        // What comes from another process comes from its client, or from who sent the event.
        match span.kind {
            Kind::Server => assert_eq!(parent, Some((Kind::Client, false)), "{span:#?}"),
            Kind::Consumer => assert_eq!(parent, Some((Kind::Producer, false)), "{span:#?}"),
            Kind::Client | Kind::Producer | Kind::Internal => {
                assert!(
                    parent.is_none_or(|(_, same_process)| same_process),
                    "{span:#?}"
                );
            }
        }
    }
    let run = trace.iter().find(|span| span.name == "sync run");
    assert_eq!(run.map(|span| span.service.as_str()), Some("ad-connector"));
    let sent = |name: &str| trace.iter().filter(|span| span.name == name).count();
    assert_eq!(sent("send hes.directory.account.created"), 3);
    assert_eq!(sent("process hes.directory.account.created"), 6);
    assert_eq!(sent("send hes.employee.employee.created"), 3);

    let logon = &world.samba.service();
    let all = format!("{:?}", collector.spans());
    for private in [
        logon.password.as_str(),
        logon.upn.as_str(),
        "Person 1",
        "person1",
    ] {
        assert!(!all.contains(private), "{private} is in a span");
    }
    Ok(())
}
