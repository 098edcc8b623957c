//! The two ways to write a connection: a URL, and the `key=value` string of libpq.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>, read on 27 November 2026. As with libpq, a `+`
//! in a URL is a plus and a `#` begins no fragment.

use anyhow::{anyhow, bail, ensure};

use super::NO_URL;

/// Parameters in the order in which they are written, with the names of libpq. A later one replaces an earlier one.
pub(super) type Written = Vec<(String, String)>;

/// Reads a URL or a `key=value` string.
///
/// # Errors
/// Returns an error that quotes no value.
pub(super) fn read(text: &str) -> anyhow::Result<Written> {
    let schemes = ["postgres://", "postgresql://"];
    if let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        return url(rest);
    }
    let (first_name, _) = text.split_once('=').ok_or_else(|| anyhow!(NO_URL))?;
    ensure!(is_name(first_name.trim()), NO_URL);
    key_values(text)
}

/// Returns true for a text that can be the name of a parameter. Other texts may be part of a password, and are not quoted.
fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=40).contains(&text.len()) && text.chars().all(is_part)
}

fn url(rest: &str) -> anyhow::Result<Written> {
    let mut written = vec![];
    let before_path = rest.split('/').next().unwrap_or_default();
    // A password may hold an unescaped `@`, and a parameter too.
    let before_query = before_path.split('?').next().unwrap_or_default();
    let at = before_query.rfind('@').or_else(|| before_path.find('@'));
    let rest = match at {
        None => rest,
        Some(at) => {
            let (user, password) = match rest[..at].split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (&rest[..at], None),
            };
            written.push(("user".to_owned(), decode(user)?));
            if let Some(password) = password {
                written.push(("password".to_owned(), decode(password)?));
            }
            &rest[at + 1..]
        }
    };
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = before.split_once('/').unwrap_or((before, ""));
    // Messages name the database, and this one would be a part of the password.
    ensure!(
        at.is_some() || !database.contains('@'),
        "database.url: an `@` follows a `/`; write a `/` in a password as %2F, and an `@` in the name of a database as %40"
    );
    let (mut names, mut ports) = (vec![], vec![]);
    for host in hosts.split(',') {
        let (name, port) = host_and_port(host)?;
        names.push(decode(name)?);
        ports.push(decode(port)?);
    }
    written.push(("host".to_owned(), names.join(",")));
    written.push(("port".to_owned(), ports.join(",")));
    written.push(("dbname".to_owned(), decode(database)?));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            bail!(
                "database.url: a parameter has no `=`; write name=value, and an `&` in a value as %26"
            );
        };
        let name = decode(name)?;
        // sqlx's form of one option of `options`.
        let setting = name
            .strip_prefix("options[")
            .and_then(|rest| rest.strip_suffix(']'));
        match setting {
            Some(setting) => {
                let value = decode(value)?.replace('\\', "\\\\").replace(' ', "\\ ");
                written.push(("options".to_owned(), format!("-c {setting}={value}")));
            }
            None => push_named(&mut written, &name, decode(value)?)?,
        }
    }
    Ok(written)
}

fn push_named(written: &mut Written, name: &str, value: String) -> anyhow::Result<()> {
    ensure!(
        is_name(name),
        "database.url: the name of a parameter has odd characters; write an `&` or a `?` in a password as %26 or %3F"
    );
    written.push((name.to_owned(), value));
    Ok(())
}

/// Splits a host of a URL, whose address of IPv6 stands in brackets.
fn host_and_port(text: &str) -> anyhow::Result<(&str, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']').ok_or_else(|| anyhow!(NO_URL))?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if rest.is_empty() => Ok((host, "")),
        None => bail!(NO_URL),
    }
}

/// Decodes `%XX`. A `%` without two digits stands for itself.
fn decode(text: &str) -> anyhow::Result<String> {
    let mut bytes = vec![];
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |position: usize| {
            let digit = char::from(*after.get(position)?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        if let (b'%', Some(high), Some(low)) = (*first, digit(0), digit(1)) {
            bytes.push(high * 16 + low);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| anyhow!(NO_URL))?;
    ensure!(!text.contains('\0'), NO_URL);
    Ok(text)
}

fn key_values(text: &str) -> anyhow::Result<Written> {
    ensure!(!text.contains('\0'), NO_URL);
    let mut written = vec![];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once('=') else {
            bail!(
                "database.url: a parameter has no `=`; a value with spaces stands in single quotes"
            );
        };
        let (value, after) = value(after.trim_start())?;
        // The error quotes no name that may be the rest of a password with spaces.
        ensure!(
            is_name(name.trim_end()),
            "database.url: the name of a parameter has odd characters; a value with spaces stands in single quotes"
        );
        written.push((name.trim_end().to_owned(), value));
        rest = after.trim_start();
    }
    Ok(written)
}

/// Reads one value, and returns what follows it. A backslash escapes the next character, in quotes and outside.
fn value(text: &str) -> anyhow::Result<(String, &str)> {
    let is_quoted = text.starts_with('\'');
    let inner = if is_quoted { &text[1..] } else { text };
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((position, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return Ok((value, &inner[position + 1..])),
            c if c.is_ascii_whitespace() && !is_quoted => return Ok((value, &inner[position..])),
            c => value.push(c),
        }
    }
    ensure!(
        !is_quoted,
        "database.url: a quoted value has no end; close it with a single quote, and write one inside as \\'"
    );
    Ok((value, ""))
}
