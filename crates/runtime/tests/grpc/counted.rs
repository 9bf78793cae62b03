//! Every call is counted once, at both ends, by how it ended.

use std::{collections::BTreeMap, time::Duration};

use runtime::{Caller, Channel, auth::Role, telemetry};
use tonic::Code;

use crate::{
    toy::{call, open},
    world::World,
};

type Counts = BTreeMap<String, u64>;

/// How many calls of a method one end counted, by status.
fn counts(side: &str, method: &str) -> Counts {
    let method = format!("rpc_method=\"toy.v1.ToyService/{method}\"");
    let metric = format!("rpc_{side}_call_duration_seconds_count");
    let metrics = telemetry::metrics::install().unwrap().render();
    metrics
        .lines()
        .filter(|line| line.starts_with(&metric) && line.contains(&method))
        .map(|line| {
            let (labels, count) = line.rsplit_once(' ').unwrap();
            let (_, status) = labels.split_once("status_code=\"").unwrap();
            let (status, _) = status.split_once('"').unwrap();
            (status.to_owned(), count.parse().unwrap())
        })
        .collect()
}

/// Waits until an end has counted, and is right.
async fn counted(side: &str, method: &str, expected: &[(&str, u64)]) {
    let expected: Counts = expected
        .iter()
        .map(|(status, count)| ((*status).to_owned(), *count))
        .collect();
    let wanted: u64 = expected.values().sum();
    let until = async {
        while counts(side, method).values().sum::<u64>() < wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), until).await;
    assert_eq!(counts(side, method), expected, "{side} {waited:?}");
}

async fn world() -> (World, Channel) {
    telemetry::metrics::install().unwrap();
    let world = World::start().await;
    let channel = world.inside(Caller::person("inside", [Role::Viewer]));
    (world, channel)
}

#[tokio::test]
async fn a_call_without_identity_is_counted_as_unauthenticated() {
    let (world, _) = world().await;

    let status = call(&world.anonymous(), "CountedEcho").await.unwrap_err();

    assert_eq!(status.code(), Code::Unauthenticated);
    counted("server", "CountedEcho", &[("UNAUTHENTICATED", 1)]).await;
    counted("client", "CountedEcho", &[("UNAUTHENTICATED", 1)]).await;
}

#[tokio::test]
async fn a_handler_that_panics_is_counted_as_internal() {
    let (_world, channel) = world().await;

    call(&channel, "CountedPanics").await.unwrap_err();

    counted("server", "CountedPanics", &[("INTERNAL", 1)]).await;
    counted("client", "CountedPanics", &[("INTERNAL", 1)]).await;
}

#[tokio::test]
async fn a_call_that_runs_into_its_deadline_is_counted_so_and_one_given_up_before_as_cancelled() {
    let (world, channel) = world().await;
    let reached = world.toy.reached.clone();

    let hasty = world.patient(Duration::from_millis(150));
    call(&hasty, "CountedSlow").await.unwrap_err();
    reached.acquire().await.unwrap().forget();
    tokio::select! {
        answer = call(&channel, "CountedSlow") => panic!("{answer:?}"),
        permit = reached.acquire() => drop(permit.unwrap()),
    }

    let expected = [("CANCELLED", 1), ("DEADLINE_EXCEEDED", 1)];
    counted("server", "CountedSlow", &expected).await;
    counted("client", "CountedSlow", &expected).await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_half_way_is_counted_as_cancelled() {
    let (_world, channel) = world().await;

    let mut stream = open(&channel, "CountedOnce").await.unwrap();
    stream.message().await.unwrap();
    drop(stream);

    counted("server", "CountedOnce", &[("CANCELLED", 1)]).await;
    counted("client", "CountedOnce", &[("CANCELLED", 1)]).await;
}

#[tokio::test]
async fn a_stream_that_panics_half_way_says_so_and_is_counted_as_internal() {
    let (_world, channel) = world().await;

    let mut stream = open(&channel, "CountedBreaks").await.unwrap();
    stream.message().await.unwrap();
    let status = stream.message().await.unwrap_err();

    assert_eq!(status.code(), Code::Internal);
    counted("server", "CountedBreaks", &[("INTERNAL", 1)]).await;
    counted("client", "CountedBreaks", &[("INTERNAL", 1)]).await;
    call(&channel, "Echo").await.unwrap();
}

#[tokio::test]
async fn what_is_counted_is_described() {
    let (_world, channel) = world().await;
    call(&channel, "Echo").await.unwrap();

    let metrics = telemetry::metrics::install().unwrap().render();

    for side in ["server", "client"] {
        let name = format!("rpc_{side}_call_duration_seconds");
        assert!(metrics.contains(&format!("# HELP {name} How long calls took")));
        assert!(metrics.contains(&format!("# TYPE {name} histogram")));
        assert!(metrics.contains(&format!("{name}_bucket")), "{metrics}");
    }
}
