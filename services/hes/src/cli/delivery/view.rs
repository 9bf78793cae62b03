//! Targets, clients and stores, for people.

use api::rotation::v1::{DeliveryClient, Target};
use serde_json::{Value, json};

use crate::agent::{Kept, Slots};
use crate::output::{Cell, Record, Screen, Table, Tone, ago, date_time, last_part};

pub(super) fn targets(targets: &[Target], screen: &Screen) -> String {
    if targets.is_empty() {
        return "no targets yet; enrol one: hes delivery target add --help".to_owned();
    }
    let mut table = Table::new(["ID", "EMPLOYEE", "STATE", "LAST SEEN", "NAME"]);
    for target in targets {
        table.row([
            last_part(&target.name).into(),
            last_part(&target.employee).into(),
            state(target),
            ago(screen.now, target.present_time.as_ref()).into(),
            target.display_name.as_str().into(),
        ]);
    }
    table.render(screen)
}

fn state(target: &Target) -> Cell {
    if target.revoke_time.is_some() {
        Cell::toned("revoked", Tone::Faint)
    } else if target.present {
        Cell::toned("present", Tone::Good)
    } else {
        Cell::from("away")
    }
}

pub(super) fn target(target: &Target, screen: &Screen) -> String {
    let mut record = Record::default();
    record
        .line("id", last_part(&target.name))
        .line_if("name", &target.display_name)
        .line("employee", last_part(&target.employee))
        .line("state", state(target))
        .line_if("last seen", &ago(screen.now, target.present_time.as_ref()))
        .line(
            "enrolled",
            format!(
                "{} by {}",
                ago(screen.now, target.create_time.as_ref()),
                target.created_by
            ),
        )
        .line_if("revoked", &ago(screen.now, target.revoke_time.as_ref()));
    record.render(screen)
}

pub(super) fn clients(clients: &[DeliveryClient], screen: &Screen) -> String {
    if clients.is_empty() {
        return "no delivery clients yet; add one: hes delivery client add --help".to_owned();
    }
    let mut table = Table::new(["ID", "STATE", "DOMAINS", "OFFERS AN HOUR", "ADDED"]);
    for client in clients {
        let state = match client.revoke_time {
            Some(_) => Cell::toned("revoked", Tone::Faint),
            None => Cell::toned("valid", Tone::Good),
        };
        let domains: Vec<&str> = client.domains.iter().map(|name| last_part(name)).collect();
        table.row([
            last_part(&client.name).into(),
            state,
            domains.join(", ").into(),
            client.offers_per_hour.to_string().into(),
            date_time(client.create_time.as_ref()).into(),
        ]);
    }
    table.render(screen)
}

/// Which passwords there are, and none of them.
pub(super) fn slots(slots: &[Slots], screen: &Screen) -> String {
    if slots.is_empty() {
        return "no password is stored yet".to_owned();
    }
    let generation = |kept: &Option<Kept>| match kept {
        Some(kept) => kept.generation.to_string().into(),
        None => Cell::from("-"),
    };
    let mut table = Table::new([
        "ACCOUNT",
        "PREVIOUS",
        "CURRENT",
        "PENDING",
        "TRIED IN THIS ORDER",
    ]);
    for slots in slots {
        let order: Vec<String> = slots
            .to_try()
            .map(|kept| kept.generation.to_string())
            .collect();
        table.row([
            slots.logon_name.as_str().into(),
            generation(&slots.previous),
            generation(&slots.current),
            generation(&slots.pending),
            order.join(", then ").into(),
        ]);
    }
    table.render(screen)
}

pub(super) fn slots_value(slots: &[Slots]) -> Value {
    let generation = |kept: &Option<Kept>| kept.as_ref().map(|kept| kept.generation);
    slots
        .iter()
        .map(|slots| {
            json!({
                "account": slots.account,
                "logonName": slots.logon_name,
                "previousGeneration": generation(&slots.previous),
                "currentGeneration": generation(&slots.current),
                "pendingGeneration": generation(&slots.pending),
            })
        })
        .collect()
}
