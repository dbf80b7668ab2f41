//! A service on Postgres: before there are tables, without a server, and when it comes back.

use std::time::Duration;

use crate::client::{Request, log_in, refresh, validate};
use crate::database::{Database, Postgres};
use crate::service::{ADMIN, Installation, PASSWORD, timed, until};

#[test]
fn it_runs_unready_until_somebody_migrates() {
    let database = Database::create();
    let installation = Installation::on(&database);
    let service = installation.start();
    assert_eq!(service.status("/livez"), 200);
    let unready = service.ask(&Request::get("/readyz"));
    assert_eq!(unready.status, 503);
    assert!(unready.body.contains("migrate"), "{unready:?}");
    let (status, said) = installation.refusal(&["user", "list"], "");
    assert_eq!(status, Some(1));
    assert!(said.contains("tessera migrate"), "{said}");

    installation.done(&["migrate"]);
    until("it is ready", || service.status("/readyz") == 200);
    assert!(!installation.path("data/initial-admin.txt").exists());
    assert_eq!(
        installation.json(&["user", "list"], ""),
        serde_json::json!([])
    );
    let create = ["user", "create", ADMIN, "--password-stdin"];
    installation.done_with(&create, PASSWORD);
    service.session(&installation);
}

#[test]
fn it_makes_new_keys_when_its_tables_were_made_anew() {
    let database = Database::create();
    let installation = Installation::prepared_on(&database);
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    let kid = || {
        let keys = service.ask(&Request::get("/.well-known/jwks.json"));
        keys.json()["keys"][0]["kid"].as_str().map(str::to_owned)
    };
    let lost = kid();
    installation.done(&["migrate", "--down", "99"]);
    until("it is unready", || service.status("/readyz") == 503);
    installation.done(&["migrate"]);
    until("it has another key", || {
        kid().is_some_and(|kid| Some(kid) != lost)
    });
    assert_eq!(service.status("/readyz"), 200);
    let create = ["user", "create", ADMIN, "--verified", "--password-stdin"];
    installation.done_with(&create, PASSWORD);
    until("the new tenant is seen", || {
        service.ask(&log_in(ADMIN, PASSWORD)).status == 200
    });
}

#[test]
fn a_tenant_whose_schema_is_incomplete_or_gone_is_refused_and_no_other_is() {
    let database = Database::create();
    let installation = Installation::prepared_on(&database);
    for tenant in ["acme", "globex"] {
        installation.done(&["tenant", "create", tenant]);
        let create = ["user", "create", ADMIN, "--tenant", tenant];
        let create = [&create[..], &["--verified", "--password-stdin"]].concat();
        installation.done_with(&create, PASSWORD);
    }
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    let enter = |tenant| service.ask(&log_in(ADMIN, PASSWORD).header("X-Tenant", tenant));
    let [acme, globex, public] = ["acme", "globex", "public"].map(|tenant| {
        let answer = enter(tenant);
        (answer.text("access"), answer.text("refresh"))
    });
    for damage in [
        // What the tenant lacks lies about elsewhere.
        "CREATE SCHEMA IF NOT EXISTS public; \
         CREATE TABLE public.sessions (LIKE acme.sessions); \
         INSERT INTO public.sessions SELECT * FROM acme.sessions; \
         CREATE TABLE public.users (LIKE acme.users); \
         INSERT INTO public.users SELECT * FROM acme.users; \
         DROP TABLE acme.sessions CASCADE",
        "DROP SCHEMA acme CASCADE",
    ] {
        database.run(damage);
        for refused in [
            service.ask(&validate(&acme.0)),
            service.ask(&refresh(&acme.1)),
            enter("acme"),
        ] {
            assert_eq!(refused.status, 503, "{damage}: {refused:?}");
            assert!(refused.header("retry-after").is_some(), "{refused:?}");
        }
        for (tenant, (access, _)) in [("globex", &globex), ("public", &public)] {
            let answer = service.ask(&validate(access));
            assert_eq!(answer.status, 200, "{damage}: {answer:?}");
            assert_eq!(answer.text("tenant_schema"), tenant);
            assert_eq!(enter(tenant).status, 200);
        }
    }
    for (_, token) in [globex, public] {
        assert_eq!(service.ask(&refresh(&token)).status, 200);
    }
}

#[test]
fn it_outlives_its_postgres() {
    let mut postgres = Postgres::start();
    let installation = Installation::prepared_on_url(&postgres.url());
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    let (_, token) = service.session(&installation);

    postgres.stop();
    let requests = [log_in(ADMIN, PASSWORD), refresh(&token)];
    for request in &requests {
        let (answer, time) = timed(|| service.ask(request));
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert!(time < Duration::from_secs(1), "{time:?}");
    }
    assert_eq!(service.status("/livez"), 200);
    assert_eq!(service.status("/readyz"), 503);

    postgres.start_again();
    let (answer, time) = timed(|| {
        let mut last = None;
        until("it serves again", || {
            let answer = service.ask(&refresh(&token));
            let served = answer.status != 503;
            last = Some(answer);
            served
        });
        last.unwrap()
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(time < Duration::from_secs(2), "{time:?}");
    service.session(&installation);
    assert_eq!(service.status("/readyz"), 200);
}

#[test]
fn it_starts_without_its_postgres() {
    let mut postgres = Postgres::start();
    let installation = Installation::prepared_on_url(&postgres.url());
    postgres.stop();
    let service = installation.start();
    assert_eq!(service.status("/livez"), 200);
    assert_eq!(service.status("/readyz"), 503);
    let (status, said) = installation.refusal(&["user", "list"], "");
    assert_eq!(status, Some(1));
    assert_eq!(said.lines().count(), 1, "{said}");
    postgres.start_again();
    until("it is ready", || service.status("/readyz") == 200);
    service.session(&installation);
}

#[test]
fn a_log_that_cannot_be_written_costs_no_request() {
    // It has a warning to write from the start.
    let installation = Installation::embedded().with("TESSERA_LOCKOUT", "off");
    let mut service = installation.start_logging_to("/dev/full".into());
    service.session(&installation);
    service.terminate();
    assert_eq!(service.wait().code(), Some(0));
}
