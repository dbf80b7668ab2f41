//! Passwords as they are hashed: whole, and never more at a time than there are threads for it.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use crate::client::{Request, connect, log_in};
use crate::service::{Installation, Over, Service, until};

#[test]
fn no_more_is_hashed_than_there_are_threads_also_when_clients_disconnect() {
    let installation = Installation::embedded()
        .with("TESSERA_HASH_THREADS", &THREADS.to_string())
        .with("TESSERA_RATE_LIMITS", "off");
    let service = installation.start();
    let over = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let leavers: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let service = &service;
                scope.spawn(move || {
                    for number in 0..LOG_INS {
                        leave(service, client * LOG_INS + number);
                    }
                })
            })
            .collect();
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                let busy = gauge(&service, "tessera_hash_busy");
                assert!(busy <= THREADS, "{busy}");
                most = most.max(busy);
            }
            most
        });
        let done = Over(&over);
        for leaver in leavers {
            leaver.join().unwrap();
        }
        until("what they left is done", || {
            gauge(&service, "tessera_hash_queue") + gauge(&service, "tessera_hash_busy") == 0
        });
        drop(done);
        watcher.join().unwrap()
    });
    assert_eq!(most, THREADS, "there was enough to hash");
    assert_eq!(gauge(&service, "tessera_hash_threads"), THREADS);
    service.session(&installation);
}

#[test]
fn a_password_of_256_characters_is_taken_whole() {
    let installation = Installation::embedded();
    let service = installation.start();
    let password = "a horse of 32 letters, or nearly".repeat(8);
    let ada = json!({ "email": "ada@example.org", "password": password });
    let made = service.ask(&Request::post("/api/auth/register/", ada));
    assert_eq!(made.status, 201, "{made:?}");
    for (typed, status) in [
        (format!("{password}!"), 401),
        (password[..255].to_owned(), 401),
        (format!("{password} "), 401),
        (password.to_uppercase(), 401),
        (password.clone(), 200),
    ] {
        let answer = service.ask(&log_in("ada@example.org", &typed));
        assert_eq!(answer.status, status, "{}", typed.len());
    }
}

/// A log in by somebody who is gone before it is answered.
///
/// The client has read nothing of the page that it asked for before, so that its end is a reset.
fn leave(service: &Service, number: usize) {
    let page = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let guess = log_in(&format!("nobody-{number}@example.org"), "a guess").written();
    let mut connection = connect(service.address).unwrap();
    connection.write_all(page.as_bytes()).unwrap();
    connection.peek(&mut [0]).unwrap();
    connection.write_all(guess.as_bytes()).unwrap();
}

/// The number that the metrics have by that name.
fn gauge(service: &Service, name: &str) -> usize {
    let metrics = service.ask(&Request::get("/metrics/")).body;
    let mut values = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    values.next().unwrap().parse().unwrap()
}

const THREADS: usize = 2;
const CLIENTS: usize = 8;
const LOG_INS: usize = 50;
