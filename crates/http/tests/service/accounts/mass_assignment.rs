//! Nobody makes more of an account than its owner may, however it is spelt.

use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{FORM, ME, NEW, REGISTER, access, log_in, written};
use crate::world::{EMAIL, PASSWORD, Request, World, text};

/// What is not for users to say, each under a name of its own.
fn loot() -> Map<String, Value> {
    let rights = json!({
        "is_superuser": true, "isSuperuser": true, "IsSuperUser": true, "is_superuser ": true,
        "superuser": "true", "is_staff": true, "is_admin": 1, "admin": "on",
        "role": "platform-admin", "roles": ["platform-admin"], "Roles": "platform-admin",
        "roles[]": "platform-admin", "roles[0]": "platform-admin", "groups": ["platform-admin"],
    });
    let place = json!({
        "tenant_id": "1", "tenantId": "1", "tenant_schema": "acme", "schema": "acme",
        "X-Tenant": "acme", "id": "1", "pk": 1, "user_id": "1", "sub": "1", "legacy_id": "1",
    });
    let state = json!({
        "emailVerified": true, "email_verified": true, "verified": true, "is_active": false,
        "isActive": false, "status": "disabled", "jobRole": "chief", "job_role ": "chief",
        "date_joined": "1999-01-01T00:00:00Z", "last_login": "1999-01-01T00:00:00Z",
        "version": 99, "epoch": 99, "password_hash": "plain$x",
    });
    let nested = json!({
        "user": {"is_superuser": true, "roles": ["platform-admin"], "email_verified": true},
        "user.is_superuser": "true", "user[is_superuser]": "true", "user[roles][]": "tenant-admin",
        "profile": {"job_role": "chief", "first_name": "Mallory"}, "profile.job_role": "chief",
        "__proto__": {"is_superuser": true}, "constructor": {"prototype": {"roles": ["x"]}},
    });
    [rights, place, state, nested]
        .iter()
        .flat_map(members)
        .collect()
}

/// What a user may not change either, but may say at sign up.
fn identity() -> Map<String, Value> {
    let identity = json!({
        "email": "mallory@example.com", "username": "mallory", "password": "mallory was here",
        "new_password": "mallory was here", "tenant": "acme",
    });
    members(&identity).collect()
}

fn members(object: &Value) -> impl Iterator<Item = (String, Value)> {
    object.as_object().unwrap().clone().into_iter()
}

/// The fields as texts: a form and a query have nothing else.
fn texts(fields: &Map<String, Value>) -> Vec<(&str, String)> {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect()
}

fn form(fields: &Map<String, Value>) -> String {
    let texts = texts(fields);
    let pairs: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    written(FORM, &pairs)
}

/// The account as it is stored: all but what differs between any two.
async fn stored(world: &World, email: &str) -> Value {
    let mut user = log_in(world, email, PASSWORD).await.json()["user"].clone();
    assert!(user.is_object());
    user["id"] = json!("ID");
    user["email"] = json!("EMAIL");
    user
}

#[actix_web::test]
async fn signing_up_makes_a_plain_account_whatever_else_is_said() {
    let world = World::new().await;
    world.add_tenant("Acme", "acme.example").await;
    let post = |path: &str| Request::new(Method::POST, path);
    let fields = |email: &str, more: Map<String, Value>| {
        let mut fields = more;
        fields.insert("email".to_owned(), json!(email));
        fields.insert("password".to_owned(), json!(PASSWORD));
        fields
    };
    let plain = fields(NEW, Map::new());
    world.send(post(REGISTER).json(&Value::Object(plain))).await;
    let plain = stored(&world, NEW).await;
    assert_eq!(
        (&plain["is_superuser"], &plain["roles"]),
        (&json!(false), &json!([]))
    );

    let mut said = loot();
    said.insert("job_role".to_owned(), json!("chief"));
    let json = Value::Object(fields("json@example.com", said.clone()));
    let query = format!("{REGISTER}?{}&tenant=acme&email=x@example.com", form(&said));
    let queried = Value::Object(fields("query@example.com", Map::new()));
    for (email, request) in [
        ("json@example.com", post(REGISTER).json(&json)),
        (
            "form@example.com",
            post(REGISTER).body(FORM, form(&fields("form@example.com", said))),
        ),
        ("query@example.com", post(&query).json(&queried)),
    ] {
        let answer = world.send(request).await;
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{email}: {}",
            answer.text
        );
        assert_eq!(stored(&world, email).await, plain, "{email}");
    }
}

#[actix_web::test]
async fn a_tenant_that_is_no_name_signs_nobody_up() {
    let world = World::new().await;
    for tenant in [json!({"id": "1"}), json!(["acme"]), json!(1), json!(true)] {
        let body = json!({"email": NEW, "password": PASSWORD, "tenant": tenant});
        let answer = world.post(REGISTER, body).await;
        assert_eq!(answer.json()["tenant"], json!(["Not a valid string."]));
    }
    assert_eq!(
        log_in(&world, NEW, PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[actix_web::test]
async fn changing_ones_names_changes_nothing_else_whatever_else_is_said() {
    let world = World::new().await;
    world.add_tenant("Acme", "acme.example").await;
    let access = access(&world).await;
    let before = world.get(ME, &access).await.json();
    let mut said = loot();
    said.extend(identity());
    said.insert("job_role".to_owned(), json!("chief"));
    let patch = |path: &str| Request::new(Method::PATCH, path).bearer(&access);
    let query = format!("{ME}?{}&first_name=Mallory", form(&said));
    for request in [
        patch(ME).json(&Value::Object(said.clone())),
        patch(ME).body(FORM, form(&said)),
        patch(&query).json(&json!({})),
        patch(&query),
    ] {
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json(), before);
        assert_eq!(world.get(ME, &access).await.json(), before);
    }
    for (name, value) in said {
        let answer = world.send(patch(ME).json(&json!({ &name: value }))).await;
        assert_eq!(answer.json(), before, "{name}");
    }
    let again = log_in(&world, EMAIL, PASSWORD).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(text(&again.json()["tenant_schema"]), "public");
}
