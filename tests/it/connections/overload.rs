//! More clients than `max_connections`, and a handler that panics.

use super::*;

#[tokio::test]
async fn answers_503_beyond_the_connection_limit() {
    let mut server = TestServer::start_with(ServerLimits {
        max_connections: 2,
        ..limits()
    });
    let mut inside = Vec::new();
    for _ in 0..2 {
        inside.push(server.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await);
        server.wait_for_arrival().await;
    }
    let head = "POST / HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n";
    let large = format!("{head}{}", "x".repeat(4 << 20));
    for request in ["", GET, head, &large] {
        let answer = server.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
        assert!(
            answer.contains("\r\nRetry-After: 5\r\n")
                && answer.contains("\r\nConnection: close\r\n"),
            "{answer:?}"
        );
    }
    for mut client in inside {
        server.release.send(()).unwrap();
        read_answer(&mut client, "slow").await;
    }
}

#[tokio::test]
async fn serves_again_after_a_flood_of_connections() {
    let server = TestServer::start_with(ServerLimits {
        max_connections: 4,
        ..limits()
    });
    let mut flood = Vec::new();
    for _ in 0..300 {
        flood.push(server.send("").await);
    }
    for client in &mut flood {
        read_all(client).await;
    }
    server.assert_serves().await;
}

#[tokio::test]
async fn a_panic_in_a_handler_ends_only_its_connection() {
    let server = TestServer::start_with(ServerLimits {
        max_connections: 1,
        ..limits()
    });
    assert_eq!(
        server.ask("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await,
        ""
    );
    server.assert_serves().await;
    let (drained, _) = server.stop().await;
    assert_eq!(drained.aborted, 0);
}

#[tokio::test]
async fn the_kernel_queues_a_burst_of_connections() {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut burst = Vec::new();
    for _ in 0..500 {
        let connect = timeout(DEADLINE, TcpStream::connect(address));
        burst.push(connect.await.expect("the queue has room").unwrap());
    }
    for _ in 0..500 {
        timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    }
}
