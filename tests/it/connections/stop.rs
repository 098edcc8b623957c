//! What a stop does to connections.

use super::*;

#[tokio::test]
async fn a_stop_closes_idle_connections_at_once() {
    let server = TestServer::start_with(Limits {
        idle_timeout: PATIENCE * 2,
        drain_deadline: PATIENCE,
        ..limits()
    });
    let mut idle = server.send(GET).await;
    read_answer(&mut idle, "hello").await;
    let (drained, took) = server.stop().await;
    assert_eq!(
        drained,
        Drained {
            finished: 1,
            cut: 0
        }
    );
    assert!(took < Duration::from_millis(500), "took {took:?}");
    assert_eq!(read_all(&mut idle).await, "");
}

#[tokio::test]
async fn half_a_header_does_not_hold_a_stop_up() {
    let server = TestServer::start_with(Limits {
        header_timeout: PATIENCE * 2,
        ..limits()
    });
    // The good request comes second, so once it is answered the half one has been accepted.
    let mut half = server.send("GET / HTTP/1.1\r\nHost").await;
    server.assert_serves().await;
    let (drained, took) = server.stop().await;
    assert_eq!(drained.cut, 1);
    assert!(took < DRAIN + Duration::from_millis(500), "took {took:?}");
    assert_eq!(read_all(&mut half).await, "");
}

#[tokio::test]
async fn a_stop_lets_a_running_request_finish_and_takes_no_new_one() {
    let mut server = TestServer::start_with(Limits {
        drain_deadline: PATIENCE,
        ..limits()
    });
    let mut slow = server.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.wait_for_arrival().await;
    server.stop.cancel();
    within(async { while TcpStream::connect(server.address).await.is_ok() {} }).await;
    server.release.send(()).unwrap();
    let answer = read_all(&mut slow).await;
    assert!(
        answer.ends_with("slow") && answer.contains("connection: close"),
        "{answer:?}"
    );
    assert_eq!(
        server.stop().await.0,
        Drained {
            finished: 1,
            cut: 0
        }
    );
}

#[tokio::test]
async fn a_request_that_outlives_the_drain_deadline_is_cut() {
    let mut server = TestServer::start();
    let mut slow = server.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.wait_for_arrival().await;
    // Keeps the channel that would let the request finish.
    let _held = server.release.clone();
    let (drained, took) = server.stop().await;
    assert_eq!(
        drained,
        Drained {
            finished: 0,
            cut: 1
        }
    );
    assert!(
        took >= DRAIN && took < DRAIN + Duration::from_millis(500),
        "took {took:?}"
    );
    assert_eq!(read_all(&mut slow).await, "");
}
