//! Transaction and statement pooling, in every way that a pooler can assign sessions.

use leaver::service;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::REFUSAL;
use crate::support::TestApp;
use crate::support::pgbouncer::PgBouncer;
use crate::support::process::run;

const TRANSACTION: &str = "pool_mode = transaction";

/// Expects that a command cannot connect, and why.
async fn assert_refused(options: &PgConnectOptions, case: &str) {
    let error = service::connect(options).await.map(drop).unwrap_err();
    let text = error.to_string();
    for words in REFUSAL {
        assert!(text.contains(words), "{case}: {text}");
    }
}

/// Makes the pooler hold this many sessions, by as many transactions at once.
async fn warm_up(options: &PgConnectOptions, sessions: usize) {
    let mut all: Vec<PgConnection> = vec![];
    for _ in 0..sessions {
        let mut conn = options.connect().await.unwrap();
        sqlx::raw_sql("BEGIN").execute(&mut conn).await.unwrap();
        all.push(conn);
    }
    for mut conn in all {
        sqlx::raw_sql("ROLLBACK").execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_command_refuses_transaction_pooling() {
    let pooler = PgBouncer::start(TRANSACTION).await;
    let app = TestApp::new().await;
    let url = pooler.url(app.database_name());
    let env = [("DATABASE_URL", url.as_str())];
    for args in [
        &["serve"][..],
        &["migrate"],
        &["sync"],
        &["drift"],
        &["replay", "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10"],
        &["deliveries"],
        &["holds", "list"],
        &["employees"],
        &["safeguard"],
        &["end", "dana@example.com", "--reason", "test"],
        &["undo", "--since", "2026-11-01"],
        &["enforce", "--source", "merge"],
        &["plan"],
        &["explain", "dana@example.com"],
    ] {
        app.run_with(args, &env).failed(&REFUSAL);
    }
    let output = app.run_with(&["check"], &env);
    assert_eq!(output.code, Some(3), "{output:?}");
    for word in REFUSAL {
        assert!(output.out.contains(word), "no {word:?} in {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_is_not_migrated_by_transactions() {
    let pooler = PgBouncer::start(TRANSACTION).await;
    let mut app = TestApp::builder().unmigrated().build().await;
    let url = pooler.url(app.database_name());
    let env = app.env(&[("DATABASE_URL", &url)]);
    run(&["serve"], &env).failed(&REFUSAL);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'leaver'";
    assert_eq!(app.count(schemas).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_pooling_is_found_with_any_number_of_sessions() {
    let app = TestApp::new().await;
    for (lines, sessions) in [
        ("default_pool_size = 1", &[0, 1][..]),
        ("default_pool_size = 2", &[0, 1, 2]),
        ("", &[0, 1, 2, 3, 8]),
        ("server_round_robin = 1", &[0, 1, 2, 3, 8]),
        ("server_reset_query_always = 1", &[0, 2]),
    ] {
        for sessions in sessions {
            let pooler = PgBouncer::start(&format!("{TRANSACTION}\n{lines}")).await;
            let options = pooler.to(app.database_name());
            warm_up(&options, *sessions).await;
            assert_refused(&options, &format!("{lines}, {sessions} sessions")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mode_of_a_user_is_found_too() {
    let pooler = PgBouncer::start("[users]\npostgres = pool_mode=transaction").await;
    let app = TestApp::new().await;
    assert_refused(&pooler.to(app.database_name()), "of the user").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poolers_that_share_a_port_are_found_too() {
    let poolers = [
        PgBouncer::start(TRANSACTION).await,
        PgBouncer::start(TRANSACTION).await,
    ];
    let app = TestApp::new().await;
    let options = poolers[0].to(app.database_name());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shared = options.port(listener.local_addr().unwrap().port());
    let ports = poolers.each_ref().map(PgBouncer::port);
    tokio::spawn(async move {
        for port in ports.into_iter().cycle() {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    for attempt in 0..4 {
        assert_refused(&shared, &format!("attempt {attempt}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_pooling_is_found_while_others_use_the_pool() {
    let pooler = PgBouncer::start(TRANSACTION).await;
    let app = TestApp::new().await;
    let options = pooler.to(app.database_name());
    let mut busy = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let mut conn = options.connect().await.unwrap();
        busy.spawn(async move {
            loop {
                let work = "BEGIN; SELECT pg_sleep(0.002); COMMIT";
                sqlx::raw_sql(work).execute(&mut conn).await.unwrap();
            }
        });
    }
    for attempt in 0..20 {
        assert_refused(&options, &format!("attempt {attempt}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statement_pooling_is_refused() {
    let pooler = PgBouncer::start("pool_mode = statement").await;
    let app = TestApp::new().await;
    for sessions in 0..3 {
        assert_refused(&pooler.to(app.database_name()), &sessions.to_string()).await;
    }
    let url = pooler.url(app.database_name());
    app.run_with(&["migrate"], &[("DATABASE_URL", &url)])
        .failed(&REFUSAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_are_not_reset_are_refused() {
    let pooler = PgBouncer::start("server_reset_query =").await;
    let app = TestApp::new().await;
    assert_refused(&pooler.to(app.database_name()), "no reset").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_pool_of_one_serves_commands() {
    let pooler = PgBouncer::start("default_pool_size = 1").await;
    let app = TestApp::new().await;
    let url = pooler.url(app.database_name());
    app.run_with(&["holds", "list"], &[("DATABASE_URL", &url)])
        .succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_with_one_connection_runs_commands() {
    let mut app = TestApp::new().await;
    let role = format!("only_one_{}", app.database_name());
    app.sql(&format!(
        "CREATE ROLE {role} SUPERUSER LOGIN CONNECTION LIMIT 1"
    ))
    .await;
    let url = app.url.replace("postgres@", &format!("{role}@"));
    app.run_with(&["holds", "list"], &[("DATABASE_URL", &url)])
        .succeeded();
    app.sql(&format!("DROP ROLE {role}")).await;
}
