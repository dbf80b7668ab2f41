//! Which tenant a request is for, on the wire.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{EMAIL, PASSWORD, Request, World, text};

async fn world() -> World {
    let world = World::new().await;
    world.add_tenant("Acme", "acme.example").await;
    world.add_user("acme", EMAIL, "ada").await;
    world.add_user("acme", "grace@acme.example", "grace").await;
    world
}

async fn schema(world: &World, request: Request) -> Value {
    world.send(request).await.json()["tenant_schema"].clone()
}

fn log_in(path: &str) -> Request {
    Request::new(Method::POST, path).json(&json!({"email": EMAIL, "password": PASSWORD}))
}

#[actix_web::test]
async fn path_header_field_host_and_address_name_the_tenant() {
    let world = world().await;
    let field = json!({"email": EMAIL, "password": PASSWORD, "tenant": "Acme"});
    let address = json!({"email": "grace@acme.example", "password": PASSWORD});
    for request in [
        log_in("/t/acme/api/token/"),
        log_in("/t/Acme/auth/token"),
        log_in("/api/token/").header("x-tenant", "ACME"),
        log_in("/api/token/").header("host", "acme.example:8000"),
        Request::new(Method::POST, "/api/token/").json(&field),
        Request::new(Method::POST, "/api/token/").json(&address),
    ] {
        assert_eq!(schema(&world, request).await, "acme");
    }
    assert_eq!(schema(&world, log_in("/api/token/")).await, "public");
}

#[actix_web::test]
async fn hints_that_contradict_each_other_are_a_bad_request() {
    let world = world().await;
    let answer = world
        .send(log_in("/t/acme/api/token/").header("x-tenant", "public"))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.code(), "contradictory_tenants");
    let pair = world.send(log_in("/t/acme/api/token/")).await.json();
    let apart = Request::new(Method::GET, "/t/acme/api/auth/me/")
        .bearer(text(&pair["access"]))
        .header("x-tenant", "public");
    let answer = world.send(apart).await;
    assert_eq!(answer.code(), "contradictory_tenants");
    let same = log_in("/t/acme/api/token/").header("x-tenant", "Acme");
    assert_eq!(world.send(same).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_token_of_one_tenant_is_nothing_in_another() {
    let world = world().await;
    let pair = world.send(log_in("/t/acme/api/token/")).await.json();
    let access = text(&pair["access"]);
    let me = |path: &str| Request::new(Method::GET, path).bearer(access);
    assert_eq!(
        world.send(me("/t/acme/api/auth/me/")).await.status,
        StatusCode::OK
    );
    assert_eq!(world.send(me("/api/auth/me/")).await.status, StatusCode::OK);
    for elsewhere in [
        me("/t/public/api/auth/me/"),
        me("/t/nowhere/api/auth/me/"),
        me("/api/auth/me/").header("x-tenant", "public"),
    ] {
        assert_eq!(world.send(elsewhere).await.status, StatusCode::UNAUTHORIZED);
    }
    let refresh = json!({"refresh": pair["refresh"]});
    let elsewhere = world.post("/t/public/api/token/refresh/", refresh).await;
    assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED);
}
