//! `check`, errors that name the place, `explain`, progress.
