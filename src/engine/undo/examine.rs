//! Decides about each account of an undo.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::store::{self, Recorded};
use super::{KeptBecause, Undo, UndoneAccount};
use crate::engine::accounts::{self, AccountsTable};
use leaver_core::domain::AccountId;
use leaver_core::undo::{Obstacle, PresentAccount, RecordedChange, Verdict, judge};

/// Groups changes by account and decides about each account. With `lock`, the rows of the accounts are locked first.
pub(super) async fn examine(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &[i64],
    undo: &Undo,
    lock: bool,
) -> Result<Vec<UndoneAccount>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let selected = store::load(conn, table, ids).await?;
    let accounts = selected.iter().map(|change| change.account.clone());
    let present = accounts::writers::store::present(conn, table, &accounts.collect(), lock).await?;
    // Only now, since a writer may have been waited for.
    let selected = if lock {
        store::load(conn, table, ids).await?
    } else {
        selected
    };
    let mut by_account: BTreeMap<AccountId, Vec<Recorded>> = BTreeMap::new();
    for change in selected {
        let changes = by_account.entry(change.account.clone()).or_default();
        changes.push(change);
    }
    let mut examined = vec![];
    for (account, changes) in by_account {
        let present = present.get(&account).copied();
        examined.extend(examine_account(account, &changes, present, undo));
    }
    examined.sort_by(|one, other| (one.at, &one.account).cmp(&(other.at, &other.account)));
    Ok(examined)
}

fn examine_account(
    account: AccountId,
    changes: &[Recorded],
    present: Option<PresentAccount>,
    undo: &Undo,
) -> Option<UndoneAccount> {
    let recorded: Vec<RecordedChange> = changes.iter().map(Recorded::change).collect();
    let standing: Vec<&Recorded> = changes.iter().filter(|c| !c.is_undone).collect();
    let first = standing.first().copied().or_else(|| changes.first())?;
    let last = standing.last().copied().unwrap_or(first);
    let later = last.later_batch;
    let verdict = judge(&recorded, later.is_some(), present, undo.also_touched);
    let kept_because = match verdict {
        Verdict::Restore { .. } => None,
        Verdict::Keep(obstacle) => Some(match obstacle {
            Obstacle::UndoneAlready => KeptBecause::UndoneAlready,
            Obstacle::Gone => KeptBecause::Gone,
            Obstacle::ActiveAgain => KeptBecause::ActiveAgain,
            Obstacle::InactiveAgain => KeptBecause::InactiveAgain,
            Obstacle::ChangedLater => KeptBecause::ChangedLater(later.unwrap_or(last.batch)),
            Obstacle::Touched => KeptBecause::Touched,
            Obstacle::NotComparable => KeptBecause::NotComparable,
        }),
    };
    Some(UndoneAccount {
        account,
        employee: first.employee.clone(),
        direction: first.direction,
        at: first.at,
        batch: first.batch,
        cause: first.cause.clone(),
        kept_because,
        selected: changes.iter().map(|change| change.id).collect(),
        changes: standing.iter().map(|change| change.id).collect(),
    })
}
