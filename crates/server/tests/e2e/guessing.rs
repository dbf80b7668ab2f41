//! What a stranger can do who guesses at an account, and what its owner still can.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::accounts::Mailbox;
use crate::client::{Request, ask, log_in, refresh, validate};
use crate::database::Database;
use crate::service::{ADMIN, Installation, Over, Service, until};

/// The limit that docs/operations.md gives: five wrong passwords are free, and each one after a lock
/// doubles it, so that an hour has a dozen at most.
const FREE: usize = 5;

#[test]
fn a_thousand_parallel_guesses_count_five_times_and_leave_the_owner_alone_over_a_restart() {
    let database = Database::create();
    let installation = Installation::prepared_on(&database);
    let mut services = [ready(&installation), ready(&installation)];
    let (access, mut token) = services[0].session(&installation);

    for number in 0..FREE {
        let wrong = services[number % 2].ask(&log_in(ADMIN, "a wrong password"));
        assert_eq!(wrong.status, 401, "{wrong:?}");
    }
    let right = services[0].ask(&log_in(ADMIN, &installation.password()));
    assert_eq!(right.status, 401, "it is locked: {right:?}");
    // However slow the machine is, the lock does not end while others guess.
    database.run("UPDATE tessera_public.users SET locked_until = 4102444800000000");
    beside_guesses(&services, GUESSES, |over| {
        while !over.load(Ordering::Relaxed) {
            token = owner_lives(&services, &access, &token);
        }
    });
    assert_eq!(evaluated(&installation), FREE);

    // The lock is in the store, not in a process.
    for service in &mut services {
        service.terminate();
        service.wait();
    }
    let services = [ready(&installation), ready(&installation)];
    beside_guesses(&services, GUESSES, |over| {
        while !over.load(Ordering::Relaxed) {
            token = owner_lives(&services, &access, &token);
        }
    });
    assert_eq!(evaluated(&installation), FREE);
    let right = services[0].ask(&log_in(ADMIN, &installation.password()));
    assert_eq!(right.status, 401, "it is locked: {right:?}");

    // A mail is the owner's way in while strangers guess on.
    beside_guesses(&services, FEWER, |_| {
        let asked = json!({ "email": ADMIN });
        let asked = services[1].ask(&Request::post("/api/auth/password-reset/", asked));
        assert_eq!(asked.status, 200, "{asked:?}");
        let mailed = Mailbox(&installation).token(ADMIN, "reset-password");
        let new = json!({ "token": mailed, "new_password": NEW });
        let reset = services[0].ask(&Request::post("/api/auth/password-reset/confirm/", new));
        assert_eq!(reset.status, 200, "{reset:?}");
    });
    // It ended the lock. What was guessed after it may have caused another one, which ends as well.
    database.run("UPDATE tessera_public.users SET locked_until = 1 WHERE locked_until > 1");
    let back = services[1].ask(&log_in(ADMIN, NEW));
    assert_eq!(back.status, 200, "{back:?}");
}

#[test]
fn a_lock_ends_by_itself() {
    let database = Database::create();
    let installation = Installation::prepared_on(&database);
    let service = ready(&installation);
    for _ in 0..FREE {
        service.ask(&log_in(ADMIN, "a wrong password"));
    }
    let password = installation.password();
    assert_eq!(service.ask(&log_in(ADMIN, &password)).status, 401);
    database.run("UPDATE tessera_public.users SET locked_until = locked_until - 30000000");
    assert_eq!(service.ask(&log_in(ADMIN, &password)).status, 200);
}

/// What the owner does while strangers guess, who say when it is over.
fn beside_guesses(services: &[Service; 2], guesses: usize, owner: impl FnOnce(&AtomicBool)) {
    let over = AtomicBool::new(false);
    let addresses = services.each_ref().map(|service| service.address);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _over = Over(&over);
            guess(addresses, guesses);
        });
        owner(&over);
    });
}

/// So many wrong passwords at once, each from another address if one believes it.
fn guess(addresses: [SocketAddr; 2], guesses: usize) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..GUESSERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= guesses {
                        return;
                    }
                    let body = json!({ "email": ADMIN, "password": format!("guess {number}") });
                    let request = Request::post("/api/token/", body);
                    let lie = format!(
                        "X-Forwarded-For: 198.51.100.{}\r\nForwarded: for=203.0.113.{}\r\nContent-Length",
                        number % 250,
                        number % 250
                    );
                    let written = request.written().replacen("Content-Length", &lie, 1);
                    let answer = request_as_written(addresses[number % 2], &written);
                    assert!([401, 429, 503].contains(&answer), "{answer}");
                }
            });
        }
    });
}

fn request_as_written(address: SocketAddr, written: &str) -> u16 {
    use std::io::Write;
    let mut connection = crate::client::connect(address).unwrap();
    connection.write_all(written.as_bytes()).unwrap();
    crate::client::read(connection).unwrap().status
}

/// How many guesses were told right from wrong: whatever else was refused, nobody learnt from.
fn evaluated(installation: &Installation) -> usize {
    let mut whys: BTreeMap<String, usize> = BTreeMap::new();
    until("all events are in the file", || {
        let status = installation.json(&["events", "status"], "");
        status
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["pending"] == 0)
    });
    let text = fs::read_to_string(installation.path("data/events.ndjson")).unwrap();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        if event["type"] == "LoginFailed" {
            let why = event["data"]["why"].as_str().unwrap().to_owned();
            *whys.entry(why).or_default() += 1;
        }
    }
    whys.get("wrong_password").copied().unwrap_or_default()
}

/// The session, its refresh and what it may do go on; answers the next refresh token.
fn owner_lives(services: &[Service; 2], access: &str, token: &str) -> String {
    for service in services {
        assert_eq!(ask(service.address, &validate(access)).status, 200);
    }
    let refreshed = services[1].ask(&refresh(token));
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    let next = refreshed.text("refresh");
    assert_eq!(
        services[0].ask(&validate(&refreshed.text("access"))).status,
        200
    );
    next
}

fn ready(installation: &Installation) -> Service {
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    service
}

const GUESSES: usize = 1_000;

/// With a thousand more, so few that no process refuses them for their number.
const FEWER: usize = 300;

const GUESSERS: usize = 32;

const NEW: &str = "a better horse battery staple";
