//! Administration of users, on the wire.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_app::Store;
use tessera_domain::{MailKind, User};

use crate::world::{Answer, PASSWORD, Request, World, members, text};

const USERS: &str = "/api/admin/users/";
const NOBODY: &str = "019ac0de-7b1a-7c3e-9f00-3f2a6b1c9d10";

/// What is done with one user, and a body for it.
const ACTIONS: [(Method, &str, Option<&str>); 8] = [
    (Method::GET, "", None),
    (Method::PATCH, "", Some(r#"{"first_name":"Mud"}"#)),
    (Method::POST, "disable/", None),
    (Method::POST, "enable/", None),
    (Method::POST, "unlock/", None),
    (Method::POST, "logout/", None),
    (Method::GET, "sessions/", None),
    (Method::DELETE, "", None),
];

/// An account of each kind: `root` administers the platform, `hal` the default tenant, `eve` the
/// tenant Acme; `ada`, of the default tenant, and `bob`, of Acme, administer none.
struct Accounts {
    world: World,
    root: String,
    hal: String,
    eve: String,
}

impl Accounts {
    async fn new() -> Self {
        let world = World::new().await;
        world.add_tenant("Acme", "acme.example").await;
        for (tenant, name, role) in [
            ("public", "root", "platform-admin"),
            ("public", "hal", "tenant-admin"),
            ("acme", "eve", "tenant-admin"),
            ("acme", "bob", "editor"),
        ] {
            let email = format!("{name}@{tenant}.example");
            world.add_user_with(tenant, &email, name, role).await;
        }
        Self {
            root: token(&world, "public", "root").await,
            hal: token(&world, "public", "hal").await,
            eve: token(&world, "acme", "eve").await,
            world,
        }
    }

    async fn user(&self, tenant: &str, name: &str) -> User {
        let tenant = self.world.tessera.tenant(tenant).await.unwrap().unwrap();
        let found = self.world.tessera.user(&tenant, name).await;
        found.unwrap().unwrap()
    }

    async fn id(&self, tenant: &str, name: &str) -> String {
        self.user(tenant, name).await.id.to_string()
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let request = Request::new(method, path).bearer(token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.world.send(request).await
    }

    async fn patch(&self, id: &str, query: &str, token: &str, body: Value) -> Answer {
        let path = format!("{USERS}{id}/{query}");
        self.send(Method::PATCH, &path, token, Some(body)).await
    }

    /// Everybody there is, as stored.
    async fn everybody(&self) -> Vec<User> {
        let mut everybody = Vec::new();
        for tenant in self.world.store.tenants().await.unwrap() {
            let all = tessera_app::UserFilter::default();
            let users = self.world.store.users(&tenant, &all, None, 100).await;
            everybody.extend(users.unwrap());
        }
        everybody
    }
}

async fn token(world: &World, tenant: &str, username: &str) -> String {
    let credentials = json!({"username": username, "password": PASSWORD});
    let path = format!("/t/{tenant}/api/token/");
    let pair = world.post(&path, credentials).await.json();
    text(&pair["access"]).to_owned()
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    let users = body["users"].as_array().unwrap().iter();
    let mut names: Vec<String> = users
        .map(|user| text(&user["username"]).to_owned())
        .collect();
    names.sort_unstable();
    names
}

fn assert_problem(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.code(), code);
}

#[actix_web::test]
async fn an_administrator_lists_the_own_tenant_and_one_of_the_platform_any() {
    let they = Accounts::new().await;
    let public: &[&str] = &["ada", "hal", "root"];
    let acme = &["bob", "eve"];
    for (token, query, expected) in [
        (&they.root, "", public),
        (&they.root, "?tenant=acme", acme),
        (&they.root, "?tenant=ACME&is_active=true", acme),
        (&they.root, "?tenant=", public),
        (&they.hal, "", public),
        (&they.hal, "?tenant=public", public),
        (&they.eve, "", acme),
        (&they.eve, "?tenant=Acme", acme),
        (&they.eve, "?search=B", &["bob"]),
        (&they.eve, "?search=bob%40acme.example", &["bob"]),
        (&they.eve, "?search=ada", &[]),
        (&they.eve, "?role=tenant-admin", &["eve"]),
        (&they.eve, "?is_active=false", &[]),
        (&they.eve, "?email_verified=false", &[]),
        (&they.eve, "?email_verified=true&role=editor", &["bob"]),
    ] {
        let answer = they.world.get(&format!("{USERS}{query}"), token).await;
        assert_eq!(names(&answer), expected, "{query}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json()["next"], Value::Null);
    }
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?after=7", "after"),
        ("?is_active=perhaps", "is_active"),
        ("?email_verified=1", "email_verified"),
        ("?role=a,b", "role"),
        ("?tenant=nowhere", "tenant"),
    ] {
        let answer = they.world.get(&format!("{USERS}{query}"), &they.root).await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
        assert!(answer.json()[field][0].is_string(), "{}", answer.text);
    }
}

#[actix_web::test]
async fn a_list_is_paged_by_its_cursor() {
    let they = Accounts::new().await;
    let (mut found, mut query) = (Vec::new(), "?limit=2".to_owned());
    let next = loop {
        let answer = they.world.get(&format!("{USERS}{query}"), &they.hal).await;
        let page = names(&answer);
        assert!(page.len() <= 2);
        found.extend(page);
        match answer.json()["next"].as_str() {
            Some(next) => query = format!("?limit=2&after={next}"),
            None => break answer.json()["next"].clone(),
        }
    };
    found.sort_unstable();
    assert_eq!(
        (found, next),
        (
            vec!["ada", "hal", "root"]
                .into_iter()
                .map(str::to_owned)
                .collect(),
            Value::Null
        )
    );
}

#[actix_web::test]
async fn a_user_is_shown_as_anywhere_else_and_nothing_secret_with_it() {
    let they = Accounts::new().await;
    let bob = they.id("acme", "bob").await;
    let answer = they.world.get(&format!("{USERS}{bob}"), &they.eve).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["id"], bob);
    let mine = token(&they.world, "acme", "bob").await;
    let own = they.world.get("/api/auth/validate/", &mine).await.json();
    let (own, shown) = (&own["user"], answer.json());
    assert_eq!(members(&shown), members(own));
}

#[actix_web::test]
async fn who_is_invited_gets_a_mail_and_nobody_a_password() {
    let they = Accounts::new().await;
    let body = json!({
        "email": " Zoe@Acme.example ", "username": "zoe", "first_name": "Zoe", "last_name": "Ö",
        "job_role": "auditor", "roles": ["auditor", "tenant-admin", "auditor"],
        "password": "a password that nobody sets", "email_verified": true,
    });
    let answer = they.send(Method::POST, USERS, &they.eve, Some(body)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let shown = answer.json();
    for (member, expected) in [
        ("email", json!("Zoe@Acme.example")),
        ("username", json!("zoe")),
        ("first_name", json!("Zoe")),
        ("last_name", json!("Ö")),
        ("job_role", json!("auditor")),
        ("role", json!("auditor")),
        ("roles", json!(["auditor", "tenant-admin"])),
        ("is_active", json!(true)),
        ("is_superuser", json!(false)),
        ("email_verified", json!(false)),
        ("tenant", json!("Acme")),
        ("last_login", Value::Null),
    ] {
        assert_eq!(shown[member], expected, "{member}");
    }
    assert_eq!(they.user("acme", "zoe").await.password, None);
    let mails = they.world.store.mails();
    assert_eq!(mails.last().unwrap().kind, MailKind::Invitation);
    let credentials = json!({"username": "zoe", "password": "a password that nobody sets"});
    let answer = they.world.post("/t/acme/api/token/", credentials).await;
    assert_problem(&answer, StatusCode::UNAUTHORIZED, "invalid_credentials");
}

#[actix_web::test]
async fn an_invitation_says_what_is_wrong_with_it() {
    let they = Accounts::new().await;
    let before = they.everybody().await;
    for (body, field) in [
        (json!({}), "email"),
        (json!({"email": "zoe"}), "email"),
        (json!({"email": "BOB@acme.example"}), "email"),
        (
            json!({"email": "z@a.example", "username": "Bob"}),
            "username",
        ),
        (
            json!({"email": "z@a.example", "username": "a@b"}),
            "username",
        ),
        (
            json!({"email": "z@a.example", "first_name": "x".repeat(151)}),
            "first_name",
        ),
        (json!({"email": "z@a.example", "roles": "editor"}), "roles"),
        (json!({"email": "z@a.example", "roles": ["a,b"]}), "roles"),
        (json!({"email": "z@a.example", "roles": [7]}), "roles"),
        (
            json!({"email": "z@a.example", "roles": vec!["a"; 33]}),
            "roles",
        ),
        (
            json!({"email": "z@a.example", "is_superuser": 1}),
            "is_superuser",
        ),
    ] {
        let shown = body.to_string();
        let answer = they.send(Method::POST, USERS, &they.eve, Some(body)).await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
        assert!(
            answer.json()[field][0].is_string(),
            "{shown}: {}",
            answer.text
        );
    }
    assert_eq!(they.everybody().await, before);
    assert_eq!(they.world.store.mails(), []);
}

#[actix_web::test]
async fn a_user_is_changed_disabled_enabled_logged_out_and_deleted() {
    let they = Accounts::new().await;
    let bob = they.id("acme", "bob").await;
    let session = token(&they.world, "acme", "bob").await;
    let path = |action: &str| format!("{USERS}{bob}/{action}");
    let body = json!({"roles": ["b", "a"], "first_name": " Robert ", "last_name": ""});
    let changed = they.patch(&bob, "", &they.eve, body).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let shown = changed.json();
    assert_eq!(shown["roles"], json!(["b", "a"]));
    assert_eq!([&shown["first_name"], &shown["last_name"]], ["Robert", ""]);
    // In tokens as well, in their order.
    let validated = they.world.get("/api/auth/validate/", &session).await.json();
    assert_eq!(validated["user"]["roles"], json!(["b", "a"]));

    let sessions = they.world.get(&path("sessions/"), &they.eve).await.json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(sessions["sessions"][0]["current"], false);
    let out = they
        .send(Method::POST, &path("logout/"), &they.eve, None)
        .await;
    assert_eq!(out.status, StatusCode::OK, "{}", out.text);
    let over = they.world.get("/api/auth/validate/", &session).await;
    assert_problem(&over, StatusCode::UNAUTHORIZED, "token_not_valid");

    for (action, active) in [("disable/", false), ("enable/", true), ("unlock/", true)] {
        let answer = they
            .send(Method::POST, &path(action), &they.eve, None)
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json()["is_active"], active, "{action}");
    }
    let gone = they.send(Method::DELETE, &path(""), &they.eve, None).await;
    assert_eq!((gone.status, &*gone.text), (StatusCode::NO_CONTENT, ""));
    let again = they.send(Method::DELETE, &path(""), &they.eve, None).await;
    assert_problem(&again, StatusCode::NOT_FOUND, "not_found");
}

#[actix_web::test]
async fn a_user_of_another_tenant_is_not_there_whatever_is_asked_for() {
    let they = Accounts::new().await;
    let [ada, root, bob] = [
        they.id("public", "ada").await,
        they.id("public", "root").await,
        they.id("acme", "bob").await,
    ];
    let before = they.everybody().await;
    for (token, id) in [
        (&they.eve, &*ada),
        (&they.eve, &root),
        (&they.hal, &bob),
        (&they.root, &bob),
        (&they.eve, NOBODY),
        (&they.root, NOBODY),
        (&they.eve, "nonsense"),
        (&they.eve, "%00"),
        (&they.eve, "bob"),
    ] {
        for (method, action, body) in ACTIONS {
            let body = body.map(|body| serde_json::from_str(body).unwrap());
            let path = format!("{USERS}{id}/{action}");
            let answer = they.send(method, &path, token, body).await;
            assert_problem(&answer, StatusCode::NOT_FOUND, "not_found");
        }
    }
    assert_eq!(they.everybody().await, before);
}

#[actix_web::test]
async fn another_tenant_cannot_be_named_but_by_the_platforms_administrators() {
    let they = Accounts::new().await;
    let [ada, bob] = [they.id("public", "ada").await, they.id("acme", "bob").await];
    let before = they.everybody().await;
    let acme = they.world.tessera.tenant("acme").await.unwrap().unwrap();
    let by_id = acme.id.to_string();
    for (token, id, tenant) in [
        (&they.eve, &ada, "public"),
        (&they.eve, &ada, "nowhere"),
        (&they.hal, &bob, "acme"),
        (&they.hal, &bob, &by_id),
    ] {
        let query = format!("?tenant={tenant}");
        for (method, action, body) in ACTIONS {
            let body = body.map(|body| serde_json::from_str(body).unwrap());
            let path = format!("{USERS}{id}/{action}{query}");
            let answer = they.send(method, &path, token, body).await;
            assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
        }
        let list = they.world.get(&format!("{USERS}{query}"), token).await;
        assert_problem(&list, StatusCode::FORBIDDEN, "permission_denied");
        let invitation = json!({"email": "zoe@example.com"});
        let path = format!("{USERS}{query}");
        let answer = they
            .send(Method::POST, &path, token, Some(invitation))
            .await;
        assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
        // Nor by path or header, which contradict the token.
        for request in [
            Request::new(Method::GET, &format!("/t/{tenant}{USERS}")),
            Request::new(Method::GET, USERS).header("x-tenant", tenant),
        ] {
            let answer = they.world.send(request.bearer(token)).await;
            assert_problem(&answer, StatusCode::UNAUTHORIZED, "token_not_valid");
        }
    }
    assert_eq!(they.everybody().await, before);
    for (method, action, body) in ACTIONS {
        let body = body.map(|body| serde_json::from_str(body).unwrap());
        let path = format!("{USERS}{bob}/{action}?tenant={by_id}");
        let answer = they.send(method, &path, &they.root, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }
}

#[actix_web::test]
async fn who_administers_nothing_does_nothing() {
    let they = Accounts::new().await;
    let ada = token(&they.world, "public", "ada").await;
    let id = they.id("public", "hal").await;
    let before = they.everybody().await;
    for path in [
        USERS.to_owned(),
        format!("{USERS}?limit=0"),
        format!("{USERS}?tenant=acme"),
    ] {
        let answer = they.world.get(&path, &ada).await;
        assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
    }
    let invitation = json!({"email": "zoe@example.com"});
    let answer = they.send(Method::POST, USERS, &ada, Some(invitation)).await;
    assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
    for id in [&*id, NOBODY, "nonsense"] {
        for (method, action, body) in ACTIONS {
            let body = body.map(|body| serde_json::from_str(body).unwrap());
            let path = format!("{USERS}{id}/{action}");
            let answer = they.send(method, &path, &ada, body).await;
            assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
        }
    }
    assert_eq!(they.everybody().await, before);
}

#[actix_web::test]
async fn a_tenants_administrator_does_not_touch_the_platforms() {
    let they = Accounts::new().await;
    let root = they.id("public", "root").await;
    let before = they.everybody().await;
    for (method, action, body) in ACTIONS {
        if method == Method::GET {
            continue;
        }
        let body = body.map(|body| serde_json::from_str(body).unwrap());
        let path = format!("{USERS}{root}/{action}");
        let answer = they.send(method, &path, &they.hal, body).await;
        assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
    }
    assert_eq!(they.everybody().await, before);
}

#[actix_web::test]
async fn no_field_makes_an_administrator_of_the_platform() {
    let they = Accounts::new().await;
    for (tenant, token) in [("public", &they.hal), ("acme", &they.eve)] {
        let own = if tenant == "public" { "hal" } else { "eve" };
        let id = they.id(tenant, own).await;
        let before = they.everybody().await;
        for roles in [
            json!(["tenant-admin", "platform-admin"]),
            json!(["tenant-admin", " platform-admin "]),
            json!(["tenant-admin", "Platform-Admin"]),
            json!(["tenant-admin", "ｐlatform-admin"]),
        ] {
            let answer = they.patch(&id, "", token, json!({"roles": roles})).await;
            assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
            let invitation = json!({"email": "zoe@example.com", "roles": roles});
            let answer = they
                .send(Method::POST, USERS, token, Some(invitation))
                .await;
            assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
        }
        let answer = they
            .patch(&id, "", token, json!({"is_superuser": true}))
            .await;
        assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
        let invitation = json!({"email": "zoe@example.com", "is_superuser": true});
        let answer = they
            .send(Method::POST, USERS, token, Some(invitation))
            .await;
        assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
        assert_eq!(they.everybody().await, before);
    }
    let bob = they.id("acme", "bob").await;
    let body = json!({"roles": ["platform-admin"]});
    let answer = they.patch(&bob, "?tenant=acme", &they.root, body).await;
    assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
}

#[actix_web::test]
async fn fields_that_are_none_change_nothing_in_any_spelling() {
    let they = Accounts::new().await;
    let mine = they.id("acme", "eve").await;
    let foreign = they.world.tessera.tenant("public").await.unwrap().unwrap();
    let foreign = foreign.id.to_string();
    let before = they.everybody().await;
    let yes = json!(true);
    let admin = json!("platform-admin");
    let user = json!({"is_superuser": true, "roles": ["platform-admin"], "tenant_id": foreign});
    for (name, value) in [
        ("isSuperuser", &yes),
        ("IS_SUPERUSER", &yes),
        ("is_superuser ", &yes),
        ("is-superuser", &yes),
        ("superuser", &yes),
        ("is_staff", &yes),
        ("is_admin", &yes),
        ("admin", &yes),
        ("role", &admin),
        ("Roles", &json!(["platform-admin"])),
        ("roles[]", &admin),
        ("roles[0]", &admin),
        ("roles.0", &admin),
        ("groups", &json!(["platform-admin"])),
        ("permissions", &json!(["*"])),
        ("user_permissions", &json!(["*"])),
        ("scope", &admin),
        ("tenant", &json!("public")),
        ("tenant_id", &json!(foreign)),
        ("tenantId", &json!(foreign)),
        ("tenant_schema", &json!("public")),
        ("schema", &json!("public")),
        ("id", &json!(NOBODY)),
        ("user_id", &json!(NOBODY)),
        ("sub", &json!(NOBODY)),
        ("external_id", &json!("7")),
        ("email", &json!("mallory@example.com")),
        ("username", &json!("mallory")),
        ("email_verified", &json!(false)),
        ("emailVerified", &json!(false)),
        ("is_verified", &json!(false)),
        ("password", &json!("another horse battery")),
        ("new_password", &json!("another horse battery")),
        (
            "password_hash",
            &json!("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"),
        ),
        ("status", &json!("disabled")),
        ("active", &json!(false)),
        ("isActive", &json!(false)),
        ("lockout", &json!({"failures": 9})),
        ("locked_until", &json!("2099-01-01T00:00:00Z")),
        ("epoch", &json!(9)),
        ("version", &json!(9)),
        ("date_joined", &json!("1999-01-01T00:00:00Z")),
        ("last_login", &json!(null)),
        ("user", &user),
        ("data", &user),
        ("profile", &user),
        ("__proto__", &user),
        ("constructor", &json!({"prototype": user})),
        ("$set", &user),
    ] {
        let answer = they
            .patch(&mine, "", &they.eve, json!({ name: value }))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text);
        assert_eq!(they.everybody().await, before, "{name}");
    }
    for query in [
        "?is_superuser=true",
        "?roles=platform-admin&role=platform-admin",
        "?roles[]=platform-admin",
        "?is_active=false",
        "?email_verified=false",
        "?tenant_id=public&X-Tenant=public",
    ] {
        let answer = they.patch(&mine, query, &they.eve, json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
        assert_eq!(they.everybody().await, before, "{query}");
    }
    let form = "is_superuser=false&role=platform-admin&tenant_id=public&roles%5B%5D=platform-admin";
    let path = format!("{USERS}{mine}/");
    let request = Request::new(Method::PATCH, &path).bearer(&they.eve);
    let request = request.body("application/x-www-form-urlencoded", form);
    let answer = they.world.send(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(they.everybody().await, before);
}

#[actix_web::test]
async fn a_change_with_a_wrong_type_is_refused_whole() {
    let they = Accounts::new().await;
    let bob = they.id("acme", "bob").await;
    let before = they.everybody().await;
    for (name, value) in [
        ("roles", json!("tenant-admin")),
        ("roles", json!({"0": "tenant-admin"})),
        ("roles", json!(["editor", null])),
        ("roles", json!(["editor", ["platform-admin"]])),
        ("roles", json!(null)),
        ("is_active", json!("no")),
        ("is_active", json!(0)),
        ("is_active", json!(null)),
        ("is_superuser", json!([true])),
        ("first_name", json!(null)),
        ("first_name", json!({"a": 1})),
        ("job_role", json!(7)),
    ] {
        let body = json!({"last_name": "Changed", name: value});
        let answer = they.patch(&bob, "", &they.eve, body).await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
        assert!(answer.json()[name][0].is_string(), "{}", answer.text);
    }
    assert_eq!(they.everybody().await, before);
}

#[actix_web::test]
async fn nobody_locks_themselves_out() {
    let they = Accounts::new().await;
    for (tenant, name, token) in [("public", "root", &they.root), ("acme", "eve", &they.eve)] {
        let id = they.id(tenant, name).await;
        let before = they.everybody().await;
        let path = |action: &str| format!("{USERS}{id}/{action}");
        let none = json!({"roles": []});
        for (method, action, body) in [
            (Method::POST, "disable/", None),
            (Method::DELETE, "", None),
            (Method::PATCH, "", Some(json!({"is_active": false}))),
            (Method::PATCH, "", Some(none)),
            (Method::PATCH, "", Some(json!({"roles": ["editor"]}))),
        ] {
            let answer = they.send(method, &path(action), token, body).await;
            assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
            let told = answer.json()["non_field_errors"][0].clone();
            assert!(text(&told).starts_with("You cannot"), "{told}");
        }
        assert_eq!(they.everybody().await, before);
    }
}

#[actix_web::test]
async fn without_a_good_token_no_user_is_administered() {
    let they = Accounts::new().await;
    let bob = they.id("acme", "bob").await;
    for (method, action, _) in ACTIONS {
        let path = format!("{USERS}{bob}/{action}");
        let answer = they.world.send(Request::new(method, &path)).await;
        assert_problem(&answer, StatusCode::UNAUTHORIZED, "not_authenticated");
    }
}
