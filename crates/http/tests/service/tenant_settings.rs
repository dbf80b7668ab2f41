//! The settings of tenants, on the wire.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_app::TenantAdministration;
use tessera_http::RefreshCookie;

use crate::world::{Answer, PASSWORD, Request, World, members, text};

const NOBODY: &str = "019ac0de-7b1a-7c3e-9f00-3f2a6b1c9d10";

/// `root` administers the platform, `eve` the tenant Acme Corp, `bob` of it nothing.
struct Accounts {
    world: World,
    root: String,
    eve: String,
    bob: String,
}

impl Accounts {
    async fn new() -> Self {
        let world = World::new().await;
        world.add_tenant("Acme Corp", "acme.example").await;
        world.add_tenant("Other", "other.example").await;
        for (tenant, name, role) in [
            ("public", "root", "platform-admin"),
            ("acme_corp", "eve", "tenant-admin"),
            ("acme_corp", "bob", "editor"),
        ] {
            let email = format!("{name}@x.example");
            world.add_user_with(tenant, &email, name, role).await;
        }
        Self {
            root: token(&world, "public", "root").await,
            eve: token(&world, "acme_corp", "eve").await,
            bob: token(&world, "acme_corp", "bob").await,
            world,
        }
    }

    async fn show(&self, tenant: &str, token: &str) -> Answer {
        self.world.get(&path(tenant), token).await
    }

    async fn patch(&self, tenant: &str, token: &str, body: Value) -> Answer {
        let request = Request::new(Method::PATCH, &path(tenant)).bearer(token);
        self.world.send(request.json(&body)).await
    }
}

fn path(tenant: &str) -> String {
    format!("/api/admin/tenants/{tenant}/settings/")
}

async fn token(world: &World, tenant: &str, username: &str) -> String {
    let credentials = json!({"username": username, "password": PASSWORD});
    let path = format!("/t/{tenant}/api/token/");
    let pair = world.post(&path, credentials).await.json();
    text(&pair["access"]).to_owned()
}

fn nothing_set() -> Value {
    json!({
        "registration": null,
        "password_chars": null,
        "job_role_by": "administrators",
        "access_seconds": null,
        "refresh_seconds": null,
        "allowed_origins": [],
        "mail_from": null,
        "issuer": "installation",
    })
}

#[actix_web::test]
async fn an_administrator_of_the_platform_sets_all_and_null_takes_it_back() {
    let they = Accounts::new().await;
    let tenant = they.world.tessera.tenant("Acme Corp").await;
    let id = tenant.unwrap().unwrap().id.to_string();
    let all = json!({
        "registration": "invite",
        "password_chars": 12,
        "job_role_by": "users",
        "access_seconds": 300,
        "refresh_seconds": 3600,
        "allowed_origins": ["https://app.acme.example", "http://localhost:3000"],
        "mail_from": "Acme <id@acme.example>",
        "issuer": "tenant",
    });
    for named in [id.as_str(), "acme_corp", "Acme%20Corp"] {
        let answer = they.show(named, &they.root).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, nothing_set())
        );
        let answer = they.patch(named, &they.root, all.clone()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, all.clone())
        );
        assert_eq!(they.show(named, &they.root).await.json(), all);
        let other = they.show("Other", &they.root).await;
        assert_eq!(other.json(), nothing_set());
        let null = members(&all).into_iter().map(|name| (name, Value::Null));
        let answer = they.patch(named, &they.root, null.collect()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, nothing_set())
        );
    }
}

#[actix_web::test]
async fn what_is_not_named_stays_and_what_is_no_setting_is_nothing() {
    let they = Accounts::new().await;
    let first = json!({"registration": "closed", "access_seconds": 60});
    they.patch("other", &they.root, first).await;
    let second = json!({"access_seconds": "120", "status": "suspended", "name": 7});
    let answer = they.patch("other", &they.root, second).await;
    assert_eq!(answer.json()["registration"], "closed");
    assert_eq!(answer.json()["access_seconds"], 120);
    let form = "refresh_seconds=600&mail_from=a%40x.example";
    let request = Request::new(Method::PATCH, &path("other")).bearer(&they.root);
    let request = request.body("application/x-www-form-urlencoded", form);
    let answer = they.world.send(request).await;
    assert_eq!(answer.json()["refresh_seconds"], 600);
    assert_eq!(answer.json()["mail_from"], "a@x.example");
}

#[actix_web::test]
async fn a_wrong_value_is_told_by_its_name_and_changes_nothing() {
    let they = Accounts::new().await;
    for (name, wrong) in [
        ("registration", json!("perhaps")),
        ("registration", json!(true)),
        ("password_chars", json!(7)),
        ("password_chars", json!(65)),
        ("password_chars", json!(264)),
        ("password_chars", json!(8.5)),
        ("job_role_by", json!("")),
        ("access_seconds", json!(59)),
        ("access_seconds", json!(901)),
        ("access_seconds", json!(-60)),
        ("access_seconds", json!("60s")),
        ("refresh_seconds", json!(2_592_001)),
        ("refresh_seconds", json!([60])),
        ("allowed_origins", json!("https://a.example")),
        ("allowed_origins", json!(["https://a.example/"])),
        ("allowed_origins", json!(["*"])),
        ("allowed_origins", json!([null])),
        ("mail_from", json!("Acme")),
        ("mail_from", json!("A\r\nBcc: b@x.example <a@x.example>")),
        ("issuer", json!("https://a.example")),
    ] {
        let body = json!({"job_role_by": "users", name: wrong});
        let answer = they.patch("other", &they.root, body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.code(), "invalid_input");
        let pointer = format!("#/{name}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
        assert_eq!(they.show("other", &they.root).await.json(), nothing_set());
    }
    let bound = they.patch("other", &they.root, json!({"access_seconds": 901}));
    assert_eq!(
        bound.await.json()["access_seconds"],
        json!(["an access token lives between 60 and 900 seconds here"])
    );
    let origins: Vec<String> = (0..21).map(|n| format!("https://{n}.example")).collect();
    let answer = they.patch("other", &they.root, json!({"allowed_origins": origins}));
    assert_eq!(answer.await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn an_administrator_of_a_tenant_changes_what_is_not_the_platforms() {
    let they = Accounts::new().await;
    let own = json!({"registration": "open", "allowed_origins": ["https://a.example"]});
    let answer = they.patch("acme_corp", &they.eve, own).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let set = they.show("Acme%20Corp", &they.eve).await.json();
    assert_eq!(set["registration"], "open");
    for (name, value) in [("mail_from", "a@x.example"), ("issuer", "tenant")] {
        let body = json!({"registration": "closed", name: value});
        let answer = they.patch("acme_corp", &they.eve, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
        assert_eq!(answer.code(), "permission_denied");
        assert_eq!(
            answer.json()["detail"],
            format!("The setting {name} is for administrators of the platform to change.")
        );
    }
    assert_eq!(they.show("acme_corp", &they.eve).await.json(), set);
    let same = they.patch("acme_corp", &they.eve, set.clone()).await;
    assert_eq!((same.status, same.json()), (StatusCode::OK, set));
}

#[actix_web::test]
async fn whose_pages_may_call_where_the_platform_logs_in_is_the_platforms() {
    let they = Accounts::new().await;
    let world = &they.world;
    world
        .add_user_with("public", "tom@x.example", "tom", "tenant-admin")
        .await;
    let tom = token(world, "public", "tom").await;
    let own = json!({"registration": "closed"});
    let answer = they.patch("public", &tom, own).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let origins = json!({"allowed_origins": ["https://evil.example"]});
    let answer = they.patch("public", &tom, origins.clone()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(
        answer.json()["detail"],
        "The setting allowed_origins is for administrators of the platform to change."
    );
    let answer = they.patch("public", &they.root, origins.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let none = json!({"allowed_origins": []});
    let answer = they.patch("public", &tom, none).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let set = they.show("public", &tom).await.json();
    assert_eq!(set["allowed_origins"], origins["allowed_origins"]);
}

#[actix_web::test]
async fn another_tenant_is_to_an_administrator_of_one_as_one_that_does_not_exist() {
    let they = Accounts::new().await;
    let other = they.world.tessera.tenant("other").await;
    let other = other.unwrap().unwrap().id.to_string();
    let body = json!({"registration": "open"});
    for named in [
        other.as_str(),
        "other",
        "Other",
        "public",
        NOBODY,
        "nowhere",
        "%00",
    ] {
        for answer in [
            they.show(named, &they.eve).await,
            they.patch(named, &they.eve, body.clone()).await,
        ] {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{named}");
            assert_eq!(answer.code(), "permission_denied");
            let mut told = answer.json();
            told["instance"].take();
            let nowhere = they.show("nowhere", &they.eve).await;
            let mut expected = nowhere.json();
            expected["instance"].take();
            assert_eq!(told, expected, "{named}");
        }
    }
    assert_eq!(they.show("other", &they.root).await.json(), nothing_set());
    let unknown = they.show("nowhere", &they.root).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn the_settings_of_a_tenant_that_is_being_deleted_change_no_more() {
    let they = Accounts::new().await;
    let of = TenantAdministration::of_operator();
    let begun = they.world.tessera.begin_deletion(&of, "other");
    begun.await.unwrap();
    let shown = they.show("other", &they.root).await;
    assert_eq!(shown.status, StatusCode::OK);
    let settings = json!({"registration": "open"});
    let changed = they.patch("other", &they.root, settings).await;
    assert_eq!(changed.status, StatusCode::BAD_REQUEST);
    let rename = Request::new(Method::PATCH, "/api/admin/tenants/other/").bearer(&they.root);
    let renamed = they.world.send(rename.json(&json!({"name": "New"}))).await;
    let [mut told, mut expected] = [changed.json(), renamed.json()];
    told["instance"].take();
    expected["instance"].take();
    assert_eq!(told, expected);
}

#[actix_web::test]
async fn who_administers_nothing_sees_and_changes_nothing() {
    let they = Accounts::new().await;
    for answer in [
        they.show("acme_corp", &they.bob).await,
        they.patch("acme_corp", &they.bob, json!({"issuer": 7}))
            .await,
    ] {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    let request = Request::new(Method::GET, &path("acme_corp"));
    let answer = they.world.send(request).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn shorter_lives_are_those_that_answers_and_cookies_tell() {
    let they = Accounts::new().await;
    let lives = json!({"access_seconds": 60, "refresh_seconds": 120});
    they.patch("acme_corp", &they.eve, lives).await;
    let world = World {
        refresh_cookie: RefreshCookie::On,
        ..they.world
    };
    for (tenant, seconds, cookie) in [
        ("acme_corp", 60, "Max-Age=120"),
        ("public", 900, "Max-Age=2592000"),
    ] {
        let username = if tenant == "public" { "root" } else { "eve" };
        let credentials = json!({"username": username, "password": PASSWORD});
        let path = format!("/t/{tenant}/api/auth/login/");
        let answer = world.post(&path, credentials).await;
        assert_eq!(answer.json()["expires_in"], seconds);
        let set = answer.header("set-cookie");
        assert!(set.ends_with(cookie), "{set}");
        let refresh = json!({"refresh_token": answer.json()["refresh_token"]});
        let path = format!("/t/{tenant}/api/auth/refresh/");
        let answer = world.post(&path, refresh).await;
        assert_eq!(answer.json()["expires_in"], seconds);
        let access = answer.json()["access_token"].clone();
        let sessions = world.get("/api/auth/sessions/", text(&access)).await.json();
        let mut sessions = sessions["sessions"].as_array().unwrap().iter();
        let current = sessions.find(|session| session["current"] == true).unwrap();
        let end = if tenant == "public" {
            "2026-01-31T00:00:00Z"
        } else {
            "2026-01-01T00:02:00Z"
        };
        assert_eq!(current["expires_at"], end);
    }
}
