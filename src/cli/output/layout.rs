//! Layout of a drawn table: which columns fit, how wide they are, and where cells wrap. Words, e-mails, ids and times stay whole.

use unicode_width::UnicodeWidthStr;

/// A column of wrapping text is at least this wide before another column is left out.
const COMFORTABLE: usize = 24;
/// A space on both sides of a cell, and a border on its left.
const PER_CELL: usize = 3;

/// The widths of a column, in terminal columns, and how soon it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    /// Width without wrapping.
    natural: usize,
    /// Width of the longest word.
    least: usize,
    /// 0: never left out; the greatest is added last.
    priority: u8,
}

impl Measure {
    /// Measures the texts of a column.
    pub(super) fn of<'a>(texts: impl Iterator<Item = &'a str>, priority: u8) -> Self {
        let (mut natural, mut least) = (1, 1);
        for text in texts {
            natural = natural.max(text.width());
            least = words(text)
                .map(UnicodeWidthStr::width)
                .fold(least, usize::max);
        }
        Self {
            natural,
            least,
            priority,
        }
    }

    fn comfortable(self) -> usize {
        self.least.max(self.natural.min(COMFORTABLE))
    }
}

/// Returns the width of a drawn table.
pub(super) fn total(widths: impl Iterator<Item = usize>) -> usize {
    widths.map(|width| width + PER_CELL).sum::<usize>() + 1
}

/// Returns true if the columns fit without wrapping.
pub(super) fn fits(columns: &[Measure], width: usize) -> bool {
    total(columns.iter().map(|column| column.natural)) <= width
}

/// Returns the positions of the columns that fit, in order: those of priority 0, then each that still fits, by priority.
pub(super) fn kept(columns: &[Measure], width: usize) -> Vec<usize> {
    let mut by_priority: Vec<(usize, &Measure)> = columns.iter().enumerate().collect();
    by_priority.sort_by_key(|(_, column)| column.priority);
    let mut kept = vec![];
    let mut used = total(std::iter::empty());
    for (position, column) in by_priority {
        let needed = used + column.comfortable() + PER_CELL;
        if column.priority == 0 || needed <= width {
            kept.push(position);
            used = needed;
        }
    }
    kept.sort_unstable();
    kept
}

/// Returns the width of each column, so that the table fills at most `width`. Where even the longest words do not fit, it is wider.
pub(super) fn widths(columns: &[Measure], width: usize) -> Vec<usize> {
    let comfortable: Vec<usize> = columns.iter().map(|c| c.comfortable()).collect();
    let mut widths = if total(comfortable.iter().copied()) <= width {
        comfortable
    } else {
        columns.iter().map(|column| column.least).collect()
    };
    let mut left = width.saturating_sub(total(widths.iter().copied()));
    loop {
        let before = left;
        for (given, column) in widths.iter_mut().zip(columns) {
            if left > 0 && *given < column.natural {
                *given += 1;
                left -= 1;
            }
        }
        if left == before {
            return widths;
        }
    }
}

/// Splits a text at its spaces. A time stays together with its date.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let spaces = current.match_indices(' ').map(|(at, _)| at);
        let mut breaks = spaces.filter(|at| !is_within_time(current, *at));
        let word = breaks.next().and_then(|at| current.get(..at));
        rest = word.and_then(|word| current.get(word.len() + 1..));
        Some(word.unwrap_or(current))
    })
}

/// Returns true if the space at this position stands between a date and a time.
fn is_within_time(text: &str, at: usize) -> bool {
    let date = at.checked_sub(10).and_then(|from| text.get(from..at));
    let is_date = date.is_some_and(|date| {
        date.bytes()
            .zip(b"dddd-dd-dd")
            .all(|(byte, form)| (*form == b'd' && byte.is_ascii_digit()) || byte == *form)
    });
    let time = text.get(at + 1..).and_then(|rest| rest.bytes().next());
    is_date && time.is_some_and(|byte| byte.is_ascii_digit())
}

/// Returns the lines of a text that wraps at its spaces.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in words(text) {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns the lines of a prose text that wraps at its spaces. A command between backticks stays whole, so that it can be copied.
pub(super) fn folded(text: &str, width: usize) -> Vec<String> {
    const UNBROKEN: char = '\u{a0}';
    let mut is_command = false;
    let joined = text.chars().map(|c| {
        is_command ^= c == '`';
        if is_command && c == ' ' { UNBROKEN } else { c }
    });
    let lines = wrapped(&joined.collect::<String>(), width);
    let lines = lines.into_iter().map(|line| line.replace(UNBROKEN, " "));
    lines.collect()
}

/// Returns a text followed by spaces up to this width.
pub(super) fn padded(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(spaces))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(texts: &[&str], priority: u8) -> Measure {
        Measure::of(texts.iter().copied(), priority)
    }

    #[test]
    fn lines_break_between_words_only() {
        let text = "seen 2026-11-27 14:08:21Z by dana.ruiz@example.com";
        let expected = [
            "seen",
            "2026-11-27 14:08:21Z",
            "by",
            "dana.ruiz@example.com",
        ];
        assert_eq!(wrapped(text, 21), expected);
        assert_eq!(wrapped(text, 3), expected);
        assert_eq!(wrapped(text, 80), [text]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn a_command_in_prose_stays_whole() {
        let text = "the next step: `leaver sync --full` reads all";
        assert_eq!(
            folded(text, 24),
            ["the next step:", "`leaver sync --full`", "reads all"]
        );
    }

    #[test]
    fn columns_are_left_out_by_priority() {
        let id = "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10";
        let columns = [
            measure(&[id], 0),
            measure(&["bamboohr"], 3),
            measure(&["2026-11-27 14:08:21Z"], 2),
            measure(&["a long reason that can wrap at its spaces as needed"], 1),
        ];
        assert_eq!(kept(&columns, 120), [0, 1, 2, 3]);
        assert_eq!(kept(&columns, 95), [0, 2, 3]);
        assert_eq!(kept(&columns, 80), [0, 1, 3]);
        assert_eq!(kept(&columns, 70), [0, 3]);
        assert_eq!(kept(&columns, 10), [0]);
        let left = [columns[0], columns[3]];
        assert_eq!(widths(&left, 80), [36, 37]);
        assert_eq!(widths(&left, 10), [36, 6]);
        assert_eq!(widths(&left, 200), [36, 51]);
    }
}
