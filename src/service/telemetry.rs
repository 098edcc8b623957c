//! Where log lines go, and nothing else. What may stand in them is up to those who write them: ids and
//! counts, never a name, an address, a body or a key.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{Log, LogFormat};

/// Starts logging to stderr, once per process.
///
/// # Errors
/// When the filter is not one.
pub fn init(log: &Log) -> Result<(), ParseError> {
    let filter = filter(&log.filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Colours are for eyes; in a log collector they are noise.
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
    // A second start in one process, as in tests, keeps the first one's lines.
    drop(started);
    quiet_panics();
    Ok(())
}

/// What is logged. What the application's own triggers tell stays out, since it may be about people, unless the
/// filter names it.
///
/// # Errors
/// When the text is not a filter.
pub fn filter(text: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(format!("sqlx::postgres::notice=off,{text}"))
}

/// A panic's message may quote what was being read, so only its place is logged.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "a bug: panicked; please report it with this place");
    }));
}
