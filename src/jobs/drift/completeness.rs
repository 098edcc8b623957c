//! Starts a report with how completely each source was read.

use super::{Counts, DriftReport, SourceCompleteness};
use crate::engine::Engine;
use crate::engine::shadow;
use crate::roster;
use leaver_core::domain::SourceName;
use leaver_core::safeguard::SourceMode;

/// Returns an empty report.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn new_report(engine: &Engine) -> Result<DriftReport, sqlx::Error> {
    let names = engine.policies.names();
    let mut conn = engine.pool.acquire().await?;
    let known = roster::sync_state::store::list(&mut conn, &names).await?;
    let modes = shadow::modes(&mut conn, &engine.policies).await?;
    let mode = |source: &SourceName| {
        let found = modes.iter().find(|found| found.source == *source);
        found.map_or(SourceMode::Enforce, |found| found.mode)
    };
    let mut reads: Vec<SourceCompleteness> = known
        .into_iter()
        .map(|state| {
            let has_full_read = state.last_full_started_at.is_some();
            let no_full_read =
                (!has_full_read).then(|| "not all employees were read yet".to_owned());
            SourceCompleteness {
                mode: mode(&state.source),
                source: state.source,
                account: state.linked_account_id,
                complete: has_full_read && state.incomplete.is_none(),
                last_complete_at: state.last_completed_at,
                everybody_read_at: state.last_full_started_at,
                reason: state.incomplete.or(no_full_read),
            }
        })
        .collect();
    let unread = |name: &&SourceName| reads.iter().all(|read| read.source != **name);
    let unread = names.iter().filter(unread);
    let unread: Vec<SourceCompleteness> = unread.map(|name| never_read(name, mode(name))).collect();
    reads.extend(unread);
    Ok(DriftReport {
        checked_at: engine.clock.now(),
        rests_on_complete_reads: reads.iter().all(|read| read.everybody_read_at.is_some()),
        reads,
        counts: Counts::default(),
        terminated_with_access: vec![],
        held: vec![],
        accepted: vec![],
        fixed: vec![],
        active_without_employee: vec![],
        unmatched: vec![],
    })
}

fn never_read(source: &SourceName, mode: SourceMode) -> SourceCompleteness {
    SourceCompleteness {
        source: source.clone(),
        mode,
        account: String::new(),
        complete: false,
        last_complete_at: None,
        everybody_read_at: None,
        reason: Some(
            "never read, so only what its webhooks sent is known; `leaver sync --full` reads a source with `sources.api`"
                .to_owned(),
        ),
    }
}
