//! R6: a client that lies gets nothing, and too much of it stops the domain.

use api::rotation::v1 as proto;
use api::rotation::v1::deliver_request::Message as Say;
use api::rotation::v1::deliver_response::Message;
use runtime::grpc::Reason;
use tonic::Status;

use crate::key::Stream;
use crate::world::{FIRST, World, poll};

async fn lied(world: &World, target: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Status {
    let mut stream = Stream::open(world.as_client("desk")).await.unwrap();
    let nonce = stream.nonce().await;
    stream.present(target, sign(&nonce)).await;
    let (status, before) = stream.end().await;
    assert_eq!(before, 0, "it was told something before");
    status
}

#[tokio::test]
async fn a_false_proof_gets_nothing_and_three_of_them_stop_the_domain() {
    let mut world = World::new().await;
    let people = world.people(2).await;
    let [(_, one), (other_name, other)] = people.as_slice() else {
        panic!("two people");
    };
    world.now(2).await;

    // With another key's signature; with none; with one over another challenge.
    let stolen = lied(&world, &other.target, |nonce| {
        one.signing.prove(nonce, &other.target)
    })
    .await;
    assert_eq!(Reason::of(&stolen), Some(Reason::PresenceNotProven));
    assert!(
        world.standing().await.breaker.is_empty(),
        "one may be chance"
    );
    let none = lied(&world, &other.target, |_| Vec::new()).await;
    assert_eq!(Reason::of(&none), Some(Reason::PresenceNotProven));
    let replayed = lied(&world, &other.target, |_| {
        other.signing.prove(&[0; 32], &other.target)
    })
    .await;
    assert_eq!(Reason::of(&replayed), Some(Reason::PresenceNotProven));

    poll("the breaker opens", async || {
        (world.standing().await.breaker == "CLIENT_ABUSE").then_some(())
    })
    .await;
    assert_eq!(world.directory.sends(), []);
    assert_eq!(world.directory.value(other_name), FIRST);
}

#[tokio::test]
async fn a_revoked_target_and_an_unknown_one_are_none() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (_, key) = people.first().unwrap();
    let request = api::rotation::v1::RevokeTargetRequest {
        name: key.target.clone(),
    };
    world.deliveries().revoke_target(request).await.unwrap();
    for target in [
        key.target.as_str(),
        "targets/00000000-0000-0000-0000-000000000009",
    ] {
        let status = lied(&world, target, |nonce| key.signing.prove(nonce, target)).await;
        assert_eq!(Reason::of(&status), Some(Reason::NotFound), "{target}");
    }
}

#[tokio::test]
async fn more_offers_than_a_client_may_have_in_an_hour_end_its_stream_and_stop_the_domain() {
    let mut world = World::new().await;
    let people = world.people(2).await;
    world.add_client("small", 1).await;
    for number in [1, 2] {
        world.now(number).await;
    }
    let mut ended = Vec::new();
    for (_, key) in &people {
        let mut stream = Stream::open(world.as_client("small")).await.unwrap();
        let nonce = stream.nonce().await;
        stream
            .present(&key.target, key.signing.prove(&nonce, &key.target))
            .await;
        ended.push(stream);
    }
    // One of them is offered its password, the other one is one too many.
    let mut refused = 0;
    for mut stream in ended {
        if let Err(status) = stream.said.message().await {
            assert_eq!(Reason::of(&status), Some(Reason::TooManyOffers));
            refused += 1;
        }
    }
    assert_eq!(refused, 1);
    poll("the breaker opens", async || {
        (world.standing().await.breaker == "CLIENT_ABUSE").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_gets_passwords_of_its_own_domains_only_and_a_stranger_none() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (_, key) = people.first().unwrap();
    let request = api::rotation::v1::CreateDeliveryClientRequest {
        client_id: "elsewhere".to_owned(),
        domains: vec!["domains/other".to_owned()],
        offers_per_hour: 0,
    };
    world
        .deliveries()
        .create_delivery_client(request)
        .await
        .unwrap();
    world.now(1).await;
    let mut stream = Stream::open(world.as_client("elsewhere")).await.unwrap();
    let nonce = stream.nonce().await;
    stream
        .present(&key.target, key.signing.prove(&nonce, &key.target))
        .await;
    poll("a candidate is there", async || {
        (world.standing().await.under_way == 1).then_some(())
    })
    .await;
    world.clock.advance(std::time::Duration::from_secs(20));
    // The next word is a challenge, and no offer came before it.
    stream.nonce().await;

    let stranger = Stream::open(world.as_client("nobody")).await;
    let status = stranger.map(drop).unwrap_err();
    assert_eq!(Reason::of(&status), Some(Reason::PermissionDenied));
}

#[tokio::test]
async fn a_candidate_is_sent_only_while_a_key_that_stored_it_is_there() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (name, key) = people.first().unwrap();
    let mut stream = Stream::open(world.as_client("desk")).await.unwrap();
    let nonce = stream.nonce().await;
    stream
        .present(&key.target, key.signing.prove(&nonce, &key.target))
        .await;
    world.now(1).await;
    let Some(Message::Offer(offer)) = stream.said.message().await.unwrap().unwrap().message else {
        panic!("no offer");
    };
    // It stores the candidate while nothing may be sent, and is gone when it may.
    let corp = || "domains/corp".to_owned();
    let pause = proto::PauseDomainRequest { domain: corp() };
    world.rotations().pause_domain(pause).await.unwrap();
    stream
        .answer(Say::Accept(proto::Accept {
            account: offer.account,
            generation: offer.generation,
            candidate: offer.candidate,
        }))
        .await;
    poll("it is accepted", async || {
        let all = world.all().await;
        all.first()?.accepted.then_some(())
    })
    .await;
    drop(stream);
    poll("the key is gone", async || {
        let request = proto::ListTargetsRequest::default();
        let targets = world.deliveries().list_targets(request).await.ok()?;
        (!targets.into_inner().targets.first()?.present).then_some(())
    })
    .await;
    world.resume().await;
    for _ in 0..5 {
        world.clock.advance(std::time::Duration::from_secs(60));
        world.standing().await;
    }
    // Another key of the same person, which has stored nothing, does not stand in for it.
    let other = world.key(1).await;
    let mut idle = Stream::open(world.as_client("desk")).await.unwrap();
    let nonce = idle.nonce().await;
    idle.present(&other.target, other.signing.prove(&nonce, &other.target))
        .await;
    assert!(matches!(
        idle.said.message().await.unwrap().unwrap().message,
        Some(Message::Offer(_))
    ));
    world.clock.advance(std::time::Duration::from_secs(5));
    world.standing().await;
    assert_eq!(world.directory.sends(), []);

    world.come(key);
    world.until(name, proto::RotationState::Closed).await;
    assert_eq!(world.directory.sends().len(), 1);
}
