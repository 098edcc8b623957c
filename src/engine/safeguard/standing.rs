//! Decisions that a person, or an open trip, has answered already.

use sqlx::PgConnection;

use super::change_of;
use crate::engine::evaluate::Evaluated;
use crate::engine::holds;
use leaver_core::decision::{Action, request_change};
use leaver_core::domain::EmployeeKey;

/// Turns changes into holds if a person rejected the same change on the same facts, or if an open trip holds it. Without a
/// change that is due, it runs no statement.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn apply(
    conn: &mut PgConnection,
    decided: &mut [Evaluated],
) -> Result<(), sqlx::Error> {
    let mut due: Vec<&mut Evaluated> = decided
        .iter_mut()
        .filter(|evaluated| change_of(&evaluated.decision).is_some())
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    let keys: Vec<EmployeeKey> = due.iter().map(|e| e.employee.key.clone()).collect();
    let histories = holds::store::history(conn, &keys).await?;
    for (evaluated, history) in due.iter_mut().zip(histories) {
        let Some((account, direction)) = change_of(&evaluated.decision) else {
            continue;
        };
        let request = request_change(&evaluated.employee, direction.requested_action(), account);
        let is_rejected = history.rejection(&request.facts_fingerprint).is_some();
        // A trip holds changes in its own direction only.
        let trip = history
            .open()
            .and_then(|hold| hold.open_trip)
            .filter(|(_, held)| *held == direction)
            .map(|(id, _)| id);
        if !is_rejected && trip.is_none() {
            continue;
        }
        evaluated.decision.reason += if is_rejected {
            "; but a person decided to keep the account as it is until the facts change"
        } else {
            "; but the safeguard has tripped"
        };
        evaluated.decision.action = Action::Hold(request);
        evaluated.trip = trip.filter(|_| !is_rejected);
        evaluated.is_rejected = is_rejected;
    }
    Ok(())
}
