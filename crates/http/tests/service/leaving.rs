//! Clients that leave before anybody reads what they sent.

use core::time::Duration;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use actix_web::rt::task::spawn_blocking;
use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};
use tessera_http::{AccessLog, Answered};

use crate::sockets::start;
use crate::world::{World, text};

#[actix_web::test]
async fn a_refresh_that_was_left_behind_does_not_end_what_its_client_did_next() {
    assert_eq!(refresh_and(Then::Reset).await, Family::Live);
    assert_eq!(refresh_and(Then::Close).await, Family::Live);
    assert_eq!(refresh_and(Then::CloseOneWay).await, Family::Live);
}

#[actix_web::test]
async fn a_client_that_waits_for_its_answer_ends_the_family_that_it_uses_again() {
    assert_eq!(refresh_and(Then::Wait).await, Family::Ended);
}

#[derive(Debug, Eq, PartialEq)]
enum Family {
    Ended,
    Live,
}

/// What becomes of a family whose first token of three is sent once more.
async fn refresh_and(then: Then) -> Family {
    let world = World::new().await;
    let first = world.log_in().await;
    let second = world.post(REFRESH, token(&first)).await.json();
    let third = world.post(REFRESH, token(&second)).await.json();

    let (answered, answers) = mpsc::channel();
    let (release, held) = mpsc::channel();
    let mut service = world.service();
    service.edge.access_log = Arc::new(Holding {
        answered,
        held: Mutex::new(held),
    });
    let (address, server) = start(service);
    let left = spawn_blocking(move || leave(&address, &token(&first), then, &answers, &release));
    left.await.unwrap();
    server.stop(false).await;

    match world.post(REFRESH, token(&third)).await.status.as_u16() {
        200 => Family::Live,
        401 => Family::Ended,
        status => panic!("{status}"),
    }
}

/// Sends `token`, and does what comes `then`, while the server looks at nothing.
fn leave(
    address: &str,
    token: &Value,
    then: Then,
    answers: &Receiver<(String, u16)>,
    release: &Sender<()>,
) {
    let mut leaving = connect(address);
    make_known(&mut leaving);
    let mut holding = connect(address);
    holding.write_all(get(HELD).as_bytes()).unwrap();
    assert_eq!(next(answers, HELD), 200);
    leaving.write_all(post(token).as_bytes()).unwrap();
    let stayed = then.with(leaving);
    send_something_after_it();
    release.send(()).unwrap();
    assert_eq!(next(answers, REFRESH), 401);
    drop(stayed);
}

/// What a client does once it has sent its request.
#[derive(Clone, Copy)]
enum Then {
    Close,
    CloseOneWay,
    Reset,
    Wait,
}

impl Then {
    /// The connection, where there still is one.
    fn with(self, connection: TcpStream) -> Option<TcpStream> {
        match self {
            Self::Close => return None,
            Self::CloseOneWay => connection.shutdown(Shutdown::Write).unwrap(),
            Self::Reset => {
                set_socket_linger(&connection, Some(Duration::ZERO)).unwrap();
                return None;
            }
            Self::Wait => {}
        }
        Some(connection)
    }
}

/// The server has taken the leave by then: what one thread sends on a machine arrives in order there.
fn send_something_after_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut there = connect(&listener.local_addr().unwrap().to_string());
    let (mut here, _) = listener.accept().unwrap();
    there.write_all(b".").unwrap();
    here.read_exact(&mut [0]).unwrap();
}

/// Tells which routes were answered, and holds the thread at one of them.
struct Holding {
    answered: Sender<(String, u16)>,
    held: Mutex<Receiver<()>>,
}

impl AccessLog for Holding {
    fn answered(&self, request: &Answered<'_>) {
        let told = (request.route.to_owned(), request.status);
        self.answered.send(told).unwrap();
        if request.route == HELD {
            self.held.lock().unwrap().recv().unwrap();
        }
    }
}

/// The status of the next answer, which is one of `route`.
fn next(answers: &Receiver<(String, u16)>, route: &str) -> u16 {
    loop {
        let (answered, status) = answers.recv_timeout(PATIENCE).unwrap();
        if answered == route {
            return status;
        }
    }
}

fn connect(address: &str) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

/// So that the server waits for its next request; nothing is left to be read, or a close were a reset.
fn make_known(connection: &mut TcpStream) {
    let request = "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn post(body: &Value) -> String {
    let (body, length) = (body.to_string(), body.to_string().len());
    format!(
        "POST {REFRESH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn token(answer: &Value) -> Value {
    json!({ "refresh": text(&answer["refresh"]) })
}

const HELD: &str = "/livez";
const PATIENCE: Duration = Duration::from_secs(20);
const REFRESH: &str = "/api/token/refresh/";
