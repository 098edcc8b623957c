//! Checks of what waits for destinations.

use sqlx::PgConnection;

use super::super::output;
use super::destinations::check_name;
use super::{CheckReport, CheckStatus};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::reports::events::{counted, store};

/// Warns of destinations that are paused or did not receive events, and of events for destinations that are not configured any
/// more.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn check_events(
    report: &mut CheckReport,
    settings: &Settings,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let destinations = settings.destinations.iter();
    let names: Vec<String> = destinations.map(|one| one.name().to_owned()).collect();
    if !names.is_empty() {
        for one in store::destinations(conn, &names, SystemClock.now()).await? {
            let name = &one.name;
            if let Some(at) = one.paused_at {
                let text = format!(
                    "paused since {}: {}; {} waiting, `leaver events resume {name}` sends now",
                    output::time(at),
                    one.paused_because.unwrap_or_default(),
                    counted(one.pending)
                );
                report.add(CheckStatus::Warning, &check_name(name), text);
            }
            if one.dead > 0 {
                let text = format!(
                    "{} dead after the last attempt; `leaver events retry --destination {name} --dead` sends them again",
                    counted(one.dead)
                );
                report.add(CheckStatus::Warning, &check_name(name), text);
            }
        }
    }
    for one in store::unconfigured(conn, &names).await? {
        let text = format!(
            "not configured any more; {} waiting, deleted after `events.retention`",
            counted(one.pending)
        );
        report.add(CheckStatus::Warning, &check_name(&one.destination), text);
    }
    Ok(())
}
