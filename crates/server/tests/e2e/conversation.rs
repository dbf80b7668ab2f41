//! One conversation has the same answers, whatever keeps the data.

use serde_json::{Value, json};

use crate::client::{Answer, Request, log_in, refresh, validate};
use crate::database::Database;
use crate::service::{ADMIN, Installation, Service};

#[test]
fn a_conversation_has_the_same_answers_on_both_stores_and_in_both_layouts() {
    let embedded = Installation::embedded();
    let on_sqlite = converse(&embedded, &embedded.start());
    for database in [Database::create(), Database::shared()] {
        let installation = Installation::prepared_on(&database);
        let service = installation.start();
        crate::service::until("it is ready", || service.status("/readyz") == 200);
        let on_postgres = converse(&installation, &service);
        assert_eq!(on_sqlite.len(), on_postgres.len());
        for (sqlite, postgres) in on_sqlite.iter().zip(&on_postgres) {
            assert_eq!(sqlite, postgres, "{}", database.layout());
        }
    }
}

#[test]
fn nobody_whom_row_level_security_does_not_bind_serves_tenants_that_share_tables() {
    let database = Database::shared();
    let bound = Installation::prepared_on(&database);
    let url = database.url_of_superuser();
    // It would make tenants that share tables; it finds some.
    let [would, finds] = [bound, Installation::embedded()].map(|it| it.with("DATABASE_URL", &url));
    for installation in [would, finds] {
        let (status, said) = installation.refusal(&[], "");
        assert_eq!(status, Some(2), "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.contains("BYPASSRLS"), "{said}");
    }
}

/// Each answer, without what must differ.
fn converse(installation: &Installation, service: &Service) -> Vec<String> {
    let mut heard = Vec::new();
    let mut say = |request: &Request<'_>| {
        let answer = service.ask(request);
        heard.push(alike(request, &answer));
        answer
    };
    let password = installation.password();
    let pair = say(&log_in(ADMIN, &password));
    let credentials = json!({ "username": ADMIN, "password": password });
    let bearer = say(&Request::post("/auth/login", credentials));
    say(&log_in(ADMIN, "a wrong password"));
    say(&log_in("nobody@example.org", "a wrong password"));
    say(&Request::post("/api/token/", json!({ "email": ADMIN })));

    let (access, first) = (pair.text("access"), pair.text("refresh"));
    say(&validate(&access));
    say(&validate(&first));
    say(&Request::get("/api/auth/me/").bearer(&access));
    say(&Request::get("/api/auth/sessions/").bearer(&access));
    say(&Request::get("/api/auth/me/"));

    let second = say(&refresh(&first)).text("refresh");
    assert_eq!(say(&refresh(&first)).text("refresh"), second);
    let third = say(&refresh(&second)).text("refresh");
    assert_eq!(
        say(&refresh(&first)).status,
        401,
        "the replay of an old one"
    );
    assert_eq!(say(&refresh(&third)).status, 401, "its family is ended");
    assert_eq!(say(&validate(&access)).status, 401);

    let other = bearer.text("access_token");
    let token = json!({ "refresh_token": bearer.text("refresh_token") });
    let renewed = say(&Request::post("/api/auth/refresh/", token)).text("access_token");
    say(&Request::get("/api/auth/sessions/").bearer(&other));
    say(&Request::post("/api/auth/logout/", json!({})).bearer(&renewed));
    say(&Request::post("/api/auth/logout/", json!({})).bearer(&renewed));
    assert_eq!(say(&validate(&other)).status, 401);
    say(&Request::post("/api/auth/logout-all/", json!({})).bearer(&other));
    say(&Request::get("/nowhere/"));
    say(&Request::get("/readyz"));
    heard
}

fn alike(request: &Request<'_>, answer: &Answer) -> String {
    let mut headers: Vec<&str> = answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    headers.sort_unstable();
    let kept =
        ["content-type", "cache-control", "www-authenticate"].map(|name| answer.header(name));
    let mut body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    mask(&mut body);
    let (method, path, status) = (request.method, request.path, answer.status);
    format!("{method} {path} {status} {headers:?} {kept:?} {body}")
}

/// Replaces what no two installations have in common by its kind.
fn mask(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Object(members) => {
            for (name, member) in members {
                let differs = name.ends_with("id")
                    || name.contains("access")
                    || name.contains("refresh")
                    || name.ends_with("_at")
                    || ["date_joined", "last_login", "instance", "timestamp"]
                        .contains(&name.as_str());
                if differs && member.is_string() {
                    *member = Value::from("differs");
                } else {
                    mask(member);
                }
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}
