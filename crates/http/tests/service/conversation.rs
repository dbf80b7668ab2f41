//! Log in, refresh, validate, log out: what clients of the services replaced send and read.

use core::time::Duration;

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_domain::{Rotation, TokenPolicy};

use crate::world::{Answer, EMAIL, PASSWORD, Request, World, members, text};

fn credentials() -> Value {
    json!({"email": EMAIL, "password": PASSWORD})
}

#[actix_web::test]
async fn log_in_answers_in_the_token_dialect() {
    let world = World::new().await;
    for path in [
        "/api/token/",
        "/auth/token",
        "/api/auth/token/",
        "/t/public/api/token/",
    ] {
        let answer = world.post(path, credentials()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.json();
        assert_eq!(
            members(&body),
            ["access", "refresh", "tenant_id", "tenant_schema", "user"]
        );
        assert_eq!(body["tenant_schema"], "public");
        let user = &body["user"];
        assert_eq!(user["email"], EMAIL);
        assert_eq!(
            (&user["role"], &user["roles"]),
            (&json!("editor"), &json!(["editor"]))
        );
        assert_eq!(user["tenant"], "public");
        assert_eq!(user["last_login"], "2026-01-01T00:00:00Z");
        assert_eq!(
            members(user),
            [
                "date_joined",
                "email",
                "email_verified",
                "first_name",
                "id",
                "is_active",
                "is_superuser",
                "job_role",
                "last_login",
                "last_name",
                "role",
                "roles",
                "tenant",
                "username",
            ]
        );
    }
}

#[actix_web::test]
async fn log_in_answers_in_the_login_dialect() {
    let world = World::new().await;
    for path in ["/api/auth/login/", "/auth/login"] {
        let answer = world
            .post(path, json!({"username": "ADA", "password": PASSWORD}))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let body = answer.json();
        assert_eq!(
            (&body["token_type"], &body["expires_in"]),
            (&json!("Bearer"), &json!(900))
        );
        assert_eq!(
            members(&body),
            [
                "access_token",
                "expires_in",
                "message",
                "refresh_token",
                "tenant_id",
                "tenant_schema",
                "token_type",
                "user",
            ]
        );
    }
}

#[actix_web::test]
async fn log_in_reads_forms_and_multipart_too() {
    let world = World::new().await;
    let form = format!(
        "email=ada%40example.com&password={}",
        PASSWORD.replace(' ', "+")
    );
    let multipart = format!(
        "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nada\r\n\
         --x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{PASSWORD}\r\n--x--\r\n"
    );
    for (media_type, body) in [
        ("application/x-www-form-urlencoded", form),
        ("multipart/form-data; boundary=x", multipart),
    ] {
        let request = Request::new(Method::POST, "/api/token/").body(media_type, body);
        assert_eq!(
            world.send(request).await.status,
            StatusCode::OK,
            "{media_type}"
        );
    }
}

#[actix_web::test]
async fn what_is_wrong_with_credentials_is_not_told() {
    let world = World::new().await;
    let told = async |body: Value| {
        let answer = world.post("/api/token/", body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"tessera\""
        );
        answer.text
    };
    let wrong = told(json!({"email": EMAIL, "password": "wrong"})).await;
    assert!(wrong.contains("No active account found with the given credentials"));
    for other in [
        json!({"email": "nobody@example.com", "password": "wrong"}),
        json!({"email": "no address", "password": "wrong"}),
        json!({"email": EMAIL, "password": PASSWORD, "tenant": "nowhere"}),
        json!({"email": EMAIL, "password": "x".repeat(300)}),
        json!({"username": "a\u{202e}da", "password": PASSWORD}),
    ] {
        assert_eq!(told(other).await, wrong);
    }
}

#[actix_web::test]
async fn missing_fields_are_named_as_django_rest_framework_did() {
    let world = World::new().await;
    let answer = world.post("/api/token/", json!({})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let body = answer.json();
    assert_eq!(body["email"], json!(["This field is required."]));
    assert_eq!(body["password"], json!(["This field is required."]));
    assert_eq!(body["errors"][0]["pointer"], "#/password");
    let answer = world.post("/api/auth/refresh/", json!({})).await;
    assert_eq!(
        answer.json()["refresh_token"],
        json!(["This field is required."])
    );
    let answer = world.post("/api/token/refresh/", json!({})).await;
    assert_eq!(answer.json()["refresh"], json!(["This field is required."]));
}

#[actix_web::test]
async fn a_refresh_gives_the_next_pair_in_either_dialect() {
    let world = World::new().await;
    let pair = world.log_in().await;
    let refreshed = world
        .post("/api/token/refresh/", json!({"refresh": pair["refresh"]}))
        .await;
    assert_eq!(refreshed.status, StatusCode::OK);
    let refreshed = refreshed.json();
    assert_eq!(
        members(&refreshed),
        ["access", "refresh", "tenant_id", "tenant_schema"]
    );
    assert_ne!(refreshed["refresh"], pair["refresh"]);
    let again = json!({"refresh_token": refreshed["refresh"]});
    let again = world.post("/auth/refresh", again).await.json();
    assert_eq!(
        members(&again),
        [
            "access_token",
            "expires_in",
            "message",
            "refresh_token",
            "tenant_id",
            "tenant_schema",
            "token_type",
        ]
    );
}

#[actix_web::test]
async fn a_replayed_refresh_token_ends_the_session_after_the_grace() {
    let world = World::new().await;
    let first = world.log_in().await;
    let refresh = async |token: &Value| {
        world
            .post("/api/token/refresh/", json!({"refresh": token}))
            .await
    };
    let second = refresh(&first["refresh"]).await.json();
    assert_eq!(
        refresh(&first["refresh"]).await.json()["refresh"],
        second["refresh"]
    );
    world.clock.advance(Duration::from_secs(10));
    let replayed = refresh(&first["refresh"]).await;
    assert_eq!((replayed.status, replayed.code()), bad_token());
    assert_eq!(replayed.json()["detail"], "Token is invalid or expired");
    assert_eq!(
        refresh(&second["refresh"]).await.status,
        StatusCode::UNAUTHORIZED
    );
    let validated = world
        .get("/api/token/validate/", text(&second["access"]))
        .await;
    assert_eq!((validated.status, validated.code()), bad_token());
}

#[actix_web::test]
async fn without_rotation_a_refresh_answers_no_refresh_token() {
    let world = World::with(TokenPolicy {
        rotation: Rotation::Never,
        ..TokenPolicy::default()
    })
    .await;
    let pair = world.log_in().await;
    for _ in 0..2 {
        let body = json!({"refresh": pair["refresh"]});
        let answer = world.post("/api/token/refresh/", body).await.json();
        assert_eq!(members(&answer), ["access", "tenant_id", "tenant_schema"]);
    }
}

#[actix_web::test]
async fn a_good_access_token_is_validated_and_shown_its_owner() {
    let world = World::new().await;
    let pair = world.log_in().await;
    let access = text(&pair["access"]);
    for path in [
        "/api/token/validate/",
        "/api/auth/validate",
        "/t/public/api/token/validate/",
    ] {
        let body = world.get(path, access).await.json();
        assert_eq!(
            members(&body),
            ["status", "tenant_id", "tenant_schema", "user"],
            "{path}"
        );
        assert_eq!(
            (&body["status"], &body["user"]),
            (&json!("success"), &pair["user"])
        );
    }
    for path in ["/api/auth/me/", "/auth/me"] {
        let body = world.get(path, access).await.json();
        assert_eq!(
            (&body["email"], &body["user"]),
            (&json!(EMAIL), &pair["user"])
        );
        assert_eq!(body["id"], pair["user"]["id"]);
    }
}

#[actix_web::test]
async fn an_access_token_that_is_not_good_is_told_as_simple_jwt_told_it() {
    let world = World::new().await;
    let pair = world.log_in().await;
    let none = world.send(Request::new(Method::GET, "/api/auth/me/")).await;
    assert_eq!(
        (none.status, none.code().as_str()),
        (StatusCode::UNAUTHORIZED, "not_authenticated")
    );
    for token in ["x", "a.b.c", text(&pair["refresh"])] {
        let answer = world.get("/api/auth/me/", token).await;
        assert_eq!((answer.status, answer.code()), bad_token());
        assert!(
            answer
                .header("www-authenticate")
                .contains("error=\"invalid_token\"")
        );
        let body = answer.json();
        assert_eq!(body["detail"], "Given token not valid for any token type");
        assert_eq!(body["messages"][0]["token_class"], "AccessToken");
    }
    world.clock.advance(Duration::from_mins(15));
    let expired = world.get("/api/auth/me/", text(&pair["access"])).await;
    assert_eq!((expired.status, expired.code()), bad_token());
}

#[actix_web::test]
async fn an_access_token_refreshes_nothing() {
    let world = World::new().await;
    let pair = world.log_in().await;
    let answer = world
        .post("/api/token/refresh/", json!({"refresh": pair["access"]}))
        .await;
    assert_eq!((answer.status, answer.code()), bad_token());
}

#[actix_web::test]
async fn logging_out_ends_the_session_and_may_be_repeated() {
    let world = World::new().await;
    let pair = world.log_in().await;
    let access = text(&pair["access"]);
    let log_out = async |request: Request| world.send(request).await.status;
    let bearer = || Request::new(Method::POST, "/api/auth/logout/").bearer(access);
    assert_eq!(log_out(bearer()).await, StatusCode::OK);
    assert_eq!(
        world.get("/api/auth/me/", access).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(log_out(bearer()).await, StatusCode::OK);
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(log_out(bearer()).await, StatusCode::OK);
    let forged = Request::new(Method::POST, "/auth/logout").bearer("a.b.c");
    assert_eq!(log_out(forged).await, StatusCode::UNAUTHORIZED);
    let forged = world
        .post("/auth/logout", json!({"refresh": "a.b.c"}))
        .await;
    assert_eq!((forged.status, forged.code()), bad_token());
    assert_eq!(forged.json()["detail"], "Token is invalid or expired");
    let none = world.post("/auth/logout", json!({})).await;
    assert_eq!(
        (none.status, none.code().as_str()),
        (StatusCode::UNAUTHORIZED, "not_authenticated")
    );
}

#[actix_web::test]
async fn a_refresh_token_alone_logs_out_too() {
    let world = World::new().await;
    let pair = world.log_in().await;
    let answer = world
        .post("/auth/logout", json!({"refresh": pair["refresh"]}))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = world.get("/api/auth/me/", text(&pair["access"])).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all() {
    let world = World::new().await;
    let (first, second) = (world.log_in().await, world.log_in().await);
    let access = text(&second["access"]);
    let listed = world.get("/api/auth/sessions/", access).await.json();
    let sessions = listed["sessions"].as_array().unwrap();
    let current: Vec<&Value> = sessions.iter().map(|session| &session["current"]).collect();
    assert_eq!(current, [&json!(false), &json!(true)]);
    assert_eq!(
        members(&sessions[0]),
        [
            "created_at",
            "current",
            "expires_at",
            "id",
            "ip",
            "last_used_at",
            "user_agent"
        ]
    );
    let end = async |id: &str| {
        let path = format!("/api/auth/sessions/{id}/");
        world
            .send(Request::new(Method::DELETE, &path).bearer(access))
            .await
            .status
    };
    assert_eq!(end(text(&sessions[0]["id"])).await, StatusCode::NO_CONTENT);
    assert_eq!(end(text(&sessions[0]["id"])).await, StatusCode::NOT_FOUND);
    assert_eq!(end("nonsense").await, StatusCode::NOT_FOUND);
    let ended = world.get("/api/auth/me/", text(&first["access"])).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    let all = Request::new(Method::POST, "/api/auth/logout-all/").bearer(access);
    assert_eq!(world.send(all).await.status, StatusCode::OK);
    assert_eq!(
        world.get("/api/auth/me/", access).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[actix_web::test]
async fn a_changed_password_ends_every_other_session() {
    let world = World::new().await;
    let (other, mine) = (world.log_in().await, world.log_in().await);
    let access = text(&mine["access"]);
    let change = async |body: Value| -> Answer {
        let path = "/api/auth/change-password/";
        world
            .send(Request::new(Method::POST, path).bearer(access).json(&body))
            .await
    };
    let wrong = change(json!({"old_password": "wrong", "new_password": "another password"})).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.json()["old_password"][0].is_string());
    let weak = change(json!({"old_password": PASSWORD, "new_password": "short"})).await;
    assert!(text(&weak.json()["new_password"][0]).contains("at least 8"));
    let common = change(json!({"old_password": PASSWORD, "new_password": "PassWord123"})).await;
    assert_eq!(common.status, StatusCode::BAD_REQUEST);
    let why = "This password is too common.";
    assert!(text(&common.json()["new_password"][0]).starts_with(why));
    let apart = json!({"old_password": PASSWORD, "new_password": "another password",
        "new_password_confirm": "another passw0rd"});
    assert!(change(apart).await.json()["new_password_confirm"][0].is_string());
    let right = change(json!({"old_password": PASSWORD, "new_password": "another password"})).await;
    assert_eq!(right.status, StatusCode::OK, "{}", right.text);
    assert_eq!(
        world.get("/api/auth/me/", access).await.status,
        StatusCode::OK
    );
    let ended = world.get("/api/auth/me/", text(&other["access"])).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn with_the_store_gone_the_answer_is_503_with_retry_after() {
    let world = World::new().await;
    let pair = world.log_in().await;
    world.store.unavailable(true);
    world.clock.advance(Duration::from_secs(1));
    let answers = [
        world.post("/api/token/", credentials()).await,
        world
            .post("/api/token/refresh/", json!({"refresh": pair["refresh"]}))
            .await,
        world.get("/api/auth/me/", text(&pair["access"])).await,
    ];
    for answer in answers {
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        );
        assert_eq!(answer.header("retry-after"), "1");
    }
    let status = async |path| {
        let answer = world.send(Request::new(Method::GET, path)).await;
        let later = answer.status == StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(answer.header("retry-after"), if later { "1" } else { "" });
        answer.status
    };
    assert_eq!(status("/livez").await, StatusCode::OK);
    assert_eq!(status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        status("/api/auth/health/").await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    world.store.unavailable(false);
    assert_eq!(status("/readyz").await, StatusCode::OK);
    world.draining.begin();
    assert_eq!(status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn readiness_names_the_tenants_that_lag_and_is_200_all_the_same() {
    let world = World::new().await;
    let ready = async || {
        let answer = world.send(Request::new(Method::GET, "/readyz")).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.json()
    };
    assert_eq!(ready().await, json!({"status": "ready"}));
    world
        .lagging
        .replace(7, vec!["acme".to_owned(), "b".to_owned()]);
    let said = json!({"status": "ready", "lagging_tenants": 7, "lagging_schemas": ["acme", "b"]});
    assert_eq!(ready().await, said);
    world.lagging.replace(0, Vec::new());
    assert_eq!(ready().await, json!({"status": "ready"}));
}

fn bad_token() -> (StatusCode, String) {
    (StatusCode::UNAUTHORIZED, "token_not_valid".to_owned())
}
