//! What operators do by commands, on both stores.

use serde_json::{Value, json};

use crate::client::{Request, log_in, validate};
use crate::database::Database;
use crate::service::{ADMIN, Installation, PASSWORD};

#[test]
fn users_are_managed_on_sqlite() {
    let installation = Installation::embedded();
    installation.start().kill();
    users(&installation);
}

#[test]
fn users_are_managed_on_postgres() {
    users(&Installation::prepared_on(&Database::create()));
}

/// Another password than the one that was.
const CHANGED: &str = " another long passphrase ";

fn users(installation: &Installation) {
    let service = installation.start();
    let attempt = |password: &str| service.ask(&log_in("ada@example.org", password)).status;

    let create = ["user", "create", "ada@example.org", "--username", "ada"];
    let names = ["--first-name", "Ada", "--last-name", "Lovelace"];
    let roles = ["--role", "editor", "--role", "viewer", "--password-stdin"];
    let create = [&create[..], &names, &roles].concat();
    let made = installation.json(&create, &format!("{PASSWORD}\n"));
    assert_eq!(made["email"], "ada@example.org");
    assert_eq!(made["roles"], json!(["editor", "viewer"]));
    assert_eq!(made["role"], "editor");
    let (status, said) = installation.refusal(&create, PASSWORD);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("taken"), "{said}");

    let answer = service.ask(&log_in("ada@example.org", PASSWORD));
    let (access, mut user) = (answer.text("access"), answer.json()["user"].clone());
    user["last_login"] = Value::Null;
    assert_eq!(user, made, "commands show a user as the API does");

    let id = made["id"].as_str().unwrap();
    for who in ["ada@example.org", "ADA@example.org", "ada", id] {
        let shown = installation.json(&["user", "show", who], "");
        assert_eq!(shown["id"], made["id"], "{who}");
    }
    let listed = installation.json(&["user", "list"], "");
    let emails = listed.as_array().unwrap().iter().map(|user| &user["email"]);
    assert_eq!(emails.collect::<Vec<_>>(), [ADMIN, "ada@example.org"]);
    assert!(installation.done(&["user", "list"]).contains("EMAIL"));

    let sessions = installation.json(&["user", "sessions", "ada@example.org"], "");
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    installation.json(&["user", "logout", "ada@example.org"], "");
    assert_eq!(service.ask(&validate(&access)).status, 401);
    let sessions = installation.json(&["user", "sessions", "ada@example.org"], "");
    assert_eq!(sessions, json!([]));

    let disabled = installation.json(&["user", "disable", "ada@example.org"], "");
    assert_eq!(disabled["is_active"], false);
    assert_eq!(attempt(PASSWORD), 401);
    let enabled = installation.json(&["user", "enable", "ada@example.org"], "");
    assert_eq!(enabled["is_active"], true);
    assert_eq!(attempt(PASSWORD), 200);

    let input = format!("{CHANGED}\n");
    installation.json(&["user", "set-password", "ada@example.org"], &input);
    assert_eq!(attempt(PASSWORD), 401);
    assert_eq!(attempt(CHANGED), 200);

    for _ in 0..5 {
        assert_eq!(attempt("a wrong password"), 401);
    }
    assert_eq!(attempt(CHANGED), 401, "it is locked");
    installation.json(&["user", "unlock", "ada@example.org"], "");
    assert_eq!(attempt(CHANGED), 200);
}

#[test]
fn tenants_are_managed_on_sqlite() {
    tenants(&Installation::embedded());
}

#[test]
fn tenants_are_managed_on_postgres() {
    let database = Database::create();
    let installation = Installation::on(&database);
    installation.done(&["migrate"]);
    tenants(&installation);
}

fn tenants(installation: &Installation) {
    let create = ["tenant", "create", "Acme Corp", "--schema", "acme"];
    let domains = ["--domain", "Acme.example", "--domain", "acme.test"];
    let made = installation.json(&[&create[..], &domains].concat(), "");
    assert_eq!(made["schema"], "acme");
    assert_eq!(made["domains"], json!(["acme.example", "acme.test"]));
    assert_eq!(made["primary_domain"], "acme.example");
    for name in ["acme", "ACME corp"] {
        assert_eq!(installation.json(&["tenant", "show", name], ""), made);
    }
    let listed = installation.json(&["tenant", "list"], "");
    let schemas = listed.as_array().unwrap().iter().map(|one| &one["schema"]);
    assert_eq!(schemas.collect::<Vec<_>>(), ["acme", "public"]);

    let create = |email, tenant| {
        let arguments = [
            "user",
            "create",
            email,
            "--tenant",
            tenant,
            "--password-stdin",
        ];
        installation.json(&arguments, PASSWORD)
    };
    assert_eq!(
        create("ada@acme.example", "Acme Corp")["tenant"],
        "Acme Corp"
    );
    create("ada@late.example", "public");
    let added = ["tenant", "domain", "add", "acme", "late.example"];
    let added = installation.json(&added, "");
    let hidden = added["hidden_users"].as_array().unwrap();
    assert_eq!(hidden.len(), 1);
    assert_eq!(hidden[0]["email"], "ada@late.example");

    for wrong in [
        &["tenant", "create", "acme"][..],
        &["tenant", "create", "Other", "--domain", "acme.example"],
        &["tenant", "domain", "add", "nobody", "x.example"],
        &["user", "list", "--tenant", "nobody"],
        &["user", "show", "nobody@example.org"],
    ] {
        let (status, said) = installation.refusal(wrong, "");
        assert_eq!(status, Some(1), "{wrong:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn wrong_use_is_told_from_failure() {
    let installation = Installation::embedded();
    for wrong in [
        &["nonsense"][..],
        &["user", "create"],
        &["user", "create", "no address", "--password-stdin"],
        &[
            "user",
            "create",
            "a@b.example",
            "--role",
            "",
            "--password-stdin",
        ],
        &["tenant", "create", "x", "--schema", "pg_x"],
        &["migrate", "--down", "some"],
        &["migrate", "--tenant", "public"],
        &["migrate", "--down", "1", "--tenant", "public"],
        &["migrate", "--jobs", "0"],
        &["keys", "export", "--format", "xml"],
    ] {
        let (status, said) = installation.refusal(wrong, PASSWORD);
        assert_eq!(status, Some(2), "{wrong:?}: {said}");
    }
    for weak in ["", "short"] {
        let create = ["user", "create", "ada@example.org", "--password-stdin"];
        let (status, said) = installation.refusal(&create, weak);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("too short"), "{said}");
    }
}

#[test]
fn a_password_that_http_refuses_is_refused_by_commands_too() {
    let installation = Installation::embedded();
    for command in [
        &["user", "create", "ada@example.org", "--password-stdin"][..],
        &["user", "set-password", ADMIN, "--password-stdin"],
    ] {
        let (status, said) = installation.refusal(command, "correct horse\0battery staple");
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("NUL") && !said.contains("horse"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn keys_rotate_on_sqlite() {
    keys(&Installation::embedded());
}

#[test]
fn keys_rotate_on_postgres() {
    keys(&Installation::prepared_on(&Database::create()));
}

fn keys(installation: &Installation) {
    installation.start().kill();
    let service = installation.start();
    let (access, _) = service.session(installation);
    let first = installation.json(&["keys", "list"], "");
    assert_eq!(first.as_array().unwrap().len(), 1);
    assert_eq!(first[0]["status"], "signs");
    let old = first[0]["kid"].as_str().unwrap();
    let (status, said) = installation.refusal(&["keys", "retire", old], "");
    assert_eq!(status, Some(1), "{said}");

    let announced = installation.json(&["keys", "rotate"], "");
    assert_eq!(announced["status"], "announced");
    let new = installation.json(&["keys", "rotate", "--now"], "");
    assert_eq!(new["status"], "signs");
    let published = service.ask(&Request::get("/.well-known/jwks.json"));
    let exported = installation.json(&["keys", "export"], "");
    assert_eq!(exported["keys"].as_array().unwrap().len(), 3);
    assert!(published.json()["keys"].is_array());
    assert_eq!(service.ask(&validate(&access)).status, 200);

    let pem = installation.done(&["keys", "export", "--format", "pem"]);
    assert_eq!(pem.matches("-----BEGIN PUBLIC KEY-----").count(), 3);
    let kong = installation.json(&["keys", "export", "--format", "kong"], "");
    let secrets = kong["consumers"][0]["jwt_secrets"].as_array().unwrap();
    assert_eq!(secrets.len(), 3);
    assert!(!kong.to_string().contains("PRIVATE"));

    let retired = installation.json(&["keys", "retire", old], "");
    assert_eq!(retired["status"], "retired");
    let (status, _) = installation.refusal(&["keys", "retire", "nonsense"], "");
    assert_eq!(status, Some(1));
    service.kill();
    let service = installation.start();
    crate::service::until("it is ready", || service.status("/readyz") == 200);
    assert_eq!(service.ask(&validate(&access)).status, 401);
}

#[test]
fn tables_go_up_and_down_on_sqlite() {
    migrations(&Installation::embedded());
}

#[test]
fn tables_go_up_and_down_on_postgres() {
    migrations(&Installation::on(&Database::create()));
}

fn migrations(installation: &Installation) {
    let applied = |arguments: &[&str]| {
        let steps = installation.json(&[&["migrate"], arguments].concat(), "");
        let steps = steps.as_array().unwrap().iter();
        let steps: Vec<bool> = steps.map(|it| it["applied"].as_bool().unwrap()).collect();
        (
            steps.len(),
            steps.iter().filter(|applied| **applied).count(),
        )
    };
    let missing = || {
        let standings = installation.json(&["migrate", "--status"], "");
        let mut sums = (0, 0);
        // On Postgres there are the tables of all tenants, and those that tenants share.
        for standing in standings.as_array().unwrap() {
            let missing = standing["missing"].as_array().unwrap().len();
            let complete = standing["state"] == "complete";
            assert_eq!(complete, missing == 0, "{standing}");
            sums.0 += standing["version"].as_u64().unwrap();
            sums.1 += missing;
        }
        sums
    };
    let (version, all) = missing();
    assert!(version == 0 && all > 0);
    assert_eq!(applied(&["--dry-run"]), (all, 0));
    assert_eq!(missing(), (0, all));
    assert_eq!(applied(&[]), (all, all));
    assert_eq!(applied(&[]), (0, 0));
    let last = u64::try_from(all).unwrap();
    assert_eq!(missing(), (last, 0));
    assert_eq!(applied(&["--dry-run", "--down", "1"]), (1, 1));
    assert_eq!(applied(&["--down", "1"]), (1, 0));
    assert_eq!(missing(), (last - 1, 1));
    assert_eq!(applied(&[]), (1, 1));
}

#[test]
fn the_document_is_the_one_that_is_served() {
    let installation = Installation::embedded();
    let printed = installation.json(&["openapi"], "");
    assert!(!installation.path("data").exists());
    let service = installation.start();
    let served = service.ask(&Request::get("/api/schema/")).json();
    assert_eq!(printed, served);
}
