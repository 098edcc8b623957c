//! How `leaver serve` ends: signals, and settings that cannot work.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::place;
use crate::support::UNSYNCED;
use crate::support::process::{Place, Running, command, leaver};

#[tokio::test]
async fn drains_and_exits_0_despite_silent_connections() {
    let place = place().await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // Long timeouts, so the stop ends these connections.
        let mut service = place.serve(&[
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
        let said = service.process.ended().good();
        assert!(
            asked.elapsed() < Duration::from_secs(4),
            "{:?}",
            asked.elapsed()
        );
        assert!(said.err.contains("service.stop: stopped"), "{said:?}");
        assert_eq!(said.out, "");
        let mut rest = vec![];
        // A reset closes it too.
        let _ = half.read_to_end(&mut rest);
        assert_eq!(rest, b"");
        assert!(TcpStream::connect(&address).is_err());
    }
}

#[tokio::test]
async fn stops_while_it_waits_for_the_database() {
    let place = place().await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let env = place.env(&[("DATABASE_URL", "postgres://app:hush@127.0.0.1:1/app")]);
        let mut service = Running::start(command(&["serve"], &env));
        service.wait_for("cannot reach the database");
        let asked = Instant::now();
        service.signal(signal);
        let said = service.ended().good();
        assert!(
            asked.elapsed() < Duration::from_secs(3),
            "{:?}",
            asked.elapsed()
        );
        assert!(!said.err.contains("hush"), "{said:?}");
    }
}

#[tokio::test]
async fn exits_without_the_users_table_and_names_the_key() {
    let place = Place::new("CREATE SCHEMA app; CREATE TABLE app.users (id int)").await;
    let said = leaver(&["serve"], &place.env(&[]));
    said.failed(&["accounts.table", "public.users", "app.users"]);
    let said = leaver(
        &["serve"],
        &place.env(&[("LEAVER__ACCOUNTS__TABLE", "app.users")]),
    );
    said.failed(&["accounts.email_column"]);
}

#[tokio::test]
async fn exits_when_commits_do_not_wait_for_the_disk() {
    let mut place = place().await;
    place.sql(UNSYNCED).await;
    let said = leaver(&["serve"], &place.env(&[]));
    said.failed(&["`synchronous_commit` is off", "ALTER DATABASE"]);
}

#[tokio::test]
async fn reports_an_address_in_use_on_one_line() {
    let place = place().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = leaver(&["serve"], &place.env(&[("LEAVER_LISTEN", &address)]));
    let said = said.failed(&["cannot listen on", &address, "LEAVER_LISTEN", "in use"]);
    assert_eq!(said.err.trim().lines().count(), 1, "{said:?}");
}

#[tokio::test]
async fn rejects_a_wrong_log_filter_and_a_missing_database() {
    let place = place().await;
    leaver(
        &["serve"],
        &place.env(&[("LEAVER_LOG", "leaver=loud=very")]),
    )
    .failed(&["LEAVER_LOG"]);
    let mut env = place.env(&[]);
    env.retain(|(name, _)| *name != "DATABASE_URL");
    leaver(&["serve"], &env).failed(&["DATABASE_URL is not set", "--embedded"]);
}
