//! The tables of sessions, by their name and the column that leads to the users.

use super::{FoundColumn, FoundTable, plain};
use crate::engine::accounts::mapping::quote;

/// Returns the statements that end the sessions of users: of tables of sessions, and of tables of tokens.
pub(super) fn statements(users: &FoundTable, tables: &[FoundTable]) -> (Vec<String>, Vec<String>) {
    let mut found = (vec![], vec![]);
    for table in tables.iter().filter(|table| table.oid != users.oid) {
        let name = plain(&table.name);
        let is_sessions = name.ends_with("session") || name.ends_with("sessions");
        let is_tokens = name.ends_with("token") || name.ends_with("tokens");
        if !is_sessions && !is_tokens {
            continue;
        }
        let Some(column) = column_of_user(users, table) else {
            continue;
        };
        let statement = format!(
            "DELETE FROM {}.{} WHERE {}::text = ANY($1)",
            identifier(&table.schema),
            identifier(&table.name),
            identifier(&column.name),
        );
        if is_sessions {
            found.0.push(statement);
        } else {
            found.1.push(statement);
        }
    }
    found
}

/// Returns the one column that refers to a user: by a foreign key, else by a name such as `user_id` in the same schema.
fn column_of_user<'t>(users: &FoundTable, table: &'t FoundTable) -> Option<&'t FoundColumn> {
    let mut keys = table
        .columns
        .iter()
        .filter(|one| one.refers_to == Some(users.oid));
    if let Some(key) = keys.next() {
        // Two of them, such as the owner and the issuer, leave the choice to a person.
        return keys.next().is_none().then_some(key);
    }
    let users_name = plain(&users.name);
    let singular = users_name.trim_end_matches('s');
    let is_named = |column: &&FoundColumn| {
        let plain = column.plain();
        column.is_id()
            && column.refers_to.is_none()
            && (plain == "userid" || plain == format!("{singular}id"))
    };
    let is_near = table.schema == users.schema;
    table.columns.iter().find(is_named).filter(|_| is_near)
}

/// Quotes a name unless it needs no quotes. A single word may be reserved in SQL.
fn identifier(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_word = name.ends_with('s') || name.contains('_') || name == "public";
    if is_word && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_plain) {
        name.to_owned()
    } else {
        quote(name)
    }
}
