//! The HTTP half: takes deliveries in, and tells an operator how the service is.

pub mod connections;

mod framing;
mod patience;
