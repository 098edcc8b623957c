//! Finds the reasons why rows may be missing from a report of a period.

mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::period::Period;
use crate::engine::policies::Policies;
use crate::engine::shadow;
use crate::roster::sync_state;
use leaver_core::domain::SourceName;
use leaver_core::safeguard::SourceMode;

/// The code of employees whose source is not configured any more.
pub(crate) const NOT_CONFIGURED: &str = "not_configured";

/// Why rows may be missing from a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Missing {
    /// The kind of cause, for programs.
    pub(crate) code: &'static str,
    /// The cause, for people.
    pub(crate) text: String,
}

fn missing(code: &'static str, text: String) -> Missing {
    Missing { code, text }
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Returns why any report of the period may lack rows: it begins before the first migration, it is not over, or the
/// database went back in time.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn of_period(
    conn: &mut PgConnection,
    period: &Period,
    now: DateTime<Utc>,
) -> Result<Vec<Missing>, sqlx::Error> {
    let mut found = vec![];
    let installed = store::installed_at(conn).await?;
    if let Some(at) = installed.filter(|at| period.from < *at) {
        let text = format!(
            "nothing was recorded before {}, when Leaver was installed",
            day(at)
        );
        found.push(missing("before_installation", text));
    }
    if period.to > now {
        let text = format!(
            "the period ends after {}, the time of this report",
            day(now)
        );
        found.push(missing("not_over", text));
    }
    for restore in store::restores_since(conn, period.from).await? {
        let text = format!(
            "the database went back in time, found at {}; rows up to {} may be missing",
            day(restore.found_at),
            day(restore.known_until)
        );
        found.push(missing("restore", text));
    }
    Ok(found)
}

/// Returns why leavers of the period may be missing: sources that were not read completely since its end, deliveries and
/// reads that failed or wait, and sources in shadow mode.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn of_leavers(
    conn: &mut PgConnection,
    policies: &Policies,
    sources: &[SourceName],
    period: &Period,
    now: DateTime<Utc>,
) -> Result<Vec<Missing>, sqlx::Error> {
    let mut found = vec![];
    let configured = policies.names();
    let elsewhere = store::employees_elsewhere(conn, &configured).await?;
    if elsewhere > 0 {
        let text =
            format!("{elsewhere} employees belong to sources that are not configured any more");
        found.push(missing(NOT_CONFIGURED, text));
    }
    let states = sync_state::store::list(conn, sources).await?;
    let until = period.to.min(now);
    for source in sources {
        let mut of_source = states
            .iter()
            .filter(|state| state.source == *source)
            .peekable();
        if of_source.peek().is_none() {
            let text = format!(
                "source {source} was never read over its API; only people whose webhooks arrived are known"
            );
            found.push(missing("never_read", text));
        }
        for state in of_source {
            let account = match state.linked_account_id.as_str() {
                "" => String::new(),
                id => format!(" (linked account {id})"),
            };
            // A read that began a day before the end of an open period is as good as can be.
            let needed = if period.to > now {
                until - chrono::TimeDelta::days(1)
            } else {
                until
            };
            match state.last_full_started_at {
                None => {
                    let text = format!("source {source}{account} was never read completely");
                    found.push(missing("never_read", text));
                }
                Some(at) if at < needed => {
                    let text = format!(
                        "source {source}{account} was last read completely at {}; run `leaver sync --full`",
                        day(at)
                    );
                    found.push(missing("not_read_since", text));
                }
                Some(_) => {}
            }
        }
    }
    for mode in shadow::modes(conn, policies).await? {
        if mode.mode == SourceMode::Shadow && sources.contains(&mode.source) {
            let text = format!(
                "source {} is in shadow mode; ends of access are only planned",
                mode.source
            );
            found.push(missing("shadow", text));
        }
    }
    let waiting = store::unprocessed(conn, sources, period.to).await?;
    let (failed, pending, reads) = (waiting.failed, waiting.pending, waiting.reads);
    for (code, count, text) in [
        (
            "failed_deliveries",
            failed,
            format!("failed deliveries: {failed}; `leaver deliveries --state failed` lists them"),
        ),
        (
            "pending_deliveries",
            pending,
            format!("deliveries that are not processed yet: {pending}"),
        ),
        (
            "pending_reads",
            reads,
            format!("changed employees who were not read over the API yet: {reads}"),
        ),
    ] {
        if count > 0 {
            found.push(missing(code, text));
        }
    }
    Ok(found)
}
