//! Questions on the terminal, each with a default. They go to stderr, so that stdout holds nothing but the result.

use std::io::{IsTerminal, Write};

use anyhow::{Context, bail};

use leaver_core::domain::printable;

/// Returns whether a person can answer.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Returns the answer, or the default if it is empty.
pub(super) fn text(question: &str, default: &str) -> anyhow::Result<String> {
    let shown = if default.is_empty() { "none" } else { default };
    let mut err = std::io::stderr();
    write!(err, "{} [{}]: ", printable(question), printable(shown)).context("cannot ask")?;
    err.flush().context("cannot ask")?;
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.context("cannot read the answer")? == 0 {
        bail!("the input ended before the last answer; nothing was written");
    }
    Ok(match answer.trim() {
        "" => default.to_owned(),
        answer => answer.to_owned(),
    })
}

/// Returns the first answer that `parse` accepts. Shows its hint for any other.
pub(super) fn parsed<T>(
    question: &str,
    default: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> anyhow::Result<T> {
    loop {
        match parse(&text(question, default)?) {
            Ok(value) => return Ok(value),
            Err(hint) => super::output::note(&hint),
        }
    }
}
