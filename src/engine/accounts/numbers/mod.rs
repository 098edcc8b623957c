//! The size of the accounts table, and how fast it is searched, for `leaver check`. Each measurement has a time limit and
//! changes nothing. None contains an address.

mod store;

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::{AccountsTable, lookup};
use leaver_core::domain::{Tenant, WorkEmail};

/// Longest time for all counts together.
const COUNTING: Duration = Duration::from_secs(5);
/// Longest time for the count of rows.
const COUNTING_ROWS: Duration = Duration::from_secs(3);
/// Longest time for a search.
pub(crate) const SEARCH: Duration = Duration::from_millis(1_500);
/// Rows of the sample from which counts are estimated.
const SAMPLE: f64 = 50_000.0;
/// Accounts that the service reads and looks up together.
const PAGE_SIZE: i64 = 500;

/// Rows of the accounts table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowCounts {
    /// Rows that the role sees.
    pub(crate) visible: u64,
    /// Those that are accounts.
    pub(crate) accounts: u64,
    /// Accounts with access.
    pub(crate) active: u64,
    /// True if the counts were estimated: counting all rows took too long.
    pub(crate) is_estimated: bool,
}

/// Addresses that several accounts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SharedEmails {
    /// Different addresses.
    pub(crate) emails: u64,
    /// Accounts that have one of them.
    pub(crate) accounts: u64,
}

/// Measurements. `None` stands for a measurement that took too long.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// False before the first migration: then neither addresses nor times are measured.
    pub(crate) has_key: bool,
    /// Rows that the role sees.
    pub(crate) rows: Option<RowCounts>,
    /// All rows, seen or not, by the statistics of Postgres. `None` for a view, or without statistics.
    pub(crate) estimated_rows: Option<u64>,
    /// Addresses of several accounts.
    pub(crate) shared: Option<SharedEmails>,
    /// The time of one look-up by e-mail.
    pub(crate) lookup: Option<Duration>,
    /// The time in which the accounts of a page are read and looked up, and their number.
    pub(crate) page: Option<(Duration, usize)>,
}

impl Numbers {
    /// Returns how long it takes to read and look up all active accounts, page by page, estimated from one page. `None` if it is
    /// unknown.
    #[must_use]
    pub(crate) fn sweep(&self) -> Option<Duration> {
        let (page, accounts) = self.page?;
        let pages = match self.rows {
            Some(rows) => rows.active.div_ceil(u64::try_from(accounts.max(1)).ok()?),
            None => return None,
        };
        Some(page.saturating_mul(u32::try_from(pages).ok()?))
    }
}

/// Measures the accounts table, in 10 s at most.
///
/// # Errors
/// Returns the database's error. A measurement that takes too long is none.
pub(crate) async fn measure(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<Numbers, sqlx::Error> {
    let began = Instant::now();
    let has_key = lookup::has_key(conn).await?;
    let estimated_rows = store::estimated_rows(conn, table).await?;
    let counted = store::count_rows(conn, table, COUNTING_ROWS).await?;
    let rows = match (counted, estimated_rows) {
        (None, Some(all)) => estimate(conn, table, all).await?,
        (counted, _) => counted,
    };
    if !has_key {
        return Ok(Numbers {
            has_key,
            rows,
            estimated_rows,
            shared: None,
            lookup: None,
            page: None,
        });
    }
    let left = COUNTING.saturating_sub(began.elapsed());
    Ok(Numbers {
        has_key,
        rows,
        estimated_rows,
        shared: store::count_shared_emails(conn, table, left).await?,
        lookup: time_of_lookup(conn, table).await?,
        page: time_of_page(conn, table).await?,
    })
}

/// Estimates the counts from a sample of the pages.
async fn estimate(
    conn: &mut PgConnection,
    table: &AccountsTable,
    all: u64,
) -> Result<Option<RowCounts>, sqlx::Error> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "an estimate"
    )]
    let percentage = (SAMPLE * 100.0 / all.max(1) as f64).min(100.0) as f32;
    let Some(sample) = store::sample_rows(conn, table, percentage, SEARCH).await? else {
        return Ok(None);
    };
    let share = |part: u64| {
        let scaled = u128::from(part) * u128::from(all) / u128::from(sample.visible.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    };
    Ok(Some(RowCounts {
        visible: all,
        accounts: share(sample.accounts),
        active: share(sample.active),
        is_estimated: true,
    }))
}

/// Measures the look-up of an address that no account has: it costs as much as any other. The shortest of three counts, since
/// the first one fills caches.
async fn time_of_lookup(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<Option<Duration>, sqlx::Error> {
    let Some(nobody) = WorkEmail::parse("nobody@leaver.invalid") else {
        return Ok(None);
    };
    let wanted = [(nobody, Tenant::new(""))];
    let mut shortest: Option<Duration> = None;
    for _ in 0..3 {
        let Some(took) = store::time_of_lookup(conn, table, &wanted, SEARCH).await? else {
            break;
        };
        shortest = Some(shortest.map_or(took, |before| before.min(took)));
        if took > SEARCH / 10 {
            break;
        }
    }
    Ok(shortest)
}

/// Measures the reading of a page of accounts and the look-up of their addresses.
async fn time_of_page(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<Option<(Duration, usize)>, sqlx::Error> {
    store::time_of_page(conn, table, PAGE_SIZE, SEARCH).await
}
