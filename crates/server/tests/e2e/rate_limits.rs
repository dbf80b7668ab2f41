//! Limits of requests, as they are without a setting and when they are off.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::client::{Answer, Request, connect, log_in, read, refresh, validate};
use crate::service::{ADMIN, Installation, Over, Service};

#[test]
fn guesses_cost_their_address_its_log_ins_and_the_owner_there_nothing_else() {
    // To hash for each guess takes long; what cannot wait is counted all the same.
    let installation = Installation::embedded().with("TESSERA_HASH_QUEUE", "1");
    let service = installation.start();
    let (mut access, mut token) = service.session(&installation);
    let over = AtomicBool::new(false);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let (service, over) = (&service, &over);
        let guessers: Vec<_> = (0..GUESSERS)
            .map(|guesser| {
                let guesses = (0..GUESSES).map(move |at| guess(service, guesser, at));
                scope.spawn(move || guesses.collect::<Vec<_>>())
            })
            .collect();
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                assert_eq!(service.ask(&validate(&access)).status, 200);
                let answer = service.ask(&refresh(&token));
                assert_eq!(answer.status, 200, "{answer:?}");
                (access, token) = (answer.text("access"), answer.text("refresh"));
            }
        });
        let _over = Over(over);
        let all = guessers.into_iter().map(thread::ScopedJoinHandle::join);
        all.flat_map(Result::unwrap).collect()
    });
    let mut limited = 0;
    for answer in &answers {
        assert!(matches!(answer.status, 401 | 429 | 503), "{answer:?}");
        let policy = answer.header("ratelimit-policy");
        assert_eq!(policy, Some(r#""log-in";q=1200;w=1200"#));
        if answer.status == 429 {
            limited += 1;
            assert!(answer.header("retry-after").is_some());
        }
    }
    assert!(limited > 0);
    let metrics = service.ask(&Request::get("/metrics/"));
    let counted = r#"tessera_rate_limited_total{by="address",group="log-in"}"#;
    assert!(metrics.body.contains(&format!("{counted} {limited}\n")));
}

#[test]
fn when_they_are_off_that_is_said_and_nobody_is_counted() {
    let installation = Installation::embedded().with("TESSERA_RATE_LIMITS", "off");
    let service = installation.start();
    assert!(service.log().contains("TESSERA_RATE_LIMITS is off"));
    let answer = service.ask(&log_in(ADMIN, "wrong"));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("ratelimit-policy"), None);
}

/// A wrong password, from wherever the guesser says.
fn guess(service: &Service, guesser: usize, at: usize) -> Answer {
    let lie = format!("X-Forwarded-For: 203.0.{guesser}.{at}\r\nConnection: close");
    let request = log_in(ADMIN, "wrong").written();
    let request = request.replace("Connection: close", &lie);
    let mut connection = connect(service.address).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    read(connection).unwrap()
}

const GUESSERS: usize = 32;
const GUESSES: usize = 50;
