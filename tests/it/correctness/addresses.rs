//! Checks which spellings of an address are one, and that an account is never found by an address after its link is gone.

use leaver::engine::accounts::{AccountsTable, lookup, store};
use leaver::engine::end::{Who, find};
use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::{Tenant, WorkEmail};

use crate::support::TestApp;
use crate::support::driving::{terminated, working};

/// Pairs of addresses, one a line: `=` or `!`, the HR system's, the account's.
const PAIRS: &str = include_str!("addresses.tsv");
const EMPLOYED: &str = "2026-11-22T11:00:00+0000";
const LEFT: &str = "2026-11-22T11:30:00+0000";

pub(super) struct Pair {
    same: bool,
    wanted: String,
    stored: String,
}

pub(super) fn pairs() -> Vec<Pair> {
    let parsed = PAIRS.lines().map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        Pair {
            same: columns[0] == "=",
            wanted: unescaped(columns[1]),
            stored: unescaped(columns[2]),
        }
    });
    parsed.collect()
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\u{");
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').unwrap();
        plain.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        plain.push_str(rest);
    }
    plain
}

#[test]
fn spellings_of_one_address_are_equal() {
    let pairs = pairs();
    let same = pairs.iter().filter(|pair| pair.same).count();
    assert!(same >= 100 && pairs.len() - same >= 100);
    for pair in pairs {
        let (wanted, stored) = (
            WorkEmail::parse(&pair.wanted),
            WorkEmail::parse(&pair.stored),
        );
        let context = format!("{:?} {:?}", pair.wanted, pair.stored);
        assert_eq!(wanted == stored, pair.same, "{context}");
    }
}

#[test]
fn the_form_for_comparison_stays_when_read_again() {
    for pair in pairs() {
        let once = WorkEmail::parse(&pair.wanted).unwrap();
        assert_eq!(
            WorkEmail::parse(once.expose()),
            Some(once.clone()),
            "{:?}",
            pair.wanted
        );
    }
}

#[tokio::test]
async fn each_spelling_finds_the_account_through_the_index() {
    let mut app = TestApp::new().await;
    assert_pairs_are_found(&mut app, &pairs()).await;
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT u.id FROM unnest(ARRAY['u1@acme.example', 'u2@acme.example']) AS w (email)
         JOIN users u ON leaver.email_key(u.email::text) = leaver.email_key(w.email)",
    )
    .fetch_all(&mut app.session.conn)
    .await
    .unwrap();
    assert!(plan.join("\n").contains("users_email_key_idx"), "{plan:?}");
}

/// Stores the accounts of the pairs, and checks which the look-up of the service finds. The users table must be empty.
pub(super) async fn assert_pairs_are_found(app: &mut TestApp, pairs: &[Pair]) {
    let stored: Vec<String> = pairs.iter().map(|pair| pair.stored.clone()).collect();
    sqlx::query("INSERT INTO users (email) SELECT e FROM unnest($1::text[]) WITH ORDINALITY AS p (e, n) ORDER BY n")
        .bind(&stored)
        .execute(&mut app.session.conn)
        .await
        .unwrap();
    app.sql(
        "INSERT INTO users (email) SELECT 'filler' || n || '@acme.example' FROM generate_series(1, 20000) n;
         ANALYZE users",
    )
    .await;
    let table = AccountsTable::inspect(&mut app.session.conn, &app.settings.accounts)
        .await
        .unwrap();
    let is_indexed = lookup::is_indexed(&mut app.session.conn, &table).await;
    assert!(is_indexed.unwrap());
    let wanted: Vec<(WorkEmail, Tenant)> = pairs
        .iter()
        .map(|pair| (WorkEmail::parse(&pair.wanted).unwrap(), Tenant::new("")))
        .collect();
    let found = store::find_by_email(&mut app.session.conn, &table, &wanted)
        .await
        .unwrap();
    for ((position, pair), accounts) in (1..).zip(pairs).zip(found) {
        let id = position.to_string();
        let found = accounts.iter().any(|account| account.id.as_str() == id);
        assert_eq!(found, pair.same, "{:?} {:?}", pair.wanted, pair.stored);
    }
}

#[tokio::test]
async fn a_role_without_rights_on_leaver_writes_indexed_addresses() {
    let mut app = TestApp::new().await;
    let role = format!("application_{}", uuid::Uuid::new_v4().simple());
    app.sql(&format!(
        "CREATE ROLE {role}; GRANT INSERT ON users TO {role}; SET ROLE {role};
         INSERT INTO users (email) VALUES ('Dana@Example.com'), ('ZO\u{cb}@B\u{dc}cher.example');
         RESET ROLE; REVOKE ALL ON users FROM {role}; DROP ROLE {role}"
    ))
    .await;
    assert_eq!(app.count("SELECT count(*) FROM users").await, 2);
}

#[tokio::test]
async fn a_successor_keeps_access_after_the_linked_account_is_gone() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    app.bamboohr(&[working("7", "dana@example.com", EMPLOYED)])
        .await;
    app.sql("DELETE FROM sessions; DELETE FROM users; INSERT INTO users (email) VALUES ('dana@example.com')")
        .await;
    app.bamboohr(&[terminated("7", "dana@example.com", LEFT)])
        .await;
    assert!(app.is_active("dana@example.com").await);
    let holds = "SELECT count(*) FROM leaver.holds WHERE state = 'open' AND account_id IS NULL";
    assert_eq!(app.count(holds).await, 1);
}

#[tokio::test]
async fn a_linked_account_gone_without_successor_is_no_account() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    app.bamboohr(&[working("7", "dana@example.com", EMPLOYED)])
        .await;
    app.sql("DELETE FROM sessions; DELETE FROM users").await;
    app.bamboohr(&[terminated("7", "dana@example.com", LEFT)])
        .await;
    assert_eq!(app.count("SELECT count(*) FROM leaver.holds").await, 0);
}

#[tokio::test]
async fn a_renamed_domain_is_one_domain_everywhere() {
    let settings = [
        (
            "LEAVER__ACCOUNTS__EMAIL_DOMAINS",
            r#"{ "old.example" = "new.example" }"#,
        ),
        ("LEAVER__ACCOUNTS__PROTECTED", r#"["root@old.example"]"#),
    ];
    let mut app = TestApp::builder().settings(&settings).build().await;
    app.bamboohr(&[
        working("1", "ana@new.example", EMPLOYED),
        working("2", "ben@old.example", EMPLOYED),
    ])
    .await;
    app.add_users(&["ana@old.example", "ben@new.example", "root@new.example"])
        .await;
    let report = compare(&app.parts.engine, DriftMode::Report).await.unwrap();
    let strangers: Vec<_> = report
        .active_without_employee
        .iter()
        .map(|row| (row.email.as_deref(), row.protected))
        .collect();
    assert_eq!(strangers, [(Some("root@new.example"), true)]);

    let table = AccountsTable::inspect(&mut app.session.conn, &app.settings.accounts)
        .await
        .unwrap();
    let policies = &app.parts.engine.policies;
    let who = Who::parse("ben@new.example");
    let found = find(&mut app.session.conn, &table, policies, &who, None, None)
        .await
        .unwrap();
    assert_eq!(found.candidates.len(), 1);
    assert_eq!(found.candidates[0].employees.len(), 1);

    app.bamboohr(&[
        terminated("1", "ana@new.example", LEFT),
        terminated("2", "ben@old.example", LEFT),
        terminated("3", "root@old.example", LEFT),
    ])
    .await;
    assert!(!app.is_active("ana@old.example").await);
    assert!(!app.is_active("ben@new.example").await);
    assert!(app.is_active("root@new.example").await);
    let holds = "SELECT count(*) FROM leaver.holds WHERE state = 'open'";
    assert_eq!(app.count(holds).await, 1);
}
