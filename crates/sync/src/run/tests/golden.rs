//! A plan's text, reviewed as a file. `UPDATE_GOLDEN=1 cargo test -p sync` writes it anew.

use std::path::PathBuf;

use super::*;

fn assert_golden(name: &str, text: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let path = folder.join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "differs from {}", path.display());
}

#[test]
fn a_plan_of_everything_that_can_happen() {
    let names = [
        "ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ivy",
    ];
    let user = FakeSource::user;
    let mut world = World::new(names);
    world
        .source
        .change(user(5), |eve| eve.state.disabled = true);
    world.source.join(rotation_group(), user(6));
    world.sync().unwrap();
    world.source.leave(sync_group(), user(9));
    world.sync().unwrap();

    let source = &mut world.source;
    source.change(user(1), |ada| {
        ada.logon_name = "ada.king".to_owned();
        ada.dn = "CN=Ada King,OU=Engines,DC=example,DC=com".to_owned();
        ada.title = Some("Countess of \"Lovelace\"".to_owned());
    });
    source.change(user(2), |bob| {
        bob.state.disabled = true;
        bob.mail = None;
    });
    source.leave(sync_group(), user(3));
    source.delete(user(4));
    source.change(user(5), |eve| eve.state.disabled = false);
    source.leave(rotation_group(), user(6));
    source.out_of_scope.insert(user(7));
    source.change(user(8), |hal| {
        hal.password_last_set = Some("2025-03-01T09:30:00Z".parse().unwrap());
        hal.state.locked = true;
    });
    source.join(sync_group(), user(9));
    let (jim, kim) = (object(0x10), object(0x11));
    source.accounts.insert(jim, account(jim, "jim"));
    source.join(sync_group(), jim);
    source.accounts.insert(kim, account(kim, "kim"));
    source.join(rotation_group(), kim);

    let run = world.queue(true);
    world.execute(run).unwrap();

    let run = world.last_run();
    let mut text = format!("{}\n{}\n", run.plan(), run.counts);
    for reason in &run.reasons {
        text.push_str(&format!("would be held: {reason}\n"));
    }
    for issue in &run.issues {
        text.push_str(&format!("{issue}\n"));
    }
    assert_golden("everything.plan", &text);
}

#[test]
fn a_held_plan_of_a_group_that_was_deleted() {
    let mut world = World::imported(THREE);
    world.source.remove_group(sync_group());

    world.sync().unwrap();

    let run = world.last_run();
    let mut text = format!("{}\n{}\n", run.plan(), run.counts);
    for reason in &run.reasons {
        text.push_str(&format!("held: {reason}\n"));
    }
    for issue in &run.issues {
        text.push_str(&format!("{issue}\n"));
    }
    assert_golden("group_deleted.plan", &text);
}
