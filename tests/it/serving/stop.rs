//! How `leaver serve` ends: signals, and settings that cannot work.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::app;
use crate::support::process::{RunningProcess, command, run};
use crate::support::{TestApp, UNSYNCED};

#[tokio::test]
async fn drains_and_exits_0_despite_silent_connections() {
    let app = app().await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // Long timeouts, so the stop ends these connections.
        let mut service = app.serve(&[
            ("LEAVER__SERVER__HEADER_TIMEOUT", "10m"),
            ("LEAVER__SERVER__DRAIN_TIMEOUT", "1s"),
        ]);
        let address = service.address().to_owned();
        let mut idle = TcpStream::connect(&address).unwrap();
        idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut answer = [0; 12];
        idle.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        let mut half = TcpStream::connect(&address).unwrap();
        half.write_all(b"POST /webhooks/bamboohr HTTP/1.1\r\nHo")
            .unwrap();
        assert_eq!(service.get("/health/live").await.0, 200);

        let asked = Instant::now();
        service.process.signal(signal);
        let output = service.process.wait().succeeded();
        assert!(
            asked.elapsed() < Duration::from_secs(4),
            "{:?}",
            asked.elapsed()
        );
        assert!(output.err.contains("service.stop: stopped"), "{output:?}");
        assert_eq!(output.out, "");
        let mut rest = vec![];
        // A reset closes it too.
        let _ = half.read_to_end(&mut rest);
        assert_eq!(rest, b"");
        assert!(TcpStream::connect(&address).is_err());
    }
}

#[tokio::test]
async fn stops_while_it_waits_for_the_database() {
    let app = app().await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let env = app.env(&[("DATABASE_URL", "postgres://app:hush@127.0.0.1:1/app")]);
        let mut service = RunningProcess::start(command(&["serve"], &env));
        service.wait_for("cannot reach the database");
        let asked = Instant::now();
        service.signal(signal);
        let output = service.wait().succeeded();
        assert!(
            asked.elapsed() < Duration::from_secs(3),
            "{:?}",
            asked.elapsed()
        );
        assert!(!output.err.contains("hush"), "{output:?}");
    }
}

#[tokio::test]
async fn exits_without_the_users_table_and_names_the_key() {
    let app = TestApp::builder()
        .tables("CREATE SCHEMA app; CREATE TABLE app.users (id int)")
        .unmigrated()
        .build()
        .await;
    let output = app.run(&["serve"]);
    output.failed(&["accounts.table", "public.users", "app.users"]);
    let output = app.run_with(&["serve"], &[("LEAVER__ACCOUNTS__TABLE", "app.users")]);
    output.failed(&["accounts.email_column"]);
}

#[tokio::test]
async fn exits_when_commits_do_not_wait_for_the_disk() {
    let mut app = app().await;
    app.sql(UNSYNCED).await;
    let output = app.run(&["serve"]);
    output.failed(&["`synchronous_commit` is off", "ALTER DATABASE"]);
}

#[tokio::test]
async fn reports_an_address_in_use_on_one_line() {
    let app = app().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = app.run_with(&["serve"], &[("LEAVER_LISTEN", &address)]);
    let output = output.failed(&["cannot listen on", &address, "LEAVER_LISTEN", "in use"]);
    assert_eq!(output.err.trim().lines().count(), 1, "{output:?}");
}

#[tokio::test]
async fn rejects_a_wrong_log_filter_and_a_missing_database() {
    let app = app().await;
    app.run_with(&["serve"], &[("LEAVER_LOG", "leaver=loud=very")])
        .failed(&["LEAVER_LOG"]);
    let mut env = app.env(&[]);
    env.retain(|(name, _)| *name != "DATABASE_URL");
    run(&["serve"], &env).failed(&["DATABASE_URL is not set", "--embedded"]);
}
