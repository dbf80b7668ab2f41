//! Administration of tenants, on the wire.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_app::{Layouts, MailRelay, Settings, Store, TenantAdministration};
use tessera_domain::{Tenant, TenantLayout};
use tessera_memory::MemoryMailer;

use crate::world::{Answer, PASSWORD, Request, World, members, settings, text};

const TENANTS: &str = "/api/admin/tenants/";
const NOBODY: &str = "019ac0de-7b1a-7c3e-9f00-3f2a6b1c9d10";

/// What is done with one tenant, and a body for it.
const ACTIONS: [(Method, &str, Option<&str>); 8] = [
    (Method::PATCH, "", Some(r#"{"name":"Mud"}"#)),
    (Method::POST, "suspend/", None),
    (Method::POST, "resume/", None),
    (Method::POST, "move/", Some(r#"{"to":"shared"}"#)),
    (
        Method::POST,
        "domains/",
        Some(r#"{"domain":"mud.example"}"#),
    ),
    (Method::POST, "domains/acme.example/primary/", None),
    (Method::DELETE, "domains/acme.example/", None),
    (Method::DELETE, "", None),
];

/// An account of each kind: `root` administers the platform, `hal` the default tenant, `eve` the
/// tenant Acme; `bob`, of Acme, administers none.
struct Accounts {
    world: World,
    root: String,
    eve: Value,
}

impl Accounts {
    async fn new() -> Self {
        Self::of(settings()).await
    }

    async fn of(settings: Settings) -> Self {
        let world = World::of(settings).await;
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
        let root = log_in(&world, "public", "root").await.json();
        let eve = log_in(&world, "acme", "eve").await.json();
        let root = text(&root["access"]).to_owned();
        Self { world, root, eve }
    }

    async fn access(&self, tenant: &str, name: &str) -> String {
        let pair = log_in(&self.world, tenant, name).await.json();
        text(&pair["access"]).to_owned()
    }

    /// What `root` is answered.
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send_as(&self.root, method, path, body).await
    }

    async fn send_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let path = format!("{TENANTS}{path}");
        let request = Request::new(method, &path).bearer(token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.world.send(request).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn acme(&self) -> Tenant {
        self.world
            .tessera
            .find_tenant("acme")
            .await
            .unwrap()
            .unwrap()
    }

    /// What the service does beside the requests.
    async fn upkeep(&self) {
        let tessera = &self.world.tessera;
        let begun = tessera.unfinished().await.unwrap();
        tessera.finish_deletions(&begun).await.unwrap();
        tessera
            .finish_moves(&begun, &|_, ended| _ = ended.unwrap())
            .await;
    }
}

async fn log_in(world: &World, tenant: &str, username: &str) -> Answer {
    let credentials = json!({"username": username, "password": PASSWORD});
    world
        .post(&format!("/t/{tenant}/api/token/"), credentials)
        .await
}

fn schemas(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    let tenants = body["tenants"].as_array().unwrap().iter();
    let schemas = tenants.map(|tenant| text(&tenant["schema"]).to_owned());
    schemas.collect()
}

fn assert_problem(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.code(), code);
}

#[actix_web::test]
async fn a_tenant_is_made_shown_and_listed_by_schema_name() {
    let they = Accounts::new().await;
    let body = json!({"name": " Bücher & Co ", "schema": "books", "layout": "shared",
        "domains": ["Bücher.example", "books.example"]});
    let made = they.post("", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let tenant = made.json();
    assert_eq!(
        members(&tenant),
        [
            "created_at",
            "domains",
            "id",
            "layout",
            "moving_to",
            "name",
            "primary_domain",
            "schema",
            "settings",
            "status"
        ]
    );
    assert_eq!(tenant["name"], "Bücher & Co");
    assert_eq!(tenant["primary_domain"], "xn--bcher-kva.example");
    assert_eq!(
        (&tenant["layout"], &tenant["status"]),
        (&json!("shared"), &json!("active"))
    );
    for named in [
        text(&tenant["id"]),
        "books",
        "BOOKS",
        "b%C3%BCcher%20&%20co",
    ] {
        let shown = they.send(Method::GET, &format!("{named}/"), None).await;
        assert_eq!(shown.json(), tenant, "{named}");
    }
    let all = ["acme", "books", "public"];
    let list = |query: &'static str| they.send(Method::GET, query, None);
    assert_eq!(schemas(&list("").await), all);
    assert_eq!(schemas(&list("?search=b%C3%9C").await), ["books"]);
    assert_eq!(schemas(&list("?search=PUB").await), ["public"]);
    let first = list("?limit=2").await;
    assert_eq!(schemas(&first), all[..2]);
    assert_eq!(first.json()["next"], "books");
    let last = list("?limit=2&after=books").await;
    assert_eq!(schemas(&last), all[2..]);
    assert_eq!(last.json()["next"], Value::Null);
    assert_eq!(schemas(&list("?after=public").await), [""; 0]);
    for query in ["?limit=0", "?after=a%20b", "?search=%00"] {
        assert_problem(&list(query).await, StatusCode::BAD_REQUEST, "invalid_input");
    }
}

#[actix_web::test]
async fn a_tenant_made_without_words_has_what_the_installation_and_the_name_say() {
    let they = Accounts::of(Settings {
        tenant_layout: TenantLayout::Shared,
        ..settings()
    })
    .await;
    let made = they.post("", json!({"name": "Other Ltd."})).await.json();
    assert_eq!(made["schema"], "other_ltd_");
    assert_eq!(
        (&made["layout"], &made["domains"]),
        (&json!("shared"), &json!([]))
    );
}

#[actix_web::test]
async fn what_cannot_be_a_tenant_is_told_field_by_field() {
    let they = Accounts::new().await;
    let long = "x".repeat(64);
    let domains: Vec<String> = (0..101).map(|n| format!("d{n}.example")).collect();
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": "  "}), "name"),
        (json!({"name": 7}), "name"),
        (json!({"name": "a\"b"}), "name"),
        (json!({"name": "a/b"}), "name"),
        (json!({"name": "x".repeat(101)}), "name"),
        (json!({"name": "ACME"}), "name"),
        (json!({"name": "Public"}), "schema"),
        (json!({"name": "Other", "schema": "Acme"}), "name"),
        (json!({"name": "Other", "schema": long}), "schema"),
        (json!({"name": "Other", "schema": "o'ther"}), "schema"),
        (json!({"name": "Other", "schema": "o;ther"}), "schema"),
        (json!({"name": "Other", "schema": "public"}), "schema"),
        (json!({"name": "Other", "schema": "pg_other"}), "schema"),
        (json!({"name": "Other", "schema": "tessera"}), "schema"),
        (json!({"name": "pg_catalog"}), "schema"),
        (json!({"name": "Other", "domains": "x.example"}), "domains"),
        (json!({"name": "Other", "domains": ["no host"]}), "domains"),
        (
            json!({"name": "Other", "domains": ["ACME.example."]}),
            "domains",
        ),
        (json!({"name": "Other", "domains": domains}), "domains"),
        (json!({"name": "Other", "layout": "row"}), "layout"),
    ] {
        let answer = they.post("", body.clone()).await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
        let errors = answer.json()["errors"].clone();
        assert_eq!(errors[0]["pointer"], format!("#/{field}"), "{body}");
        assert!(answer.json()[field].is_array(), "{body}");
    }
    let nul = they.post("", json!({"name": "a\0b"})).await;
    assert_eq!(nul.status, StatusCode::BAD_REQUEST);
    assert_eq!(they.world.store.tenants().await.unwrap().len(), 2);
}

#[actix_web::test]
async fn a_tenant_is_renamed_and_its_tokens_go_on() {
    let they = Accounts::new().await;
    let rename = |body| they.send(Method::PATCH, "acme/", Some(body));
    let renamed = rename(json!({"name": "Mud & Sons", "schema": "mud"}))
        .await
        .json();
    assert_eq!(
        (&renamed["name"], &renamed["schema"]),
        (&json!("Mud & Sons"), &json!("acme"))
    );
    let me = they
        .world
        .get("/api/auth/me/", text(&they.eve["access"]))
        .await;
    assert_eq!(me.json()["tenant"], "Mud & Sons");
    assert_eq!(rename(json!({})).await.json(), renamed);
    for wrong in [
        json!({"name": "PUBLIC"}),
        json!({"name": ""}),
        json!({"name": null}),
    ] {
        let answer = rename(wrong).await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
        assert!(answer.json()["name"].is_array());
    }
    let default = they
        .send(Method::PATCH, "public/", Some(json!({"name": "Ours"})))
        .await;
    assert_eq!(default.json()["schema"], "public");
    let me = they.world.get("/api/auth/me/", &they.root).await;
    assert_eq!(me.json()["tenant"], "Ours");
}

#[actix_web::test]
async fn a_domain_names_whom_it_hides_and_goes_again() {
    let they = Accounts::new().await;
    they.world
        .add_user("public", "zoe@mud.example", "zoe")
        .await;
    let added = they.post(
        "acme/domains/",
        json!({"domain": "MUD.example", "primary": true}),
    );
    let added = added.await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    let body = added.json();
    assert_eq!(body["domains"], json!(["acme.example", "mud.example"]));
    assert_eq!(body["primary_domain"], "mud.example");
    let hidden = body["hidden_users"].as_array().unwrap();
    assert_eq!(hidden.len(), 1);
    assert_eq!(
        (&hidden[0]["email"], &hidden[0]["tenant"]),
        (&json!("zoe@mud.example"), &json!("public"))
    );

    let path = "acme/domains/ACME.example/primary/";
    let primary = they.send(Method::POST, path, None).await.json();
    assert_eq!(primary["primary_domain"], "acme.example");
    let path = "acme/domains/acme.example/";
    let removed = they.send(Method::DELETE, path, None).await.json();
    assert_eq!(
        (&removed["domains"], &removed["primary_domain"]),
        (&json!(["mud.example"]), &json!("mud.example"))
    );
    for (method, path) in [
        (Method::DELETE, "acme/domains/acme.example/"),
        (Method::DELETE, "acme/domains/no%20host/"),
        (Method::POST, "acme/domains/acme.example/primary/"),
    ] {
        let answer = they.send(method, path, None).await;
        assert_problem(&answer, StatusCode::NOT_FOUND, "not_found");
    }
    they.post("", json!({"name": "Other", "domains": ["other.example"]}))
        .await;
    for wrong in ["", "no host", "other.example"] {
        let answer = they.post("acme/domains/", json!({"domain": wrong})).await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
        assert!(answer.json()["domain"].is_array(), "{wrong}");
    }
}

#[actix_web::test]
async fn tenants_are_administered_by_the_platform_alone_and_shown_to_their_own() {
    let they = Accounts::new().await;
    let (hal, bob) = (
        they.access("public", "hal").await,
        they.access("acme", "bob").await,
    );
    let eve = text(&they.eve["access"]);
    let before = they.world.store.tenants().await.unwrap();
    for token in [eve, &hal, &bob] {
        for named in ["acme", "public", "nowhere", NOBODY] {
            for (method, action, body) in &ACTIONS {
                let path = format!("{named}/{action}");
                for body in [
                    body.map(|it| serde_json::from_str(it).unwrap()),
                    Some(json!({})),
                ] {
                    let answer = they.send_as(token, method.clone(), &path, body).await;
                    assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
                }
            }
        }
        for (method, body) in [
            (Method::GET, None),
            (Method::POST, Some(json!({"name": "Mud"}))),
        ] {
            let answer = they.send_as(token, method, "", body).await;
            assert_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
        }
    }
    assert_eq!(they.world.store.tenants().await.unwrap(), before);
    let acme = they.acme().await.id.to_string();
    for (token, named, status) in [
        (eve, "acme", 200),
        (eve, "ACME", 200),
        (eve, &*acme, 200),
        (eve, "public", 403),
        (eve, "nowhere", 403),
        (eve, NOBODY, 403),
        (&*hal, "public", 200),
        (&hal, "acme", 403),
        (&bob, "acme", 403),
        (&they.root, "acme", 200),
        (&they.root, "nowhere", 404),
        (&they.root, NOBODY, 404),
        (&they.root, "a%22b", 404),
    ] {
        let answer = they
            .send_as(token, Method::GET, &format!("{named}/"), None)
            .await;
        assert_eq!(answer.status.as_u16(), status, "{named}: {}", answer.text);
    }
    for (method, action, body) in &ACTIONS {
        let path = format!("nowhere/{action}");
        let body = body.map(|it| serde_json::from_str(it).unwrap());
        let answer = they.send(method.clone(), &path, body).await;
        assert_problem(&answer, StatusCode::NOT_FOUND, "not_found");
    }
}

#[actix_web::test]
async fn a_suspended_tenant_is_closed_at_once_until_it_is_resumed() {
    let they = Accounts::new().await;
    let access = text(&they.eve["access"]);
    // This process has just seen it open.
    assert_eq!(
        log_in(&they.world, "acme", "bob").await.status,
        StatusCode::OK
    );
    let suspended = they.send(Method::POST, "acme/suspend/", None).await;
    assert_eq!(suspended.json()["status"], "suspended");
    let refused = log_in(&they.world, "acme", "bob").await;
    assert_problem(&refused, StatusCode::UNAUTHORIZED, "invalid_credentials");
    let me = they.world.get("/api/auth/me/", access).await;
    assert_problem(&me, StatusCode::UNAUTHORIZED, "token_not_valid");
    let refresh = json!({"refresh": they.eve["refresh"]});
    let answer = they
        .world
        .post("/api/token/refresh/", refresh.clone())
        .await;
    assert_problem(&answer, StatusCode::UNAUTHORIZED, "token_not_valid");
    let again = they.send(Method::POST, "acme/suspend/", None).await;
    assert_eq!(again.json(), suspended.json());

    let resumed = they.send(Method::POST, "acme/resume/", None).await;
    assert_eq!(resumed.json()["status"], "active");
    assert_eq!(
        they.world.get("/api/auth/me/", access).await.status,
        StatusCode::OK
    );
    let answer = they.world.post("/api/token/refresh/", refresh).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        log_in(&they.world, "acme", "bob").await.status,
        StatusCode::OK
    );
}

#[actix_web::test]
async fn the_default_tenant_is_neither_suspended_nor_deleted() {
    let they = Accounts::new().await;
    for (method, path) in [
        (Method::POST, "public/suspend/"),
        (Method::DELETE, "public/"),
    ] {
        let answer = they.send(method, path, None).await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
        let said = &answer.json()["non_field_errors"][0];
        assert_eq!(said, "The default tenant is neither suspended nor deleted.");
    }
    they.post("public/move/", json!({"to": "shared"})).await;
    they.upkeep().await;
    let moved = they.send(Method::GET, "public/", None).await;
    assert_eq!(moved.json()["layout"], "shared");
}

#[actix_web::test]
async fn a_tenant_that_is_being_deleted_is_like_an_unknown_one_to_strangers() {
    let they = Accounts::new().await;
    let deleting = they.send(Method::DELETE, "acme/", None).await;
    assert_eq!(deleting.status, StatusCode::ACCEPTED, "{}", deleting.text);
    assert_eq!(deleting.json()["status"], "deleting");
    assert_eq!(
        they.send(Method::GET, "acme/", None).await.json(),
        deleting.json()
    );
    assert_eq!(
        they.send(Method::DELETE, "acme/", None).await.status,
        StatusCode::ACCEPTED
    );

    let strip = |answer: Answer| {
        let mut body = answer.json();
        body["instance"] = Value::Null;
        (answer.status, body)
    };
    let here = strip(log_in(&they.world, "acme", "bob").await);
    assert_eq!(here, strip(log_in(&they.world, "nowhere", "bob").await));
    let events = they.world.store.events();
    let last = events.last().unwrap();
    assert_eq!(last.encoded.event_type, "LoginFailed");
    assert_ne!(
        last.event.tenant,
        they.acme().await.id,
        "nothing is added to what goes"
    );
    let me = they
        .world
        .get("/api/auth/me/", text(&they.eve["access"]))
        .await;
    assert_problem(&me, StatusCode::UNAUTHORIZED, "token_not_valid");
    let users = they
        .world
        .get("/api/admin/users/?tenant=acme", &they.root)
        .await;
    assert_problem(&users, StatusCode::BAD_REQUEST, "invalid_input");
    for (method, action, body) in &ACTIONS[..7] {
        let body = body.map(|it| serde_json::from_str(it).unwrap());
        let answer = they
            .send(method.clone(), &format!("acme/{action}"), body)
            .await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "invalid_input");
        assert_eq!(
            answer.json()["non_field_errors"][0],
            "The tenant is being deleted."
        );
    }
    let taken = they.post("", json!({"name": "Acme"})).await;
    assert!(taken.json()["name"].is_array(), "{}", taken.text);
    they.upkeep().await;
    for method in [Method::GET, Method::DELETE] {
        let gone = they.send(method, "acme/", None).await;
        assert_problem(&gone, StatusCode::NOT_FOUND, "not_found");
    }
}

#[actix_web::test]
async fn to_begin_a_move_or_a_deletion_wakes_what_finishes_it() {
    let they = Accounts::new().await;
    they.post("acme/move/", json!({"to": "shared"})).await;
    they.world.tessera.begun().await;
    they.send(Method::DELETE, "acme/", None).await;
    they.world.tessera.begun().await;
}

#[actix_web::test]
async fn nothing_of_a_deleted_tenant_means_anything_in_one_of_the_same_name() {
    let they = Accounts::new().await;
    let ask = json!({"email": "bob@acme.example"});
    they.world
        .post("/t/acme/api/auth/password-reset/", ask)
        .await;
    let mailer = MemoryMailer::default();
    let tessera = they.world.tessera.clone();
    let relay = MailRelay::new(tessera, std::sync::Arc::new(mailer.clone()));
    relay.step().await.unwrap();
    let link = mailer.sent().pop().unwrap().link.unwrap();
    let sessions = they
        .world
        .get("/api/auth/sessions/", text(&they.eve["access"]))
        .await;
    let session = text(&sessions.json()["sessions"][0]["id"]).to_owned();
    let page = they
        .world
        .get("/api/admin/users/?limit=1", text(&they.eve["access"]))
        .await;
    let cursor = text(&page.json()["next"]).to_owned();
    let old = they.acme().await;

    they.send(Method::DELETE, "acme/", None).await;
    they.upkeep().await;
    they.world.add_tenant("Acme", "acme.example").await;
    assert_ne!(they.acme().await.id, old.id);
    for name in ["eve", "bob"] {
        let email = format!("{name}@acme.example");
        they.world
            .add_user_with("acme", &email, name, "tenant-admin")
            .await;
    }
    let me = they
        .world
        .get("/api/auth/me/", text(&they.eve["access"]))
        .await;
    assert_problem(&me, StatusCode::UNAUTHORIZED, "token_not_valid");
    let refresh = json!({"refresh": they.eve["refresh"]});
    let answer = they.world.post("/api/token/refresh/", refresh).await;
    assert_problem(&answer, StatusCode::UNAUTHORIZED, "token_not_valid");
    let reset =
        json!({"token": link.token, "uid": link.uid, "new_password": "other horse battery"});
    let answer = they
        .world
        .post("/api/auth/password-reset/confirm/", reset)
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);

    let eve = they.access("acme", "eve").await;
    let end = Request::new(Method::DELETE, &format!("/api/auth/sessions/{session}/"));
    let answer = they.world.send(end.bearer(&eve)).await;
    assert_problem(&answer, StatusCode::NOT_FOUND, "not_found");
    let page = they
        .world
        .get(&format!("/api/admin/users/?after={cursor}"), &eve)
        .await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        !page.text.contains(&cursor),
        "the cursor is a place, and nobody is there"
    );
    let trail = they.world.get("/api/admin/audit/", &eve).await;
    assert!(!trail.text.contains(&old.id.to_string()), "{}", trail.text);
}

#[actix_web::test]
async fn while_it_moves_everything_of_a_tenant_says_when_to_come_again() {
    let they = Accounts::new().await;
    let user = they.world.tessera.tenant("acme").await.unwrap().unwrap();
    let user = they
        .world
        .tessera
        .user(&user, "bob")
        .await
        .unwrap()
        .unwrap();
    let ask = json!({"email": "bob@acme.example"});
    they.world
        .post("/t/acme/api/auth/password-reset/", ask.clone())
        .await;
    let mailer = MemoryMailer::default();
    let tessera = they.world.tessera.clone();
    let relay = MailRelay::new(tessera, std::sync::Arc::new(mailer.clone()));
    relay.step().await.unwrap();
    let link = mailer.sent().pop().unwrap().link.unwrap();
    let begun = they.post("acme/move/", json!({"to": "shared"})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
    let begun = begun.json();
    assert_eq!(
        (&begun["layout"], &begun["moving_to"]),
        (&json!("schema"), &json!("shared"))
    );
    let again = they.post("acme/move/", json!({"to": "shared"})).await;
    assert_eq!(
        (again.status, again.json()),
        (StatusCode::ACCEPTED, begun.clone())
    );
    let shown = they.send(Method::GET, "acme/", None).await;
    assert_eq!(shown.json(), begun);
    let (access, refresh) = (text(&they.eve["access"]), &they.eve["refresh"]);
    let post = |path: &str, body: Value| Request::new(Method::POST, path).json(&body);
    let as_eve = |method, path: &str| Request::new(method, path).bearer(access);
    let as_root = |method, path: &str| Request::new(method, path).bearer(&they.root);
    let credentials = json!({"email": "bob@acme.example", "password": PASSWORD});
    let signs_up = json!({"email": "new@acme.example", "password": PASSWORD});
    let shows = json!({"token": link.token, "new_password": "other horse battery"});
    let of_bob = format!("/api/admin/users/{}/?tenant=acme", user.id);
    let requests = vec![
        post("/api/token/", credentials.clone()),
        post("/api/auth/login/", credentials),
        post("/api/token/refresh/", json!({"refresh": refresh})),
        post("/api/auth/refresh/", json!({"refresh": refresh})),
        post("/api/auth/register/", signs_up),
        post("/api/auth/password-reset/", ask.clone()),
        post("/api/auth/verify-email/resend/", ask),
        post("/api/auth/password-reset/confirm/", shows.clone()),
        post("/api/auth/verify-email/", shows.clone()),
        post("/api/auth/change-email/confirm/", shows),
        post("/api/auth/logout/", json!({"refresh": refresh})),
        as_eve(Method::POST, "/api/auth/logout-all/"),
        as_eve(Method::GET, "/api/auth/me/"),
        as_eve(Method::GET, "/api/token/validate/"),
        as_eve(Method::GET, "/api/auth/sessions/"),
        as_eve(Method::GET, "/api/admin/users/"),
        as_eve(Method::GET, "/api/admin/tenants/acme/"),
        as_root(Method::GET, "/api/admin/users/?tenant=acme"),
        as_root(Method::GET, &of_bob),
        as_root(Method::DELETE, &of_bob),
        as_root(Method::PATCH, &of_bob).json(&json!({"first_name": "Mud"})),
    ];
    for request in requests {
        let answer = they.world.send(request).await;
        assert_problem(&answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable");
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(
        log_in(&they.world, "public", "root").await.status,
        StatusCode::OK
    );

    they.upkeep().await;
    let moved = they.post("acme/move/", json!({"to": "shared"})).await;
    assert_eq!(moved.status, StatusCode::OK);
    let moved = moved.json();
    assert_eq!(
        (&moved["layout"], &moved["moving_to"]),
        (&json!("shared"), &Value::Null)
    );
    assert_eq!(
        they.world.get("/api/auth/me/", access).await.status,
        StatusCode::OK
    );
}

#[actix_web::test]
async fn a_move_back_calls_a_move_off() {
    let they = Accounts::new().await;
    they.post("acme/move/", json!({"to": "shared"})).await;
    let back = they.post("acme/move/", json!({"to": "schema"})).await;
    assert_eq!(back.status, StatusCode::ACCEPTED);
    they.upkeep().await;
    let back = they.post("acme/move/", json!({"to": "schema"})).await;
    assert_eq!(back.status, StatusCode::OK);
    let back = back.json();
    assert_eq!(
        (&back["layout"], &back["moving_to"]),
        (&json!("schema"), &Value::Null)
    );
    let wrong = they.post("acme/move/", json!({"to": "row"})).await;
    assert!(wrong.json()["to"].is_array(), "{}", wrong.text);
}

#[actix_web::test]
async fn where_all_tenants_are_kept_alike_none_moves() {
    let they = Accounts::of(Settings {
        layouts: Layouts::Alike,
        ..settings()
    })
    .await;
    let moved = they.post("acme/move/", json!({"to": "shared"})).await;
    assert_problem(&moved, StatusCode::BAD_REQUEST, "invalid_input");
    assert_eq!(moved.json()["to"][0], "Layouts are for Postgres.");
    let made = they
        .post("", json!({"name": "Other", "layout": "shared"}))
        .await;
    assert_eq!(made.json()["layout"][0], "Layouts are for Postgres.");
    let of = TenantAdministration::of_operator();
    let still = they.world.tessera.resume_tenant(&of, "acme").await.unwrap();
    assert_eq!(
        (still.layout, still.moving_to),
        (TenantLayout::Schema, None)
    );
}

#[actix_web::test]
async fn the_audit_trail_tells_which_administrator_did_it() {
    let they = Accounts::new().await;
    they.send(Method::POST, "acme/suspend/", None).await;
    let trail = they
        .world
        .get("/api/admin/audit/?type=TenantSuspended", &they.root)
        .await;
    let entry = trail.json()["entries"][0].clone();
    assert_eq!(entry["actor"], "user", "{entry}");
    assert_eq!(entry["tenant_id"], they.acme().await.id.to_string());
}
