//! Events about sources that cannot be read.

use sqlx::{Connection, PgConnection};

use crate::connect::ReadError;
use crate::engine::Engine;
use crate::engine::outbox::problems::{
    Checked, Problem, ProblemCode, record_problems, wants_problems,
};
use crate::roster::sync_state::{self, SyncState};
use leaver_core::domain::SourceName;

/// Stores the state, and records an event if a problem begins. Returns whether there was an event.
pub(super) async fn save(
    engine: &Engine,
    conn: &mut PgConnection,
    state: &SyncState,
    are_credentials_refused: bool,
) -> Result<bool, sqlx::Error> {
    let subscriptions = engine.policies.subscriptions();
    let codes = [ProblemCode::SyncIncomplete, ProblemCode::CredentialsRefused];
    if !wants_problems(subscriptions, &codes) {
        sync_state::store::save(conn, state).await?;
        return Ok(false);
    }
    let now = engine.clock.now();
    let code = if are_credentials_refused {
        ProblemCode::CredentialsRefused
    } else {
        ProblemCode::SyncIncomplete
    };
    let found = state.incomplete.clone().map(|reason| Problem {
        source: state.source.clone(),
        code,
        part: state.linked_account_id.clone(),
        since: now,
        reason: Some(reason),
    });
    // Only a complete sync ends a problem. So one cause that shows itself in two ways is reported once for each.
    let ended_of = found.is_none().then_some(&state.source);
    let checked = Checked {
        sources: ended_of.map_or(&[], std::slice::from_ref),
        codes: &codes,
        part: Some(&state.linked_account_id),
    };
    let found: Vec<Problem> = found.into_iter().collect();
    let mut tx = conn.begin().await?;
    sync_state::store::save(&mut tx, state).await?;
    let recorded = record_problems(&mut tx, subscriptions, &checked, &found, now).await?;
    tx.commit().await?;
    Ok(recorded)
}

/// Records an event unless the credentials are known to be refused. The next complete sync ends the problem.
pub(super) async fn credentials_refused(
    engine: &Engine,
    source: &SourceName,
    error: &ReadError,
) -> Result<(), sqlx::Error> {
    let subscriptions = engine.policies.subscriptions();
    let code = ProblemCode::CredentialsRefused;
    if !wants_problems(subscriptions, &[code]) {
        return Ok(());
    }
    let now = engine.clock.now();
    let problems = [Problem {
        source: source.clone(),
        code,
        part: String::new(),
        since: now,
        reason: Some(error.to_string()),
    }];
    let checked = Checked {
        sources: &[],
        codes: &[code],
        part: None,
    };
    let pool = &engine.pool;
    let recorded = async {
        let mut conn = pool.acquire().await?;
        let mut tx = conn.begin().await?;
        let recorded = record_problems(&mut tx, subscriptions, &checked, &problems, now);
        let recorded = recorded.await?;
        tx.commit().await?;
        Ok(recorded)
    };
    let recorded = pool
        .with_silence_timeout::<_, sqlx::Error>(recorded)
        .await?;
    engine.notify_jobs(false, false, recorded);
    Ok(())
}
