//! The oracle: who can log on, and which values are on their way.

use super::world::{Honesty, World};

/// What must hold in every world.
pub(crate) fn violated(world: &World) -> Option<String> {
    one_value(world).or_else(|| lost(world))
}

/// Whether somebody cannot log on any more, by the store's rule, with any of the keys.
pub(crate) fn lost(world: &World) -> Option<String> {
    if world.foreign {
        return None;
    }
    let all_there = world
        .targets
        .iter()
        .all(|target| target.honesty == Honesty::Honest);
    for (index, controller) in world.controllers.iter().enumerate() {
        let value = controller.value;
        let known = world
            .targets
            .iter()
            .any(|target| target.logs_on_with(value));
        // A key that lies or is lost takes with it what it was believed to have; until then the server has it too.
        let kept = world.keeps && value == world.candidate();
        let believed = world.rotation.is_over() || value != world.candidate();
        let excused = !all_there && (kept || believed);
        if !known && !excused {
            return Some(format!(
                "nobody can log on at {index}: its password {value} is in no store"
            ));
        }
    }
    None
}

pub(crate) fn has_lost_one(world: &World) -> bool {
    world
        .targets
        .iter()
        .any(|target| target.honesty == Honesty::Lost)
}

/// R4: of all that may still be carried out, there is one value.
pub(crate) fn one_value(world: &World) -> Option<String> {
    let about_to = world
        .workers
        .iter()
        .filter_map(|worker| worker.task.sends());
    let mut values: Vec<u8> = world
        .flights
        .iter()
        .map(|flight| flight.value)
        .chain(about_to)
        .collect();
    values.sort_unstable();
    values.dedup();
    (values.len() > 1).then(|| format!("{values:?} are on their way at once (R4)"))
}

pub(crate) fn is_live_or_may_be(world: &World, value: u8) -> bool {
    // What an administrator set over it is about to be everywhere.
    let shown = !world.foreign;
    world.flights.iter().any(|flight| flight.value == value)
        || shown
            && world
                .controllers
                .iter()
                .any(|controller| controller.value == value)
        || world
            .workers
            .iter()
            .any(|worker| worker.task.sends() == Some(value))
}
