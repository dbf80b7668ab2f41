//! Which pages may call a tenant.

use core::time::Duration;

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use tessera_app::TenantAdministration;
use tessera_domain::{Origin, TenantSettings};
use tessera_http::RefreshCookie;

use crate::world::{Answer, EMAIL, PASSWORD, Request, World, text};

const OF_ACME: &str = "https://app.acme.example";
const OF_ALL: &str = "https://app.example.com";
const OF_OTHER: &str = "http://localhost:3000";
const OF_PUBLIC: &str = "https://public.example";

/// Three tenants, each with an origin of its own, and one origin for all.
async fn world() -> World {
    let world = World::new().await;
    world.add_tenant("Acme Corp", "acme.example").await;
    world.add_tenant("Other", "other.example").await;
    for (tenant, origin) in [
        ("acme_corp", OF_ACME),
        ("other", OF_OTHER),
        ("public", OF_PUBLIC),
    ] {
        set_origins(&world, tenant, &[origin]).await;
        if tenant != "public" {
            world.add_user(tenant, EMAIL, "ada").await;
        }
    }
    world
}

async fn set_origins(world: &World, tenant: &str, origins: &[&str]) {
    let origins = origins.iter().map(|origin| Origin::parse(origin).unwrap());
    let allowed_origins: Vec<Origin> = origins.collect();
    let decide = |so_far| TenantSettings {
        allowed_origins: allowed_origins.clone(),
        ..so_far
    };
    world.change_settings(tenant, decide).await;
}

fn preflight(path: &str, host: &str, origin: &str) -> Request {
    Request::new(Method::OPTIONS, path)
        .header("host", host)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization")
}

fn plain(path: &str, host: &str, origin: &str) -> Request {
    Request::new(Method::GET, path)
        .header("host", host)
        .header("origin", origin)
}

/// What an answer tells browsers, as it goes over the wire.
fn told(answer: &Answer) -> String {
    let mut told = vec![answer.status.as_u16().to_string()];
    for name in [
        "vary",
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-max-age",
    ] {
        if answer.headers.contains_key(name) {
            told.push(format!("{name}: {}", answer.header(name)));
        }
    }
    told.join("\n")
}

fn allowed(answer: &Answer) -> bool {
    match answer.header("access-control-allow-origin") {
        "" => false,
        origin => {
            assert_eq!(answer.header("access-control-allow-credentials"), "true");
            assert!(origin.starts_with("http"), "{origin}");
            true
        }
    }
}

#[actix_web::test]
async fn a_preflight_is_answered_for_the_tenant_of_its_path_or_its_host() {
    let world = world().await;
    let own = "204\n\
        vary: Origin\n\
        access-control-allow-origin: https://app.acme.example\n\
        access-control-allow-credentials: true\n\
        access-control-allow-methods: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT\n\
        access-control-allow-headers: authorization\n\
        access-control-max-age: 7200";
    let foreign = "204\nvary: Origin";
    for (path, host, expected) in [
        ("/t/acme_corp/api/token/", "auth.example.com", own),
        ("/t/Acme%20Corp/api/token/", "auth.example.com", own),
        ("/t/%61cme_corp/no/such/path", "auth.example.com", own),
        ("/api/token/", "acme.example", own),
        ("/api/token/", "ACME.example:8443", own),
        ("/t/acme_corp/api/token/", "other.example", own),
        ("/t/other/api/token/", "acme.example", foreign),
        ("/t/other/api/token/", "auth.example.com", foreign),
        ("/t/public/api/token/", "auth.example.com", foreign),
        ("/t/nowhere/api/token/", "acme.example", foreign),
        ("/t/%00/api/token/", "acme.example", foreign),
        ("/t/acme_corp", "auth.example.com", foreign),
        ("/api/token/", "other.example", foreign),
        ("/api/token/", "auth.example.com", foreign),
    ] {
        let answer = world.send(preflight(path, host, OF_ACME)).await;
        assert_eq!(told(&answer), expected, "{path} at {host}");
    }
}

#[actix_web::test]
async fn a_page_may_read_the_answers_of_its_tenant_and_of_no_other() {
    let world = world().await;
    let places = [
        ("/t/acme_corp/livez", "auth.example.com", OF_ACME),
        ("/livez", "acme.example", OF_ACME),
        ("/t/other/api/auth/me/", "auth.example.com", OF_OTHER),
        ("/nothing", "other.example", OF_OTHER),
        ("/t/public/livez", "auth.example.com", OF_PUBLIC),
        ("/livez", "auth.example.com", ""),
    ];
    for (path, host, own) in places {
        for origin in [OF_ACME, OF_OTHER, OF_PUBLIC, "null", "https://evil.example"] {
            let answer = world.send(plain(path, host, origin)).await;
            assert_eq!(
                allowed(&answer),
                origin == own,
                "{origin}: {path} at {host}"
            );
            assert_eq!(answer.header("vary"), "Origin");
        }
        let answer = world.send(plain(path, host, OF_ALL)).await;
        assert!(allowed(&answer), "{path} at {host}");
    }
}

#[actix_web::test]
async fn an_origin_that_a_tenant_no_longer_has_is_not_allowed() {
    let world = world().await;
    let ask = || preflight("/t/acme_corp/livez", "auth.example.com", OF_ACME);
    assert!(allowed(&world.send(ask()).await));
    set_origins(&world, "acme_corp", &[]).await;
    assert!(!allowed(&world.send(ask()).await));
    set_origins(&world, "acme_corp", &[OF_OTHER, OF_ACME]).await;
    assert!(allowed(&world.send(ask()).await));
}

#[actix_web::test]
async fn a_suspended_tenant_allows_what_it_did_and_one_that_is_deleted_nothing() {
    let world = world().await;
    let places = [
        ("/t/acme_corp/livez", "x.example"),
        ("/livez", "acme.example"),
    ];
    world.suspend("acme_corp").await;
    for (path, host) in places {
        let answer = world.send(plain(path, host, OF_ACME)).await;
        assert!(allowed(&answer), "{path} at {host}");
    }
    let of = TenantAdministration::of_operator();
    let begun = world.tessera.begin_deletion(&of, "acme_corp");
    begun.await.unwrap();
    for (path, host) in places {
        assert!(!allowed(&world.send(plain(path, host, OF_ACME)).await));
        assert!(allowed(&world.send(plain(path, host, OF_ALL)).await));
    }
}

#[actix_web::test]
async fn no_store_is_asked_for_what_the_installation_allows_or_what_is_known() {
    let world = world().await;
    let path = "/t/acme_corp/livez";
    let ask = |origin| preflight(path, "auth.example.com", origin);
    assert!(allowed(&world.send(ask(OF_ACME)).await));
    world.store.unavailable(true);
    world.clock.advance(Duration::from_millis(499));
    assert!(allowed(&world.send(ask(OF_ACME)).await));
    assert!(allowed(&world.send(ask(OF_ALL)).await));
    world.clock.advance(Duration::from_millis(1));
    assert!(allowed(&world.send(ask(OF_ALL)).await));
    let unknown = world.send(ask(OF_ACME)).await;
    assert_eq!(told(&unknown), "204\nvary: Origin");
    let without = world.send(Request::new(Method::GET, path)).await;
    assert_eq!(without.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_token_of_another_tenant_is_nothing_from_an_allowed_page_either() {
    let world = world().await;
    let credentials = json!({"email": EMAIL, "password": PASSWORD});
    let pair = world.post("/t/other/api/token/", credentials).await.json();
    let me = plain("/t/acme_corp/api/auth/me/", "auth.example.com", OF_ACME);
    let answer = world.send(me.bearer(text(&pair["access"]))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(allowed(&answer));
}

#[actix_web::test]
async fn the_refresh_cookie_counts_from_a_page_of_its_tenant() {
    let world = World {
        refresh_cookie: RefreshCookie::On,
        ..world().await
    };
    let credentials = json!({"email": EMAIL, "password": PASSWORD});
    let path = "/t/acme_corp/api/auth/login/";
    let pair = world.post(path, credentials).await.json();
    let cookie = format!("refresh_token={}", text(&pair["refresh_token"]));
    for (path, host, origin, status) in [
        (
            "/t/acme_corp/api/auth/refresh/",
            "auth.example.com",
            OF_OTHER,
            403,
        ),
        (
            "/t/other/api/auth/refresh/",
            "auth.example.com",
            OF_ACME,
            403,
        ),
        ("/api/auth/refresh/", "auth.example.com", OF_ACME, 403),
        (
            "/t/acme_corp/api/auth/refresh/",
            "auth.example.com",
            OF_ACME,
            200,
        ),
        ("/api/auth/refresh/", "acme.example", OF_ACME, 200),
        (
            "/t/acme_corp/api/auth/refresh/",
            "auth.example.com",
            OF_ALL,
            200,
        ),
    ] {
        let request = Request::new(Method::POST, path)
            .header("host", host)
            .header("origin", origin)
            .header("cookie", &cookie);
        let answer = world.send(request).await;
        assert_eq!(answer.status, status, "{origin}: {path} at {host}");
    }
}
