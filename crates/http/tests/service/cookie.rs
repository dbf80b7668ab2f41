//! The refresh token in a cookie.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_http::RefreshCookie;

use crate::world::{EMAIL, PASSWORD, Request, World, text};

async fn world() -> World {
    World {
        refresh_cookie: RefreshCookie::On,
        ..World::new().await
    }
}

async fn logged_in(world: &World, path: &str) -> (Value, String) {
    let answer = world
        .post(path, json!({"email": EMAIL, "password": PASSWORD}))
        .await;
    (answer.json(), answer.header("set-cookie").to_owned())
}

fn refresh(token: &Value, origin: Option<&str>) -> Request {
    let request = Request::new(Method::POST, "/api/auth/refresh/")
        .header("cookie", &format!("refresh_token={}", text(token)));
    match origin {
        Some(origin) => request.header("origin", origin),
        None => request,
    }
}

#[actix_web::test]
async fn the_login_dialect_sets_a_cookie_that_no_script_and_no_other_site_gets() {
    let world = world().await;
    let (body, cookie) = logged_in(&world, "/api/auth/login/").await;
    let token = text(&body["refresh_token"]);
    assert_eq!(
        cookie,
        format!(
            "refresh_token={token}; HttpOnly; SameSite=Strict; Secure; Path=/api/auth/; \
             Max-Age=2592000"
        )
    );
    let (_, of_tenant) = logged_in(&world, "/t/public/api/auth/login/").await;
    assert!(
        of_tenant.contains("; Path=/t/public/api/auth/;"),
        "{of_tenant}"
    );
    let (_, other_dialect) = logged_in(&world, "/api/token/").await;
    assert_eq!(other_dialect, "");
}

#[actix_web::test]
async fn the_cookie_counts_from_a_page_that_is_ours_or_allowed_alone() {
    let world = world().await;
    let (body, _) = logged_in(&world, "/api/auth/login/").await;
    let token = &body["refresh_token"];
    for origin in [
        None,
        Some("https://evil.example.com"),
        Some("https://auth.example.com"),
        Some("null"),
    ] {
        let answer = world.send(refresh(token, origin)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin:?}");
    }
    for origin in [
        "http://auth.example.com",
        "http://localhost:8000",
        "https://app.example.com",
    ] {
        let answer = world.send(refresh(token, Some(origin))).await;
        assert_eq!(answer.status, StatusCode::OK, "{origin}");
        assert!(answer.header("set-cookie").starts_with("refresh_token=ey"));
    }
}

#[actix_web::test]
async fn no_other_path_reads_the_cookie() {
    let world = world().await;
    let (body, _) = logged_in(&world, "/api/auth/login/").await;
    let cookie = format!("refresh_token={}", text(&body["refresh_token"]));
    let request = Request::new(Method::POST, "/auth/refresh")
        .header("cookie", &cookie)
        .header("origin", "https://app.example.com");
    assert_eq!(world.send(request).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_bearer_logs_out_whatever_cookie_comes_along() {
    let world = world().await;
    let (body, _) = logged_in(&world, "/api/auth/login/").await;
    let request = Request::new(Method::POST, "/api/auth/logout/")
        .header(
            "cookie",
            &format!("refresh_token={}", text(&body["refresh_token"])),
        )
        .bearer(text(&body["access_token"]));
    assert_eq!(world.send(request).await.status, StatusCode::OK);
    let me = world
        .get("/api/auth/me/", text(&body["access_token"]))
        .await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn logging_out_clears_the_cookie() {
    let world = world().await;
    let (body, _) = logged_in(&world, "/api/auth/login/").await;
    let token = text(&body["refresh_token"]);
    let request = Request::new(Method::POST, "/api/auth/logout/")
        .header("cookie", &format!("refresh_token={token}"))
        .header("origin", "https://app.example.com");
    let answer = world.send(request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    let again = refresh(&body["refresh_token"], Some("https://app.example.com"));
    assert_eq!(world.send(again).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn where_cookies_are_off_none_is_set_or_read() {
    let world = World::new().await;
    let (body, cookie) = logged_in(&world, "/api/auth/login/").await;
    assert_eq!(cookie, "");
    let sent = refresh(&body["refresh_token"], Some("https://auth.example.com"));
    assert_eq!(world.send(sent).await.status, StatusCode::BAD_REQUEST);
}
