//! The application's users table: ids of every type, quoted names, and errors that name the mistake.

use leaver::engine::accounts::{AccountsMapping, AccountsTable, Shape, lookup};
use leaver_core::domain::EmailDomains;

use super::{active, says, terminated};
use crate::support::TestApp;

#[tokio::test]
async fn an_id_may_be_any_integer_uuid_or_text() {
    let uuids = [
        "'0190a5c4-0000-7000-8000-000000000001'",
        "'0190a5c4-0000-7000-8000-000000000002'",
        "'0190a5c4-0000-7000-8000-000000000003'",
    ];
    let texts = ["'user_1'", r#"'u it''s "2", {3}\'"#, "'NULL'"];
    let kinds: [(&str, [&str; 3]); 12] = [
        ("int2", ["1", "-2", "32767"]),
        ("int4", ["1", "-2", "2147483647"]),
        ("int8", ["1", "-2", "9223372036854775807"]),
        ("serial", ["1", "2", "3"]),
        ("uuid", uuids),
        ("text", texts),
        ("varchar", texts),
        ("varchar(60)", texts),
        ("char(36)", uuids),
        ("char(26)", texts),
        ("small_id", ["1", "2", "3"]),
        (r#""Text Id""#, texts),
    ];
    for (kind, [first, second, third]) in kinds {
        let tables = format!(
            r#"CREATE DOMAIN small_id AS int CHECK (VALUE > 0);
               CREATE DOMAIN "Text Id" AS varchar(80);
               CREATE TABLE users (id {kind} PRIMARY KEY, email text, is_active boolean NOT NULL DEFAULT true);
               CREATE TABLE sessions (user_id {kind});
               INSERT INTO users VALUES ({first}, 'a@example.com'), ({second}, 'b@example.com'), ({third}, 'c@example.com');
               INSERT INTO sessions VALUES ({first}), ({second}), ({second}), ({third});"#,
        );
        let mut app = TestApp::builder()
            .settings(&[("LEAVER__POLICY__REHIRE", "reactivate")])
            .tables(&tables)
            .build()
            .await;
        // Found by address first, and by the link from then on.
        says(&mut app, 8, &[("1", active("b@example.com"))]).await;
        let said = [
            ("1", terminated("gone@example.com")),
            ("2", terminated("c@example.com")),
        ];
        says(&mut app, 9, &said).await;
        let state = "SELECT string_agg(concat_ws(' ', email, is_active,
                         (SELECT count(*) FROM sessions s WHERE s.user_id = u.id)), ', ' ORDER BY email) FROM users u";
        assert_eq!(
            app.text(state).await.as_deref(),
            Some("a@example.com t 1, b@example.com f 0, c@example.com f 0"),
            "{kind}"
        );
        says(&mut app, 10, &[("1", active("gone@example.com"))]).await;
        let back = "SELECT string_agg(email, ',' ORDER BY email) FROM users WHERE is_active";
        let back = app.text(back).await;
        assert_eq!(
            back.as_deref(),
            Some("a@example.com,b@example.com"),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn names_with_blanks_capitals_and_quotes_are_taken_as_they_are() {
    let env = [
        ("LEAVER__ACCOUNTS__TABLE", r#""My App"."User ""Table"".x""#),
        ("LEAVER__ACCOUNTS__ID_COLUMN", "User Id"),
        ("LEAVER__ACCOUNTS__EMAIL_COLUMN", r#"E-Mail "Work""#),
        ("LEAVER__ACCOUNTS__ACTIVE_COLUMN", "select"),
        ("LEAVER__ACCOUNTS__TENANT_COLUMN", "Company; --"),
        (
            "LEAVER__ACCOUNTS__END_SESSIONS",
            r#"['DELETE FROM "My App"."Session" WHERE "User Id"::text = ANY($1)',
                'UPDATE "My App"."User ""Table"".x" SET logins = 0 WHERE "User Id"::text = ANY($1)']"#,
        ),
    ];
    let tables = r#"
        CREATE SCHEMA "My App";
        CREATE TABLE "My App"."User ""Table"".x" (
            "User Id" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "E-Mail ""Work""" varchar(200),
            "select" boolean NOT NULL DEFAULT true, "Company; --" text DEFAULT 'default', logins int DEFAULT 7);
        CREATE TABLE "My App"."Session" ("User Id" uuid);
        INSERT INTO "My App"."User ""Table"".x" ("E-Mail ""Work""") VALUES ('a@example.com'), ('b@example.com');
        INSERT INTO "My App"."Session" SELECT "User Id" FROM "My App"."User ""Table"".x";
        CREATE TABLE users (id int, email text, is_active boolean);
        INSERT INTO users VALUES (1, 'a@example.com', true);"#;
    let mut app = TestApp::builder()
        .settings(&env)
        .tables(tables)
        .build()
        .await;
    says(&mut app, 9, &[("1", terminated("A@example.com"))]).await;
    let left = r#"SELECT string_agg(concat_ws(' ', "E-Mail ""Work""", "select", logins), ', ' ORDER BY logins)
                  FROM "My App"."User ""Table"".x""#;
    assert_eq!(
        app.text(left).await.as_deref(),
        Some("a@example.com f 0, b@example.com t 7")
    );
    let sessions = r#"SELECT count(*) FROM "My App"."Session""#;
    assert_eq!(app.count(sessions).await, 1);
    let others = "SELECT count(*) FROM users WHERE is_active";
    assert_eq!(app.count(others).await, 1);
}

#[tokio::test]
async fn matches_a_citext_column_in_any_extension_schema() {
    for schema in ["public", "extensions"] {
        let mut app = TestApp::builder()
            .settings(&[("LEAVER__ACCOUNTS__END_SESSIONS", "[]")])
            .tables("CREATE SCHEMA extensions")
            .build()
            .await;
        let shipped = "SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'";
        let shipped = app.count(shipped).await > 0;
        // Where the server comes without it nobody has such a column; text under that name is taken as text.
        let make = if shipped {
            "EXTENSION citext SCHEMA"
        } else {
            "DOMAIN"
        };
        let rest = if shipped {
            schema.to_owned()
        } else {
            format!("{schema}.citext AS text")
        };
        app.sql(&format!(
            "CREATE {make} {rest};
             CREATE TABLE users (id int PRIMARY KEY, email {schema}.citext, is_active boolean DEFAULT true);
             CREATE INDEX ON users (leaver.email_key(email::text));
             INSERT INTO users VALUES (1, 'Dana@Example.com'), (2, 'other@example.com');"
        ))
        .await;
        let table = AccountsTable::inspect(&mut app.session.conn, &app.settings.accounts)
            .await
            .unwrap();
        let is_indexed = lookup::is_indexed(&mut app.session.conn, &table).await;
        assert!(is_indexed.unwrap(), "{schema}");
        says(&mut app, 9, &[("1", terminated("DANA@example.com"))]).await;
        let off = app
            .text("SELECT string_agg(id::text, ',') FROM users WHERE NOT is_active")
            .await;
        assert_eq!(off.as_deref(), Some("1"), "{schema}");
    }
}

#[tokio::test]
async fn a_mapping_that_does_not_fit_names_its_key() {
    let mut app = TestApp::new().await;
    app.sql(
        r#"CREATE SCHEMA app; CREATE TABLE app."User" (id int);
           CREATE TABLE odd (id numeric, email int, is_active text, good int, mail text, flag boolean);"#,
    )
    .await;
    let good = AccountsMapping {
        table: "odd".to_owned(),
        id_column: "good".to_owned(),
        email_column: "mail".to_owned(),
        email_domains: EmailDomains::default(),
        shape: Shape::Active("flag".to_owned()),
        tenant_column: None,
        single_company: false,
        filter: String::new(),
        also_set: vec![],
        end_sessions: vec![],
        protected: vec![],
        protected_where: String::new(),
        search_path: String::new(),
    };
    AccountsTable::inspect(&mut app.conn, &good).await.unwrap();
    let cases: [(&str, &str, &[&str]); 12] = [
        ("table", "public.user", &["public.users", "app.User"]),
        ("table", "nowhere.nothing", &["nowhere.nothing"]),
        ("table", "a.b.c", &["a.b.c"]),
        ("table", "", &[]),
        ("id_column", "user_id", &["user_id", "good"]),
        ("id_column", "Good", &["Good", "good"]),
        ("email_column", "e", &["mail"]),
        ("active_column", "active", &["flag"]),
        ("tenant_column", "org", &["org"]),
        ("id_column", "id", &["numeric", "integer, uuid or text"]),
        ("email_column", "email", &["integer", "text"]),
        ("active_column", "is_active", &["text", "boolean"]),
    ];
    for (key, value, expected) in cases {
        let mut mapping = good.clone();
        let value = value.to_owned();
        match key {
            "table" => mapping.table = value,
            "id_column" => mapping.id_column = value,
            "email_column" => mapping.email_column = value,
            "active_column" => mapping.shape = Shape::Active(value),
            _ => mapping.tenant_column = Some(value),
        }
        let inspected = AccountsTable::inspect(&mut app.conn, &mapping).await;
        let error = inspected.unwrap_err().to_string();
        assert!(error.contains(&format!("accounts.{key}")), "{error}");
        for part in expected {
            assert!(error.contains(part), "{error} should name {part}");
        }
    }
}
