//! Clients that send or read slowly, or not at all.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::*;

#[tokio::test]
async fn closes_a_silent_connection() {
    let server = TestServer::start();
    assert_closed_after(HEADER, server.send("").await).await;
}

#[tokio::test]
async fn closes_a_connection_with_incomplete_headers() {
    let server = TestServer::start();
    assert_closed_after(HEADER, server.send("GET / HTTP/1.1\r\nHost: a").await).await;
}

#[tokio::test]
async fn dripping_header_lines_do_not_extend_the_timeout() {
    let server = TestServer::start();
    let (mut from, mut to) = server.send("GET / HTTP/1.1\r\n").await.into_split();
    let began = Instant::now();
    let drip = async {
        while to.write_all(b"X: y\r\n").await.is_ok() {
            tokio::time::sleep(HEADER / 6).await;
        }
    };
    let closed = async { from.read(&mut [0]).await.unwrap_or(0) };
    within(async {
        tokio::select! { () = drip => {}, read = closed => assert_eq!(read, 0) }
    })
    .await;
    assert!(began.elapsed() < HEADER + Duration::from_secs(1));
    server.assert_serves().await;
}

/// Waits until the header timeout has closed a new, silent connection. It has passed for every older connection then.
async fn wait_for_header_timeout(server: &TestServer) {
    assert_closed_after(HEADER, server.send("").await).await;
}

#[tokio::test]
async fn a_kept_connection_may_be_idle_longer_than_headers_take() {
    let server = TestServer::start();
    let mut client = server.send(GET).await;
    for _ in 0..2 {
        read_answer(&mut client, "hello").await;
        wait_for_header_timeout(&server).await;
        client.write_all(GET.as_bytes()).await.unwrap();
    }
    read_answer(&mut client, "hello").await;
    assert_closed_after(IDLE, client).await;
}

#[tokio::test]
async fn the_idle_timeout_starts_after_a_slow_response() {
    let mut server = TestServer::start();
    let mut client = server.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.wait_for_arrival().await;
    wait_for_header_timeout(&server).await;
    server.release.send(()).unwrap();
    read_answer(&mut client, "slow").await;
    assert_closed_after(IDLE, client).await;
}

#[tokio::test]
async fn closes_a_kept_connection_with_an_incomplete_request() {
    let server = TestServer::start();
    let mut later = server.send(GET).await;
    read_answer(&mut later, "hello").await;
    later.write_all(b"GET /").await.unwrap();
    assert_closed_after(HEADER, later).await;

    // hyper read these bytes together with the first request, so the idle timeout ends this one.
    let mut pipelined = server.send(format!("{GET}GET /")).await;
    read_answer(&mut pipelined, "hello").await;
    assert_closed_after(IDLE, pipelined).await;
}

/// Takes the only connection with a request for a large response, from a client with a small receive buffer.
async fn request_large_response() -> (TestServer, TcpStream) {
    let server = TestServer::start_with(ServerLimits {
        max_connections: 1,
        ..limits()
    });
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut client = socket.connect(server.address).await.unwrap();
    let request = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(request).await.unwrap();
    within(async {
        while server.slots.open() == 0 {
            tokio::time::sleep(WRITE / 10).await;
        }
    })
    .await;
    (server, client)
}

/// Asserts that the server closes the stuck connection by itself. Reading from the stuck client would change what is
/// tested, and another client would take its slot.
async fn assert_connection_is_freed(server: &TestServer) {
    let began = Instant::now();
    while server.slots.open() > 0 {
        tokio::time::sleep(WRITE / 10).await;
    }
    assert!(began.elapsed() > WRITE / 2);
    server.assert_serves().await;
}

#[tokio::test]
async fn closes_a_client_that_does_not_read_its_response() {
    let (server, _stuck) = request_large_response().await;
    within(assert_connection_is_freed(&server)).await;
}

#[tokio::test]
async fn closes_a_client_that_reads_its_response_too_slowly() {
    let (server, mut client) = request_large_response().await;
    let mut drops = vec![0; 128 << 10];
    let drip = async {
        loop {
            client.read_exact(&mut drops).await.unwrap();
            tokio::time::sleep(WRITE / 15).await;
        }
    };
    within(async {
        tokio::select! { () = drip => {}, () = assert_connection_is_freed(&server) => {} }
    })
    .await;
}

#[tokio::test]
async fn a_reading_client_gets_a_large_response() {
    let server = TestServer::start();
    let answer = server.ask(LAST_GET.replacen('/', "/large", 1)).await;
    assert!(answer.len() > 32 << 20);
}
