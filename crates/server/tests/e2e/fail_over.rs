//! Two services on two Postgres, one of which follows the other: the first dies, the second is
//! promoted.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::client::{Answer, Request, log_in, refresh, validate};
use crate::database::Postgres;
use crate::service::{ADMIN, Installation, Over, PASSWORD, Service, timed, until};
use crate::tally::Tally;

#[test]
fn after_a_fail_over_writes_resume_without_a_restart_and_nothing_answered_is_lost() {
    let mut first = Postgres::start();
    let mut second = Postgres::standby_of(&first);
    first.wait_for_standby();
    let installation = Installation::embedded()
        .with("DATABASE_URL", &Postgres::url_of(&[&first, &second]))
        .with("TESSERA_RATE_LIMITS", "off")
        .prepared();
    let services = [installation.start(), installation.start()];
    ready(&services);

    let answered = Answered::default();
    thread::scope(|scope| {
        let over = Over(&answered.over);
        for (service, who) in services.iter().zip(["one", "other"]) {
            let answered = &answered;
            scope.spawn(move || live(service, who, answered));
        }
        answered.more("clients are at work");
        first.kill();
        for service in &services {
            until("it is unready", || service.status("/readyz") == 503);
            let (answer, time) = timed(|| service.ask(&log_in(ADMIN, PASSWORD)));
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.header("retry-after").is_some());
            assert!(time < Duration::from_secs(1), "{time:?}");
        }
        second.promote();
        let ((), time) = timed(|| {
            for service in &services {
                until("it takes writes again", || {
                    service.ask(&log_in(ADMIN, PASSWORD)).status == 200
                });
            }
            ready(&services);
        });
        // Two seconds are promised; the machine may have much else to do.
        assert!(time < Duration::from_secs(10), "{time:?}");
        answered.more("clients are at work again");
        drop(over);
    });
    answered.is_all_there(&services[0], &second);

    // It takes writes, and lacks what was written since: rather none than that one.
    first.start_again();
    let users = "SELECT count(*) FROM tessera_public.users";
    let stale = first.ask(users);
    second.kill();
    for service in &services {
        until("it is unready", || service.status("/readyz") == 503);
        for _ in 0..20 {
            let answer = service.ask(&register("late@example.org"));
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(service.status("/readyz"), 503);
        }
    }
    assert_eq!(first.ask(users), stale);
    second.start_again();
    ready(&services);

    // Back the other way, once it is a standby.
    let first = first.replaced_by_standby_of(&second);
    second.wait_for_standby();
    let answer = services[0].ask(&register("between@example.org"));
    assert_eq!(answer.status, 201, "{answer:?}");
    answered
        .users
        .lock()
        .unwrap()
        .insert("between@example.org".to_owned());
    second.kill();
    first.promote();
    ready(&services);
    answered.is_all_there(&services[1], &first);
}

#[test]
fn what_another_process_changed_is_seen_within_a_second_though_the_replica_is_behind() {
    let primary = Postgres::start();
    let standby = Postgres::standby_of(&primary);
    let installation = Installation::embedded()
        .with("DATABASE_URL", &primary.url())
        .with("TESSERA_DATABASE_REPLICA_URL", &standby.url())
        .with("TESSERA_RATE_LIMITS", "off")
        .prepared();
    let services = [installation.start()];
    ready(&services);
    let [service] = &services;
    until("the replica is asked", || {
        assert_eq!(service.ask(&unknown()).status, 401);
        let connected =
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'tessera'";
        standby.ask(connected).as_deref() == Some("t")
    });
    let metrics = service.ask(&Request::get("/metrics/"));
    assert!(metrics.body.contains("\ntessera_db_replica_used 1\n"));
    standby.ask("SELECT pg_wal_replay_pause()");
    for (mode, status) in [("closed", 403), ("open", 201)] {
        installation.done(&["tenant", "settings", "public", "--registration", mode]);
        let ((), time) = timed(|| {
            until("it is seen", || {
                service
                    .ask(&register(&format!("{mode}@example.org")))
                    .status
                    == status
            });
        });
        // A second is promised; the machine may have much else to do.
        assert!(time < Duration::from_secs(5), "{time:?}");
    }
}

/// What was answered with success, and by that promised.
#[derive(Default)]
struct Answered {
    over: AtomicBool,
    count: Tally,
    users: Mutex<BTreeSet<String>>,
    sessions: Mutex<Vec<(String, String)>>,
}

impl Answered {
    /// What is answered with success; what is not says that it is unavailable.
    fn ask(&self, service: &Service, request: &Request<'_>) -> Option<Answer> {
        let answer = service.ask(request);
        if answer.status == 503 {
            return None;
        }
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        self.count.add_one();
        Some(answer)
    }

    /// Waits until more is answered than so far.
    fn more(&self, what: &str) {
        self.count.reach(self.count.count() + 40, what);
    }

    fn is_all_there(&self, service: &Service, postgres: &Postgres) {
        let users = "SELECT string_agg(email, ' ') FROM tessera_public.users";
        let users = postgres.ask(users).unwrap();
        let users: BTreeSet<&str> = users.split(' ').collect();
        let answered = self.users.lock().unwrap();
        assert!(!answered.is_empty());
        let lost = answered.iter().find(|it| !users.contains(it.as_str()));
        assert_eq!(lost, None);
        let mut sessions = self.sessions.lock().unwrap();
        assert!(!sessions.is_empty());
        for (access, token) in &mut *sessions {
            assert_eq!(service.ask(&validate(access)).status, 200);
            let answer = service.ask(&refresh(token));
            assert_eq!(answer.status, 200, "{answer:?}");
            *token = answer.text("refresh");
        }
        for half_made in [
            "tessera_public.users WHERE events <> (SELECT count(*) FROM tessera.events \
             WHERE subject = 'user/' || users.id)",
            "tessera_public.sessions WHERE NOT EXISTS (SELECT FROM tessera.events \
             WHERE subject = 'user/' || user_id AND type = 'UserLoggedIn' \
             AND body::json->'data'->>'session' = sessions.id::text)",
        ] {
            let count = postgres.ask(&format!("SELECT count(*) FROM {half_made}"));
            assert_eq!(count.as_deref(), Some("0"), "{half_made}");
        }
    }
}

fn ready(services: &[Service]) {
    for service in services {
        until("it is ready", || service.status("/readyz") == 200);
    }
}

/// Makes accounts, and a session of each that is refreshed, whatever is answered.
fn live(service: &Service, who: &str, answered: &Answered) {
    let names = (0..).take_while(|_| !answered.over.load(Ordering::Relaxed));
    for email in names.map(|number| format!("{who}-{number}@example.org")) {
        if answered.ask(service, &register(&email)).is_none() {
            continue;
        }
        answered.users.lock().unwrap().insert(email.clone());
        let mut last = answered.ask(service, &log_in(&email, PASSWORD));
        for _ in 0..REFRESHES {
            last = last.and_then(|last| answered.ask(service, &refresh(&last.text("refresh"))));
        }
        // A refresh that was not answered may have come to pass, with a successor unknown here.
        if let Some(last) = last {
            let pair = (last.text("access"), last.text("refresh"));
            answered.sessions.lock().unwrap().push(pair);
        }
    }
}

fn unknown() -> Request<'static> {
    log_in("nobody@example.org", PASSWORD)
}

fn register(email: &str) -> Request<'static> {
    let account = json!({ "email": email, "password": PASSWORD });
    Request::post("/api/auth/register/", account)
}

const REFRESHES: usize = 5;
