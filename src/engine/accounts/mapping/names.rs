//! Names of tables and columns, as the database spells them.

use super::MappingError;

/// Splits a table name into schema and table: one or two parts, quoted or not, without folding the case.
pub(in crate::engine::accounts) fn split_table_name(
    text: &str,
) -> Result<(String, String), MappingError> {
    let bad = || MappingError::TableName(text.to_owned());
    let mut parts = vec![];
    let mut rest = text.trim();
    loop {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut tail = quoted;
            loop {
                let (before, behind) = tail.split_once('"').ok_or_else(bad)?;
                name.push_str(before);
                match behind.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        tail = more;
                    }
                    None => break (name, behind),
                }
            }
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        if part.is_empty() || part.contains('\0') {
            return Err(bad());
        }
        parts.push(part);
        if after.is_empty() {
            break;
        }
        rest = after.strip_prefix('.').ok_or_else(bad)?;
    }
    match <[String; 2]>::try_from(parts) {
        Ok([schema, table]) => Ok((schema, table)),
        Err(mut parts) if parts.len() == 1 => Ok(("public".to_owned(), parts.remove(0))),
        Err(_) => Err(bad()),
    }
}

/// Quotes any text as an SQL identifier.
pub(in crate::engine::accounts) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes any text as an SQL literal, whatever `standard_conforming_strings` is.
pub(in crate::engine::accounts) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// Returns an expression for a `text[]` of these values.
pub(in crate::engine::accounts) fn text_array<'a>(
    values: impl IntoIterator<Item = &'a String>,
) -> String {
    let values: Vec<String> = values.into_iter().map(|value| literal(value)).collect();
    format!("ARRAY[{}]::text[]", values.join(", "))
}
