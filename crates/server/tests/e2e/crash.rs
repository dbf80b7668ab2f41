//! `kill -9` in the middle of everything loses nothing that was answered.

use std::process::Command;
use std::sync::Mutex;
use std::thread;

use crate::client::{log_in, refresh, validate};
use crate::database::setting;
use crate::service::{ADMIN, Installation};
use crate::tally::Tally;

#[test]
fn every_answered_token_works_after_a_kill() {
    let installation = Installation::embedded();
    let mut service = installation.start();
    for round in 0..ROUNDS {
        let password = installation.password();
        let (address, answered) = (service.address, Tally::default());
        let sessions = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    // Ends when the service does: an answer that does not come is none.
                    while let Ok(answer) = log_in(ADMIN, &password).send(address) {
                        assert_eq!(answer.status, 200, "{answer:?}");
                        let mut pair = (answer.text("access"), answer.text("refresh"));
                        for _ in 0..REFRESHES {
                            answered.add_one();
                            let Ok(answer) = refresh(&pair.1).send(address) else {
                                break;
                            };
                            assert_eq!(answer.status, 200, "{answer:?}");
                            pair = (answer.text("access"), answer.text("refresh"));
                        }
                        sessions.lock().unwrap().push(pair);
                    }
                });
            }
            answered.reach(ANSWERS + round, "clients are at work");
            service.kill();
        });
        service = installation.start();
        let sessions = sessions.into_inner().unwrap();
        assert!(!sessions.is_empty());
        for (access, token) in sessions {
            assert_eq!(service.ask(&validate(&access)).status, 200);
            let answer = service.ask(&refresh(&token));
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        assert_eq!(integrity(&installation), "ok");
    }
}

/// What `SQLite` itself says of the file, while it is in use.
fn integrity(installation: &Installation) -> String {
    let program = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('pragma integrity_check').fetchone()[0])";
    let output = Command::new(setting("TESSERA_TEST_PYTHON"))
        .args(["-c", program])
        .arg(installation.path("data/tessera.db"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const ROUNDS: usize = 3;
const CLIENTS: usize = 6;
const REFRESHES: usize = 12;
const ANSWERS: usize = 250;
