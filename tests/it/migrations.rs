//! Each migration meets tables with rows in them, and none adds a column that existing rows cannot have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use leaver::db::schema::{self, MIGRATOR};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

use crate::support::database::empty_database;

/// Returns the file with the sample rows of a migration.
fn sample(version: i64, description: &str) -> PathBuf {
    let name = format!("{version:04}_{}.sql", description.replace(' ', "_"));
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/migrations")
        .join(name)
}

async fn run(conn: &mut PgConnection, name: &str, sql: &str) {
    let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn);
    if let Err(error) = ran.await {
        panic!("{name}: {error}");
    }
}

/// Returns the columns that a migration adds as NOT NULL without a default, in lower case.
fn columns_without_default(migration: &str) -> Vec<String> {
    let code: String = migration
        .lines()
        .map(|line| line.split("--").next().unwrap())
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    // A literal may hold a comma, a semicolon or a keyword, so each one becomes empty.
    let code: Vec<&str> = code.split('\'').step_by(2).collect();
    let code = code.join("''");
    let statements = code.split(';').map(str::trim);
    statements
        .filter(|statement| statement.starts_with("alter table"))
        .flat_map(actions)
        .filter(|action| {
            let action = action.join(" ");
            action.contains("not null")
                && !action.contains("default")
                && !action.contains("generated")
        })
        .filter_map(|action| {
            let words = ["add", "column", "if", "not", "exists"];
            let name = action.iter().find(|word| !words.contains(&word.as_str()));
            name.filter(|name| *name != "constraint").cloned()
        })
        .collect()
}

/// Returns the words of each ADD in an ALTER TABLE statement.
fn actions(statement: &str) -> Vec<Vec<String>> {
    let mut depth = 0_i32;
    let actions = statement.split(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    actions
        .map(|action| {
            let words = action.split_whitespace().map(str::to_owned);
            words.skip_while(|word| word != "add").collect::<Vec<_>>()
        })
        .filter(|words| !words.is_empty())
        .collect()
}

#[tokio::test]
async fn each_migration_runs_on_the_rows_of_those_before() {
    let (options, _database) = empty_database().await;
    let mut conn = options.connect().await.unwrap();
    run(&mut conn, "schema", "CREATE SCHEMA leaver").await;
    for migration in MIGRATOR.iter() {
        let rows = sample(migration.version, &migration.description);
        let name = rows.display().to_string();
        run(&mut conn, &name, migration.sql.as_str()).await;
        let rows = std::fs::read_to_string(&rows).unwrap_or_else(|error| {
            panic!("each migration needs a file of sample rows: {name}: {error}")
        });
        run(&mut conn, &name, &rows).await;
    }

    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'leaver'::regnamespace AND relkind IN ('r', 'p')",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(tables.len() > 4, "{tables:?}");
    for table in tables {
        let filled = format!("SELECT EXISTS (SELECT FROM leaver.{table})");
        let filled: bool = sqlx::query_scalar(AssertSqlSafe(filled))
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert!(filled, "no sample row in leaver.{table}");
    }
}

#[tokio::test]
async fn sample_rows_have_the_shape_that_the_service_reads() {
    let (options, _database) = empty_database().await;
    let mut conn = options.connect().await.unwrap();
    schema::migrate(&mut conn).await.unwrap();
    for migration in MIGRATOR.iter() {
        let rows = sample(migration.version, &migration.description);
        let sql = std::fs::read_to_string(&rows).unwrap();
        run(&mut conn, &rows.display().to_string(), &sql).await;
    }
    for (id, status) in [("7", Some("active")), ("m1", Some("unknown")), ("8", None)] {
        let emails = BTreeSet::new();
        let read = leaver::roster::store::find_by_email_or_id(&mut conn, &emails, id);
        let employee = read.await.unwrap().pop().unwrap();
        assert_eq!(employee.status.is_some(), status.is_some(), "{id}");
        let stored: Option<String> =
            sqlx::query_scalar("SELECT status FROM leaver.employees WHERE employee_id = $1")
                .bind(id)
                .fetch_one(&mut conn)
                .await
                .unwrap();
        assert_eq!(stored.as_deref(), status, "{id}");
    }
}

#[test]
fn no_later_migration_adds_a_required_column_without_default() {
    for migration in MIGRATOR.iter().skip(1) {
        let columns = columns_without_default(migration.sql.as_str());
        assert!(
            columns.is_empty(),
            "{}: NOT NULL without DEFAULT fails on existing rows: {columns:?}",
            migration.description
        );
    }
}

#[test]
fn finds_required_columns_without_default() {
    for (sql, expected) in [
        ("ALTER TABLE t ADD COLUMN a text NOT NULL;", &["a"][..]),
        ("alter table t add a text not null", &["a"]),
        (
            "ALTER TABLE t\n    ADD COLUMN IF NOT EXISTS a numeric(8, 2) NOT NULL, -- required\n    ADD b text;",
            &["a"],
        ),
        (
            "ALTER TABLE t ADD COLUMN a text, ADD COLUMN b int NOT NULL;",
            &["b"],
        ),
        (
            "ALTER TABLE t ADD COLUMN a text NOT NULL DEFAULT 'x, y; NOT';",
            &[],
        ),
        (
            "ALTER TABLE t ADD COLUMN a bigint NOT NULL GENERATED ALWAYS AS IDENTITY;",
            &[],
        ),
        ("ALTER TABLE t ADD COLUMN a text;", &[]),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL);", &[]),
        ("-- ALTER TABLE t ADD COLUMN a text NOT NULL;", &[]),
        ("CREATE TABLE t (a text NOT NULL);", &[]),
    ] {
        assert_eq!(columns_without_default(sql), expected, "{sql}");
    }
}
