//! How long a failed delivery waits, what of an error may be written down, and which errors blame nobody.

use std::borrow::Cow;
use std::collections::BTreeSet;

use sqlx::error::{DatabaseError, ErrorKind};
use uuid::Uuid;

use super::retry::backoff;
use chrono::TimeDelta;

use super::*;
use crate::db::error::redacted_message;

/// What Postgres would say, without a Postgres.
#[derive(Debug)]
struct Said {
    code: &'static str,
    message: &'static str,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Said {}

impl DatabaseError for Said {
    fn message(&self) -> &str {
        self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.code))
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

fn said(code: &'static str, message: &'static str) -> sqlx::Error {
    sqlx::Error::Database(Box::new(Said { code, message }))
}

fn delivery(id: u128) -> DeliveryId {
    DeliveryId(Uuid::from_u128(id))
}

#[test]
fn each_failure_is_waited_for_about_twice_as_long() {
    let waits: Vec<TimeDelta> = (1..=8).map(|n| backoff(delivery(0), n)).collect();
    let seconds: Vec<i64> = waits.iter().map(TimeDelta::num_seconds).collect();
    assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256]);
}

#[test]
fn the_wait_is_never_much_longer_than_five_minutes() {
    for attempts in [9, 10, 1_000, i32::MAX] {
        for id in [0, 0x7f, 0xff, u128::MAX] {
            let wait = backoff(delivery(id), attempts);
            assert!(wait >= TimeDelta::minutes(5), "{attempts} {id:x}: {wait}");
            assert!(wait <= TimeDelta::seconds(375), "{attempts} {id:x}: {wait}");
        }
    }
}

#[test]
fn a_wait_is_positive_whatever_the_count_of_failures() {
    for attempts in [i32::MIN, -1, 0, 1] {
        let wait = backoff(delivery(0), attempts);
        assert_eq!(wait, TimeDelta::seconds(2), "{attempts}");
    }
}

#[test]
fn deliveries_that_fail_together_do_not_come_back_together() {
    let waits: BTreeSet<TimeDelta> = (0..=255).map(|id| backoff(delivery(id), 3)).collect();
    assert_eq!(waits.len(), 256);
    let (first, last) = (waits.first().unwrap(), waits.last().unwrap());
    assert!(*last - *first > TimeDelta::seconds(1), "{first} to {last}");
    assert!(*last < *first * 2, "{first} to {last}");
    assert_eq!(backoff(delivery(77), 3), backoff(delivery(77), 3));
}

#[test]
fn an_absent_database_is_an_outage_and_a_refusal_is_not() {
    let outages = [
        ("08000", "connection_exception"),
        ("08006", "connection_failure"),
        ("53100", "disk_full"),
        ("53300", "too_many_connections"),
        ("57P01", "admin_shutdown"),
        ("57P02", "crash_shutdown"),
        ("57P03", "cannot_connect_now"),
        ("25006", "read_only_sql_transaction"),
        ("40001", "serialization_failure"),
        ("40P01", "deadlock_detected"),
    ];
    for (code, name) in outages {
        assert!(is_outage(&said(code, name)), "{code} {name}");
    }
    let refusals = [
        ("0A000", "feature_not_supported: a cached plan"),
        ("22P02", "invalid_text_representation"),
        ("23505", "unique_violation"),
        ("25P02", "in_failed_sql_transaction"),
        ("42501", "insufficient_privilege"),
        ("42P01", "undefined_table"),
        ("55P03", "lock_not_available"),
        ("57014", "query_canceled"),
        ("P0001", "raise_exception"),
    ];
    for (code, name) in refusals {
        assert!(!is_outage(&said(code, name)), "{code} {name}");
    }
}

#[test]
fn whatever_is_no_answer_of_the_database_is_an_outage() {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let outages = [
        sqlx::Error::Io(broken),
        sqlx::Error::Protocol("cut off".to_owned()),
        sqlx::Error::PoolTimedOut,
        sqlx::Error::PoolClosed,
        sqlx::Error::WorkerCrashed,
    ];
    for error in &outages {
        assert!(is_outage(error), "{error}");
    }
    for error in [
        sqlx::Error::RowNotFound,
        sqlx::Error::ColumnNotFound("id".to_owned()),
        sqlx::Error::Decode("not a name".into()),
    ] {
        assert!(!is_outage(&error), "{error}");
    }
}

#[tokio::test]
async fn a_bug_that_panics_is_a_failure_that_blames_no_database() {
    let bug = batch::catch_panic(async {
        tokio::task::yield_now().await;
        let nobody: [u8; 0] = [];
        nobody.first().map(drop).unwrap();
        Ok(())
    });
    let error = bug.await.unwrap_err();
    assert!(!is_outage(&error));
    let cause = redacted_message(&error);
    assert!(cause.contains("a bug: "), "{cause}");
}

#[tokio::test]
async fn what_does_not_panic_goes_through() {
    assert_eq!(batch::catch_panic(async { Ok(7) }).await.unwrap(), 7);
    let error = batch::catch_panic(async { Err::<(), _>(sqlx::Error::RowNotFound) }).await;
    assert!(matches!(error, Err(sqlx::Error::RowNotFound)));
}
