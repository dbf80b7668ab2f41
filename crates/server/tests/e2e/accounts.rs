//! Accounts over HTTP alone, with the mails that are written into the folder.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::client::{Answer, Request, log_in, refresh, validate};
use crate::database::Database;
use crate::service::{Installation, PASSWORD, Service, until};

#[test]
fn an_account_is_made_used_changed_and_deleted_over_http_alone() {
    let embedded = Installation::embedded();
    live(&embedded, embedded.start());

    let database = Database::create();
    let installation = Installation::prepared_on(&database);
    live(&installation, ready(&installation));
}

/// Sign up to delete, as one who has a mailbox.
fn live(installation: &Installation, mut running: Service) {
    let service = &running;
    let mailbox = Mailbox(installation);
    let ada = json!({
        "email": "Ada@Example.org",
        "password": PASSWORD,
        "first_name": "Ada",
        "is_superuser": true,
        "role": "platform-admin",
    });
    let answer = say(service, "/api/auth/register/", ada);
    assert_eq!(answer.status, 201, "{answer:?}");
    let user = &answer.json()["user"];
    assert_eq!(user["email"], "Ada@Example.org");
    assert_eq!(user["email_verified"], false);
    assert_eq!(user["is_superuser"], false);
    assert_eq!(user["roles"], json!([]));
    let verification = mailbox.token("Ada@Example.org", "verify-email");

    let (access, refreshed) = session(service, "ada@example.org", PASSWORD);
    let again = json!({ "email": "ADA@example.ORG", "password": "another horse battery staple" });
    let answer = say(service, "/auth/signup", again);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["user"]["email_verified"], false);
    mailbox.token("Ada@Example.org", "reset-password");

    let token = json!({ "token": verification });
    let verified = say(service, "/api/auth/verify-email/", token.clone());
    assert_eq!(verified.status, 200, "{verified:?}");
    let twice = say(service, "/api/auth/verify-email/", token);
    assert_eq!(twice.status, 400, "{twice:?}");
    assert_eq!(me(service, &access)["email_verified"], true);

    let asked = json!({ "email": "ada@EXAMPLE.org" });
    assert_eq!(say(service, "/api/auth/password-reset/", asked).status, 200);
    let link = mailbox.link_of("Ada@Example.org", RESET_SUBJECT);
    let (uid, token) = (parameter(&link, "uid"), parameter(&link, "token"));
    let weak = json!({ "uid": uid, "token": token, "new_password": "password1" });
    let refused = say(service, "/api/auth/password-reset/confirm/", weak);
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.json()["new_password"].is_array(), "{refused:?}");
    let new = json!({ "uid": uid, "token": token, "new_password": NEW });
    let reset = say(service, "/api/auth/password-reset/confirm/", new.clone());
    assert_eq!(reset.status, 200, "{reset:?}");
    assert!(reset.json().get("access").is_none());
    let twice = say(service, "/api/auth/password-reset/confirm/", new);
    assert_eq!(twice.status, 400);
    assert_eq!(service.ask(&validate(&access)).status, 401);
    assert_eq!(service.ask(&refresh(&refreshed)).status, 401);
    assert_eq!(
        service.ask(&log_in("ada@example.org", PASSWORD)).status,
        401
    );
    let (access, _) = session(service, "ada@example.org", NEW);

    let profile = json!({ "last_name": "King", "email": "x@example.org", "is_superuser": true });
    let changed = service.ask(&Request {
        method: "PATCH",
        ..Request::post("/api/auth/me/", profile).bearer(&access)
    });
    assert_eq!(changed.status, 200, "{changed:?}");
    let known = me(service, &access);
    assert_eq!(known["last_name"], "King");
    assert_eq!(known["first_name"], "Ada");
    assert_eq!(known["email"], "Ada@Example.org");
    assert_eq!(known["is_superuser"], false);

    let moved = json!({ "email": "ada@king.example" });
    let asked = service.ask(&Request::post("/api/auth/change-email/", moved).bearer(&access));
    assert_eq!(asked.status, 200, "{asked:?}");
    assert_eq!(me(service, &access)["email"], "Ada@Example.org");
    let token = json!({ "token": mailbox.token("ada@king.example", "change-email") });
    let confirmed = say(service, "/api/auth/change-email/confirm/", token);
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    assert_eq!(me(service, &access)["email"], "ada@king.example");
    assert_eq!(service.ask(&log_in("ada@example.org", NEW)).status, 401);

    let deleted = service.ask(&Request {
        method: "DELETE",
        ..Request::get("/api/auth/me/").bearer(&access)
    });
    assert_eq!(deleted.status, 204, "{deleted:?}");
    assert_eq!(service.ask(&validate(&access)).status, 401);
    assert_eq!(service.ask(&log_in("ada@king.example", NEW)).status, 401);
    // The folder has one mail of each kind, and the log no address.
    until("the last mail is there", || {
        mailbox.subjects("ada@king.example") == 2
    });
    // What is logged last is written when it ends at the latest.
    running.terminate();
    running.wait();
    let log = running.log().to_ascii_lowercase();
    for secret in ["ada@", PASSWORD, NEW, &parameter(&link, "token")] {
        assert!(!log.contains(&secret.to_ascii_lowercase()), "{secret}");
    }
}

#[test]
fn of_20_racing_registrations_of_one_address_one_makes_the_account() {
    let embedded = Installation::embedded();
    race(&embedded, &[ready(&embedded)]);

    let database = Database::create();
    let installation = Installation::prepared_on(&database);
    race(&installation, &[ready(&installation), ready(&installation)]);
}

/// All at the same moment, each in another spelling.
fn race(installation: &Installation, services: &[Service]) {
    let barrier = Barrier::new(RACERS);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (service, barrier) = (&services[racer % services.len()], &barrier);
                scope.spawn(move || {
                    let email: String = "ada@example.org"
                        .chars()
                        .enumerate()
                        .map(|(at, c)| {
                            let upper = racer >> (at % 5) & 1 == 1;
                            if upper { c.to_ascii_uppercase() } else { c }
                        })
                        .collect();
                    let body = json!({ "email": email, "password": PASSWORD });
                    barrier.wait();
                    say(service, "/api/auth/register/", body)
                })
            })
            .collect();
        racers.into_iter().map(|it| it.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let shown: BTreeSet<Vec<String>> = answers
        .iter()
        .map(|answer| {
            answer.json()["user"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect()
        })
        .collect();
    assert_eq!(shown.len(), 1, "all look alike");
    let users = installation.json(&["user", "list"], "");
    let own = |user: &&Value| {
        let email = user["email"].as_str().unwrap_or_default();
        email.eq_ignore_ascii_case("ada@example.org")
    };
    assert_eq!(users.as_array().unwrap().iter().filter(own).count(), 1);
}

fn say(service: &Service, path: &str, body: Value) -> Answer {
    service.ask(&Request::post(path, body))
}

fn me(service: &Service, access: &str) -> Value {
    let answer = service.ask(&Request::get("/api/auth/me/").bearer(access));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn session(service: &Service, email: &str, password: &str) -> (String, String) {
    let answer = service.ask(&log_in(email, password));
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.text("access"), answer.text("refresh"))
}

fn ready(installation: &Installation) -> Service {
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    service
}

/// The folder that mails are written into.
pub(crate) struct Mailbox<'a>(pub(crate) &'a Installation);

impl Mailbox<'_> {
    /// The token of the last mail to that address that leads to that page.
    pub(crate) fn token(&self, to: &str, page: &str) -> String {
        parameter(&self.link(to, page), "token")
    }

    /// The link of the last mail to that address that leads to that page.
    pub(crate) fn link(&self, to: &str, page: &str) -> String {
        let leads = |mail: &String| link_in(mail, page);
        self.last(to, page, leads)
    }

    /// The link of the last mail to that address with that subject.
    fn link_of(&self, to: &str, subject: &str) -> String {
        let line = format!("Subject: {subject}");
        self.last(to, subject, |mail: &String| {
            let right = mail.lines().any(|it| it == line);
            right.then(|| link_in(mail, "reset-password")).flatten()
        })
    }

    fn last(&self, to: &str, what: &str, find: impl Fn(&String) -> Option<String>) -> String {
        let mut found = None;
        until(&format!("a mail to {to} has a link: {what}"), || {
            found = self.mails(to).iter().rev().find_map(&find);
            found.is_some()
        });
        found.unwrap()
    }

    fn subjects(&self, to: &str) -> usize {
        self.mails(to).len()
    }

    /// The mails to that address, the oldest first.
    fn mails(&self, to: &str) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.0.path("data/mail")) else {
            return Vec::new();
        };
        let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|kind| kind == "eml"));
        files.sort();
        let texts = files.iter().map(|path| fs::read_to_string(path).unwrap());
        let to = to.to_ascii_lowercase();
        let named = |line: &str| {
            let line = line.to_ascii_lowercase();
            line.starts_with("to: ") && line.contains(&to)
        };
        texts.filter(|text| text.lines().any(named)).collect()
    }
}

/// The link of a mail to that page.
pub(crate) fn link_in(mail: &str, page: &str) -> Option<String> {
    let page = format!("/{page}?");
    let mut words = mail.split_whitespace();
    let link = words.find(|word| word.starts_with("http") && word.contains(&page))?;
    Some(link.trim_end_matches('>').to_owned())
}

pub(crate) fn parameter(link: &str, name: &str) -> String {
    let (_, query) = link.split_once('?').unwrap();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name).unwrap();
    value.to_owned()
}

pub(crate) const RESET_SUBJECT: &str = "Set a new password for Tessera";
const NEW: &str = "a better horse battery staple";
const RACERS: usize = 20;
