//! An unchanged company costs hardly any write-ahead log.

use super::Sweep;
use crate::faults::say;

/// Bytes of WAL per employee of an unchanged read: 5 MiB for 100,000.
const BYTES_PER_EMPLOYEE: i64 = 5 * 1024 * 1024 / 100_000;
/// Bytes of WAL that do not depend on the number of employees.
const FIXED_BYTES: i64 = 64 * 1024;

/// Number of employees; `SWEEP_EMPLOYEES=100000` for the long form.
fn company_size(default: usize) -> usize {
    let chosen = std::env::var_os("SWEEP_EMPLOYEES");
    chosen.map_or(default, |size| size.to_str().unwrap().parse().unwrap())
}

impl Sweep {
    /// Returns the bytes of WAL of a read that finds nothing new.
    async fn wal_of_a_read(&mut self, is_modified: bool) -> i64 {
        // The first write to a page after a checkpoint logs the whole page, and with checksums so does the first reader of new rows,
        // which sets their hint bits. So these are set first, and a read before the measured one writes to the same pages.
        self.app.sql("VACUUM").await;
        self.app.sql("CHECKPOINT").await;
        self.read().await;
        let before = self.wal_bytes().await;
        let report = if is_modified {
            self.read().await
        } else {
            self.read_again().await
        };
        assert_eq!(report.incomplete, None);
        assert_eq!(report.outcomes.len(), 1, "{:?}", report.outcomes);
        self.wal_bytes().await - before
    }

    async fn wal_bytes(&mut self) -> i64 {
        let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
        self.app.count(sql).await
    }
}

async fn assert_cheap(provider: &'static str, size: usize, is_modified: bool) {
    let mut sweep = Sweep::start(provider, size).await;
    sweep.read().await;
    let versions = "SELECT xmin || ' ' || xmax FROM leaver.employees ORDER BY number";
    let before = sweep.app.lines(versions).await;
    let bytes = sweep.wal_of_a_read(is_modified).await;
    let after = sweep.app.lines(versions).await;
    assert_eq!(after.len(), size);
    assert!(before == after, "a row was written or locked");
    say(&format!(
        "{provider}: {bytes} bytes of WAL for {size} employees"
    ));
    let limit = i64::try_from(size).unwrap() * BYTES_PER_EMPLOYEE + FIXED_BYTES;
    assert!(bytes < limit, "{bytes} bytes for {size} employees");
}

#[tokio::test]
async fn an_unchanged_bamboohr_company_writes_hardly_any_wal() {
    assert_cheap("bamboohr", company_size(1_000), true).await;
}

#[tokio::test]
async fn a_merge_company_with_new_times_writes_hardly_any_wal() {
    assert_cheap("merge", company_size(5_000), true).await;
}

#[tokio::test]
async fn an_unchanged_merge_company_writes_hardly_any_wal() {
    assert_cheap("merge", company_size(5_000), false).await;
}
