//! Reads the comments, sections and keys of `config/default.toml`, the commented sources and destinations included.

use toml::{Table, Value};

/// A section or a key as written.
pub(super) struct Entry {
    /// Full path, such as `server`, `server.listen` or `sources[].api.api_key`.
    pub(super) path: String,
    /// The comment above it, as one line.
    pub(super) comment: String,
    /// The value of a key; `None` for a section.
    pub(super) value: Option<Value>,
}

/// Returns the first entry of each path, in the order of the text.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.read(line);
    }
    reader.entries
}

#[derive(Default)]
struct Reader {
    entries: Vec<Entry>,
    section: String,
    comment: Vec<String>,
    /// Lines of a value that is not complete.
    pending: String,
    /// The lists at the end are commented out as a whole.
    is_in_lists: bool,
}

impl Reader {
    fn read(&mut self, line: &str) {
        self.is_in_lists |= line == "# [[sources]]";
        let line = match line.strip_prefix('#') {
            Some(rest) if self.is_in_lists => rest.strip_prefix(' ').unwrap_or(rest),
            _ => line,
        };
        if !self.pending.is_empty() {
            self.read_value(line);
        } else if let Some(rest) = line.strip_prefix('#') {
            self.comment.push(rest.trim().to_owned());
        } else if line.starts_with('[') {
            let name = line.trim_matches(['[', ']']);
            let (first, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
            self.section = if super::LISTS.contains(&first) {
                format!("{first}[]{rest}")
            } else {
                name.to_owned()
            };
            self.add(self.section.clone(), None);
        } else if line.is_empty() {
            self.comment.clear();
        } else {
            self.read_value(line);
        }
    }

    fn read_value(&mut self, line: &str) {
        self.pending.push_str(line);
        self.pending.push('\n');
        let Ok(table) = self.pending.parse::<Table>() else {
            return;
        };
        self.pending.clear();
        for (key, value) in table {
            self.add(format!("{}.{key}", self.section), Some(value));
        }
    }

    fn add(&mut self, path: String, value: Option<Value>) {
        let comment = std::mem::take(&mut self.comment).join(" ");
        if !self.entries.iter().any(|entry| entry.path == path) {
            self.entries.push(Entry {
                path,
                comment: comment.trim().to_owned(),
                value,
            });
        }
    }
}
