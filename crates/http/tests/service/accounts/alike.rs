//! Whether there is an account of an address is told to nobody.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{FORGOT, NEW, REGISTER, RESEND, newcomer};
use crate::world::{Answer, EMAIL, PASSWORD, Request, World, text};

/// All of an answer but what differs between any two: the id of the request, and that of a user.
fn shown(answer: &Answer) -> (StatusCode, Vec<(String, String)>, String) {
    let each = answer.headers.iter().map(|(name, value)| {
        let value = value.to_str().unwrap().to_owned();
        (name.as_str().to_owned(), value)
    });
    let mut headers: Vec<_> = each
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"))
        .collect();
    headers.sort();
    let body: Value = answer.json();
    let id = body["user"]["id"].as_str().unwrap_or("no id");
    (answer.status, headers, answer.text.replace(id, "ID"))
}

/// A world with accounts in every state: `ada` is verified, `bob` is not, `kim` is disabled.
async fn world() -> World {
    let world = World::new().await;
    world.add_tenant("Acme", "acme.example").await;
    let unverified = json!({"email": "bob@example.com", "password": PASSWORD});
    world.post(REGISTER, unverified).await;
    world.add_user("public", "kim@example.com", "kim").await;
    let tenant = world.tessera.tenant("public").await.unwrap().unwrap();
    let kim = world.tessera.user(&tenant, "kim").await.unwrap().unwrap();
    world.tessera.disable_user(&tenant, kim.id).await.unwrap();
    world
}

#[actix_web::test]
async fn forgot_and_resend_answer_the_same_byte_for_byte() {
    let world = world().await;
    for path in [FORGOT, RESEND] {
        let told = async |body: Value| shown(&world.post(path, body).await);
        let unknown = told(json!({"email": NEW})).await;
        assert_eq!(unknown.0, StatusCode::OK);
        for email in [
            EMAIL,
            "bob@example.com",
            "kim@example.com",
            "eve@acme.example",
        ] {
            assert_eq!(
                told(json!({"email": email})).await,
                unknown,
                "{path} {email}"
            );
        }
        for tenant in ["public", "Acme", "nowhere"] {
            let body = json!({"email": EMAIL, "tenant": tenant});
            assert_eq!(told(body).await, unknown, "{path} {tenant}");
        }
        let hosted = Request::new(Method::POST, path).header("host", "acme.example");
        let hosted = world.send(hosted.json(&json!({"email": EMAIL}))).await;
        assert_eq!(shown(&hosted), unknown);
    }
}

#[actix_web::test]
async fn sign_up_answers_the_same_byte_for_byte() {
    let world = world().await;
    let told = async |email: &str, more: &[(&str, &str)]| {
        let mut body = newcomer();
        body["email"] = json!(email);
        for (name, value) in more {
            body[name] = json!(value);
        }
        let answer = world.post(REGISTER, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        assert_ne!(text(&answer.json()["user"]["id"]), "");
        let (status, headers, body) = shown(&answer);
        (status, headers, body.replace(email, "EMAIL"))
    };
    let unknown = told(NEW, &[]).await;
    for email in [
        EMAIL,
        "bob@example.com",
        "kim@example.com",
        NEW,
        "ADA@EXAMPLE.COM",
    ] {
        assert_eq!(told(email, &[]).await, unknown, "{email}");
    }
    let named = [
        ("first_name", "Mae"),
        ("last_name", "West"),
        ("username", "mae1"),
    ];
    let unknown = told("mae@example.com", &named).await;
    let named = [
        ("first_name", "Mae"),
        ("last_name", "West"),
        ("username", "mae2"),
    ];
    let (status, headers, body) = told(EMAIL, &named).await;
    assert_eq!((status, headers, body.replace("mae2", "mae1")), unknown);
}

#[actix_web::test]
async fn what_is_wrong_with_the_rest_is_told_the_same_too() {
    let world = world().await;
    let told = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        shown(&world.post(REGISTER, body).await)
    };
    for password in ["short", "Password123"] {
        let unknown = told(NEW, password).await;
        assert_eq!(unknown.0, StatusCode::BAD_REQUEST);
        assert_eq!(told(EMAIL, password).await, unknown);
    }
}
