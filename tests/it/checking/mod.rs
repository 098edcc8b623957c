//! `check`, errors that name the place, `explain`, progress.

mod apis;
mod settings;
