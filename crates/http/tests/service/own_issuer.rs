//! Tenants with an issuer of their own.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_app::{Expiry, TenantAdministration};
use tessera_domain::{TenantName, TenantSettings, TokenIssuer};

use crate::world::{Answer, EMAIL, PASSWORD, Request, World, text};

const ISSUER: &str = "http://localhost:8000/t/acme_corp";

/// `Acme Corp` has an issuer of its own, `Other` has not.
async fn world() -> World {
    let world = World::new().await;
    world.add_tenant("Acme Corp", "acme.example").await;
    world.add_tenant("Other", "other.example").await;
    set_issuer(&world, TokenIssuer::Tenant).await;
    world.add_user("acme_corp", EMAIL, "ada").await;
    world
}

async fn set_issuer(world: &World, issuer: TokenIssuer) {
    let decide = |so_far| TenantSettings { issuer, ..so_far };
    world.change_settings("acme_corp", decide).await;
}

async fn get(world: &World, path: &str) -> Answer {
    world.send(Request::new(Method::GET, path)).await
}

/// The addresses that are made of an issuer: by OpenID Connect Discovery, and by RFC 8414.
fn documents(tenant: &str) -> [String; 4] {
    [
        format!("/t/{tenant}/.well-known/openid-configuration"),
        format!("/t/{tenant}/.well-known/oauth-authorization-server"),
        format!("/.well-known/oauth-authorization-server/t/{tenant}"),
        format!("/.well-known/openid-configuration/t/{tenant}"),
    ]
}

/// What a token says, whoever signed it.
fn claims(world: &World, token: &Value) -> Value {
    let tokens = &world.tessera.ports().tokens;
    let now = world.tessera.ports().clock.now();
    tokens
        .read_access(text(token), now, Expiry::Enforced)
        .unwrap();
    let payload = text(token).split('.').nth(1).unwrap();
    let bytes = base64(payload);
    serde_json::from_slice(&bytes).unwrap()
}

/// Reads base64url without padding.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for sign in text.chars() {
        let value = u32::try_from(ALPHABET.find(sign).unwrap()).unwrap();
        bits = (bits << 6 | value) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

#[actix_web::test]
async fn discovery_tells_the_issuer_that_its_address_was_made_of_and_tokens_say() {
    let world = world().await;
    let credentials = json!({"email": EMAIL, "password": PASSWORD});
    let pair = world.post("/t/acme_corp/api/token/", credentials).await;
    let said = claims(&world, &pair.json()["access"]);
    assert_eq!(
        (&said["iss"], &said["aud"]),
        (&json!(ISSUER), &json!(ISSUER))
    );
    for path in documents("acme_corp") {
        for path in [path.clone(), format!("{path}/")] {
            let answer = get(&world, &path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert_eq!(answer.header("cache-control"), "public, max-age=300");
            let document = answer.json();
            assert_eq!(document["issuer"], said["iss"], "{path}");
            let keys = format!("{ISSUER}/.well-known/jwks.json");
            assert_eq!(document["jwks_uri"], keys);
            assert_eq!(
                document["service_documentation"],
                format!("{ISSUER}/api/docs/")
            );
            let again = Request::new(Method::GET, &path);
            let again = again.header("if-none-match", answer.header("etag"));
            let again = world.send(again).await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED);
        }
    }
    let keys = get(&world, "/t/acme_corp/.well-known/jwks.json").await;
    assert_eq!(keys.text, get(&world, "/.well-known/jwks.json").await.text);
    let docs = get(&world, "/t/acme_corp/api/docs/").await;
    assert_eq!(docs.status, StatusCode::OK);
    let all = get(&world, "/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(all["issuer"], "http://localhost:8000");
}

#[actix_web::test]
async fn who_has_no_issuer_of_its_own_or_is_not_there_has_no_document() {
    let world = world().await;
    let mut told = Vec::new();
    for tenant in ["other", "public", "nowhere", "%00", "Other"] {
        for path in documents(tenant) {
            let answer = get(&world, &path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            told.push(answer);
        }
    }
    let of = TenantAdministration::of_operator();
    let begun = world.tessera.begin_deletion(&of, "acme_corp");
    begun.await.unwrap();
    for path in documents("acme_corp") {
        told.push(get(&world, &path).await);
    }
    for answer in told {
        let mut body = answer.json();
        body["instance"].take();
        let expected = json!({
            "type": "about:blank", "title": "Not Found", "status": 404,
            "detail": "Not found.", "instance": null, "code": "not_found",
        });
        assert_eq!(body, expected);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    for tenant in ["other", "public"] {
        let path = format!("/t/{tenant}/.well-known/jwks.json");
        assert_eq!(get(&world, &path).await.status, StatusCode::OK);
    }
}

#[actix_web::test]
async fn a_suspended_tenant_is_discovered_like_one_that_is_open() {
    let world = world().await;
    let mut open = Vec::new();
    for path in documents("acme_corp") {
        open.push(get(&world, &path).await.text);
    }
    world.suspend("acme_corp").await;
    for (path, open) in documents("acme_corp").into_iter().zip(open) {
        let answer = get(&world, &path).await;
        assert_eq!((answer.status, answer.text), (StatusCode::OK, open));
    }
}

#[actix_web::test]
async fn whatever_a_tenant_is_called_its_issuer_is_found_by_the_schema_name_alone() {
    let world = world().await;
    let tenant = world.tessera.tenant("acme_corp").await.unwrap().unwrap();
    let (renamed, _) = tenant.rename(TenantName::parse("New").unwrap()).unwrap();
    world.update_tenant(renamed).await;
    for path in documents("acme_corp") {
        assert_eq!(get(&world, &path).await.json()["issuer"], ISSUER, "{path}");
    }
    let id = tenant.id.to_string();
    for named in ["ACME_corp", "New", "Acme%20Corp", "%20acme_corp", &id] {
        for path in documents(named) {
            let answer = get(&world, &path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
}

#[actix_web::test]
async fn tokens_of_before_work_on_when_the_issuer_changes_and_new_ones_say_the_new_one() {
    let world = world().await;
    let credentials = json!({"email": EMAIL, "password": PASSWORD});
    let mut pair = world
        .post("/t/acme_corp/api/token/", credentials)
        .await
        .json();
    for (issuer, says) in [
        (TokenIssuer::Installation, "http://localhost:8000"),
        (TokenIssuer::Tenant, ISSUER),
    ] {
        set_issuer(&world, issuer).await;
        let me = world.get("/api/auth/me/", text(&pair["access"])).await;
        assert_eq!(me.status, StatusCode::OK);
        let refresh = json!({"refresh": pair["refresh"]});
        pair = world.post("/api/token/refresh/", refresh).await.json();
        assert_eq!(claims(&world, &pair["access"])["iss"], says);
        let me = world
            .get("/t/acme_corp/api/auth/me/", text(&pair["access"]))
            .await;
        assert_eq!(me.status, StatusCode::OK);
    }
}
