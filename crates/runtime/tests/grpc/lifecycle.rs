use std::time::Duration;

use runtime::{
    OnEnd, Service, Shutdown, Tasks,
    auth::Authenticator,
    grpc::Reason,
    service::{Host, RunError},
};
use tonic::Code;

use crate::{
    toy::{call, open},
    world::World,
};

#[tokio::test]
async fn a_leaving_server_finishes_its_calls_ends_its_streams_and_accepts_no_more() {
    let mut world = World::start().await;
    let channel = world.patient(Duration::from_secs(60));
    let mut stream = open(&channel, "Once").await.unwrap();
    stream.message().await.unwrap();
    let running = world.running.take().unwrap();
    let (gate, reached) = (world.toy.gate.clone(), world.toy.reached.clone());

    let leaving = async {
        drop(reached.acquire().await.unwrap());
        world.shutdown.trigger();
        let cut = stream.message().await.unwrap_err();
        assert_eq!(
            (cut.code(), Reason::of(&cut)),
            (Code::Unavailable, Some(Reason::ShuttingDown))
        );
        let refused = call(&world.bearing("vera".to_owned()), "Echo")
            .await
            .unwrap_err();
        assert_eq!(Reason::of(&refused), Some(Reason::Unreachable));
        gate.add_permits(1);
    };
    let (ended, answered, ()) = tokio::join!(running.wait(), call(&channel, "Gated"), leaving);

    ended.unwrap();
    assert!(answered.unwrap().starts_with("person:vera "));
}

#[tokio::test]
async fn a_service_whose_vital_task_fails_takes_the_process_down_in_failure() {
    let tasks = Tasks::new(Shutdown::new());
    let service = Service::new("toy").task("relay", OnEnd::ShutDown, async |shutdown: Shutdown| {
        tokio::task::yield_now().await;
        anyhow::ensure!(shutdown.is_signalled(), "no bus");
        Ok(())
    });
    let host = Host {
        grpc: runtime::grpc::Settings::default(),
        lifecycle: runtime::service::Settings::default(),
        authenticator: Authenticator::new(),
        tasks,
    };

    let ended = host.start(vec![service], Vec::new()).unwrap().wait().await;

    let Err(RunError::Failed(reason)) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(reason, "task `toy: relay` failed: no bus");
}
