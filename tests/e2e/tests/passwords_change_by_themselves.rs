//! Passwords change into keys: due, sealed, stored, set, proven, delivered, and known to nobody else.

use anyhow::{Context, Result};
use e2e::keys::FIRST_PASSWORD;
use e2e::{ROTATION_GROUP, World};
use serde_json::Value;
use std::time::Duration;
use testkit::poll_until;

#[tokio::test]
async fn a_password_changes_only_while_a_key_is_there_and_then_its_copy_logs_on() -> Result<()> {
    let (world, mut keys) = World::with_keys(2, &[]).await?;
    let [one, other] = keys.as_mut_slice() else {
        anyhow::bail!("two keys");
    };

    // Nobody's key is there: it is due, and nothing is sent.
    world.hes.rotate_now(one).await?;
    world.hes.until_rotation(one, 1, "PLANNED").await?;
    assert!(world.samba.logs_on(&one.logon, FIRST_PASSWORD).await?);

    world.hes.come(one, &[])?;
    world.hes.until_rotation(one, 1, "CLOSED").await?;

    let slots = one.slots()?;
    let current = slots.current.clone().context("a current password")?;
    assert_eq!((current.generation, slots.pending), (1, None));
    assert!(world.samba.logs_on(&one.logon, &current.value).await?);
    assert!(!world.samba.logs_on(&one.logon, FIRST_PASSWORD).await?);
    // The other one's password was not touched.
    assert!(world.samba.logs_on(&other.logon, FIRST_PASSWORD).await?);
    // What was done stands in the audit log, and who asked for it.
    let audited = poll_until(Duration::from_secs(60), "the audit log", async || {
        let log = world.hes.json("audit list --limit 0").await.ok()?;
        let actions: Vec<String> = log
            .as_array()?
            .iter()
            .filter_map(|event| Some(event.get("action")?.as_str()?.to_owned()))
            .collect();
        actions
            .contains(&"rotation.close".to_owned())
            .then_some(actions)
    })
    .await?;
    for action in [
        "delivery_client.create",
        "target.enroll",
        "rotation.now",
        "rotation.send",
        "rotation.commit",
    ] {
        assert!(
            audited.contains(&action.to_owned()),
            "{action}: {audited:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn one_who_leaves_keeps_the_last_password_and_a_return_resumes() -> Result<()> {
    let (world, mut keys) = World::with_keys(1, &[]).await?;
    let key = keys.first_mut().context("a key")?;
    world.hes.come(key, &[])?;
    world.hes.rotate_now(key).await?;
    world.hes.until_rotation(key, 1, "CLOSED").await?;
    let kept = key.slots()?.current.context("a current password")?;

    world
        .samba
        .remove_members(ROTATION_GROUP, &[&key.logon])
        .await?;
    assert_eq!(world.sync().await?.code, 0);
    world.hes.rotating(0).await?;

    let answer = world.hes.rotate_now(key).await?;
    let problem = answer
        .pointer("/outcomes/0/problem")
        .and_then(Value::as_str);
    assert!(
        problem.is_some_and(|problem| problem.contains("rotation group")),
        "{answer:#}"
    );
    assert!(world.samba.logs_on(&key.logon, &kept.value).await?);

    world
        .samba
        .add_members(ROTATION_GROUP, &[&key.logon])
        .await?;
    assert_eq!(world.sync().await?.code, 0);
    world.hes.rotating(1).await?;
    assert_eq!(key.slots()?.current, Some(kept));
    Ok(())
}

#[tokio::test]
async fn a_password_is_confirmed_only_when_every_domain_controller_has_it() -> Result<()> {
    let (world, mut keys) = World::with_keys(1, &[]).await?;
    let key = keys.first_mut().context("a key")?;
    let other = world.samba.second_dc().await?;
    other.pull_from(&world.samba).await?;
    let update = format!(
        "domain update corp --server {} --server {}",
        world.samba.ldaps_url(),
        other.ldaps_url()
    );
    let ran = world.hes.words(&update).await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    world.hes.come(key, &[])?;

    world.hes.rotate_now(key).await?;
    world.hes.until_rotation(key, 1, "COMMITTED").await?;

    // It is the password on one of them and not on the other: the key has both, and calls neither wrong.
    let slots = key.slots()?;
    let pending = slots.pending.clone().context("a pending password")?;
    assert!(slots.current.is_none());
    assert!(world.samba.logs_on(&key.logon, &pending.value).await?);
    assert!(other.logs_on(&key.logon, FIRST_PASSWORD).await?);

    other.pull_from(&world.samba).await?;
    let closed = world.hes.until_rotation(key, 1, "CLOSED").await?;
    assert_eq!(
        closed.get("sends").and_then(Value::as_i64),
        Some(1),
        "{closed:#}"
    );
    let current = key.slots()?.current.context("a current password")?;
    assert_eq!(current.value, pending.value);
    assert!(other.logs_on(&key.logon, &current.value).await?);
    Ok(())
}

/// What becomes of whom, and why.
const NOT_ROTATED: [(&str, &str, &str); 7] = [
    ("person0", "STATE_ABORTED", "DISABLED"),
    ("person1", "STATE_ABORTED", "INELIGIBLE"),
    ("person2", "STATE_ABORTED", "INELIGIBLE"),
    ("person3", "STATE_ABORTED", "INELIGIBLE"),
    ("person4", "STATE_ABORTED", "INELIGIBLE"),
    ("person5", "STATE_ABORTED", "DELETED"),
    ("person6", "STATE_ABORTED", "INELIGIBLE"),
];

#[tokio::test]
async fn what_became_of_an_account_since_the_last_sync_is_seen_before_anything_is_sent()
-> Result<()> {
    const SMARTCARD_REQUIRED: u32 = 0x4_0000;
    let (world, mut keys) = World::with_keys(9, &[]).await?;
    let samba = &world.samba;
    samba.disable("person0").await?;
    samba.must_change_password("person1").await?;
    samba.expire_account("person2").await?;
    samba
        .set_account_flag("person3", SMARTCARD_REQUIRED, true)
        .await?;
    samba.add_members("Domain Admins", &["person4"]).await?;
    samba.delete("person5").await?;
    // Where nobody delegated anything.
    let elsewhere = samba.create_ou("Elsewhere", None).await?;
    samba.move_to("person6", &elsewhere.dn).await?;
    samba.lock_out("person7").await?;
    // Stricter than the domain's own, and nobody may read it.
    samba.password_policy("Strict", 60, "person8").await?;

    for key in &mut keys {
        world.hes.come(key, &[])?;
        world.hes.rotate_now(key).await?;
    }

    for (key, (logon, state, stop)) in keys.iter().zip(NOT_ROTATED) {
        assert_eq!(key.logon, logon);
        let state = state.trim_start_matches("STATE_");
        let ended = world.hes.until_rotation(key, 1, state).await?;
        let reason = ended.get("stopReason").and_then(Value::as_str);
        assert_eq!(
            reason,
            Some(format!("STOP_REASON_{stop}").as_str()),
            "{logon}: {ended:#}"
        );
        assert_eq!(
            ended.get("sends").and_then(Value::as_i64).unwrap_or(0),
            0,
            "{logon}"
        );
    }
    let [.., locked, refused] = keys.as_slice() else {
        anyhow::bail!("nine keys");
    };
    // A lock ends by itself.
    world.hes.until_rotation(locked, 1, "PLANNED").await?;
    let held = world.hes.until_rotation(refused, 1, "HELD").await?;
    let reason = held.get("heldReason").and_then(Value::as_str);
    assert_eq!(reason, Some("HELD_REASON_POLICY"), "{held:#}");
    assert!(world.samba.logs_on(&refused.logon, FIRST_PASSWORD).await?);
    assert_eq!(refused.slots()?.pending, None, "taken back");
    Ok(())
}
