//! Tables: drawn on a terminal, otherwise a header and one tab-separated line per row.

use std::fmt::{Display, Formatter, Result};

use super::layout::{self, Measure, padded, wrapped};
use super::listing::{Listing, TableColumns};
use super::style::{Color, Style};
use super::text;
use super::write::{note, write_table};

/// A table. [`super::listing`] shows how one is declared.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(String, u8)>,
    rows: Vec<Row>,
    /// The columns of `--columns`.
    selected: Option<Vec<usize>>,
    /// How the columns that do not fit can be seen.
    way_out: &'static str,
    has_header: bool,
    has_borders: bool,
    shows_shared_values_apart: bool,
    style: Style,
}

#[derive(Debug)]
struct Row {
    cells: Vec<String>,
    color: Option<Color>,
}

/// The text of a cell, escaped.
#[derive(Debug)]
pub(crate) struct Cell(String);

impl<T: AsRef<str>> From<T> for Cell {
    fn from(value: T) -> Self {
        Self(text(value.as_ref()))
    }
}

/// The columns that a terminal shows.
struct Chosen {
    positions: Vec<usize>,
    left_out: Vec<String>,
    shared: Vec<String>,
}

impl Table {
    /// Makes an empty table. On a narrow terminal the first column stays, and the last is added last.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let columns = headings.iter().zip(0..);
        Self::with(columns.map(|(heading, priority)| (*heading, priority)))
    }

    /// Makes an empty table of these columns: heading and priority, as [`TableColumns`] has them.
    pub(crate) fn with<'a>(columns: impl IntoIterator<Item = (&'a str, u8)>) -> Self {
        let columns = columns.into_iter();
        Self {
            columns: columns
                .map(|(heading, priority)| (heading.to_owned(), priority))
                .collect(),
            rows: vec![],
            selected: None,
            way_out: "a wider terminal shows them",
            has_header: true,
            has_borders: true,
            shows_shared_values_apart: true,
            style: Style::of_process(),
        }
    }

    /// Makes the empty table of a command's options.
    pub(crate) fn of<T: TableColumns>(listing: &Listing<T>) -> Self {
        Self {
            selected: listing.selected(),
            way_out: "`--columns` selects columns",
            has_header: !listing.no_header,
            ..Self::with(T::COLUMNS.iter().copied())
        }
    }

    /// Shows values that all rows share in each row.
    pub(crate) fn with_own_values(mut self) -> Self {
        self.shows_shared_values_apart = false;
        self
    }

    /// Draws neither borders nor a header.
    pub(crate) fn without_borders(mut self) -> Self {
        self.has_borders = false;
        self.with_own_values()
    }

    /// Adds a row.
    pub(crate) fn add_row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells = cells.into_iter().map(|cell| cell.into().0).collect();
        self.rows.push(Row { cells, color: None });
    }

    /// Adds a row whose cells have a colour.
    pub(crate) fn add_colored_row<C: Into<Cell>>(
        &mut self,
        color: Color,
        cells: impl IntoIterator<Item = C>,
    ) {
        self.add_row(cells);
        if let Some(row) = self.rows.last_mut() {
            row.color = Some(color);
        }
    }

    /// Prints the table on stdout, and on stderr which columns did not fit.
    pub(crate) fn print(&self) {
        if let Some(text) = self.print_part() {
            note(&text);
        }
    }

    /// Prints a part of a longer table. Returns the note about columns that did not fit.
    pub(crate) fn print_part(&self) -> Option<String> {
        write_table(&self.to_string());
        let width = self.style.width?;
        let left_out = self.chosen(width).left_out;
        (!left_out.is_empty()).then(|| {
            format!(
                "left out at {width} columns: {}; {}",
                left_out.join(", "),
                self.way_out
            )
        })
    }

    /// Prints a table without rows: on a terminal the note, and for a pipe also the header.
    pub(crate) fn print_empty(&self, without_rows: &str) {
        self.print_header();
        note(without_rows);
    }

    /// Prints the header of a table without rows for a pipe, and nothing on a terminal.
    pub(crate) fn print_header(&self) {
        if self.style.width.is_none() && self.has_header {
            self.print();
        }
    }

    fn heading(&self, position: usize) -> &str {
        self.columns
            .get(position)
            .map_or("", |(heading, _)| heading.as_str())
    }

    fn measure(&self, position: usize) -> Measure {
        let cells = self.rows.iter().filter_map(|row| row.cells.get(position));
        let heading = self.has_header && self.has_borders;
        let heading = heading.then(|| self.heading(position));
        let texts = heading.into_iter().chain(cells.map(String::as_str));
        let priority = self.columns.get(position).map_or(0, |column| column.1);
        Measure::of(texts, priority)
    }

    fn measures(&self, positions: &[usize]) -> Vec<Measure> {
        positions.iter().map(|at| self.measure(*at)).collect()
    }

    /// Returns the value of a column that all rows share, if it is not the first column. A single row shares dashes only.
    fn shared_value(&self, position: usize) -> Option<&str> {
        let mut cells = self.rows.iter().map(|row| row.cells.get(position));
        let first = cells.next()??;
        let is_shared = position > 0 && (self.rows.len() > 1 || first == "-");
        (is_shared && cells.all(|cell| cell == Some(first))).then_some(first)
    }

    fn chosen(&self, width: usize) -> Chosen {
        let mut chosen = Chosen {
            positions: (0..self.columns.len()).collect(),
            left_out: vec![],
            shared: vec![],
        };
        if let Some(selected) = &self.selected {
            chosen.positions.clone_from(selected);
            return chosen;
        }
        let is_too_wide = |positions: &[usize]| !layout::fits(&self.measures(positions), width);
        if self.shows_shared_values_apart && is_too_wide(&chosen.positions) {
            let mut own = chosen.positions.clone();
            own.retain(|position| {
                let shared = self.shared_value(*position);
                let named = shared.filter(|value| !matches!(*value, "-" | ""));
                chosen
                    .shared
                    .extend(named.map(|value| format!("{} {value}", self.heading(*position))));
                shared.is_none()
            });
            chosen.positions = own;
        }
        let kept = layout::kept(&self.measures(&chosen.positions), width);
        let (positions, left_out): (Vec<_>, Vec<_>) = chosen
            .positions
            .iter()
            .enumerate()
            .partition(|(index, _)| kept.contains(index));
        let heading = |(_, position): (usize, &usize)| self.heading(*position).to_owned();
        chosen.left_out = left_out.into_iter().map(heading).collect();
        chosen.positions = positions
            .into_iter()
            .map(|(_, position)| *position)
            .collect();
        chosen
    }

    /// Returns the colour of a cell.
    fn color(&self, row: &Row, position: usize) -> Option<Color> {
        if !self.style.colors {
            return None;
        }
        let is_state = matches!(self.heading(position), "state" | "status");
        let cell = row.cells.get(position).filter(|_| is_state);
        row.color
            .or_else(|| cell.and_then(|cell| Color::of_state(cell)))
    }

    /// Returns the lines for a pipe.
    fn separated(&self) -> String {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let positions = self.selected.as_ref().unwrap_or(&all);
        let header = self.has_header.then(|| {
            let headings: Vec<&str> = positions.iter().map(|at| self.heading(*at)).collect();
            headings.join("\t")
        });
        let rows = self.rows.iter().map(|row| {
            let cell = |at: &usize| {
                let cell = row.cells.get(*at).map_or("", String::as_str);
                match self.color(row, *at) {
                    Some(color) => color.paint(cell),
                    None => cell.to_owned(),
                }
            };
            let cells: Vec<String> = positions.iter().map(cell).collect();
            cells.join("\t")
        });
        header
            .into_iter()
            .chain(rows)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Returns the lines for a terminal.
    fn drawn(&self, width: usize) -> String {
        let chosen = self.chosen(width);
        let widths = layout::widths(&self.measures(&chosen.positions), width);
        let mut lines = vec![];
        if !chosen.shared.is_empty() {
            let shared = format!("in all rows: {}", chosen.shared.join(", "));
            lines.extend(wrapped(&shared, width));
        }
        let rule = |left: &str, dash: &str, cross: &str, right: &str| {
            let dashes = widths.iter().map(|width| dash.repeat(width + 2));
            format!("{left}{}{right}", dashes.collect::<Vec<_>>().join(cross))
        };
        if self.has_borders {
            lines.push(rule("┌", "─", "┬", "┐"));
        }
        if self.has_borders && self.has_header {
            let cells = chosen.positions.iter().map(|at| (self.heading(*at), None));
            lines.extend(self.lines_of_row(cells, &widths));
            lines.push(rule("╞", "═", "╪", "╡"));
        }
        for row in &self.rows {
            let cells = chosen.positions.iter().map(|at| {
                let cell = row.cells.get(*at).map_or("", String::as_str);
                (cell, self.color(row, *at))
            });
            lines.extend(self.lines_of_row(cells, &widths));
        }
        if self.has_borders {
            lines.push(rule("└", "─", "┴", "┘"));
        }
        lines.join("\n")
    }

    fn lines_of_row<'a>(
        &self,
        cells: impl Iterator<Item = (&'a str, Option<Color>)>,
        widths: &[usize],
    ) -> Vec<String> {
        let columns = cells.zip(widths).map(|((cell, color), width)| {
            let lines = wrapped(cell, *width);
            (lines, color, *width)
        });
        let columns: Vec<_> = columns.collect();
        let height = columns.iter().map(|(lines, ..)| lines.len()).max();
        let line = |number: usize| {
            let cells = columns.iter().map(|(lines, color, width)| {
                let line = lines.get(number).map_or("", String::as_str);
                let shown = padded(line, *width);
                match color {
                    Some(color) => shown.replacen(line, &color.paint(line), 1),
                    None => shown,
                }
            });
            let cells: Vec<String> = cells.collect();
            if self.has_borders {
                format!("│ {} │", cells.join(" ┆ "))
            } else {
                cells.join("  ").trim_end().to_owned()
            }
        };
        (0..height.unwrap_or_default()).map(line).collect()
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.style.width {
            Some(width) => f.write_str(&self.drawn(width)),
            None => f.write_str(&self.separated()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMAIL: &str = "dana.ruiz@example.com";

    fn table(width: Option<usize>) -> Table {
        let mut table = Table::new(&["hold", "employee", "source", "reason"]);
        table.style.width = width;
        table.add_row(["12", EMAIL, "bamboohr", "needs a person"]);
        table.add_row(["13", "line\nbreak\tand\u{1b}[2J\u{202e}", "bamboohr", "-"]);
        table
    }

    #[test]
    fn a_pipe_gets_one_tab_separated_line_per_row() {
        let mut table = table(None);
        let rows = format!(
            "12\t{EMAIL}\tbamboohr\tneeds a person\n13\tline\\nbreak\\tand\\u{{1b}}[2J\\u{{202e}}\tbamboohr\t-"
        );
        assert_eq!(
            table.to_string(),
            format!("hold\temployee\tsource\treason\n{rows}")
        );
        table.has_header = false;
        assert_eq!(table.to_string(), rows);
        table.selected = Some(vec![3, 0]);
        assert_eq!(table.to_string(), "needs a person\t12\n-\t13");
    }

    #[test]
    fn a_terminal_gets_a_drawn_table() {
        insta::assert_snapshot!(table(Some(80)), @r"
        ┌──────┬───────────────────────────────────┬──────────┬────────────────┐
        │ hold ┆ employee                          ┆ source   ┆ reason         │
        ╞══════╪═══════════════════════════════════╪══════════╪════════════════╡
        │ 12   ┆ dana.ruiz@example.com             ┆ bamboohr ┆ needs a person │
        │ 13   ┆ line\nbreak\tand\u{1b}[2J\u{202e} ┆ bamboohr ┆ -              │
        └──────┴───────────────────────────────────┴──────────┴────────────────┘
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_shared_values_once() {
        let narrow = table(Some(64));
        assert!(
            narrow
                .to_string()
                .starts_with("in all rows: source bamboohr\n")
        );
        assert!(narrow.chosen(64).left_out.is_empty());
        assert_eq!(narrow.chosen(50).left_out, ["reason"]);
        assert!(narrow.drawn(50).contains(EMAIL));
    }

    #[test]
    fn states_are_coloured_where_colours_are_on() {
        let mut table = Table::new(&["delivery", "state", "reason"]);
        table.add_row(["1", "failed", "failed"]);
        assert!(!table.to_string().contains('\u{1b}'));
        table.style.colors = true;
        assert_eq!(
            table.to_string(),
            "delivery\tstate\treason\n1\t\u{1b}[31mfailed\u{1b}[0m\tfailed"
        );
    }
}
