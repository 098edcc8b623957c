//! Several servers in `database.url`, and the spellings of libpq.

use std::net::TcpListener;

use leaver::config::{Environment, Settings};
use leaver::service;
use sqlx::{PgConnection, Row};

use super::nodes::{Pair, free_port};
use crate::hardening::tls::server::Server;
use crate::support::database::Session;
use crate::support::driving::terminated;
use crate::support::process::run;
use crate::support::{BAMBOOHR_KEY, TestApp, USERS, employees};

/// Connects as every command does.
async fn connect(url: &str) -> Result<PgConnection, String> {
    let variables = [
        ("DATABASE_URL", url),
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
    ];
    let settings = Settings::load(None, &Environment::of(variables)).unwrap();
    let servers =
        service::connect_options(&settings.database).map_err(|error| error.to_string())?;
    let connected = service::connect(&servers).await;
    connected.map_err(|error| error.to_string())
}

/// Connects, and returns whether the server is a standby.
async fn is_standby(url: &str) -> Result<bool, String> {
    let mut conn = connect(url).await?;
    let row = sqlx::query("SELECT pg_is_in_recovery() AS standby")
        .fetch_one(&mut conn)
        .await;
    Ok(row.unwrap().get("standby"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_skipped() {
    let pair = Pair::start(None).await;
    let (standby, primary) = (&pair.standby, &pair.primary);
    let folders = format!(
        "{},{}",
        standby.sockets().display(),
        primary.sockets().display()
    );
    let ports = format!("{},{}", standby.port, primary.port);
    for url in [
        pair.url(""),
        pair.url("target_session_attrs=read-write"),
        pair.url("target_session_attrs=primary"),
        format!("postgres://postgres@/postgres?host={folders}&port={ports}"),
        format!("host={folders} port={ports} user=postgres dbname=postgres"),
        format!("host='127.0.0.1, localhost' port={ports} user=postgres"),
    ] {
        assert_eq!(is_standby(&url).await, Ok(false), "{url}");
    }
    let any = pair.url("target_session_attrs=any");
    assert_eq!(is_standby(&any).await, Ok(true));

    let alone = format!("postgres://postgres@127.0.0.1:{}/postgres", standby.port);
    assert_eq!(is_standby(&alone).await, Ok(true));
    let wanted = format!("{alone}?target_session_attrs=read-write");
    let error = is_standby(&wanted).await.unwrap_err();
    assert!(error.contains("in recovery"), "{error}");

    let mut session = primary.session().await;
    session
        .sql("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    session.sql("SELECT pg_reload_conf()").await;
    // The setting reaches new sessions a moment later.
    let error = loop {
        if let Err(error) = is_standby(&pair.url("")).await {
            break error;
        }
    };
    let port = primary.port.to_string();
    assert!(
        error.contains("in recovery") && error.contains("read only") && error.contains(&port),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_primary_dies_the_other_server_is_used() {
    let mut pair = Pair::start(None).await;
    // Built over the socket of the primary; the service gets both servers.
    let mut app = TestApp::builder()
        .on_server(pair.url(""), pair.primary.options())
        .tables(USERS)
        .build()
        .await;
    app.add_users(&["ada@example.com", "bob@example.com"]).await;
    let service = app.serve(&[]);
    let leaves =
        |id: &str, email: &str| employees(&[terminated(id, email, "2026-11-20T12:00:00Z")]);
    let send = async |id: &str, email: &str| {
        let file = app.file("leaver.json", &leaves(id, email).to_string());
        service.send(&app, "bamboohr", &file)
    };
    send("1", "ada@example.com").await.succeeded();
    let ends = "SELECT count(*) FROM users WHERE NOT is_active";
    pair.primary.session().await.wait_for_count(1, ends).await;

    pair.fail_over().await;
    // Webhooks that come before the switch get 503, and are sent again.
    while send("2", "bob@example.com").await.code != Some(0) {}
    let mut session = pair.standby.session().await;
    session.wait_for_count(2, ends).await;
    assert_eq!(
        session
            .count("SELECT count(*) FROM leaver.deliveries")
            .await,
        2
    );
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_does_not_keep_the_next_waiting() {
    let pair = Pair::start(None).await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|address| (address.port(), silent));
    let (port, _listener) = silent.unwrap();
    let closed = free_port();
    let working = pair.primary.port;
    let hosts = format!("127.0.0.1:{port},127.0.0.1:{closed},127.0.0.1:{working}");
    let url = format!("postgres://postgres@{hosts}/postgres");
    assert_eq!(is_standby(&url).await, Ok(false));
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?connect_timeout=1");
    let error = is_standby(&url).await.unwrap_err();
    assert!(error.contains("connect_timeout"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_passwords_connect_in_every_spelling() {
    let server = Server::start(&["localhost".to_owned()]).await;
    let port = server.port;
    for password in [
        "p@ss/w#rd?",
        "50% off + 1",
        r"it's a \ & =",
        "ünï:çødé,;",
        "%41",
    ] {
        let quoted = password.replace('\'', "''");
        let mut session = Session {
            conn: connect(&server.url("trusted", "127.0.0.1", ""))
                .await
                .unwrap(),
        };
        session
            .sql(&format!(
                "SET password_encryption = 'scram-sha-256'; ALTER ROLE app PASSWORD '{quoted}'"
            ))
            .await;
        let encoded: Vec<String> = password
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let encoded = encoded.concat();
        let escaped = password.replace('\\', r"\\").replace('\'', r"\'");
        for url in [
            format!("postgres://app:{encoded}@127.0.0.1:{port}/postgres"),
            format!("postgres://127.0.0.1:{port}/postgres?user=app&password={encoded}"),
            format!("host=127.0.0.1 port={port} user=app password='{escaped}' dbname=postgres"),
        ] {
            let connected = connect(&url).await;
            assert!(connected.is_ok(), "{url}: {:?}", connected.err());
        }
    }
}

#[test]
fn a_password_in_a_refused_parameter_is_not_printed() {
    for parameter in [
        "sslpassword",
        "passfile",
        "oauth_client_secret",
        "unheard_of",
    ] {
        for url in [
            format!("postgres://app:hush@127.0.0.1:1/app?{parameter}=hush"),
            format!("host=127.0.0.1 port=1 user=app {parameter}=hush"),
        ] {
            let env = [
                ("DATABASE_URL", url.as_str()),
                ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
            ];
            for args in [&["check"][..], &["serve"], &["migrate"]] {
                let output = run(args, &env);
                let shown = format!("{}{}", output.out, output.err);
                assert!(
                    shown.contains(parameter) && !shown.contains("hush"),
                    "{shown}"
                );
                assert_ne!(output.code, Some(0), "{shown}");
            }
        }
    }
}
