//! `check`, errors that name the place, `explain`, progress.

mod apis;
mod errors;
mod explain;
mod progress;
mod settings;
