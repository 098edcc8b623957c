//! A span and its identity.

use std::fmt::{self, Display, Formatter};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Identity of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanContext {
    trace: u128,
    span: u64,
}

impl SpanContext {
    /// Returns the context of the request that brought a delivery: the trace is its id, the span the id's last half.
    #[must_use]
    pub fn of_delivery(id: Uuid) -> Self {
        let (_, last) = id.as_u64_pair();
        Self {
            trace: id.as_u128(),
            span: last,
        }
    }

    pub(super) fn new_trace() -> Self {
        Self {
            trace: fastrand::u128(1..),
            span: fastrand::u64(1..),
        }
    }

    /// Returns another span of the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            span: fastrand::u64(1..),
            ..self
        }
    }

    /// Returns whether the trace is among so many percent. Only the last 32 bits of a delivery's id are random in full.
    pub(super) fn is_among(self, percent: u32) -> bool {
        (self.trace & 0xffff_ffff) * 100 < u128::from(percent) << 32
    }

    /// Returns the id of the trace in hexadecimal digits.
    #[must_use]
    pub fn trace_id(self) -> TraceId {
        TraceId(self.trace)
    }

    /// Returns the id of the span in hexadecimal digits.
    #[must_use]
    pub fn span_id(self) -> String {
        format!("{:016x}", self.span)
    }
}

/// The id of a trace, displayed in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(u128);

impl Display for TraceId {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{:032x}", self.0)
    }
}

/// Part of a span in a request or a queue. The numbers are those of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work of this process.
    Internal = 1,
    /// A request that was answered.
    Server = 2,
    /// A request that was sent.
    Client = 3,
    /// A delivery that was taken from the inbox.
    Consumer = 5,
}

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

/// Something that happened, with its beginning and its end.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its identity.
    pub context: SpanContext,
    /// The span of the same trace within or after which it happened.
    pub parent: Option<SpanContext>,
    /// Its name, of low cardinality.
    pub name: &'static str,
    /// Its part in a request or a queue.
    pub kind: Kind,
    /// Its beginning.
    pub start: DateTime<Utc>,
    /// Its end.
    pub end: DateTime<Utc>,
    /// Facts about it. None is personal.
    pub attributes: Vec<(&'static str, Value)>,
    /// Spans that caused it.
    pub links: Vec<SpanContext>,
    /// True if it failed.
    pub is_error: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_of_a_delivery_has_its_id() {
        let id = Uuid::from_u128(0x0199_f2c4_7b1e_7c3d_9a55_2f1c_8e6b_4d10);
        let context = SpanContext::of_delivery(id);
        assert_eq!(context.trace_id().to_string(), id.simple().to_string());
        assert_eq!(context.span_id(), "9a552f1c8e6b4d10");
    }

    #[test]
    fn so_many_percent_of_traces_are_sampled() {
        let among = |percent| {
            let ids = (0..10_000).map(|_| SpanContext::of_delivery(Uuid::now_v7()));
            ids.filter(|context| context.is_among(percent)).count()
        };
        assert_eq!((among(0), among(100)), (0, 10_000));
        assert!((2_000..3_000).contains(&among(25)));
    }
}
