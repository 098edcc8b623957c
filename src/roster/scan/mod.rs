//! The whole roster, page by page, for whoever compares it with something else.

pub mod store;
