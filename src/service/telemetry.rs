//! Writes log lines to stderr. Callers log ids and counts, never a name, an address, a body or a key.
//!
//! Ids and paths come from outside. Values are escaped, so that a line stays one line and steers no terminal.

use std::fmt;
use std::io::{self, Stderr, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

use crate::config::{Log, LogFormat};
use leaver_core::domain::{printable, printable_json};

/// Starts logging to stderr, once per process, with colours or without.
///
/// # Errors
/// Returns an error if the filter is invalid.
pub fn init(log: &Log, colors: bool) -> Result<(), ParseError> {
    let filter = filter(&log.filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colors)
        // A report to a stderr that is gone would panic.
        .log_internal_errors(false);
    let started = match log.format {
        LogFormat::Text => lines
            .with_target(false)
            .fmt_fields(PrintableFields)
            .with_writer(io::stderr)
            .try_init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(PrintableJson::new)
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

/// Formats the fields of a text line without colours, and escapes them.
struct PrintableFields;

impl<'w> FormatFields<'w> for PrintableFields {
    fn format_fields<R: RecordFields>(&self, mut to: Writer<'w>, fields: R) -> fmt::Result {
        let mut text = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut text), fields)?;
        to.write_str(&printable(&text))
    }
}

/// Writes a JSON line to stderr, with the characters escaped that JSON itself leaves as they are.
struct PrintableJson(Stderr);

impl PrintableJson {
    fn new() -> Self {
        Self(io::stderr())
    }
}

impl Write for PrintableJson {
    // The formatter writes each line in one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => self.0.write_all(printable_json(text).as_bytes())?,
            Err(_) => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Ok(mut written) = self.0.lock() {
                written.extend_from_slice(bytes);
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn values_in_a_text_line_are_escaped() {
        let lines = Lines::default();
        let to = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .fmt_fields(PrintableFields)
            .with_writer(move || to.clone())
            .finish();
        let hostile = "7\r\n\u{1b}[2J\u{202e}\u{200b}";
        with_default(subscriber, || {
            let _span = tracing::info_span!("span", employee = hostile).entered();
            tracing::info!(employee = hostile, account = %hostile, "about {hostile}");
        });
        let written = lines
            .0
            .lock()
            .map(|bytes| bytes.clone())
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&written).into_owned();
        let line = text.strip_suffix('\n').unwrap_or_default();
        assert!(
            !line.chars().any(leaver_core::domain::is_unprintable),
            "{line:?}"
        );
        assert_eq!(line.matches(r"\u{202e}").count(), 4, "{line}");
        assert_eq!(line.matches(r"\u{200b}").count(), 4, "{line}");
    }
}
