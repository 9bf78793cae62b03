//! Tables that stay readable: on a terminal too narrow for its columns, a table becomes one block an item.

use comfy_table::{Attribute, Color, ColumnConstraint, ContentArrangement, presets::NOTHING};

use super::{Screen, printable};

/// The least width that is left to a table's last column before its rows become blocks.
const LEAST_LAST_COLUMN: u16 = 24;

/// What a value means to the reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Warning,
    Bad,
    Faint,
    Strong,
}

/// A value with its tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

/// Rows under a header. The last column takes what width is left.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One thing, a line for each of its properties.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    lines: Vec<(String, Cell)>,
}

impl Tone {
    /// The parameters of the terminal's escape sequence.
    pub(crate) fn sequence(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Warning => Some("33"),
            Self::Bad => Some("31"),
            Self::Faint => Some("2"),
            Self::Strong => Some("1"),
        }
    }
}

impl Cell {
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: printable(&text.into()),
            tone,
        }
    }

    fn styled(&self) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(if self.text.is_empty() {
            "-"
        } else {
            &self.text
        });
        match self.tone {
            Tone::Plain => cell,
            Tone::Good => cell.fg(Color::DarkGreen),
            Tone::Warning => cell.fg(Color::DarkYellow),
            Tone::Bad => cell.fg(Color::DarkRed),
            Tone::Faint => cell.add_attribute(Attribute::Dim),
            Tone::Strong => cell.add_attribute(Attribute::Bold),
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

impl Table {
    pub(crate) fn new<const N: usize>(header: [&'static str; N]) -> Self {
        Self {
            header: header.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.to_vec());
    }

    pub(crate) fn render(&self, screen: &Screen) -> String {
        let mut table = bare(screen);
        table.set_header(
            self.header
                .iter()
                .map(|title| comfy_table::Cell::new(title).add_attribute(Attribute::Bold)),
        );
        for row in &self.rows {
            table.add_row(row.iter().map(Cell::styled));
        }
        space_columns(&mut table);
        let widths = table.column_max_content_widths();
        match screen.width {
            Some(width) if !fits(&widths, width) => return self.blocks(screen),
            Some(width) => wrap_last_column(&mut table, width),
            None => {}
        }
        table.trim_fmt()
    }

    fn blocks(&self, screen: &Screen) -> String {
        let block = |row: &Vec<Cell>| {
            let mut record = Record::default();
            for (title, cell) in self.header.iter().zip(row) {
                if !cell.text.is_empty() {
                    record.line(&title.to_lowercase(), cell.clone());
                }
            }
            record.render(screen)
        };
        self.rows.iter().map(block).collect::<Vec<_>>().join("\n\n")
    }
}

impl Record {
    pub(crate) fn line(&mut self, label: &str, value: impl Into<Cell>) -> &mut Self {
        self.lines.push((label.to_owned(), value.into()));
        self
    }

    /// A line only when there is something to say.
    pub(crate) fn line_if(&mut self, label: &str, value: &str) -> &mut Self {
        if !value.is_empty() {
            self.line(label, value);
        }
        self
    }

    pub(crate) fn render(&self, screen: &Screen) -> String {
        let mut table = bare(screen);
        for (label, value) in &self.lines {
            let label = comfy_table::Cell::new(label).add_attribute(Attribute::Dim);
            table.add_row([label, value.styled()]);
        }
        space_columns(&mut table);
        if let Some(width) = screen.width {
            wrap_last_column(&mut table, width);
        }
        table.trim_fmt()
    }
}

fn bare(screen: &Screen) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING);
    if screen.colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Two spaces between columns, none before the first or after the last.
fn space_columns(table: &mut comfy_table::Table) {
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
    }
}

fn fits(widths: &[u16], width: u16) -> bool {
    let Some((last, others)) = widths.split_last() else {
        return true;
    };
    let others: u16 = others.iter().map(|width| width.saturating_add(2)).sum();
    others.saturating_add((*last).min(LEAST_LAST_COLUMN)) <= width
}

fn wrap_last_column(table: &mut comfy_table::Table, width: u16) {
    let last = table.column_count().saturating_sub(1);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width);
    for (index, column) in table.column_iter_mut().enumerate() {
        if index != last {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}
