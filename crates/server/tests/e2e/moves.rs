//! A tenant moves between the layouts, whoever is killed on its way, and the others are served meanwhile.

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
    let held = database.hold(LOCK);
    let mut moving = Killed(installation.spawn(&to("schema")));
    until("its rows are copied", || copying(&database));
    assert_eq!(shown(&installation)["moving_to"], "schema");
    until_within(5, "whoever asks is told to come again", || {
        let asked = [validate(&access), refresh(&token), log_in(BOB, PASSWORD)];
        asked.iter().all(|one| is_put_off(&service.ask(one)))
    });
    let me = Request::get("/api/auth/me/").bearer(&administrator);
    assert_eq!(service.ask(&me).status, 200);
    moving.kill();
    assert_eq!(shown(&installation)["moving_to"], "schema");
    drop(held);

    // Or the service has finished it by now.
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
    assert_eq!(ends(&installation), 1);
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

#[test]
fn a_move_that_is_begun_over_http_is_finished_by_the_service() {
    let database = Database::shared();
    let installation = Installation::prepared_on(&database);
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    acme(&installation);
    let administrator = service.session(&installation).0;
    let path = "/api/admin/tenants/acme/move/";
    let to = |layout| Request::post(path, json!({"to": layout})).bearer(&administrator);
    let at = |layout| {
        let tenant = shown(&installation);
        tenant["layout"] == layout && tenant["moving_to"].is_null()
    };

    let held = database.hold(LOCK);
    for _ in 0..2 {
        let begun = service.ask(&to("schema"));
        assert_eq!(begun.status, 202, "{begun:?}");
        assert_eq!(begun.json()["moving_to"], "schema");
    }
    until("its rows are copied", || copying(&database));
    drop(held);
    until("it is there", || at("schema"));
    assert_eq!(service.ask(&to("schema")).status, 200);
    until("it is told", || service.log().contains("moved a tenant"));
    until_within(5, "they log in", || {
        service.ask(&log_in(BOB, PASSWORD)).status == 200
    });

    let held = database.hold(LOCK);
    assert_eq!(service.ask(&to("shared")).status, 202);
    until("its rows are copied", || copying(&database));
    service.kill();
    drop(held);
    let _service = installation.start();
    until("the next service has finished it", || at("shared"));
    assert_eq!(ends(&installation), 2);
}

/// Whether whoever moves the rows waits for the lock.
fn copying(database: &Database) -> bool {
    let waiting = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock' \
            AND query LIKE '%move_rows%' AND pid <> pg_backend_pid()";
    database.ask(waiting).as_deref() == Some("1")
}

/// How often it is told that a tenant has moved.
fn ends(installation: &Installation) -> usize {
    let events = installation.json(&["events", "tail", "-n", "1000"], "");
    let types = events.as_array().unwrap().iter().map(|one| &one["type"]);
    types.filter(|one| *one == "TenantMoved").count()
}

fn is_put_off(answer: &Answer) -> bool {
    answer.status == 503 && answer.header("retry-after").is_some()
}

fn shown(installation: &Installation) -> Value {
    installation.json(&["tenant", "show", "acme"], "")
}

/// So many users that copying them takes a while.
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

/// Nobody but a mover writes those here, and readers do not mind.
const LOCK: &str = "LOCK TABLE tessera_shared.mailed_tokens IN EXCLUSIVE MODE";
const MANY: u32 = 100_000;
