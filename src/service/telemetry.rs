//! Writes log lines to stderr. Callers log ids and counts, never a name, an address, a body or a key.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{Log, LogFormat};

/// Starts logging to stderr, once per process.
///
/// # Errors
/// Returns an error if the filter is invalid.
pub fn init(log: &Log) -> Result<(), ParseError> {
    let filter = filter(&log.filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Escape sequences of colours do not belong into files and log collectors.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init(),
    };
    // A second start in one process, as in tests, has no effect.
    drop(started);
    quiet_panics();
    Ok(())
}

/// Parses a filter. Messages of the application's triggers may hold personal data, so they are off unless the filter names
/// them.
///
/// # Errors
/// Returns an error if the text is not a filter.
pub fn filter(text: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(format!("sqlx::postgres::notice=off,{text}"))
}

/// Logs the place of a panic without its message, which may quote a payload.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "service.panic: a bug; report it with this place");
    }));
}
