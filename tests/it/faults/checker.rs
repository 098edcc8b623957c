//! Compares the senders' ledger with the inbox, the accounts and the audit log, once the service is idle.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

use super::ledger::{Line, Reply, email};
use crate::support::database::Session;

/// What was found, for figures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) sent: usize,
    pub(crate) attempts: usize,
    pub(crate) acknowledged: usize,
    pub(crate) deactivated: usize,
    /// Not acknowledged, since its provider had no retries left.
    pub(crate) given_up: usize,
}

/// Waits until nothing is left to do, and checks the invariants A1 to A5, A9 and A13 of docs/RELIABILITY.md.
pub(crate) async fn check(session: &mut Session, ledger: &[Line]) -> Found {
    session.wait_until_processed().await;
    let inbox = inbox(&mut session.conn).await;
    let mut found = Found {
        sent: ledger.len(),
        ..Found::default()
    };
    let mut sent: HashSet<Vec<u8>> = HashSet::new();
    let mut leavers: HashSet<String> = HashSet::new();
    for line in ledger {
        let what = &line.delivery;
        let digest = Sha256::digest(what.body.as_bytes()).to_vec();
        let stored = inbox.get(&digest);
        found.attempts += line.replies.len();
        // A2, A9: a good delivery is never refused for good, and whoever must wait is told so.
        let refusal = line
            .replies
            .iter()
            .find(|reply| matches!(reply, Reply::Refused(status) if *status != 503));
        assert_eq!(refusal, None, "{what:?}");
        // A1: what was acknowledged is there, under the id that its sender was told and under no other, byte for byte.
        for id in line.acknowledged() {
            assert_eq!(
                stored.map(|row| row.id),
                Some(id),
                "acknowledged and missing: {what:?}"
            );
        }
        found.acknowledged += usize::from(line.acknowledged().next().is_some());
        found.given_up += usize::from(line.acknowledged().next().is_none());
        if stored.is_some() && what.leaves {
            leavers.insert(email(what.person));
        }
        sent.insert(digest);
    }
    // A4, A6: every row is of somebody who sent it, and came to its end.
    for (digest, row) in &inbox {
        assert!(sent.contains(digest), "{row:?} was never sent");
        assert_eq!(row.state, "processed", "{row:?}");
    }
    // A3, A5: whoever left is off, once, and nobody else is touched.
    let inactive = texts(
        &mut session.conn,
        "SELECT email FROM users WHERE NOT is_active",
    )
    .await;
    assert_eq!(inactive.iter().cloned().collect::<HashSet<_>>(), leavers);
    // A13: the account, its sessions, the record, the roster and the outcome tell the same story.
    let sessions = "SELECT email FROM users u WHERE is_active <> EXISTS (SELECT FROM sessions s WHERE s.user_id = u.id)";
    assert_eq!(
        texts(&mut session.conn, sessions).await,
        Vec::<String>::new()
    );
    let recorded = "SELECT u.email FROM leaver.audit a JOIN users u ON u.id::text = a.account_id WHERE action = 'deactivated'";
    let mut recorded = texts(&mut session.conn, recorded).await;
    found.deactivated = recorded.len();
    recorded.sort();
    let mut expected: Vec<String> = leavers.into_iter().collect();
    expected.sort();
    assert_eq!(
        recorded, expected,
        "one line each for whoever was switched off"
    );
    let others =
        "SELECT action || ' ' || employee_id FROM leaver.audit WHERE action <> 'deactivated'";
    assert_eq!(texts(&mut session.conn, others).await, Vec::<String>::new());
    let deeds =
        "SELECT COALESCE(sum((outcome ->> 'deactivated')::int), 0)::bigint FROM leaver.deliveries";
    assert_eq!(session.count(deeds).await, count(found.deactivated));
    let roster = "SELECT count(*) FROM leaver.employees WHERE deactivated_at IS NOT NULL";
    assert_eq!(session.count(roster).await, count(found.deactivated));
    found
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}

#[derive(Debug)]
struct Stored {
    id: Uuid,
    state: String,
}

async fn inbox(conn: &mut PgConnection) -> HashMap<Vec<u8>, Stored> {
    let rows = sqlx::query("SELECT digest, id, state FROM leaver.deliveries");
    let rows = rows.fetch_all(conn).await.unwrap();
    let stored = |row: sqlx::postgres::PgRow| {
        let stored = Stored {
            id: row.get("id"),
            state: row.get("state"),
        };
        (row.get("digest"), stored)
    };
    rows.into_iter().map(stored).collect()
}

async fn texts(conn: &mut PgConnection, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned()));
    let rows = rows.fetch_all(conn).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
