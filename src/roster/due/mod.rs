//! Employees whose decision is due without a new observation: a scheduled end has come, or a blocked one is tried again.

pub(crate) mod store;
