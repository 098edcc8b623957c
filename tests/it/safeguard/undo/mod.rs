//! `leaver undo`: who is restored, who is left as they are and why, and what keeps the restored accounts.

mod commands;
mod kept;
mod races;
mod selections;
mod shapes;
mod touched;

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use leaver::engine::accounts::AccountsTable;
use leaver::engine::undo::{
    Selection, Undo, UndoError, UndoReport, UndoneAccount, carry_out, list,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::support::{TestApp, ada};

pub(super) const DANA: &str = "dana@example.com";
pub(super) const EVE: &str = "eve@example.com";
pub(super) const NINE: &str = "2026-11-22T09:00:00Z";
pub(super) const TEN: &str = "2026-11-22T10:00:00Z";
pub(super) const ELEVEN: &str = "2026-11-22T11:00:00Z";

/// Returns the batch that changed accounts last.
pub(super) async fn last_batch(app: &mut TestApp) -> Uuid {
    let sql = "SELECT batch_id::text FROM leaver.changes ORDER BY id DESC LIMIT 1";
    app.text(sql).await.unwrap().parse().unwrap()
}

/// The undo of the batch that changed accounts last.
pub(crate) async fn of_last_batch(app: &mut TestApp) -> Undo {
    Undo {
        selection: Selection::Batch(last_batch(app).await),
        also_touched: false,
    }
}

/// Lists an undo, as `ada`.
pub(crate) async fn listed(app: &mut TestApp, undo: &Undo) -> Result<UndoReport, UndoError> {
    let (table, now) = (inspect(app).await, app.clock.now());
    let policies = leaver::service::policies(&app.settings);
    list(&mut app.session.conn, &table, &policies, undo, &ada(), now).await
}

/// Confirms a list, as `ada`.
pub(crate) async fn confirmed(
    app: &mut TestApp,
    undo: &Undo,
    digest: &str,
) -> Result<UndoReport, UndoError> {
    let mut conn = app.connect().await;
    confirmed_on(&mut conn, app, undo, digest).await
}

/// Confirms a list over a connection.
pub(super) async fn confirmed_on(
    conn: &mut PgConnection,
    app: &TestApp,
    undo: &Undo,
    digest: &str,
) -> Result<UndoReport, UndoError> {
    let table = AccountsTable::inspect(conn, &app.settings.accounts)
        .await
        .unwrap();
    let (policies, day, now) = (
        &app.parts.engine.policies,
        TimeDelta::days(1),
        app.clock.now(),
    );
    carry_out(conn, &table, policies, undo, digest, day, &ada(), now).await
}

/// Lists and confirms an undo.
pub(super) async fn undone(app: &mut TestApp, undo: &Undo) -> UndoReport {
    let report = listed(app, undo).await.unwrap();
    confirmed(app, undo, &report.digest.unwrap()).await.unwrap()
}

/// Undoes the batch that changed accounts last.
pub(crate) async fn undo_last(app: &mut TestApp) -> UndoReport {
    let undo = of_last_batch(app).await;
    undone(app, &undo).await
}

async fn inspect(app: &mut TestApp) -> AccountsTable {
    AccountsTable::inspect(&mut app.session.conn, &app.settings.accounts)
        .await
        .unwrap()
}

/// Returns the accounts that are or can be restored.
pub(super) fn restored(report: &UndoReport) -> Vec<&str> {
    report.restored().map(|a| a.account.as_str()).collect()
}

/// Returns the accounts that are left as they are, each with the reason.
pub(super) fn kept(report: &UndoReport) -> Vec<String> {
    let line = |a: &UndoneAccount| {
        let reason = a.kept_because.as_ref().unwrap();
        format!("{} {}", a.account, reason.as_str())
    };
    report.kept().map(line).collect()
}
