//! Checks that the look-up by e-mail does not depend on the locale of the database, and which encodings are refused.

use leaver::db::schema;
use leaver::engine::accounts::{AccountsTable, store};
use leaver_core::domain::{Tenant, WorkEmail};

use super::addresses::{assert_pairs_are_found, pairs};
use crate::support::TestApp;
use crate::support::driving::terminated;

const TURKISH: &str =
    "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'";

/// Returns a service with an empty users table in a database of the Turkish locale; `None` if this Postgres has no such.
async fn turkish() -> Option<TestApp> {
    let mut app = TestApp::new().await;
    // Before Postgres 15, the locale of a database is not from ICU.
    let has_locale = "SELECT count(*) FROM pg_collation
        WHERE collname = 'tr-TR-x-icu' AND current_setting('server_version_num')::int >= 150000";
    if app.count(has_locale).await == 0 {
        return None;
    }
    let mut app = TestApp::builder().created_with(TURKISH).build().await;
    assert_eq!(app.text("SELECT lower('I')").await.unwrap(), "ı");
    schema::migrate(&mut app.session.conn).await.unwrap();
    app.sql("CREATE INDEX ON users (leaver.email_key(email))")
        .await;
    Some(app)
}

#[tokio::test]
async fn a_turkish_database_finds_each_spelling() {
    let Some(mut app) = turkish().await else {
        return;
    };
    assert_pairs_are_found(&mut app, &pairs()).await;
    app.bamboohr(&[terminated(
        "7",
        "LALI.IRMAK@FIRMA.EXAMPLE",
        "2026-11-22T11:00:00Z",
    )])
    .await;
    assert_eq!(app.count("SELECT count(*) FROM leaver.audit").await, 0);
    app.sql("INSERT INTO users (email) VALUES ('Lali.irmak@Firma.example')")
        .await;
    app.bamboohr(&[terminated(
        "7",
        "lali.IRMAK@firma.example",
        "2026-11-22T11:30:00Z",
    )])
    .await;
    assert!(!app.is_active("Lali.irmak@Firma.example").await);
}

/// Characters that Unicode has had since version 14, in blocks. An older Postgres does not know their forms.
const NEW: [(char, char); 16] = [
    ('\u{558}', '\u{558}'),
    ('\u{58B}', '\u{58C}'),
    ('\u{1C89}', '\u{1C8A}'),
    ('\u{209D}', '\u{209F}'),
    ('\u{A7CB}', '\u{A7F4}'),
    ('\u{AB6C}', '\u{AB6F}'),
    ('\u{10780}', '\u{107BF}'),
    ('\u{10D40}', '\u{10D8F}'),
    ('\u{16EA0}', '\u{16ED3}'),
    ('\u{1B123}', '\u{1B126}'),
    ('\u{1CC00}', '\u{1CCFF}'),
    ('\u{1D6A6}', '\u{1D6A7}'),
    ('\u{1DF00}', '\u{1DFFF}'),
    ('\u{1E030}', '\u{1E08F}'),
    ('\u{1FBF0}', '\u{1FBFF}'),
    ('\u{E0000}', '\u{E0000}'),
];

/// Returns addresses whose form for comparison differs from the text: with each character of Unicode, alone or beside a
/// combining mark, in the local part and in the domain.
fn addresses() -> Vec<String> {
    let mut addresses = vec![];
    let planes = ('\u{1}'..='\u{1FFFF}')
        .chain('\u{2F800}'..='\u{2FA1F}')
        .chain('\u{E0000}'..='\u{E0FFF}');
    let is_new = |c: char| {
        NEW.iter()
            .any(|(first, last)| (*first..=*last).contains(&c))
    };
    // An @ moves the border of the domain.
    for c in planes.filter(|c| *c != '@' && !is_new(*c)) {
        let mut texts = vec![format!("a{c}b")];
        // Letters of Europe.
        if matches!(c, ..'\u{300}' | '\u{386}'..'\u{530}' | '\u{1E00}'..'\u{1F00}') {
            texts.extend([format!("{c}\u{307}"), format!("e{c}\u{301}")]);
        }
        for text in texts {
            let n = addresses.len();
            let in_both = [
                format!("{text}{n}@acme.example"),
                format!("u{n}@{text}.example"),
            ];
            // Most characters stay as they are, or only the domain is written in ASCII.
            addresses.extend(in_both.into_iter().filter(|address| {
                let compared = WorkEmail::parse(address).unwrap();
                !compared.spellings().contains(address)
            }));
        }
    }
    addresses
}

async fn assert_each_is_found(app: &mut TestApp) {
    let addresses = addresses();
    assert!(addresses.len() > 10_000, "{}", addresses.len());
    sqlx::query("INSERT INTO users (email) SELECT e FROM unnest($1::text[]) WITH ORDINALITY AS p (e, n) ORDER BY n")
        .bind(&addresses)
        .execute(&mut app.session.conn)
        .await
        .unwrap();
    app.sql("ANALYZE users").await;
    let table = AccountsTable::inspect(&mut app.session.conn, &app.settings.accounts)
        .await
        .unwrap();
    let wanted: Vec<(WorkEmail, Tenant)> = addresses
        .iter()
        .map(|address| (WorkEmail::parse(address).unwrap(), Tenant::new("")))
        .collect();
    let found = store::find_by_email(&mut app.session.conn, &table, &wanted)
        .await
        .unwrap();
    let mut missed = vec![];
    for ((id, address), accounts) in (1..).zip(&addresses).zip(found) {
        let id: i32 = id;
        let id = id.to_string();
        if !accounts.iter().any(|account| account.id.as_str() == id) {
            missed.push(address.escape_unicode().to_string());
        }
    }
    assert_eq!(missed, Vec::<String>::new());
}

#[tokio::test]
async fn every_character_is_compared_alike_by_rust_and_postgres() {
    let mut app = match turkish().await {
        Some(app) => app,
        None => TestApp::new().await,
    };
    assert_each_is_found(&mut app).await;
}

#[tokio::test]
async fn a_database_that_is_not_in_unicode_is_refused() {
    for encoding in ["LATIN1", "LATIN5", "SQL_ASCII"] {
        let options = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
        let mut app = TestApp::builder().created_with(&options).build().await;
        let words = ["the encoding of this database is", encoding, "UTF8"];
        app.run(&["check"]).findings(&words);
        app.run(&["migrate"]).failed(&words);
        app.run(&["serve"]).failed(&words);
        let there = "SELECT count(*) FROM pg_namespace WHERE nspname = 'leaver'";
        assert_eq!(app.count(there).await, 0, "{encoding}");
    }
}
