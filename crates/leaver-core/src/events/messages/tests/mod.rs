//! Messages made of events.
