//! Metrics of the listeners' connections and of sent traces.

use std::ops::Deref;

use prometheus_client::metrics::counter::Counter;

use super::Metrics;
use super::labels::{Listener, ListenerReason, Outcome};

impl Metrics {
    /// Creates the counters and the gauge of a listener at 0.
    pub(crate) fn create_listener<'r>(
        &self,
        listener: &str,
        reasons: impl IntoIterator<Item = &'r str>,
    ) {
        for reason in reasons {
            drop(self.rejected_clients(listener, reason));
        }
        self.set_open_connections(listener, 0);
    }

    /// Counts a client that was closed or answered 503 for want of a slot or of memory.
    pub(crate) fn record_rejected_client(&self, listener: &str, reason: &str) {
        self.rejected_clients(listener, reason).inc();
    }

    /// Sets how many connections a listener has open.
    pub(crate) fn set_open_connections(&self, listener: &str, open: usize) {
        let listener = Listener {
            listener: listener.to_owned(),
        };
        let open = i64::try_from(open).unwrap_or(i64::MAX);
        self.connections_open.get_or_create(&listener).set(open);
    }

    /// Counts spans with an outcome: `sent`, `failed` or `dropped`.
    pub(crate) fn record_spans(&self, outcome: &'static str, count: usize) {
        let counter = self.trace_spans.get_or_create(&Outcome { outcome });
        counter.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn rejected_clients(&self, listener: &str, reason: &str) -> impl Deref<Target = Counter> {
        self.clients_rejected.get_or_create(&ListenerReason {
            listener: listener.to_owned(),
            reason: reason.to_owned(),
        })
    }
}
