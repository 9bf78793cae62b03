#![doc = include_str!("../README.md")]

mod ad_sync;
mod list_employees;
mod rotations;
mod row;

use anyhow::Result;
use tokio::runtime;

#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
fn main() -> Result<()> {
    // What answers has threads of its own, as it would have its own process; what asks has one.
    let served = runtime::Runtime::new()?;
    let asking = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let only: Option<String> = std::env::args().nth(1);
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let mut rows = Vec::new();
    if wanted("list-employees") {
        rows.push(asking.block_on(list_employees::measure(served.handle()))?);
    }
    if wanted("samba") {
        rows.push(served.block_on(ad_sync::samba())?);
    }
    if wanted("rotations") {
        rows.push(served.block_on(rotations::measure())?);
    }
    if wanted("simulated") {
        rows.extend(served.block_on(ad_sync::simulated())?);
    }
    anyhow::ensure!(
        !rows.is_empty(),
        "there is no such row: give list-employees, samba, rotations, simulated, or nothing for all"
    );
    println!("{}", row::HEADER);
    for row in &rows {
        println!("{row}");
    }
    let missed = rows.iter().filter(|row| !row.is_met()).count();
    anyhow::ensure!(missed == 0, "{missed} rows miss their target");
    Ok(())
}
