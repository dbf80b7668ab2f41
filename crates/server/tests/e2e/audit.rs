//! Who did what is kept, on both stores, and shown to operators and administrators alike.

use serde_json::{Value, json};

use crate::client::{Request, log_in};
use crate::database::Database;
use crate::service::{ADMIN, Installation, PASSWORD, until};

#[test]
fn who_did_what_is_kept_on_sqlite() {
    let installation = Installation::embedded();
    installation.start().kill();
    audited(&installation);
}

#[test]
fn who_did_what_is_kept_on_postgres() {
    audited(&Installation::prepared_on(&Database::create()));
}

fn audited(installation: &Installation) {
    let service = installation.start();
    let create = ["user", "create", "ada@example.org", "--password-stdin"];
    let roles = ["--role", "platform-admin"];
    let made = installation.json(&[&create[..], &roles].concat(), PASSWORD);
    let id = made["id"].as_str().unwrap();
    service.ask(&log_in("ada@example.org", "a wrong password"));
    let token = service
        .ask(&log_in("ada@example.org", PASSWORD))
        .text("access");
    installation.json(&["user", "disable", "ada@example.org"], "");
    installation.json(&["user", "enable", "ada@example.org"], "");
    let out = service.ask(&Request::get("/api/admin/audit/").bearer(&token));
    assert_eq!(out.status, 401, "its session has ended");

    let shown = installation.json(&["audit", "--user", "ada@example.org"], "");
    let told: Vec<(&str, &str)> = members(&shown, ["type", "actor"]).collect();
    // What one commit did at one moment has no order.
    let mut disabled = told[1..3].to_vec();
    disabled.sort_unstable();
    let expected = [("SessionEnded", "operator"), ("UserDisabled", "operator")];
    assert_eq!(disabled, expected);
    assert_eq!(told[0], ("UserEnabled", "operator"));
    let before = [
        ("UserLoggedIn", "user"),
        ("LoginFailed", "anybody"),
        ("UserCreated", "operator"),
    ];
    assert_eq!(told[3..], before);
    for entry in &shown.as_array().unwrap()[3..5] {
        assert_eq!(entry["ip"], "127.0.0.1");
    }

    let token = service
        .ask(&log_in("ada@example.org", PASSWORD))
        .text("access");
    let path = format!("/api/admin/audit/?user={id}&limit=7");
    let answer = service.ask(&Request::get(&path).bearer(&token)).json();
    assert_eq!(answer["next"], Value::Null);
    let rest = &answer["entries"].as_array().unwrap()[1..];
    assert_eq!(json!(rest), shown, "commands show an entry as the API does");

    let by_ada = ["audit", "--actor", id, "--tenant", "public"];
    let types = installation.json(&by_ada, "");
    let types: Vec<(&str, &str)> = members(&types, ["type", "actor_id"]).collect();
    assert_eq!(types, [("UserLoggedIn", id), ("UserLoggedIn", id)]);
    let since = [
        "audit",
        "--type",
        "UserCreated",
        "--since",
        "2026-01-01T00:00:00Z",
    ];
    assert_ne!(installation.json(&since, ""), json!([]));
    let until = ["audit", "--until", "2026-01-01T00:00:00Z"];
    assert_eq!(installation.json(&until, ""), json!([]));
    let table = installation.done(&["audit", "-n", "3"]);
    assert!(table.starts_with("TIME") && table.lines().count() == 4);
    assert!(!table.contains('@'), "{table}");

    for (wrong, code) in [
        (["audit", "--user", "nobody@example.org"], 1),
        (["audit", "--tenant", "nowhere"], 1),
        (["audit", "--since", "yesterday"], 2),
    ] {
        let (status, said) = installation.refusal(&wrong, "");
        assert_eq!(status, Some(code), "{said}");
    }
}

#[test]
fn the_trail_has_a_retention_of_its_own() {
    let installation = Installation::embedded().with("TESSERA_EVENTS", "none");
    let service = installation.start();
    service.session(&installation);
    service.kill();
    let kept = installation.json(&["audit"], "");
    assert_ne!(kept, json!([]), "{ADMIN} logged in");

    let installation = installation.with("TESSERA_AUDIT_RETENTION", "0");
    let service = installation.start();
    until("the trail is empty", || {
        installation.json(&["audit"], "") == json!([])
    });
    let events = installation.json(&["events", "tail"], "");
    assert_eq!(
        events.as_array().unwrap().len(),
        kept.as_array().unwrap().len()
    );
    service.kill();
}

/// Two members of each entry.
fn members<'a>(
    entries: &'a Value,
    names: [&'a str; 2],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let entries = entries.as_array().unwrap().iter();
    entries.map(move |entry| {
        let [one, other] = names.map(|name| entry[name].as_str().unwrap());
        (one, other)
    })
}
