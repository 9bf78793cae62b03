//! One statement for many rows: a round trip for each would take longer than the work.

use std::sync::OnceLock;

use crate::{Error, Row, Sql, Transaction, Value};

/// Rows of one statement. More of them save little and make the statement long.
const ROWS: usize = 64;

/// A statement over any number of rows, sent for 64 of them at a time and for the rest one by one: two texts, so that both
/// engines keep them prepared.
#[derive(Debug)]
pub struct Bulk {
    before: &'static str,
    after: &'static str,
    shape: Shape,
    one: OnceLock<String>,
    many: OnceLock<String>,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    /// `($1, $2), ($3, $4)`: so many columns a row.
    Rows(usize),
    /// `($2, $3)`: one value a row, after so many of the statement's own.
    List(usize),
}

impl Bulk {
    /// `before` ends where `VALUES` is followed by the rows; no row may meet another of the same statement in a conflict.
    pub const fn insert(before: &'static str, columns: usize, after: &'static str) -> Self {
        Self::new(before, Shape::Rows(columns), after)
    }

    /// `before` ends with `IN`, and uses the parameters `$1` up to `$own`.
    pub const fn among(before: &'static str, own: usize, after: &'static str) -> Self {
        Self::new(before, Shape::List(own), after)
    }

    const fn new(before: &'static str, shape: Shape, after: &'static str) -> Self {
        Self {
            before,
            after,
            shape,
            one: OnceLock::new(),
            many: OnceLock::new(),
        }
    }

    fn text(&self, rows: usize) -> String {
        let marks = |from: usize, count: usize| {
            let marks: Vec<String> = (from..from + count)
                .map(|mark| format!("${mark}"))
                .collect();
            format!("({})", marks.join(", "))
        };
        let list = match self.shape {
            Shape::Rows(columns) => {
                let rows: Vec<String> = (0..rows)
                    .map(|row| marks(row * columns + 1, columns))
                    .collect();
                rows.join(", ")
            }
            Shape::List(own) => marks(own + 1, rows),
        };
        format!("{} {list} {}", self.before, self.after)
    }

    /// The statements to send. `own` are the values of the statement itself, the same in each.
    fn statements(
        &'static self,
        own: Vec<Value>,
        rows: impl IntoIterator<Item = Vec<Value>>,
    ) -> Vec<(&'static str, Vec<Value>)> {
        let mut rows: Vec<Vec<Value>> = rows.into_iter().collect();
        let rest = rows.split_off(rows.len() - rows.len() % ROWS);
        let mut rows = rows.into_iter();
        let mut statements = Vec::new();
        loop {
            let batch: Vec<Value> = rows.by_ref().take(ROWS).flatten().collect();
            if batch.is_empty() {
                break;
            }
            let sql = self.many.get_or_init(|| self.text(ROWS)).as_str();
            statements.push((sql, own.iter().cloned().chain(batch).collect()));
        }
        for row in rest {
            let sql = self.one.get_or_init(|| self.text(1)).as_str();
            statements.push((sql, own.iter().cloned().chain(row).collect()));
        }
        statements
    }

    /// Runs it, and returns how many rows it changed.
    pub async fn execute(
        &'static self,
        tx: &mut Transaction,
        own: Vec<Value>,
        rows: impl IntoIterator<Item = Vec<Value>>,
    ) -> Result<u64, Error> {
        let mut changed = 0;
        for (sql, params) in self.statements(own, rows) {
            changed += tx.execute(sql, params).await?;
        }
        Ok(changed)
    }

    /// Runs it, and returns the rows it answers with.
    pub async fn query(
        &'static self,
        sql: &mut impl Sql,
        own: Vec<Value>,
        rows: impl IntoIterator<Item = Vec<Value>>,
    ) -> Result<Vec<Row>, Error> {
        let mut answers = Vec::new();
        for (text, params) in self.statements(own, rows) {
            answers.extend(sql.query(text, params).await?);
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    static INSERT: Bulk = Bulk::insert("INSERT INTO t (a, b) VALUES", 2, "ON CONFLICT DO NOTHING");
    static AMONG: Bulk = Bulk::among("UPDATE t SET a = $1 WHERE b IN", 1, "");

    #[test]
    fn rows_go_by_sixty_four_and_the_rest_alone_each_once_and_in_order() {
        let rows = (0..130_i64).map(|n| params![n, n]);
        let statements = INSERT.statements(Vec::new(), rows);

        let sizes: Vec<usize> = statements.iter().map(|(_, values)| values.len()).collect();
        assert_eq!(sizes, [128, 128, 2, 2]);
        let sent: Vec<Value> = statements
            .iter()
            .flat_map(|(_, values)| values.clone())
            .collect();
        let all: Vec<Value> = (0..130_i64).flat_map(|n| params![n, n]).collect();
        assert!(sent == all);
        assert_eq!(
            statements[2].0,
            "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        );
        assert!(statements[0].0.contains("($127, $128) ON"));
    }

    #[test]
    fn the_statements_own_values_go_with_each() {
        let statements = AMONG.statements(params![7_i64], (0..65_i64).map(|n| params![n]));

        assert_eq!(statements[1].0, "UPDATE t SET a = $1 WHERE b IN ($2) ");
        assert!(statements[1].1 == params![7_i64, 64_i64]);
        assert!(statements[0].0.ends_with(", $65) "));
        assert_eq!(statements[0].1.len(), 65);
    }
}
