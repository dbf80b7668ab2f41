//! The audit trail, on the wire.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Answer, EMAIL, PASSWORD, Request, World, text};

const AUDIT: &str = "/api/admin/audit/";

/// An account of each kind: `root` administers the platform, `hal` the default tenant, `eve` the
/// tenant Acme; `ada` none.
async fn world() -> World {
    let world = World::new().await;
    world.add_tenant("Acme", "acme.example").await;
    for (tenant, name, role) in [
        ("public", "root", "platform-admin"),
        ("public", "hal", "tenant-admin"),
        ("acme", "eve", "tenant-admin"),
    ] {
        let email = format!("{name}@{tenant}.example");
        world.add_user_with(tenant, &email, name, role).await;
    }
    world
}

async fn token(world: &World, tenant: &str, username: &str) -> String {
    let credentials = json!({"username": username, "password": PASSWORD});
    let path = format!("/t/{tenant}/api/token/");
    let pair = world.post(&path, credentials).await.json();
    text(&pair["access"]).to_owned()
}

async fn tenant_id(world: &World, name: &str) -> String {
    let tenant = world.tessera.tenant(name).await.unwrap();
    tenant.unwrap().id.to_string()
}

async fn user_id(world: &World, tenant: &str, name: &str) -> String {
    let tenant = world.tessera.tenant(tenant).await.unwrap().unwrap();
    let user = world.tessera.user(&tenant, name).await.unwrap();
    user.unwrap().id.to_string()
}

fn entries(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["entries"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_platform_administrator_sees_who_did_what_the_newest_first() {
    let world = world().await;
    world
        .post("/api/token/", json!({"email": EMAIL, "password": "wrong"}))
        .await;
    world.clock.advance(core::time::Duration::from_secs(1));
    let root = token(&world, "public", "root").await;
    let (public, id) = (
        tenant_id(&world, "public").await,
        user_id(&world, "public", "root").await,
    );
    for path in [AUDIT, "/api/admin/audit", "/t/public/api/admin/audit/"] {
        let answer = world.get(path, &root).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let shown = entries(&answer);
        assert_eq!(shown.len(), world.store.events().len());
        let logged_in = &shown[0];
        let expected = json!({
            "id": logged_in["id"], "time": "2026-01-01T00:00:01Z", "tenant_id": public,
            "type": "UserLoggedIn", "subject": format!("user/{id}"), "user_id": id,
            "actor": "user", "actor_id": id, "actor_tenant_id": public,
            "ip": logged_in["ip"], "data": {"session": logged_in["data"]["session"]},
        });
        assert_eq!(logged_in, &expected);
        let failed = shown.iter().find(|entry| entry["type"] == "LoginFailed");
        let failed = failed.unwrap();
        assert_eq!(
            (&failed["actor"], &failed["actor_id"], &failed["data"]),
            (
                &json!("anybody"),
                &Value::Null,
                &json!({"why": "wrong_password"})
            )
        );
        assert!(!answer.text.contains('@'), "{}", answer.text);
    }
}

#[actix_web::test]
async fn a_tenant_administrator_sees_the_own_tenant_alone() {
    let world = world().await;
    for (tenant, name, other) in [("acme", "eve", "public"), ("public", "hal", "acme")] {
        let administrator = token(&world, tenant, name).await;
        let (own, foreign) = (
            tenant_id(&world, tenant).await,
            tenant_id(&world, other).await,
        );
        let shown = entries(&world.get(AUDIT, &administrator).await);
        assert!(!shown.is_empty());
        assert!(shown.iter().all(|entry| entry["tenant_id"] == own));
        for named in [tenant, &own] {
            let path = format!("{AUDIT}?tenant={named}");
            assert_eq!(entries(&world.get(&path, &administrator).await), shown);
        }
        let user = user_id(&world, other, if other == "acme" { "eve" } else { "root" }).await;
        for filter in ["user", "actor"] {
            let path = format!("{AUDIT}?{filter}={user}");
            assert!(entries(&world.get(&path, &administrator).await).is_empty());
        }
        for named in [other, &foreign, "nowhere"] {
            let path = format!("{AUDIT}?tenant={named}");
            let answer = world.get(&path, &administrator).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{named}");
            assert_eq!(answer.code(), "permission_denied");
        }
    }
}

#[actix_web::test]
async fn each_parameter_keeps_to_what_it_names() {
    let world = world().await;
    world.clock.advance(core::time::Duration::from_hours(1));
    let eve = token(&world, "acme", "eve").await;
    let caller = world.get("/api/auth/me/", &eve).await;
    assert_eq!(caller.status, StatusCode::OK);
    let out = Request::new(Method::POST, "/api/auth/logout-all/");
    world.send(out.bearer(&eve)).await;
    let root = token(&world, "public", "root").await;
    let (acme, id) = (
        tenant_id(&world, "acme").await,
        user_id(&world, "acme", "eve").await,
    );
    let types = async |query: &str| {
        let shown = entries(&world.get(&format!("{AUDIT}?{query}"), &root).await);
        let mut types: Vec<String> = shown
            .iter()
            .map(|entry| text(&entry["type"]).to_owned())
            .collect();
        types.sort();
        types
    };
    let made = ["TenantCreated", "TenantDomainAdded", "UserCreated"];
    let done = ["SessionEnded", "UserLoggedIn"];
    let of_eve = ["SessionEnded", "UserCreated", "UserLoggedIn"];
    assert_eq!(types(&format!("user={id}")).await, of_eve);
    assert_eq!(types(&format!("actor={id}")).await, done);
    assert_eq!(types("type=TenantDomainAdded").await, [made[1]]);
    assert_eq!(types("type=Nothing").await, [""; 0]);
    for tenant in ["Acme", "acme", &acme] {
        let of_acme = format!("tenant={tenant}");
        let late = format!("{of_acme}&from=2026-01-01T01:00:00Z");
        let early = format!("{of_acme}&to=2026-01-01T02:00:00%2B01:00");
        assert_eq!(types(&late).await, done);
        assert_eq!(types(&early).await, made);
        assert_eq!(
            types(&format!("{late}&to=2026-01-01T01:00:00Z")).await,
            [""; 0]
        );
    }
}

#[actix_web::test]
async fn the_trail_is_read_page_by_page() {
    let world = world().await;
    let root = token(&world, "public", "root").await;
    let all = entries(&world.get(AUDIT, &root).await);
    let (mut paged, mut path) = (Vec::new(), format!("{AUDIT}?limit=2"));
    loop {
        let answer = world.get(&path, &root).await;
        assert!(entries(&answer).len() <= 2);
        paged.extend(entries(&answer));
        let next = &answer.json()["next"];
        if next.is_null() {
            break;
        }
        path = format!("{AUDIT}?limit=2&before={}", text(next));
    }
    assert_eq!(paged, all);
}

#[actix_web::test]
async fn a_wrong_parameter_is_named() {
    let world = world().await;
    let root = token(&world, "public", "root").await;
    let uuid = "Must be a valid UUID.";
    let time = "Must be a time as RFC 3339 has it.";
    for (query, field, told) in [
        ("user=ada", "user", uuid),
        ("actor=7", "actor", uuid),
        ("type=User%20Created", "type", "Must be a type of event."),
        ("from=yesterday", "from", time),
        ("to=2026-01-01", "to", time),
        ("before=7", "before", "Invalid cursor."),
        (
            "limit=0",
            "limit",
            "Ensure this value is greater than or equal to 1.",
        ),
        ("tenant=nowhere", "tenant", "There is no such tenant."),
    ] {
        let answer = world.get(&format!("{AUDIT}?{query}"), &root).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.code(), "invalid_input");
        let pointer = format!("#/{field}");
        let errors = json!([{"pointer": pointer, "detail": told}]);
        assert_eq!(answer.json()["errors"], errors, "{query}");
    }
}

#[actix_web::test]
async fn who_administers_nothing_does_not_read_the_trail() {
    let world = world().await;
    let ada = token(&world, "public", "ada").await;
    for path in [AUDIT, "/api/admin/audit/?limit=0"] {
        let answer = world.get(path, &ada).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
        assert_eq!(answer.code(), "permission_denied");
    }
    let none = world.send(Request::new(Method::GET, AUDIT)).await;
    assert_eq!(none.code(), "not_authenticated");
    let other = world.send(Request::new(Method::DELETE, AUDIT)).await;
    assert_eq!(other.status, StatusCode::METHOD_NOT_ALLOWED);
}
