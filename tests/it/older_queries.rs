//! The statements of the versions before run on the present schema as on their own, so that a replica of the version before can
//! run beside a new one. `tests/fixtures/queries` has the statements of each version that a migration followed.

use std::path::Path;

use leaver::db::schema::MIGRATOR;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Either, Executor, PgConnection, SqlSafeStr,
    Statement, TypeInfo,
};

use crate::support::database::empty_database;

/// Returns the versions of the migrations that followed, each with the statements before it.
fn versions() -> Vec<(i64, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/queries");
    let mut versions = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let version = name.strip_prefix("before_").unwrap().parse().unwrap();
        let queries = std::fs::read_to_string(&path).unwrap();
        versions.push((version, serde_json::from_str(&queries).unwrap()));
    }
    versions
}

/// Runs the migrations of these versions.
async fn migrate(conn: &mut PgConnection, is_due: impl Fn(i64) -> bool) {
    for migration in MIGRATOR.iter().filter(|it| is_due(it.version)) {
        let sql = migration.sql.as_str().to_owned();
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *conn)
            .await
            .unwrap();
    }
}

/// What a statement takes and returns, and how it ends with one value of each type.
#[derive(Debug, PartialEq, Eq)]
struct Behavior {
    query: String,
    parameters: Vec<String>,
    columns: Vec<(String, String)>,
    /// `ok`, or the code of the error and the constraint.
    end: String,
}

async fn behavior(conn: &mut PgConnection, query: &str) -> Behavior {
    let sql = AssertSqlSafe(query.to_owned()).into_sql_str();
    let prepared = conn.prepare(sql).await;
    let prepared = prepared.unwrap_or_else(|error| panic!("{query}\n{error}"));
    let parameters: Vec<String> = match prepared.parameters() {
        Some(Either::Left(types)) => types.iter().map(|it| it.name().to_owned()).collect(),
        _ => vec![],
    };
    let columns = prepared.columns().iter();
    let columns = columns
        .map(|column| {
            (
                column.name().to_owned(),
                column.type_info().name().to_owned(),
            )
        })
        .collect();
    let values: Vec<String> = parameters.iter().map(|name| value(name)).collect();
    let values = match values.len() {
        0 => String::new(),
        _ => format!("({})", values.join(", ")),
    };
    let mut tx = conn.begin().await.unwrap();
    let run = format!("PREPARE older AS {query}; EXECUTE older{values}");
    let end = match sqlx::raw_sql(AssertSqlSafe(run)).execute(&mut *tx).await {
        Ok(_) => "ok".to_owned(),
        Err(error) => {
            let error = error.as_database_error().unwrap();
            let code = error.code().unwrap_or_default();
            format!("{code} {}", error.constraint().unwrap_or_default())
        }
    };
    tx.rollback().await.unwrap();
    sqlx::raw_sql("DEALLOCATE ALL").execute(conn).await.unwrap();
    Behavior {
        query: query.to_owned(),
        parameters,
        columns,
        end,
    }
}

/// Returns a value of a type, as SQL.
fn value(name: &str) -> String {
    if let Some(element) = name.strip_suffix("[]") {
        return format!("ARRAY[{}]", value(element));
    }
    match name {
        "TEXT" | "VARCHAR" | "NAME" => "'open'::text",
        "INT8" => "1::bigint",
        "INT4" => "1::int",
        "INT2" => "1::smallint",
        "FLOAT8" => "1::float8",
        "BOOL" => "true",
        "TIMESTAMPTZ" => "'2026-11-20 08:00Z'::timestamptz",
        "DATE" => "'2026-11-20'::date",
        "INTERVAL" => "'1 hour'::interval",
        "UUID" => "'01990000-0000-7000-8000-000000000009'::uuid",
        "BYTEA" => "'\\x01'::bytea",
        "JSONB" => "'{}'::jsonb",
        "JSON" => "'{}'::json",
        other => panic!("no value of type {other}"),
    }
    .to_owned()
}

async fn behaviors(conn: &mut PgConnection, queries: &[String]) -> Vec<Behavior> {
    let mut behaviors = vec![];
    for query in queries {
        behaviors.push(behavior(conn, query).await);
    }
    behaviors
}

#[tokio::test]
async fn statements_of_the_version_before_run_as_before() {
    for (version, queries) in versions() {
        assert!(queries.len() > 50, "{version}");
        let (options, _database) = empty_database().await;
        let mut conn = options.connect().await.unwrap();
        sqlx::raw_sql("CREATE SCHEMA leaver")
            .execute(&mut conn)
            .await
            .unwrap();
        migrate(&mut conn, |it| it < version).await;
        let before = behaviors(&mut conn, &queries).await;
        let successes = before.iter().filter(|it| it.end == "ok").count();
        assert!(successes * 2 > queries.len(), "{version}: {successes}");
        migrate(&mut conn, |it| it >= version).await;
        for (before, after) in before.iter().zip(behaviors(&mut conn, &queries).await) {
            assert_eq!(*before, after, "{version}");
        }
    }
}
