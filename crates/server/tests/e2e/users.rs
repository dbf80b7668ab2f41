//! Users as administrators and operators see and change them, on both stores.

use serde_json::{Value, json};

use crate::accounts::{Mailbox, parameter};
use crate::client::{Answer, Request, log_in, validate};
use crate::database::Database;
use crate::service::{ADMIN, Installation, PASSWORD, Service, until};

#[test]
fn users_are_administered_on_sqlite() {
    let installation = Installation::embedded();
    installation.start().kill();
    administered(&installation);
}

#[test]
fn users_are_administered_on_postgres() {
    administered(&Installation::prepared_on(&Database::create()));
}

/// The administrator of a tenant is made by a command, invites somebody, and gets no further.
fn administered(installation: &Installation) {
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    installation.done(&["tenant", "create", "Acme", "--domain", "acme.example"]);
    let create = ["user", "create", "eve@acme.example", "--tenant", "acme"];
    let eve = installation.json(&[&create[..], &["--role", "tenant-admin"]].concat(), "");
    let link = eve["set_password_url"].as_str().unwrap();
    assert!(eve["set_password_until"].is_string(), "{eve}");
    set_password(&service, &parameter(link, "token"));
    let eve = token(&service, "eve@acme.example", NEW);

    let zoe = json!({"email": "Zoe@acme.example", "first_name": "Zoe", "roles": ["editor"]});
    let invited = service.ask(&Request::post(USERS, zoe).bearer(&eve));
    assert_eq!(invited.status, 201, "{invited:?}");
    let zoe = invited.text("id");
    let mailed = Mailbox(installation).token("Zoe@acme.example", "reset-password");
    set_password(&service, &mailed);
    let session = token(&service, "zoe@acme.example", NEW);

    let one = format!("{USERS}{zoe}/");
    let roles = json!({"roles": ["reader", "editor"], "tenant_id": "public", "password": "x"});
    let changed = change(&service, "PATCH", &one, &eve, Some(roles));
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.json()["roles"], json!(["reader", "editor"]));
    assert_eq!(changed.json()["email_verified"], true);
    let user = &service.ask(&validate(&session)).json()["user"];
    assert_eq!(
        *user,
        changed.json(),
        "an administrator sees a user as clients do"
    );
    for body in [json!({"email": "zoe"}), json!("no object")] {
        let answer = service.ask(&Request::post(USERS, body).bearer(&session));
        assert_eq!(
            answer.status, 403,
            "before the body is looked at: {answer:?}"
        );
    }
    let above = json!({"roles": ["platform-admin"]});
    assert_eq!(
        change(&service, "PATCH", &one, &eve, Some(above)).status,
        403
    );

    let found = list(&service, &eve, "?search=ZOE&role=reader");
    assert_eq!(found, ["Zoe@acme.example"]);
    let everybody = list(&service, &eve, "");
    assert_eq!(everybody, ["eve@acme.example", "Zoe@acme.example"]);
    let foreign = installation.json(&["user", "show", ADMIN], "");
    let foreign = format!("{USERS}{}/", foreign["id"].as_str().unwrap());
    for method in ["GET", "PATCH", "DELETE"] {
        let body = (method == "PATCH").then(|| json!({"first_name": "Mud"}));
        assert_eq!(change(&service, method, &foreign, &eve, body).status, 404);
    }
    let root = token(&service, ADMIN, &installation.password());
    assert_eq!(list(&service, &root, "?tenant=acme"), everybody);
    assert_eq!(list(&service, &root, ""), [ADMIN]);

    let out = change(&service, "POST", &format!("{one}logout/"), &eve, None);
    assert_eq!(out.status, 200, "{out:?}");
    assert_eq!(service.ask(&validate(&session)).status, 401);
    let disabled = change(&service, "POST", &format!("{one}disable/"), &eve, None);
    assert_eq!(disabled.json()["is_active"], false);
    assert_eq!(service.ask(&log_in("zoe@acme.example", NEW)).status, 401);
    assert_eq!(change(&service, "DELETE", &one, &eve, None).status, 204);
    assert_eq!(change(&service, "GET", &one, &eve, None).status, 404);

    let trail = installation.json(&["audit", "--type", "UserDeleted"], "");
    let expected = [json!("user"), json!(format!("user/{zoe}"))];
    assert_eq!(
        [&trail[0]["actor"], &trail[0]["subject"]],
        expected.each_ref()
    );
    let log = service.log();
    for secret in ["zoe@", "eve@", NEW, &mailed, &parameter(link, "token")] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn operators_filter_change_and_delete_users_on_sqlite() {
    operated(&Installation::embedded());
}

#[test]
fn operators_filter_change_and_delete_users_on_postgres() {
    operated(&Installation::prepared_on(&Database::create()));
}

fn operated(installation: &Installation) {
    for (email, flags) in [
        ("ada@example.org", ["--role", "editor"]),
        ("bob@example.org", ["--username", "adam"]),
    ] {
        let create = ["user", "create", email, "--password-stdin"];
        installation.json(&[&create[..], &flags].concat(), PASSWORD);
    }
    let emails = |filter: &[&str]| {
        let listed = installation.json(&[&["user", "list"], filter].concat(), "");
        let users = listed.as_array().unwrap().iter();
        let emails = users.map(|user| user["email"].as_str().unwrap().to_owned());
        emails.filter(|email| email != ADMIN).collect::<Vec<_>>()
    };
    installation.json(&["user", "disable", "bob@example.org"], "");
    let (ada, bob) = (["ada@example.org"], ["bob@example.org"]);
    assert_eq!(emails(&["--search", "ADA"]), [ada, bob].concat());
    assert_eq!(emails(&["--search", "ada", "--role", "editor"]), ada);
    assert_eq!(emails(&["--status", "disabled"]), bob);
    assert_eq!(emails(&["--status", "active"]), ada);
    assert_eq!(emails(&["--verified", "true"]), [""; 0]);
    assert_eq!(emails(&["--verified", "false"]), [ada, bob].concat());

    let roles = |flags: &[&str]| {
        let command = [&["user", "roles", "ada@example.org"], flags].concat();
        installation.json(&command, "")["roles"].clone()
    };
    let added = roles(&["--add", "reader", "--add", "editor", "--remove", "nothing"]);
    assert_eq!(added, json!(["editor", "reader"]));
    assert_eq!(roles(&["--remove", "editor"]), json!(["reader"]));
    let set = roles(&["--set", "b", "--set", "a"]);
    assert_eq!(set, json!(["b", "a"]));
    assert_eq!(roles(&["--add", "platform-admin"])[2], "platform-admin");
    installation.done(&["tenant", "create", "Acme"]);
    let create = ["user", "create", "eve@example.org", "--tenant", "acme"];
    let printed = installation.done(&[&create[..], &["--print-link"]].concat());
    assert!(printed.contains("/reset-password?uid="), "{printed}");
    let above = ["user", "roles", "eve@example.org", "--tenant", "acme"];
    let above = [&above[..], &["--add", "platform-admin"]].concat();
    let (status, said) = installation.refusal(&above, "");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("default tenant only"), "{said}");

    let delete = ["user", "delete", "bob@example.org"];
    let (status, said) = installation.refusal(&delete, "yes\n");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("--yes"), "{said}");
    let gone = installation.json(&[&delete[..], &["--yes"]].concat(), "");
    assert!(gone["deleted"].is_string(), "{gone}");
    assert_eq!(emails(&[]), ada);
    let (status, said) = installation.refusal(&[&delete[..], &["--yes"]].concat(), "");
    assert_eq!(status, Some(1), "{said}");
    for wrong in [
        &["user", "roles", "ada@example.org"][..],
        &[
            "user",
            "roles",
            "ada@example.org",
            "--add",
            "a",
            "--set",
            "b",
        ],
        &["user", "list", "--status", "locked"],
        &[
            "user",
            "create",
            "x@example.org",
            "--print-link",
            "--password-stdin",
        ],
    ] {
        let (status, said) = installation.refusal(wrong, "");
        assert_eq!(status, Some(2), "{wrong:?}: {said}");
    }
}

fn token(service: &Service, email: &str, password: &str) -> String {
    let answer = service.ask(&log_in(email, password));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text("access")
}

fn set_password(service: &Service, token: &str) {
    let body = json!({"token": token, "new_password": NEW});
    let path = "/api/auth/password-reset/confirm/";
    let answer = service.ask(&Request::post(path, body.clone()));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(service.ask(&Request::post(path, body)).status, 400);
}

fn change(service: &Service, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
    service.ask(&Request {
        method,
        body,
        ..Request::get(path).bearer(token)
    })
}

fn list(service: &Service, token: &str, query: &str) -> Vec<String> {
    let answer = service.ask(&Request::get(&format!("{USERS}{query}")).bearer(token));
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let users = body["users"].as_array().unwrap().iter();
    users
        .map(|user| user["email"].as_str().unwrap().to_owned())
        .collect()
}

const NEW: &str = "a better horse battery staple";
const USERS: &str = "/api/admin/users/";
