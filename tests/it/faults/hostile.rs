//! Requests that no provider would send, over raw TCP to the real service: checks the answers, and that nothing is
//! stored.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ledger::{Client, Delivery, Reply};
use crate::support::TestApp;
use crate::support::process::{RunningService, command};

/// A good request about this person, with something put between its headers.
fn with(person: usize, headers: &[u8]) -> Vec<u8> {
    let request = Delivery::about(person, person).request();
    let end = request.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
    [&request[..end], headers, &request[end..]].concat()
}

/// The same with another signature than its own.
fn forged(person: usize) -> Vec<u8> {
    let mut request = Delivery::about(person, person).request();
    let body = request
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .unwrap()
        + 5;
    request[body] ^= 1;
    request
}

/// What comes back, until so many answers are there or the connection ends.
async fn ask(service: &RunningService, request: &[u8], answers: usize) -> String {
    let mut stream = TcpStream::connect(service.address()).await.unwrap();
    // The server may close the connection early.
    let _ = stream.write_all(request).await;
    let mut answer = String::new();
    let mut bytes = vec![0; 4096];
    // The answer to an `Expect` is a line alone.
    while statuses(&answer).len() < answers || answer.ends_with("Continue\r\n\r\n") {
        match timeout(Duration::from_secs(8), stream.read(&mut bytes)).await {
            Ok(Ok(read)) if read > 0 => answer.push_str(&String::from_utf8_lossy(&bytes[..read])),
            _ => break,
        }
    }
    answer
}

fn statuses(answer: &str) -> Vec<&str> {
    let found = answer.match_indices("HTTP/1.");
    found.map(|(at, _)| &answer[at..][9..12]).collect()
}

#[tokio::test]
async fn odd_requests_are_answered_and_only_signed_ones_stored() {
    let mut app = TestApp::builder().unmigrated().build().await;
    let service = app.serve(&[("LEAVER__SERVER__BODY_TIMEOUT", "1s")]);
    // A delivery has a handful of its own.
    let many = b"X-Many: 1\r\n".repeat(500);
    let too_many = b"X-Many: 1\r\n".repeat(513);
    let long = [b"X-Long: ".as_slice(), &vec![b'a'; 20_000], b"\r\n"].concat();
    let longer = [b"X-Long: ".as_slice(), &vec![b'a'; 40_000], b"\r\n"].concat();
    let path = [
        b"POST /".as_slice(),
        &[b'a'; 9_000],
        b" HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    ]
    .concat();
    let unsigned =
        |rest: &str| format!("POST /webhooks/merge HTTP/1.1\r\nHost: a\r\n{rest}").into_bytes();
    let spoofed = b"X-Forwarded-For: 10.0.0.1, ::1, \"x\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1;proto=https\r\n";
    let mut old = Delivery::about(8, 8).request();
    let version = old.windows(3).position(|part| part == b"1.1").unwrap();
    old[version + 2] = b'0';
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        (
            "a good one, then a forged one behind it",
            [with(1, b""), forged(2)].concat(),
            &["200", "401"],
        ),
        (
            "a forged one, then a good one behind it",
            [forged(2), with(2, b"")].concat(),
            &["401", "200"],
        ),
        ("more headers than anybody has", with(10, &many), &["200"]),
        ("more headers than the limit", with(3, &too_many), &["431"]),
        ("a long header", with(3, &long), &["200"]),
        ("a header beyond the limit", with(4, &longer), &["431"]),
        (
            "a header over two lines",
            with(4, b"X-Folded: a\r\n b\r\n"),
            &["400"],
        ),
        ("a NUL in a header", with(4, b"X-Nul: \0\r\n"), &["400"]),
        (
            "a signature that is not text",
            unsigned("X-Merge-Webhook-Signature: \u{fffd}\u{fffd}\r\nContent-Length: 2\r\n\r\n{}"),
            &["401"],
        ),
        (
            "two signatures",
            with(5, b"X-Merge-Webhook-Signature: AAAA\r\n"),
            &["401"],
        ),
        (
            "a body that waits to be asked for",
            with(6, b"Expect: 100-continue\r\n"),
            &["100", "200"],
        ),
        ("somebody else's address", with(7, spoofed), &["200"]),
        (
            "somebody else's address, forged",
            [&forged(9)[..31], spoofed, &forged(9)[31..]].concat(),
            &["401"],
        ),
        ("a path that leads nowhere", path, &["404"]),
        (
            "a negative length",
            unsigned("Content-Length: -1\r\n\r\n{}"),
            &["400"],
        ),
        (
            "a length with a sign",
            unsigned("Content-Length: +2\r\n\r\n{}"),
            &["400"],
        ),
        (
            "a length beyond all numbers",
            unsigned("Content-Length: 99999999999999999999999\r\n\r\n{}"),
            &["400"],
        ),
        (
            "a chunk beyond all numbers",
            unsigned("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n"),
            &["503"],
        ),
        (
            "a chunk without a size",
            unsigned("Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n"),
            &["503"],
        ),
        (
            "a body that ends too soon",
            unsigned("Content-Length: 30\r\n\r\n{}"),
            &["503"],
        ),
        ("HTTP/1.0", old, &["200"]),
    ];
    let mut good = 0;
    for (what, request, expected) in cases {
        let answer = ask(&service, &request, expected.len()).await;
        let reply = statuses(&answer);
        assert_eq!(reply, expected, "{what}: {answer}");
        good += expected.iter().filter(|status| **status == "200").count();
    }
    // One that ends half way, in order or not, is nothing.
    let half = Delivery::about(20, 20).request();
    for in_order in [true, false] {
        let mut stream = TcpStream::connect(service.address()).await.unwrap();
        stream.write_all(&half[..half.len() - 9]).await.unwrap();
        if in_order {
            stream.shutdown().await.unwrap();
        } else {
            stream.set_zero_linger().unwrap();
        }
    }
    let stored = app.count("SELECT count(*) FROM leaver.deliveries").await;
    assert_eq!(usize::try_from(stored), Ok(good));
    service.stop();
}

#[tokio::test]
async fn forged_deliveries_cost_no_database_work() {
    let mut app = TestApp::builder().unmigrated().build().await;
    let service = app.serve(&[]);
    app.sql("BEGIN; LOCK TABLE leaver.deliveries IN ACCESS EXCLUSIVE MODE")
        .await;
    let began = Instant::now();
    let mut client = Client::default();
    for n in 0..300 {
        let endpoint = Some(service.address().to_owned());
        assert_eq!(client.ask(endpoint, &forged(n)).await, Reply::Refused(401));
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    app.sql("COMMIT").await;
    assert_eq!(app.count("SELECT count(*) FROM leaver.deliveries").await, 0);
    service.stop();
}

#[tokio::test]
async fn idle_clients_do_not_exhaust_the_descriptors_for_long() {
    let app = TestApp::builder().unmigrated().build().await;
    let service = command(
        &["serve"],
        &app.env(&[("LEAVER__SERVER__HEADER_TIMEOUT", "1s")]),
    );
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", "ulimit -n 64; exec \"$0\" serve"])
        .arg(service.get_program());
    limited.env_clear();
    limited.envs(
        service
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let mut service = RunningService::start_command(limited);
    service.wait_until_ready();
    let mut client = Client::default();
    let endpoint = || Some(service.address().to_owned());
    // So that what it needs of the database is there.
    assert!(matches!(
        client.ask(endpoint(), &with(1, b"")).await,
        Reply::Accepted(_)
    ));
    let mut idle = vec![];
    for _ in 0..300 {
        idle.push(TcpStream::connect(service.address()).await.unwrap());
    }
    let began = Instant::now();
    let mut another = Client::default();
    while !matches!(
        another.ask(endpoint(), &with(2, b"")).await,
        Reply::Accepted(_)
    ) {
        assert!(began.elapsed() < Duration::from_secs(15), "kept out");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service
        .process
        .wait_for("fewer connections than `server.max_connections`");
    service.process.wait_for("api.slots:");
    drop(idle);
    service.stop();
}
