//! S8: a link gives no right to another account's password.

use api::rotation::v1::RotationState;
use api::rotation::v1::deliver_response::Message;

use crate::key::Stream;
use crate::world::{FIRST, World, poll};

#[tokio::test]
async fn an_account_that_is_another_employees_now_rotates_into_their_key_alone() {
    let mut world = World::new().await;
    let people = world.people(2).await;
    let [(one, key), (_, others)] = people.as_slice() else {
        panic!("two people");
    };
    let away = world.key(1).await;
    world.come(key);
    world.now(1).await;
    world.until(one, RotationState::Closed).await;
    // The next one is planned, while both accounts are still apart.
    world.pass(29 * 24);
    poll("it is due again", async || {
        let all = world.all().await;
        let newest = all.iter().find(|rotation| rotation.account == *one)?;
        (newest.generation == 2).then_some(())
    })
    .await;
    world.until(one, RotationState::Closed).await;
    let last = world.directory.value(one);
    let sealed_to_away = "SELECT sealed AS value FROM delivery WHERE sealed IS NOT NULL";
    assert_eq!(world.column(sealed_to_away).await.len(), 1);

    // A person finds out that the first account belongs to the second employee.
    world.link(1, &[], 2).await;
    world.link(2, &[1, 2], 2).await;
    poll("what the other key did not fetch is gone", async || {
        world.column(sealed_to_away).await.is_empty().then_some(())
    })
    .await;
    world.come(&away);
    world.come(others);
    world.pass(29 * 24);

    poll("it rotates into the key of whose it is now", async || {
        let current = others.slots(one).current?;
        (current == world.directory.value(one)).then_some(())
    })
    .await;
    assert_ne!(world.directory.value(one), last);
    assert_ne!(world.directory.value(one), FIRST);
    assert_eq!(key.slots(one).current, Some(last), "it keeps what it had");
    assert_eq!(away.slots(one), crate::key::Slots::default());
}

#[tokio::test]
async fn a_candidate_that_was_offered_and_not_sent_is_taken_back_when_the_account_moves() {
    let mut world = World::new().await;
    let people = world.people(2).await;
    let [(one, key), (_, others)] = people.as_slice() else {
        panic!("two people");
    };
    // Offered to the key of the first, which does not accept it.
    let mut stream = Stream::open(world.as_client("desk")).await.unwrap();
    let nonce = stream.nonce().await;
    stream
        .present(&key.target, key.signing.prove(&nonce, &key.target))
        .await;
    world.now(1).await;
    match stream.said.message().await.unwrap().unwrap().message {
        Some(Message::Offer(offer)) => assert_eq!(offer.account, *one),
        other => panic!("no offer: {other:?}"),
    }

    world.link(1, &[], 2).await;
    world.link(2, &[1, 2], 2).await;

    match stream.said.message().await.unwrap().unwrap().message {
        Some(Message::Withdraw(withdraw)) => assert_eq!(withdraw.account, *one),
        other => panic!("it was not taken back: {other:?}"),
    }
    world.come(others);
    world.until(one, RotationState::Closed).await;
    assert_eq!(others.slots(one).current, Some(world.directory.value(one)));
}
