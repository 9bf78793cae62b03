#![doc = include_str!("../README.md")]

mod list_employees;
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
    let rows = [asking.block_on(list_employees::measure(served.handle()))?];
    println!("{}", row::HEADER);
    for row in &rows {
        println!("{row}");
    }
    let missed = rows.iter().filter(|row| !row.is_met()).count();
    anyhow::ensure!(missed == 0, "{missed} rows miss their target");
    Ok(())
}
