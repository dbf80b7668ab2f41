//! A tenant moves between the layouts, is killed on its way, and the others are served meanwhile.

use serde_json::{Value, json};

use crate::client::{Answer, Request, log_in, refresh, validate};
use crate::database::Database;
use crate::service::{Installation, PASSWORD, until, until_within};
use crate::tenants::{BOB, Killed, acme};

#[test]
fn a_move_that_is_killed_is_finished_when_it_is_run_again() {
    let database = Database::shared();
    let installation = Installation::prepared_on(&database);
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    let made = acme(&installation);
    assert_eq!(made["layout"], "shared");
    fill(&database, made["id"].as_str().unwrap());
    let bob = service.ask(&log_in(BOB, PASSWORD));
    let (access, token) = (bob.text("access"), bob.text("refresh"));
    let administrator = service.session(&installation).0;

    let to = |layout| ["tenant", "move", "acme", "--to", layout];
    let mut moving = Killed(installation.spawn(&to("schema")));
    until("its rows are copied", || {
        let copies = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND state = 'active' \
                AND query LIKE '%move_rows%' AND pid <> pg_backend_pid()";
        database.ask(copies).as_deref() == Some("1")
    });
    moving.kill();
    assert_eq!(shown(&installation)["moving_to"], "schema");
    until_within(5, "whoever asks is told to come again", || {
        let asked = [validate(&access), refresh(&token), log_in(BOB, PASSWORD)];
        asked.iter().all(|one| is_put_off(&service.ask(one)))
    });
    let me = Request::get("/api/auth/me/").bearer(&administrator);
    assert_eq!(service.ask(&me).status, 200);

    let moved = installation.json(&to("schema"), "");
    assert_eq!(
        (&moved["layout"], &moved["moving_to"]),
        (&json!("schema"), &Value::Null)
    );
    assert_eq!(count(&database, "acme.users"), MANY + 1);
    let left = format!(
        "tessera_shared.users WHERE tenant_id = '{}'",
        made["id"].as_str().unwrap()
    );
    assert_eq!(count(&database, &left), 0);
    assert_eq!(service.ask(&validate(&access)).status, 200);
    let token = service.ask(&refresh(&token)).text("refresh");
    until_within(5, "they log in again", || {
        service.ask(&log_in(BOB, PASSWORD)).status == 200
    });

    installation.done(&to("shared"));
    assert_eq!(count(&database, &left), MANY + 1);
    assert_eq!(service.ask(&refresh(&token)).status, 200);
    assert_eq!(service.ask(&me).status, 200);
}

fn is_put_off(answer: &Answer) -> bool {
    answer.status == 503 && answer.header("retry-after").is_some()
}

fn shown(installation: &Installation) -> Value {
    installation.json(&["tenant", "show", "acme"], "")
}

/// So many users that it takes a while until they are moved.
fn fill(database: &Database, tenant: &str) {
    database.run(&format!(
        "INSERT INTO tessera_shared.users (tenant_id, id, email_verified, username, username_key, \
             first_name, last_name, job_role, roles, is_superuser, status, failures, epoch, \
             joined_at, events, version) \
         SELECT '{tenant}', gen_random_uuid(), false, 'user' || n, 'user' || n, \
             '', '', '', '{{}}', false, 'active', 0, 0, 0, 1, 1 FROM generate_series(1, {MANY}) AS n"
    ));
}

fn count(database: &Database, rows: &str) -> u32 {
    let count = database.ask(&format!("SELECT count(*) FROM {rows}"));
    count.unwrap().parse().unwrap()
}

const MANY: u32 = 100_000;
