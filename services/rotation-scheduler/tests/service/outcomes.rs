//! The outcome table, from the first read to what a key has in the end.

use api::connector::v1::{Eligibility, RefusalReason};
use api::directory::v1::AccountState;
use api::rotation::v1 as proto;
use api::rotation::v1::{HeldReason, RotationState, StopReason};
use tonic::Code;

use crate::directory::Reply;
use crate::world::{FIRST, World, account, poll, poll_while_time_passes};

#[tokio::test]
async fn while_an_outcome_is_unknown_the_same_value_is_sent_and_no_other() {
    for applied in [false, true] {
        let mut world = World::new().await;
        let people = world.people(1).await;
        let (name, key) = people.first().unwrap();
        world.directory.reply(&[
            Reply::Unknown { applied: false },
            Reply::Unknown { applied },
        ]);
        world.come(key);
        world.now(1).await;

        // Each is found out about when its deadline has passed, and sent again after a pause.
        poll_while_time_passes(&world, "it is delivered", async || {
            let all = world.all().await;
            (all.first()?.state() == RotationState::Closed).then_some(())
        })
        .await;

        let sends = world.directory.sends();
        assert_eq!(sends.len(), if applied { 2 } else { 3 });
        let values: std::collections::HashSet<_> = sends.iter().map(|(_, value)| value).collect();
        assert_eq!(values.len(), 1, "one value, however often it was sent");
        assert_eq!(key.slots(name).current, Some(world.directory.value(name)));
    }
}

#[tokio::test]
async fn a_refusal_by_the_policy_makes_a_new_candidate_and_takes_the_old_one_back() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (name, key) = people.first().unwrap();
    world
        .directory
        .reply(&[Reply::Refused(RefusalReason::Policy)]);
    world.come(key);
    world.now(1).await;
    world.until(name, RotationState::Closed).await;

    let sends = world.directory.sends();
    let [(_, refused), (_, taken)] = sends.as_slice() else {
        panic!("two sends: {}", sends.len());
    };
    assert_ne!(refused, taken);
    assert_eq!(key.slots(name).current.as_ref(), Some(taken));
    assert_eq!(key.slots(name).pending, None);
}

#[tokio::test]
async fn three_refusals_hold_it_and_a_person_has_it_tried_again() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (name, key) = people.first().unwrap();
    let policy = Reply::Refused(RefusalReason::Policy);
    world.directory.reply(&[policy, policy, policy]);
    world.come(key);
    world.now(1).await;
    let held = world.until(name, RotationState::Held).await;
    assert_eq!(held.held_reason(), HeldReason::Policy);
    assert_eq!(world.directory.value(name), FIRST);

    let request = proto::ResumeRotationRequest { name: held.name };
    world.rotations().resume_rotation(request).await.unwrap();
    world.until(name, RotationState::Closed).await;
}

#[tokio::test]
async fn what_the_directory_says_of_an_account_ends_a_rotation_before_anything_is_sent() {
    for (eligibility, stop) in [
        (Eligibility::Disabled, StopReason::Disabled),
        (Eligibility::Deleted, StopReason::Deleted),
        (Eligibility::Expired, StopReason::Ineligible),
        (Eligibility::Privileged, StopReason::Ineligible),
        (Eligibility::NotAPerson, StopReason::Ineligible),
        (Eligibility::SmartcardRequired, StopReason::Ineligible),
        (Eligibility::SyncedFromElsewhere, StopReason::Ineligible),
        (Eligibility::MustChange, StopReason::Ineligible),
        (Eligibility::NoRight, StopReason::Ineligible),
    ] {
        let mut world = World::new().await;
        let people = world.people(1).await;
        let (name, key) = people.first().unwrap();
        world
            .directory
            .change(name, |account| account.eligibility = eligibility);
        world.come(key);
        world.now(1).await;
        let ended = world.until(name, RotationState::Aborted).await;
        assert_eq!(ended.stop_reason(), stop, "{eligibility:?}");
        assert_eq!(world.directory.sends(), [], "{eligibility:?}");
    }
}

#[tokio::test]
async fn one_who_is_disabled_after_a_send_in_doubt_is_found_out_about_and_a_return_goes_on() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (name, key) = people.first().unwrap();
    world.directory.reply(&[Reply::Unknown { applied: true }]);
    world.come(key);
    world.now(1).await;
    world.until(name, RotationState::Unknown).await;
    let mut told = account(name, 2);
    told.state = Some(AccountState {
        disabled: true,
        ..told.state.unwrap()
    });
    world.tell_account(&told).await;
    poll("it is parked", async || {
        let all = world.all().await;
        (all.first()?.stop_reason() == StopReason::Disabled).then_some(())
    })
    .await;

    poll_while_time_passes(&world, "what was set reaches the key", async || {
        (key.slots(name).current == Some(world.directory.value(name))).then_some(())
    })
    .await;
    assert_eq!(world.directory.sends().len(), 1);
}

#[tokio::test]
async fn a_password_that_no_key_acknowledged_is_handed_out_once_and_audited() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (name, key) = people.first().unwrap();
    // The key stores it and is gone before it is set.
    let mut stream = crate::key::Stream::open(world.as_client("desk"))
        .await
        .unwrap();
    let nonce = stream.nonce().await;
    stream
        .present(&key.target, key.signing.prove(&nonce, &key.target))
        .await;
    world.now(1).await;
    let offer = match stream.said.message().await.unwrap().unwrap().message {
        Some(proto::deliver_response::Message::Offer(offer)) => offer,
        other => panic!("no offer: {other:?}"),
    };
    stream
        .answer(proto::deliver_request::Message::Accept(proto::Accept {
            account: offer.account,
            generation: offer.generation,
            candidate: offer.candidate,
        }))
        .await;
    let confirmed = world.until(name, RotationState::Confirmed).await;
    drop(stream);

    let request = |reason: &str| proto::ReleaseRotationRequest {
        name: confirmed.name.clone(),
        reason: reason.to_owned(),
    };
    let release = async |reason: &str| world.rotations().release_rotation(request(reason)).await;
    let refused = release("").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let answer = release("the key was lost on the way").await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(answer.value, world.directory.value(name));
    assert!(answer.proven);
    let again = release("once more").await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition, "{again:?}");
    let own = world.column("SELECT sealed AS value FROM rotation").await;
    assert_eq!(own, [None]);
}

#[tokio::test]
async fn an_account_has_one_rotation_that_has_not_ended_whatever_its_domain_is_called() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (name, _) = people.first().unwrap();
    world.now(1).await;
    world.until(name, RotationState::Planned).await;

    // Another record of the same directory plans one too.
    let second = world
        .execute(
            "INSERT INTO rotation (id, directory_id, object_id, domain_id, employee_id, logon_name, revision, is_open,
                 generation, state, reason, candidate, accepted, sends, acked, doubtful, refused, tries, settling,
                 released, since, wake, created, policy)
             SELECT 'another', directory_id, object_id, 'other', employee_id, logon_name, revision, is_open,
                 generation, state, reason, candidate, accepted, sends, acked, doubtful, refused, tries, settling,
                 released, since, wake, created, policy
             FROM rotation",
        )
        .await;

    assert!(second.is_err(), "{second:?}");
}
