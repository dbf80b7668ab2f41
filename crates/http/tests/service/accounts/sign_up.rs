//! Sign up.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_app::Settings;
use tessera_domain::{MailKind, Registration, TenantSettings};

use super::{NEW, REGISTER, VERIFY, letters, link, log_in, newcomer, set, three_ways};
use crate::world::{PASSWORD, Request, World, members, settings, text};

#[actix_web::test]
async fn signing_up_makes_an_account_and_mails_what_proves_its_address() {
    for path in [
        "/api/auth/register/",
        "/api/auth/register",
        "/auth/signup",
        "/auth/signup/",
        "/t/public/auth/signup",
    ] {
        let world = World::new().await;
        let body = json!({
            "username": "Eve", "email": "Eve@Example.com", "password": PASSWORD,
            "password_confirm": PASSWORD, "first_name": " Eve ", "last_name": "Adams",
        });
        let answer = world.post(path, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{path}");
        assert_eq!(members(&answer.json()), ["message", "user"]);
        let user = answer.json()["user"].clone();
        assert_eq!(user["email"], "Eve@Example.com");
        assert_eq!(
            (&user["username"], &user["tenant"]),
            (&json!("Eve"), &json!("public"))
        );
        assert_eq!(
            (&user["first_name"], &user["last_name"]),
            (&json!("Eve"), &json!("Adams"))
        );
        assert_eq!((&user["role"], &user["roles"]), (&Value::Null, &json!([])));
        assert_eq!(
            (&user["is_active"], &user["email_verified"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(user["last_login"], Value::Null);

        let [letter] = letters(&world).await.try_into().unwrap();
        assert_eq!(
            (letter.kind, letter.to.as_str()),
            (MailKind::VerifyEmail, "Eve@Example.com")
        );
        let link = letter.link.unwrap();
        let page = "http://localhost:8000/account/verify-email?uid=";
        assert!(link.url.starts_with(page), "{}", link.url);
        let verified = world.post(VERIFY, json!({"token": link.token})).await;
        assert_eq!(verified.status, StatusCode::OK, "{}", verified.text);
        assert_eq!(members(&verified.json()), ["message"]);
        let logged_in = log_in(&world, NEW, PASSWORD).await.json();
        assert_eq!(logged_in["user"]["email_verified"], true);
        assert_eq!(logged_in["user"]["id"], user["id"]);
    }
}

#[actix_web::test]
async fn sign_up_reads_json_forms_and_multipart() {
    let fields = [
        ("email", NEW),
        ("password", PASSWORD),
        ("first_name", "Ève & Co"),
    ];
    for n in 0..3 {
        let world = World::new().await;
        let requests = three_ways(|| Request::new(Method::POST, REGISTER), &fields);
        let request = requests.into_iter().nth(n).unwrap();
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{n}");
        assert_eq!(answer.json()["user"]["first_name"], "Ève & Co");
        assert_eq!(log_in(&world, NEW, PASSWORD).await.status, StatusCode::OK);
    }
}

#[actix_web::test]
async fn the_mail_for_an_address_that_is_taken_leads_its_owner_to_another_password() {
    let world = World::new().await;
    let body = json!({"email": "ADA@example.com", "password": "not that of the owner"});
    let answer = world.post(REGISTER, body).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let [letter] = letters(&world).await.try_into().unwrap();
    assert_eq!(
        (letter.kind, letter.to.as_str()),
        (MailKind::AlreadyRegistered, "ada@example.com")
    );
    assert!(
        letter
            .link
            .unwrap()
            .url
            .contains("/account/reset-password?")
    );
    let refused = log_in(&world, "ada@example.com", "not that of the owner").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn all_that_is_missing_or_wrong_is_named_together() {
    let world = World::new().await;
    let answer = world.post(REGISTER, json!({})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.code(), "invalid_input");
    let body = answer.json();
    let required = json!(["This field is required."]);
    assert_eq!((&body["email"], &body["password"]), (&required, &required));
    assert_eq!(body["errors"].as_array().unwrap().len(), 2);

    let wrong = json!({
        "email": "eve", "username": "e@ve", "password": PASSWORD, "password_confirm": "other",
        "first_name": "x".repeat(151), "last_name": null, "tenant": 7,
    });
    let body = world.post(REGISTER, wrong).await.json();
    let pointers: Vec<&str> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| text(&error["pointer"]))
        .collect();
    let all = [
        "email",
        "username",
        "password_confirm",
        "first_name",
        "last_name",
        "tenant",
    ];
    assert_eq!(pointers, all.map(|name| format!("#/{name}")));
}

#[actix_web::test]
async fn what_is_wrong_is_told_as_django_rest_framework_told_it() {
    let world = World::new().await;
    for (field, value, told) in [
        ("email", json!("eve"), "Enter a valid email address."),
        ("email", json!(null), "This field may not be null."),
        ("email", json!(" "), "This field may not be blank."),
        ("email", json!(7), "Not a valid string."),
        (
            "email",
            json!(format!("{}@x.de", "e".repeat(250))),
            "Ensure this field has no more than 254 characters.",
        ),
        ("password", json!(""), "This field may not be blank."),
        (
            "password",
            json!("short"),
            "This password is too short. It must contain at least 8 characters.",
        ),
        (
            "password",
            json!("x".repeat(257)),
            "This password is too long. It may have at most 256 characters.",
        ),
        (
            "password_confirm",
            json!("other"),
            "The two password fields didn't match.",
        ),
        (
            "username",
            json!("x".repeat(151)),
            "Ensure this field has no more than 150 characters.",
        ),
        (
            "username",
            json!("ADA"),
            "A user with that username already exists.",
        ),
        (
            "first_name",
            json!("x".repeat(151)),
            "Ensure this field has no more than 150 characters.",
        ),
        ("last_name", json!({}), "Not a valid string."),
    ] {
        let mut body = newcomer();
        body[field] = value;
        let answer = world.post(REGISTER, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field}: {told}");
        assert_eq!(answer.json()[field], json!([told]));
        assert_eq!(answer.json()["errors"][0]["detail"], told);
    }
    assert!(letters(&world).await.is_empty());
}

#[actix_web::test]
async fn a_weak_password_is_told_with_its_reason() {
    let world = World::new().await;
    for (password, reason) in [
        ("Password123", "too common"),
        ("Eve.Adams1969", "similar to a name"),
    ] {
        let body = json!({
            "email": NEW, "first_name": "Eve", "last_name": "Adams", "password": password,
        });
        let answer = world.post(REGISTER, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(
            text(&answer.json()["password"][0]).contains(reason),
            "{}",
            answer.text
        );
    }
}

#[actix_web::test]
async fn the_address_sent_as_username_is_no_other_name() {
    let world = World::new().await;
    let body = json!({"email": NEW, "username": "EVE@Example.com", "password": PASSWORD});
    let answer = world.post(REGISTER, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(answer.json()["user"]["username"], Value::Null);
    let other = json!({"email": NEW, "username": "bob@example.com", "password": PASSWORD});
    let answer = world.post(REGISTER, other).await;
    assert!(text(&answer.json()["username"][0]).starts_with("Enter a valid username."));
}

#[actix_web::test]
async fn a_taken_username_is_told_whatever_there_is_of_the_address() {
    let world = World::new().await;
    let told = async |email: &str| {
        let body = json!({"email": email, "username": "aDa", "password": PASSWORD});
        let answer = world.post(REGISTER, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        answer.text
    };
    assert_eq!(told("ada@example.com").await, told(NEW).await);
    assert!(letters(&world).await.is_empty());
}

#[actix_web::test]
async fn where_nobody_may_sign_up_every_address_is_told_so() {
    for (registration, code) in [
        (Registration::Closed, "registration_closed"),
        (Registration::Invite, "invitation_only"),
    ] {
        let world = World::of(Settings {
            registration,
            ..settings()
        })
        .await;
        for email in ["ada@example.com", NEW] {
            let body = json!({"email": email, "password": PASSWORD});
            let answer = world.post(REGISTER, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            assert_eq!(answer.code(), code);
        }
        assert!(letters(&world).await.is_empty());
    }
}

#[actix_web::test]
async fn what_a_tenant_says_of_signing_up_counts_before_what_the_installation_says() {
    let world = World::of(Settings {
        registration: Registration::Closed,
        ..settings()
    })
    .await;
    let registration = Some(Registration::Open);
    set(&world, |settings| TenantSettings {
        registration,
        ..settings
    })
    .await;
    let answer = world.post(REGISTER, newcomer()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
}

#[actix_web::test]
async fn an_account_is_made_in_the_tenant_that_the_request_is_for() {
    let world = World::new().await;
    world.add_tenant("Acme", "acme.example").await;
    let path = "/t/acme/api/auth/register/";
    let answer = world.post(path, newcomer()).await;
    assert_eq!(answer.json()["user"]["tenant"], "Acme");
    let token = link(&world).await.token;
    let elsewhere = world
        .post("/t/public/api/auth/verify-email/", json!({"token": token}))
        .await;
    assert_eq!(elsewhere.status, StatusCode::BAD_REQUEST);
    let here = world.post(VERIFY, json!({"token": token})).await;
    assert_eq!(here.status, StatusCode::OK, "{}", here.text);
    assert_eq!(
        log_in(&world, NEW, PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );

    let mut body = newcomer();
    body["tenant"] = json!("nowhere");
    let unknown = world.post(REGISTER, body.clone()).await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    assert_eq!(unknown.code(), "invalid_credentials");
    assert_eq!(world.post(path, body).await.code(), "contradictory_tenants");
}
