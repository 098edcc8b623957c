//! Which build this is. `build.rs` finds commit and date.

/// Version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// First digits of the commit, or `unknown`.
pub const COMMIT: &str = env!("LEAVER_BUILD_COMMIT");
/// Day of the build in UTC, or `unknown`. It is that of the commit unless `SOURCE_DATE_EPOCH` was set.
pub const DATE: &str = env!("LEAVER_BUILD_DATE");
/// Version, commit and date, as `leaver --version` shows them after the name.
pub const DESCRIPTION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("LEAVER_BUILD_COMMIT"),
    ", built ",
    env!("LEAVER_BUILD_DATE"),
    ")"
);
