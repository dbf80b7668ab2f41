//! Accounts with their mails by a mail server, which is not ours.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::accounts::{RESET_SUBJECT, link_in, parameter};
use crate::client::{Request, log_in};
use crate::database::setting;
use crate::service::{Installation, PASSWORD};

#[test]
fn who_signs_up_verifies_and_resets_by_mails_that_a_mail_server_takes() {
    let server = MailServer::start();
    let installation = Installation::embedded()
        .with("EMAIL_HOST", "127.0.0.1")
        .with("EMAIL_PORT", &server.port);
    let service = installation.start();
    let say = |path: &str, body: Value, status: u16| {
        let answer = service.ask(&Request::post(path, body));
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        answer
    };
    let ada = json!({ "email": "Ada@example.org", "password": PASSWORD });
    let made = say("/api/auth/register/", ada, 201);
    assert_eq!(made.json()["user"]["email_verified"], false);
    let token = parameter(&server.link("Ada@example.org", "verify-email"), "token");
    let proof = json!({ "token": token });
    say("/api/auth/verify-email/", proof.clone(), 200);
    say("/api/auth/verify-email/", proof, 400);
    let session = service.ask(&log_in("ada@example.org", PASSWORD));
    assert_eq!(session.json()["user"]["email_verified"], true);

    let forgot = json!({ "email": "aDA@EXAMPLE.org" });
    say("/api/auth/password-reset/", forgot, 200);
    let link = server.link("Ada@example.org", "reset-password");
    let reset = json!({
        "uid": parameter(&link, "uid"),
        "token": parameter(&link, "token"),
        "new_password": NEW,
    });
    say("/api/auth/password-reset/confirm/", reset.clone(), 200);
    say("/api/auth/password-reset/confirm/", reset, 400);
    let old = service.ask(&log_in("ada@example.org", PASSWORD));
    assert_eq!(old.status, 401, "{old:?}");
    let new = service.ask(&log_in("ada@example.org", NEW));
    assert_eq!(new.status, 200, "{new:?}");
    let notice = server.mail("Ada@example.org");
    assert_ne!(notice["subject"], RESET_SUBJECT);
    assert!(!notice["text"].as_str().unwrap().contains("token="));
    assert!(!installation.path("data/mail").exists());
}

/// The server that the tests of mails have, gone when this is dropped.
struct MailServer {
    process: Child,
    port: String,
    mails: Receiver<String>,
}

impl MailServer {
    fn start() -> Self {
        let script = "../mail/tests/mail/foreign/server.py";
        let mut process = Command::new(setting("TESSERA_TEST_PYTHON"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap();
        let (taken, mails) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if taken.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            port,
            mails,
        }
    }

    /// The next mail that it takes, which goes there and nowhere else.
    fn mail(&self, to: &str) -> Value {
        let line = self.mails.recv_timeout(PATIENCE).unwrap();
        let mail: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(mail["recipients"], json!([to]));
        mail
    }

    /// Where that leads.
    fn link(&self, to: &str, page: &str) -> String {
        let mail = self.mail(to);
        link_in(mail["text"].as_str().unwrap(), page).unwrap()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const NEW: &str = "a better horse battery staple";
const PATIENCE: Duration = Duration::from_secs(20);
