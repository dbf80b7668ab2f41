//! The life of a tenant, as operators and administrators lead it, on both stores.

use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::client::{Request, log_in, refresh, validate};
use crate::database::{Database, setting};
use crate::service::{Installation, PASSWORD, Service, mode, until, until_within};

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
fn a_deletion_that_is_killed_is_finished_when_it_is_run_again() {
    let installation = Installation::embedded();
    installation.start().kill();
    let made = acme(&installation);
    fill(&installation, made["id"].as_str().unwrap());
    let mut deleting = Killed(installation.spawn(&["tenant", "delete", "acme", "--yes"]));
    let show = ["tenant", "show", "acme"];
    // A command would wait for its turn to write, and see the end alone.
    until("some of it is gone", || {
        let left = python(&installation, COUNT, &[]);
        left.trim().parse::<u32>().unwrap() < MANY
    });
    deleting.kill();
    assert_eq!(installation.json(&show, "")["status"], "deleting");
    let create = ["tenant", "create", "Acme"];
    let (status, said) = installation.refusal(&create, "");
    assert_eq!(status, Some(1), "its name is taken: {said}");
    let export = ["tenant", "delete", "acme", "--yes", "--export", "late"];
    let (status, said) = installation.refusal(&export, "");
    assert_eq!(status, Some(1), "{said}");
    assert!(!installation.path("late").exists());

    installation.done(&["tenant", "delete", "acme", "--yes"]);
    let (status, said) = installation.refusal(&show, "");
    assert_eq!(status, Some(1), "{said}");
    installation.done(&create);
}

/// So many events of a tenant that it takes a while until they are gone.
fn fill(installation: &Installation, tenant: &str) {
    let program = "
import sqlite3, sys, uuid
database = sqlite3.connect(sys.argv[1])
tenant = uuid.UUID(sys.argv[2]).bytes
database.executemany(
    \"INSERT INTO events (id, tenant_id, subject, sequence, type, time, body) VALUES (?, ?, 'user/x', ?, 'UserLoggedIn', 0, '{}')\",
    ((uuid.uuid4().bytes, tenant, number) for number in range(1, int(sys.argv[3]) + 1)))
database.commit()";
    python(installation, program, &[tenant, &MANY.to_string()]);
}

/// What a program prints that is told where the database is.
fn python(installation: &Installation, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(setting("TESSERA_TEST_PYTHON"))
        .args(["-c", program])
        .arg(installation.path("data/tessera.db"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
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

const COUNT: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(database.execute(\"SELECT count(*) FROM events WHERE subject = 'user/x'\").fetchone()[0])";
/// A deletion that nobody goes on with.
const BEGIN: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute(\"UPDATE tenants SET status = 'suspended', is_deleting = 1 WHERE schema = 'acme'\")
database.commit()";
const MANY: u32 = 100_000;
pub(crate) const BOB: &str = "bob@acme.example";
