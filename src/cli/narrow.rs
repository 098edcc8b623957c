//! Narrow tables: values that all rows share are shown once, above the table.

/// A table whose shared values are shown apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Narrowed {
    /// The shared values, such as `in all rows: source bamboohr, tenant acme`; empty if none is worth a line.
    pub(super) shared: String,
    pub(super) headings: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Returns the table without the columns whose value is the same in all rows, if it does not fit into `width` columns with
/// them. The first column, which identifies the row, stays.
pub(super) fn narrowed(
    headings: &[String],
    rows: &[Vec<String>],
    width: usize,
) -> Option<Narrowed> {
    if rows.len() < 2 || natural_width(headings, rows) <= width {
        return None;
    }
    let first = rows.first()?;
    let is_shared = |column: usize| {
        let value = first.get(column);
        column > 0 && rows.iter().all(|row| row.get(column) == value)
    };
    let (shared, kept): (Vec<usize>, Vec<usize>) = (0..headings.len()).partition(|n| is_shared(*n));
    if shared.is_empty() {
        return None;
    }
    let named: Vec<String> = shared
        .iter()
        .filter_map(|column| Some((headings.get(*column)?, first.get(*column)?)))
        .filter(|(_, value)| *value != "-")
        .map(|(heading, value)| format!("{heading} {}", value.replace('\n', " ")))
        .collect();
    let pick = |cells: &[String]| -> Vec<String> {
        kept.iter()
            .filter_map(|column| cells.get(*column).cloned())
            .collect()
    };
    Some(Narrowed {
        shared: match named.len() {
            0 => String::new(),
            _ => format!("in all rows: {}", named.join(", ")),
        },
        headings: pick(headings),
        rows: rows.iter().map(|row| pick(row)).collect(),
    })
}

/// Returns the width of the table if no cell is wrapped.
fn natural_width(headings: &[String], rows: &[Vec<String>]) -> usize {
    let widest = |column: usize| {
        let cells = std::iter::once(headings)
            .chain(rows.iter().map(Vec::as_slice))
            .filter_map(|row| row.get(column));
        let lines = cells.flat_map(|cell| cell.lines());
        lines.map(|line| line.chars().count()).max().unwrap_or(0)
    };
    // Each cell has a space on both sides and a border on its left.
    (0..headings.len())
        .map(|column| widest(column) + 3)
        .sum::<usize>()
        + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn shared_values_are_shown_once_where_the_table_is_too_wide() {
        let headings = texts(&["hold", "source", "employee", "skipped"]);
        let rows = [
            texts(&["1", "bamboohr", "40217\ndana@example.com", "-"]),
            texts(&["2", "bamboohr", "40218\neve@example.com", "-"]),
        ];
        assert_eq!(natural_width(&headings, &rows), 48);
        assert_eq!(narrowed(&headings, &rows, 48), None);
        let narrow = Narrowed {
            shared: "in all rows: source bamboohr".to_owned(),
            headings: texts(&["hold", "employee"]),
            rows: vec![
                texts(&["1", "40217\ndana@example.com"]),
                texts(&["2", "40218\neve@example.com"]),
            ],
        };
        assert_eq!(narrowed(&headings, &rows, 47), Some(narrow));
    }

    #[test]
    fn a_table_without_shared_values_stays_as_it_is() {
        let headings = texts(&["hold", "account"]);
        let rows = [texts(&["1", "7"]), texts(&["2", "8"])];
        assert_eq!(narrowed(&headings, &rows, 3), None);
        assert_eq!(narrowed(&headings, &rows[..1], 3), None);
    }
}
