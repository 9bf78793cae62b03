#![doc = include_str!("../README.md")]

mod list_employees;
mod row;

use anyhow::Result;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
async fn main() -> Result<()> {
    let rows = [list_employees::measure().await?];
    println!("{}", row::HEADER);
    for row in &rows {
        println!("{row}");
    }
    let missed = rows.iter().filter(|row| !row.is_met()).count();
    anyhow::ensure!(missed == 0, "{missed} rows miss their target");
    Ok(())
}
