//! How a stop ends connections.

use super::*;

#[tokio::test]
async fn a_stop_closes_idle_connections_at_once() {
    let server = TestServer::start_with(ServerLimits {
        header_timeout: DEADLINE * 2,
        drain_timeout: DEADLINE,
        ..limits()
    });
    let mut idle = server.send(GET).await;
    read_answer(&mut idle, "hello").await;
    let (drained, took) = server.stop().await;
    assert_eq!(
        drained,
        Drained {
            finished: 1,
            aborted: 0
        }
    );
    assert!(took < Duration::from_millis(500), "took {took:?}");
    assert_eq!(read_all(&mut idle).await, "");
}

#[tokio::test]
async fn incomplete_headers_do_not_delay_a_stop() {
    let server = TestServer::start_with(ServerLimits {
        header_timeout: DEADLINE * 2,
        ..limits()
    });
    // The complete request comes second: once it is answered, the incomplete one has been accepted.
    let mut half = server.send("GET / HTTP/1.1\r\nHost").await;
    server.assert_serves().await;
    let (drained, took) = server.stop().await;
    assert_eq!(drained.aborted, 1);
    assert!(took < DRAIN + Duration::from_millis(500), "took {took:?}");
    assert_eq!(read_all(&mut half).await, "");
}

#[tokio::test]
async fn a_stop_lets_requests_in_flight_finish() {
    let mut server = TestServer::start_with(ServerLimits {
        drain_timeout: DEADLINE,
        ..limits()
    });
    let mut slow = server.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.wait_for_arrival().await;
    server.signals.stop.cancel();
    within(async { while TcpStream::connect(server.address).await.is_ok() {} }).await;
    server.release.send(()).unwrap();
    let answer = read_all(&mut slow).await;
    assert!(
        answer.ends_with("slow") && answer.contains("connection: close"),
        "{answer:?}"
    );
    // Connections of the loop above may have been accepted with the listener's last ones.
    let drained = server.stop().await.0;
    assert!(drained.finished >= 1 && drained.aborted == 0, "{drained:?}");
}

#[tokio::test]
async fn aborts_a_request_after_the_drain_timeout() {
    let mut server = TestServer::start();
    let mut slow = server.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.wait_for_arrival().await;
    // Keeps the channel open, so the request does not finish.
    let _held = server.release.clone();
    let (drained, took) = server.stop().await;
    assert_eq!(
        drained,
        Drained {
            finished: 0,
            aborted: 1
        }
    );
    assert!(
        took >= DRAIN && took < DRAIN + Duration::from_millis(500),
        "took {took:?}"
    );
    assert_eq!(read_all(&mut slow).await, "");
}

#[tokio::test]
async fn answers_connections_that_were_not_accepted_before_a_stop() {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut clients = vec![];
    for _ in 0..20 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(GET.as_bytes()).await.unwrap();
        clients.push(client);
    }
    let signals = StopSignals::default();
    signals.stop.cancel();
    let slots = Slots::public(100, TrustedProxies::default(), Arc::default());
    let app = Router::new().route("/", get(hello));
    let serving = tokio::spawn(serve(listener, app, limits(), slots, signals));
    for mut client in clients {
        let answer = read_all(&mut client).await;
        assert!(
            answer.ends_with("hello") && answer.contains("connection: close"),
            "{answer:?}"
        );
    }
    assert_eq!(within(serving).await.unwrap().aborted, 0);
}

#[tokio::test]
async fn a_leaving_server_ends_connections_after_their_next_answer() {
    let server = TestServer::start();
    let mut kept = server.send(GET).await;
    let before = read_answer(&mut kept, "hello").await;
    assert!(!before.contains("connection: close"), "{before:?}");
    server.signals.leaving.cancel();
    kept.write_all(GET.as_bytes()).await.unwrap();
    let answer = read_all(&mut kept).await;
    assert!(
        answer.ends_with("hello") && answer.contains("connection: close"),
        "{answer:?}"
    );
    // It still accepts others.
    let fresh = read_all(&mut server.send(GET).await).await;
    assert!(fresh.contains("connection: close"), "{fresh:?}");
    server.stop().await;
}
