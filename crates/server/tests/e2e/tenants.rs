//! The life of a tenant, as operators and administrators lead it, on both stores.

use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Request, log_in, refresh, validate};
use crate::database::Database;
use crate::killed_tenants::python;
use crate::service::{Installation, PASSWORD, Service, mode, timed, until, until_within};

#[test]
fn a_tenant_lives_and_ends_on_sqlite() {
    let installation = Installation::embedded();
    installation.start().kill();
    life(&installation, "schema");
    let (status, said) = installation.refusal(&["tenant", "move", "public", "--to", "shared"], "");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("for Postgres"), "{said}");
}

#[test]
fn a_tenant_lives_and_ends_on_postgres() {
    let database = Database::create();
    life(&Installation::prepared_on(&database), database.layout());
}

#[test]
fn a_tenant_lives_and_ends_in_tables_that_tenants_share() {
    let database = Database::shared();
    life(&Installation::prepared_on(&database), database.layout());
}

fn life(installation: &Installation, layout: &str) {
    let service = installation.start();
    let old = acme(installation);
    let answer = service.ask(&log_in(BOB, PASSWORD));
    let (access, token) = (answer.text("access"), answer.text("refresh"));

    // Another process than the one that serves.
    let suspended = installation.json(&["tenant", "suspend", "acme"], "");
    assert_eq!(suspended["status"], "suspended");
    until_within(5, "the tokens are dead and nobody logs in", || {
        let asked = [validate(&access), refresh(&token), log_in(BOB, PASSWORD)];
        asked
            .iter()
            .all(|request| service.ask(request).status == 401)
    });
    let resumed = installation.json(&["tenant", "resume", "Acme"], "");
    assert_eq!(resumed["status"], "active");
    assert_eq!(service.ask(&validate(&access)).status, 200);

    let renamed = installation.json(&["tenant", "rename", "acme", "Mud & Sons"], "");
    assert_eq!(
        (&renamed["name"], &renamed["schema"]),
        (&json!("Mud & Sons"), &json!("acme"))
    );
    let of_domain =
        |what, domain| installation.json(&["tenant", "domain", what, "acme", domain], "");
    assert_eq!(of_domain("add", "mud.example")["hidden_users"], json!([]));
    let primary = of_domain("primary", "mud.example");
    assert_eq!(primary["primary_domain"], "mud.example");
    assert_eq!(
        of_domain("remove", "mud.example")["primary_domain"],
        "acme.example"
    );

    let administrator = service.session(installation).0;
    let path = "/api/admin/tenants/acme/";
    let shown = service
        .ask(&Request::get(path).bearer(&administrator))
        .json();
    assert_eq!(shown, installation.json(&["tenant", "show", "acme"], ""));
    assert_eq!(
        (&shown["layout"], &shown["moving_to"]),
        (&json!(layout), &Value::Null)
    );

    delete(installation);
    assert_eq!(service.ask(&validate(&access)).status, 401);
    let (status, said) = installation.refusal(&["tenant", "delete", "acme", "--yes"], "");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("no tenant named `acme`"), "{said}");

    let new = acme(installation);
    assert_ne!(new["id"], old["id"]);
    assert_eq!(service.ask(&validate(&access)).status, 401);
    assert_eq!(service.ask(&refresh(&token)).status, 401);
    until_within(5, "the new tenant is known", || {
        service.ask(&log_in(BOB, PASSWORD)).status == 200
    });
    finished_by_the_service(installation, &service, &administrator);
}

/// Deletes Acme, exported.
fn delete(installation: &Installation) {
    let (status, said) = installation.refusal(&["tenant", "delete", "acme"], "acme\n");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("--yes"), "{said}");
    let (status, said) = installation.refusal(&["tenant", "delete", "public", "--yes"], "");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("default tenant"), "{said}");
    installation.write("taken", "");
    let export = |file| ["tenant", "delete", "acme", "--yes", "--export", file];
    let (status, said) = installation.refusal(&export("taken"), "");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("taken"), "{said}");
    let shown = installation.json(&["tenant", "show", "acme"], "");
    assert_eq!(shown["status"], "active");

    let deleted = installation.json(&export("acme.ndjson"), "");
    assert_eq!(deleted, json!({"deleted": shown["id"]}));
    let path = installation.path("acme.ndjson");
    assert_eq!(mode(&path), 0o600);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    assert_eq!(lines[0]["tenant"]["name"], "Mud & Sons");
    assert_eq!(lines[0]["tenant"]["uuid"], shown["id"]);
    let user = &lines[1]["user"];
    assert_eq!(
        (&user["email"], &user["roles"]),
        (&json!(BOB), &json!(["editor"]))
    );
    assert!(user["password"].as_str().unwrap().starts_with("$argon2id$"));
    let trail = &lines[2..];
    assert!(
        trail
            .iter()
            .all(|line| line["audit"]["tenant_id"] == shown["id"])
    );
    let types: Vec<&Value> = trail.iter().map(|line| &line["audit"]["type"]).collect();
    assert!(types.contains(&&json!("TenantCreated")), "{types:?}");
}

/// What is deleted over HTTP is removed beside the requests.
fn finished_by_the_service(installation: &Installation, service: &Service, access: &str) {
    let path = "/api/admin/tenants/acme/";
    let delete = Request {
        method: "DELETE",
        ..Request::get(path)
    };
    let answer = service.ask(&delete.bearer(access));
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json()["status"], "deleting");
    until("the tenant is gone", || {
        service.ask(&Request::get(path).bearer(access)).status == 404
    });
    let left = installation.json(&["tenant", "list"], "");
    assert_eq!(left.as_array().unwrap().len(), 1);
    let events = installation.json(&["events", "tail", "-n", "1000"], "");
    let types = events.as_array().unwrap().iter().map(|one| &one["type"]);
    assert_eq!(types.filter(|one| *one == "TenantDeleted").count(), 2);
}

#[test]
fn a_tenant_that_is_being_deleted_has_no_users_any_more() {
    let installation = Installation::embedded();
    installation.start().kill();
    acme(&installation);
    python(&installation, BEGIN, &[]);
    for command in [
        &["user", "create", "eve@acme.example", "--print-link"][..],
        &["user", "show", BOB],
        &["user", "list"],
    ] {
        let command = [command, &["--tenant", "acme"]].concat();
        let (status, said) = installation.refusal(&command, "");
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("there is no tenant named `acme`"), "{said}");
    }
    installation.done(&["tenant", "delete", "acme", "--yes"]);
}

#[test]
fn a_tenant_suspended_by_one_service_is_closed_by_another_within_a_second() {
    suspended_elsewhere(&Database::create());
}

#[test]
fn a_tenant_that_shares_tables_is_closed_by_another_service_within_a_second_too() {
    suspended_elsewhere(&Database::shared());
}

fn suspended_elsewhere(database: &Database) {
    let installation = Installation::prepared_on(database).with("TESSERA_RATE_LIMITS", "off");
    acme(&installation);
    let [here, there] = [installation.start(), installation.start()];
    for service in [&here, &there] {
        until("it is ready", || service.status("/readyz") == 200);
    }
    let administrator = here.session(&installation).0;
    let bob = there.ask(&log_in(BOB, PASSWORD));
    let (access, token) = (bob.text("access"), bob.text("refresh"));
    // A refresh that is answered would change the token.
    let asked = [log_in(BOB, PASSWORD), validate(&access), refresh(&token)];
    let are = |service: &Service, status| {
        asked
            .iter()
            .all(|request| service.ask(request).status == status)
    };
    let over_http = |path| {
        let request = Request::post(path, json!({})).bearer(&administrator);
        let answer = here.ask(&request);
        assert_eq!(answer.status, 200, "{answer:?}");
    };

    over_http("/api/admin/tenants/acme/suspend/");
    assert!(are(&here, 401), "at once here");
    // A second is promised; this machine may have much else to do.
    let ((), time) = timed(|| until("it is closed there", || are(&there, 401)));
    assert!(time < Duration::from_secs(5), "{time:?}");
    let me = Request::get("/api/auth/me/").bearer(&access);
    assert_eq!([&here, &there].map(|it| it.ask(&me).status), [401, 401]);

    over_http("/api/admin/tenants/acme/resume/");
    assert_eq!(here.ask(&validate(&access)).status, 200);
    let ((), time) = timed(|| until("it is open there", || are(&there, 200)));
    assert!(time < Duration::from_secs(5), "{time:?}");
}

/// The tenant Acme with a user.
pub(crate) fn acme(installation: &Installation) -> Value {
    let create = ["tenant", "create", "Acme", "--domain", "acme.example"];
    let made = installation.json(&create, "");
    let create = ["user", "create", BOB, "--tenant", "acme", "--verified"];
    let flags = ["--role", "editor", "--password-stdin"];
    installation.json(&[&create[..], &flags].concat(), PASSWORD);
    made
}

/// A command, killed when this is dropped.
pub(crate) struct Killed(pub(crate) Child);

impl Killed {
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) const BOB: &str = "bob@acme.example";
/// A deletion that nobody goes on with.
const BEGIN: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute(\"UPDATE tenants SET status = 'suspended', is_deleting = 1 WHERE schema = 'acme'\")
database.commit()";
