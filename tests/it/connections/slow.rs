//! Clients that make us wait.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::*;

#[tokio::test]
async fn a_silent_client_is_cut() {
    let server = TestServer::start();
    assert_cut_after(HEADER, server.send("").await).await;
}

#[tokio::test]
async fn half_a_header_is_cut() {
    let server = TestServer::start();
    assert_cut_after(HEADER, server.send("GET / HTTP/1.1\r\nHost: a").await).await;
}

#[tokio::test]
async fn a_header_line_now_and_then_buys_no_time() {
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

#[tokio::test]
async fn a_connection_is_kept_and_may_idle_longer_than_a_header_may_take() {
    let server = TestServer::start();
    let mut client = server.send(GET).await;
    for _ in 0..2 {
        read_answer(&mut client, "hello").await;
        tokio::time::sleep(HEADER + HEADER / 3).await;
        client.write_all(GET.as_bytes()).await.unwrap();
    }
    read_answer(&mut client, "hello").await;
    assert_cut_after(IDLE, client).await;
}

#[tokio::test]
async fn a_connection_idles_no_longer_after_a_slow_answer() {
    let mut server = TestServer::start();
    let mut client = server.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.wait_for_arrival().await;
    tokio::time::sleep(HEADER + HEADER / 3).await;
    server.release.send(()).unwrap();
    read_answer(&mut client, "slow").await;
    assert_cut_after(IDLE, client).await;
}

#[tokio::test]
async fn half_a_further_request_is_cut_like_half_a_first_one() {
    let server = TestServer::start_with(Limits {
        idle_timeout: PATIENCE * 2,
        ..limits()
    });
    let mut later = server.send(GET).await;
    read_answer(&mut later, "hello").await;
    later.write_all(b"GET /").await.unwrap();
    assert_cut_after(HEADER, later).await;

    let mut pipelined = server.send(format!("{GET}GET /")).await;
    read_answer(&mut pipelined, "hello").await;
    assert_cut_after(HEADER, pipelined).await;
}

/// Takes the only place with a request for a large answer, and leaves little room to take it in.
async fn ask_for_much() -> (TestServer, TcpStream) {
    let server = TestServer::start_with(Limits {
        max_connections: 1,
        idle_timeout: PATIENCE * 2,
        ..limits()
    });
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut client = socket.connect(server.address).await.unwrap();
    let request = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(request).await.unwrap();
    (server, client)
}

/// That a client is gone shows in its place being free; reading its end would change what is tested.
async fn assert_place_becomes_free(server: &TestServer) {
    let began = Instant::now();
    while !server.ask(LAST_GET).await.ends_with("hello") {
        tokio::time::sleep(WRITE / 10).await;
    }
    assert!(began.elapsed() > WRITE / 2);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let (server, _stuck) = ask_for_much().await;
    within(assert_place_becomes_free(&server)).await;
}

#[tokio::test]
async fn a_client_that_reads_its_answer_in_drips_is_cut() {
    let (server, mut client) = ask_for_much().await;
    let mut drops = vec![0; 128 << 10];
    let drip = async {
        loop {
            client.read_exact(&mut drops).await.unwrap();
            tokio::time::sleep(WRITE / 15).await;
        }
    };
    within(async {
        tokio::select! { () = drip => {}, () = assert_place_becomes_free(&server) => {} }
    })
    .await;
}

#[tokio::test]
async fn a_large_answer_reaches_a_client_that_reads() {
    let server = TestServer::start();
    let answer = server.ask(LAST_GET.replacen('/', "/large", 1)).await;
    assert!(answer.len() > 32 << 20);
}
