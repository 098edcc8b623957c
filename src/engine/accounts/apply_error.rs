//! Why decisions could not be applied, and at which statement of the operator.

/// Most characters of a statement that are shown.
const MAX_CHARS: usize = 40;

/// Why decisions could not be applied.
#[derive(Debug, thiserror::Error)]
#[error("the database rejected a statement")]
pub struct ApplyError {
    /// The statement that ends sessions and failed, as [`statement_name`] shows it.
    pub(crate) statement: Option<String>,
    /// The database's error.
    #[source]
    pub(crate) error: sqlx::Error,
}

impl From<sqlx::Error> for ApplyError {
    fn from(error: sqlx::Error) -> Self {
        Self {
            statement: None,
            error,
        }
    }
}

/// Names a statement of `accounts.end_sessions` by its number and its first words.
#[must_use]
pub(crate) fn statement_name(position: usize, statement: &str) -> String {
    format!(
        "`accounts.end_sessions[{position}]` ({})",
        first_words(statement)
    )
}

/// Returns the first words of a statement on one line. They end before a literal, which may be a value.
#[must_use]
pub(crate) fn first_words(statement: &str) -> String {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let line = words.join(" ");
    let shown: String = line
        .chars()
        .take_while(|c| *c != '\'')
        .take(MAX_CHARS)
        .collect();
    if shown.len() < line.len() {
        format!("{} ...", shown.trim_end())
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::statement_name;

    #[test]
    fn a_statement_is_named_by_number_and_first_words() {
        for (statement, name) in [
            (
                "DELETE FROM t",
                "`accounts.end_sessions[1]` (DELETE FROM t)",
            ),
            (
                "DELETE\n  FROM sessions WHERE user_id::text = ANY($1)",
                "`accounts.end_sessions[1]` (DELETE FROM sessions WHERE user_id::text ...)",
            ),
            (
                "SELECT f('a-value', $1)",
                "`accounts.end_sessions[1]` (SELECT f( ...)",
            ),
        ] {
            assert_eq!(statement_name(1, statement), name);
        }
    }
}
