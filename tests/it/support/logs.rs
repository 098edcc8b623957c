//! Captures what the test's own thread logs.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged on this thread while its guards are alive.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

/// Capturing ends with this.
pub(crate) struct Capturing {
    _first: DefaultGuard,
    _second: Dispatch,
}

impl Captured {
    /// Captures what passes this filter, as the service itself would write it.
    pub(crate) fn start(filter: &str) -> (Self, Capturing) {
        let captured = Self::default();
        let lines = tracing_subscriber::fmt()
            .with_env_filter(leaver::service::telemetry::filter(filter).unwrap())
            .with_writer(captured.clone())
            .json()
            .finish();
        // With one subscriber in the process, a call site that another test's thread meets first stays off for
        // good; with two, each is asked.
        let second = Dispatch::new(tracing_subscriber::registry());
        let first = tracing::subscriber::set_default(lines);
        (
            captured,
            Capturing {
                _first: first,
                _second: second,
            },
        )
    }

    /// All of it so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
