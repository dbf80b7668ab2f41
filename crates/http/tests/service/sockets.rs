//! What clients can do with a connection, tried on one.

use core::time::Duration;
use std::net::TcpListener;

use actix_web::dev::ServerHandle;
use tessera_http::{BodyLimits, ServerLimits, Service, Surface};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

/// A server that gives a body `time` to arrive.
async fn serve(time: Duration) -> (String, ServerHandle) {
    let mut service = World::new().await.service();
    service.body_limits = BodyLimits {
        bytes: 64 * 1024,
        time,
    };
    start(service)
}

/// A server with one worker.
pub(crate) fn start(service: Service) -> (String, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let limits = ServerLimits {
        workers: 1,
        head_time: Duration::from_secs(5),
        keep_alive: Duration::from_secs(5),
        shutdown_grace: Duration::from_secs(1),
    };
    let server = service
        .serve(listener, Surface::Everything, limits)
        .unwrap();
    let handle = server.handle();
    actix_web::rt::System::current().arbiter().spawn(async {
        server.await.unwrap();
    });
    (address, handle)
}

/// All that the server sends to somebody who sends `request`, then nothing more, and waits.
async fn converse(address: &str, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request).await.unwrap();
    read_to_end(&mut socket).await
}

/// Reads until the server ends the connection.
async fn read_to_end(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A connection that is closed while something is still sent may end with a reset.
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "the server does not end the connection");
    String::from_utf8(bytes).unwrap()
}

fn log_in(fields: &str) -> String {
    format!(
        "POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{fields}\r\n\r\n"
    )
}

fn is(answer: &str, status: u16, code: &str) -> bool {
    answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(&format!("\"{code}\""))
}

/// What no server of these tests needs to close a connection.
const PATIENCE: Duration = Duration::from_secs(20);

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(50);

#[actix_web::test]
async fn a_body_that_is_cut_off_is_400() {
    let (address, server) = serve(LONG).await;
    for fields in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let request = log_in(fields) + "5\r\n{\"ema";
        socket.write_all(request.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        let answer = read_to_end(&mut socket).await;
        assert!(is(&answer, 400, "malformed_body"), "{answer}");
    }
    server.stop(false).await;
}

#[actix_web::test]
async fn a_body_that_never_comes_is_408_and_the_connection_is_closed() {
    let (address, server) = serve(SHORT).await;
    for fields in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let answer = converse(&address, log_in(fields).as_bytes()).await;
        assert!(is(&answer, 408, "request_timeout"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    server.stop(false).await;
}

#[actix_web::test]
async fn a_body_that_drips_for_ever_is_408_and_the_connection_is_closed() {
    let (address, server) = serve(SHORT).await;
    for (fields, drop) in [
        ("Content-Length: 60000", &b" "[..]),
        ("Transfer-Encoding: chunked", b"1\r\n \r\n"),
    ] {
        let socket = TcpStream::connect(&address).await.unwrap();
        let (mut reading, mut writing) = socket.into_split();
        writing.write_all(log_in(fields).as_bytes()).await.unwrap();
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        let dripping = async {
            while writing.write_all(drop).await.is_ok() {
                pause.tick().await;
            }
        };
        // The server has to end both: the answer, and the connection that is still written to.
        let ((), answer) = tokio::join!(dripping, read_to_end(&mut reading));
        assert!(is(&answer, 408, "request_timeout"), "{answer}");
    }
    server.stop(false).await;
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_413_also_for_a_client_that_sends_all_of_it_first() {
    let (address, server) = serve(LONG).await;
    let body = "x".repeat(1 << 20);
    let announced = log_in(&format!("Content-Length: {}", body.len())) + &body;
    let chunked = log_in("Transfer-Encoding: chunked") + &format!("{:x}\r\n{body}\r\n", body.len());
    for request in [announced, chunked] {
        let answer = converse(&address, request.as_bytes()).await;
        assert!(is(&answer, 413, "payload_too_large"), "{answer}");
    }
    server.stop(false).await;
}

#[actix_web::test]
async fn a_head_that_is_too_large_or_has_two_tokens_is_a_problem() {
    let (address, server) = serve(LONG).await;
    let asked = |target: &str, fields: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n")
    };
    for (request, status, code) in [
        (
            asked("/livez", &format!("X: {}\r\n", "x".repeat(40_000))),
            431,
            "headers_too_large",
        ),
        (
            asked(&format!("/{}", "x".repeat(9_000)), ""),
            414,
            "uri_too_long",
        ),
        (
            asked(
                "/livez",
                "Authorization: Bearer a\r\nauthorization: Bearer b\r\n",
            ),
            400,
            "malformed_headers",
        ),
    ] {
        let answer = converse(&address, request.as_bytes()).await;
        assert!(is(&answer, status, code), "{answer}");
    }
    server.stop(false).await;
}

#[actix_web::test]
async fn a_head_that_cannot_be_parsed_is_400_or_431() {
    let (address, server) = serve(LONG).await;
    for request in [
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
        "NONSENSE\r\n\r\n".to_owned(),
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n".to_owned(),
        log_in("Content-Length: 5\r\nContent-Length: 6") + "abcdef",
        log_in("Content-Length: 5\r\nTransfer-Encoding: chunked") + "0\r\n\r\n",
        log_in("Content-Length: -1"),
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "A: x\r\n".repeat(200)
        ),
    ] {
        let answer = converse(&address, request.as_bytes()).await;
        let refused = answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 431 ");
        assert!(refused, "{request:?}: {answer}");
    }
    server.stop(false).await;
}
