//! Which build this is. `build.rs` finds commit and time.

use std::sync::LazyLock;

use chrono::DateTime;

/// Version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// First digits of the commit, or `unknown`.
pub const COMMIT: &str = env!("LEAVER_BUILD_COMMIT");
/// Seconds since 1970 of the commit or of `SOURCE_DATE_EPOCH`, or `unknown`.
const TIME: &str = env!("LEAVER_BUILD_TIME");
/// Version, commit and day in UTC, as `leaver --version` shows them after the name.
pub static DESCRIPTION: LazyLock<String> =
    LazyLock::new(|| format!("{VERSION} (commit {COMMIT}, built {})", day(TIME)));

/// Returns the day of a time, or `unknown`.
fn day(seconds: &str) -> String {
    let time = seconds
        .parse()
        .ok()
        .and_then(|at| DateTime::from_timestamp(at, 0));
    time.map_or_else(
        || "unknown".to_owned(),
        |time| time.date_naive().to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn the_day_of_a_build_is_that_in_utc() {
        for (seconds, date) in [
            ("0", "1970-01-01"),
            ("1709164800", "2024-02-29"),
            ("1798761599", "2026-12-31"),
            ("unknown", "unknown"),
            ("99999999999999999", "unknown"),
        ] {
            assert_eq!(day(seconds), date);
        }
    }
}
