//! Requests on a connection: where one ends and the next begins, early responses, bytes that are not HTTP/1.

use super::*;

#[tokio::test]
async fn a_handler_gets_its_peer_address() {
    let server = TestServer::start();
    let mut client = server.send("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let peer = client.local_addr().unwrap().to_string();
    read_answer(&mut client, &peer).await;
}

/// Sends a request with these headers and an empty chunked body, and a second request behind it, first alone and then on
/// a connection that has served a request. Returns both results.
async fn send_two(server: &TestServer, headers: &str) -> [String; 2] {
    let request = format!("POST /length HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n0\r\n\r\n{GET}");
    [
        server.ask(&request).await,
        server.ask(format!("{GET}{request}")).await,
    ]
}

#[tokio::test]
async fn rejects_an_unclear_length_and_closes() {
    let server = TestServer::start();
    for headers in [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked\r\nContent-Length: 5",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:",
        "Content-Length: 5\r\nContent-Length: 6",
    ] {
        for answer in send_two(&server, headers).await {
            assert!(answer.contains("HTTP/1.1 400 "), "{headers}: {answer:?}");
            assert!(!answer.ends_with("hello"), "{headers}: {answer:?}");
        }
    }
    server.assert_serves().await;
}

#[tokio::test]
async fn never_reads_a_request_behind_a_chunked_one() {
    let server = TestServer::start();
    for headers in [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: Chunked\r\nConnection: keep-alive",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "transfer-encoding: chunked\r\nX: y\r\nCONTENT-LENGTH: 5",
    ] {
        for answer in send_two(&server, headers).await {
            let (_, last) = answer.rsplit_once("HTTP/1.1 ").unwrap();
            assert!(last.starts_with("200 "), "{headers}: {answer:?}");
            assert!(last.ends_with("\r\n\r\n0"), "{headers}: {answer:?}");
            assert!(
                last.contains("\r\nconnection: close\r\n"),
                "{headers}: {answer:?}"
            );
        }
    }
    server.assert_serves().await;
}

#[tokio::test]
async fn keeps_a_connection_until_a_chunked_request() {
    let server = TestServer::start();
    let sized = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let chunked = "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    let mut client = server.send("").await;
    for (request, length) in [
        (sized, "\r\n\r\n5"),
        (sized, "\r\n\r\n5"),
        (chunked, "\r\n\r\n7"),
    ] {
        client.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut client, length).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    }
    assert_eq!(read_all(&mut client).await, "");
}

#[tokio::test]
async fn an_early_response_reaches_a_client_still_sending() {
    let server = TestServer::start();
    let mut client = server
        .send("POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n")
        .await;
    client.write_all(&vec![b'x'; 4 << 20]).await.unwrap();
    let answer = read_all(&mut client).await;
    assert!(answer.ends_with("not read"), "{answer:?}");
}

#[tokio::test]
async fn survives_bytes_that_are_not_http_1() {
    let server = TestServer::start();
    let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice();
    let http_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice();
    let endless_line = vec![b'a'; 200 << 10];
    let endless_header = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &endless_line].concat();
    for bytes in [
        tls_hello,
        http_2,
        b"\0\xff\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        &endless_line,
        &endless_header,
    ] {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        // The server may close before all of it is sent.
        let _ = client.write_all(bytes).await;
        let answer = read_all(&mut client).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer:?}"
        );
        assert!(
            !answer.contains(" 408 ") && !answer.contains(" 429 "),
            "{answer:?}"
        );
    }
    server.assert_serves().await;
}
