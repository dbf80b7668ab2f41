//! Migrations as operators run them on many tenants, and what a service says of those that lag.

use serde_json::{Value, json};

use crate::accounts::parameter;
use crate::client::{Request, log_in, refresh, validate};
use crate::database::Database;
use crate::service::{Installation, PASSWORD, Service, until};

#[test]
fn a_migration_that_is_killed_again_and_again_is_ended_by_the_next_one() {
    let database = Database::create();
    let installation = Installation::on(&database);
    installation.done(&["migrate"]);
    database.run(&format!(
        "INSERT INTO tessera.tenants (id, name, schema, status, created_at, events, version) \
         SELECT gen_random_uuid(), 'Tenant ' || number, 'tenant_' || number, 'active', 0, 1, 1 \
         FROM generate_series(1, {TENANTS}) AS numbers (number); \
         CREATE SCHEMA tenant_{DAMAGED}; CREATE TABLE tenant_{DAMAGED}.sessions ()"
    ));
    let noted = || {
        let sql =
            "SELECT count(*) FROM tessera.migrations WHERE schema LIKE 'tenant%' AND version = 1";
        database.value(sql).parse::<usize>().unwrap()
    };
    for _ in 0..KILLS {
        let enough = noted() + TENANTS / (2 * KILLS);
        let mut run = installation.spawn(&["migrate", "--jobs", "2"]);
        until("it is in the middle", || noted() >= enough);
        run.kill().unwrap();
        run.wait().unwrap();
    }
    assert!(noted() < TENANTS - 1);
    let output = installation.run(&["migrate", "--json"], "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let damaged = format!("tenant_{DAMAGED}");
    assert!(said.contains(&damaged), "{said}");
    let steps: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = steps.as_array().unwrap();
    let failed: Vec<&Value> = steps.iter().filter(|it| it["applied"] == false).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["schema"], *damaged);
    let reason = failed[0]["reason"].as_str().unwrap();
    assert!(reason.contains("\"sessions\" already exists"), "{reason}");
    assert_eq!(noted(), TENANTS - 1);

    let standings = installation.json(&["migrate", "--status"], "");
    let mut standings = standings.as_array().unwrap().iter();
    // That of all tenants, and that of tenants that share tables.
    assert_eq!(standings.len(), TENANTS + 2);
    assert!(standings.all(|it| it["state"] == "complete" || it["schema"] == *damaged));
    let text = installation.done(&["migrate", "--status"]);
    assert!(text.lines().count() < 9, "{text}");
    // Without the damaged one, and with that of tenants that share tables.
    let complete = format!("{TENANTS}  ");
    assert!(text.lines().any(|line| line.starts_with(&complete)));
    assert!(text.lines().any(|line| line.starts_with(&damaged)));

    database.run(&format!("DROP SCHEMA {damaged} CASCADE"));
    let last = installation.json(&["migrate"], "");
    let mut last = last.as_array().unwrap().iter();
    assert!(last.len() > 0 && last.all(|it| it["applied"] == true));
    assert_eq!(installation.json(&["migrate"], ""), json!([]));
}

#[test]
fn readiness_and_metrics_tell_of_tenants_that_lag() {
    let database = Database::create();
    let installation = Installation::prepared_on(&database);
    installation.done(&["tenant", "create", "Acme", "--domain", "acme.example"]);
    let eve = ["user", "create", "eve@acme.example", "--tenant", "acme"];
    let eve = installation.json(&eve, "");
    let token = parameter(eve["set_password_url"].as_str().unwrap(), "token");
    installation.done(&["migrate", "--down", "1"]);
    let service = installation.start();
    let ready = || {
        let answer = service.ask(&Request::get("/readyz"));
        (answer.status, answer.json())
    };
    let lagging = json!({
        "status": "ready",
        "lagging_tenants": 3,
        "lagging_schemas": ["tessera_shared", "acme", "tessera_public"],
    });
    until("it says which tenants lag", || {
        ready() == (200, lagging.clone())
    });
    let metrics = service.ask(&Request::get("/metrics/")).body;
    assert!(
        metrics.contains("\ntessera_lagging_tenants 3\n"),
        "{metrics}"
    );
    service.session(&installation);
    // It has what it had before there were mailed tokens, and no more.
    let reset = json!({"token": token, "new_password": "another long passphrase"});
    let reset = Request::post("/api/auth/password-reset/confirm/", reset);
    assert_unavailable(&service, &reset);

    installation.done(&["migrate"]);
    let well = json!({"status": "ready"});
    until("no tenant lags", || ready() == (200, well.clone()));
}

#[test]
fn a_tenant_without_its_tables_is_unavailable_and_the_others_are_served() {
    let database = Database::create();
    let installation = Installation::prepared_on(&database);
    installation.done(&["tenant", "create", "Acme", "--domain", "acme.example"]);
    let create = ["user", "create", "ada@acme.example", "--tenant", "acme"];
    let password = ["--verified", "--password-stdin"];
    installation.done_with(&[&create[..], &password].concat(), PASSWORD);
    let eve = ["user", "create", "eve@acme.example", "--tenant", "acme"];
    let eve = installation.json(&eve, "");
    let link = parameter(eve["set_password_url"].as_str().unwrap(), "token");
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    let ada = service.ask(&log_in("ada@acme.example", PASSWORD));
    let (access, token) = (ada.text("access"), ada.text("refresh"));
    let (admin, _) = service.session(&installation);

    let new = "another long passphrase";
    let with = |path| Request::post(path, json!({})).bearer(&access);
    let requests = [
        log_in("ada@acme.example", PASSWORD),
        log_in("nobody@acme.example", PASSWORD),
        refresh(&token),
        validate(&access),
        Request::get("/api/auth/me/").bearer(&access),
        Request::get("/api/auth/sessions/").bearer(&access),
        with("/api/auth/logout-all/"),
        with("/api/auth/logout/"),
        Request::post(
            "/api/auth/change-password/",
            json!({"old_password": PASSWORD, "new_password": new}),
        )
        .bearer(&access),
        Request::post(
            "/api/auth/password-reset/confirm/",
            json!({"token": link, "new_password": new}),
        ),
        Request::post("/api/auth/verify-email/", json!({"token": link})),
        Request::get("/api/admin/users/?tenant=acme").bearer(&admin),
    ];
    for damage in [
        "DROP TABLE acme.users CASCADE; DROP TABLE acme.mailed_tokens",
        "DROP SCHEMA acme CASCADE",
    ] {
        database.run(damage);
        for request in &requests {
            assert_unavailable(&service, request);
        }
        service.session(&installation);
        assert_eq!(service.ask(&validate(&admin)).status, 200);
        assert_eq!(service.status("/readyz"), 200);
    }
    let status = ["migrate", "--status", "--tenant", "Acme"];
    let status = installation.json(&status, "");
    assert_eq!(status[2]["schema"], "acme");
    assert_eq!(status[2]["state"], "damaged");
    let (code, said) = installation.refusal(&["migrate"], "");
    assert_eq!(code, Some(1));
    assert!(said.contains("acme"), "{said}");
}

fn assert_unavailable(service: &Service, request: &Request<'_>) {
    let answer = service.ask(request);
    assert_eq!(answer.status, 503, "{request:?}: {answer:?}");
    assert_eq!(answer.text("code"), "unavailable");
    assert!(answer.header("retry-after").is_some());
}

const TENANTS: usize = 1_000;
const KILLS: usize = 5;
const DAMAGED: usize = 500;
