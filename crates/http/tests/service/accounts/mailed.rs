//! What is done with the token of a mail: verify the address, set another password.

use core::time::Duration;

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_domain::MailKind;

use super::{
    FORGOT, NEW, OTHER_PASSWORD, REGISTER, RESEND, RESET, TOKEN_NOT_VALID, VERIFY, access, letters,
    link, log_in, newcomer, reset_link, three_ways,
};
use crate::world::{Answer, EMAIL, PASSWORD, Request, World, members, text};

fn refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["token"], json!([TOKEN_NOT_VALID]));
}

#[actix_web::test]
async fn a_verification_works_once() {
    let world = World::new().await;
    world.post(REGISTER, newcomer()).await;
    let body = json!({"token": link(&world).await.token});
    assert_eq!(
        world.post(VERIFY, body.clone()).await.status,
        StatusCode::OK
    );
    refused(&world.post(VERIFY, body).await);
}

#[actix_web::test]
async fn a_verification_works_for_a_day() {
    for (after, works) in [(Duration::from_hours(24), false), (DAY_LESS_A_SECOND, true)] {
        let world = World::new().await;
        world.post(REGISTER, newcomer()).await;
        let body = json!({"token": link(&world).await.token});
        world.clock.advance(after);
        let answer = world.post("/t/public/api/auth/verify-email", body).await;
        assert_eq!(answer.status == StatusCode::OK, works, "{}", answer.text);
    }
}

#[actix_web::test]
async fn why_a_token_does_not_work_is_not_told() {
    let world = World::new().await;
    world.add_tenant("Acme", "acme.example").await;
    let reset = reset_link(&world).await;
    world.post(REGISTER, newcomer()).await;
    let verify = link(&world).await;
    let told = async |body: Value| {
        let answer = world.post(VERIFY, body).await;
        refused(&answer);
        answer.text
    };
    let unknown = told(json!({"token": "x"})).await;
    let other_bits = format!("public.{}", "0".repeat(64));
    for other in [
        json!({"token": other_bits}),
        json!({"token": format!("nowhere.{}", "0".repeat(64))}),
        json!({"token": reset.token}),
        json!({"token": verify.token, "uid": reset.uid}),
        json!({"token": verify.token, "tenant": "acme"}),
        json!({"token": verify.token, "tenant": "nowhere"}),
        json!({"token": verify.token.replace("public", "acme")}),
    ] {
        assert_eq!(told(other).await, unknown);
    }
    let body = json!({"token": format!(" {} ", verify.token), "uid": verify.uid});
    assert_eq!(world.post(VERIFY, body).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_verification_is_sent_again_as_long_as_it_is_needed() {
    let world = World::new().await;
    world.post(REGISTER, newcomer()).await;
    let first = link(&world).await;
    let again = world.post(RESEND, json!({"email": NEW})).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(members(&again.json()), ["message"]);
    let second = link(&world).await;
    assert_ne!(first.token, second.token);
    let body = json!({"token": second.token});
    assert_eq!(world.post(VERIFY, body).await.status, StatusCode::OK);
    refused(&world.post(VERIFY, json!({"token": first.token})).await);
    world.post(RESEND, json!({"email": NEW})).await;
    assert!(letters(&world).await.is_empty());
}

#[actix_web::test]
async fn a_reset_sets_the_password_and_ends_every_session() {
    let world = World::new().await;
    let access = access(&world).await;
    world
        .post(FORGOT, json!({"email": "ADA@EXAMPLE.COM"}))
        .await;
    let [letter] = letters(&world).await.try_into().unwrap();
    assert_eq!(
        (letter.kind, letter.to.as_str()),
        (MailKind::ResetPassword, EMAIL)
    );
    let link = letter.link.unwrap();
    assert!(
        link.url
            .starts_with("http://localhost:8000/account/reset-password?uid=")
    );
    let body = json!({"token": link.token, "uid": link.uid, "new_password": OTHER_PASSWORD});
    let answer = world.post(RESET, body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(members(&answer.json()), ["message"]);
    assert_eq!(answer.header("set-cookie"), "");
    let me = world.get("/api/auth/me/", &access).await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        log_in(&world, EMAIL, PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        log_in(&world, EMAIL, OTHER_PASSWORD).await.status,
        StatusCode::OK
    );
    let told: Vec<MailKind> = letters(&world).await.iter().map(|one| one.kind).collect();
    assert_eq!(told, [MailKind::PasswordChanged]);
    refused(&world.post(RESET, body).await);
}

#[actix_web::test]
async fn a_reset_works_for_an_hour() {
    for (after, works) in [(3600, false), (3599, true)] {
        let world = World::new().await;
        let token = reset_link(&world).await.token;
        world.clock.advance(Duration::from_secs(after));
        let body = json!({"token": token, "new_password": OTHER_PASSWORD});
        let answer = world.post(RESET, body).await;
        assert_eq!(answer.status == StatusCode::OK, works, "{}", answer.text);
    }
}

#[actix_web::test]
async fn a_refused_password_leaves_the_token_as_it_is() {
    let world = World::new().await;
    let token = reset_link(&world).await.token;
    let short = "This password is too short. It must contain at least 8 characters.";
    let apart = "The two password fields didn't match.";
    for (password, again, field, told) in [
        ("short", None, "new_password", short),
        ("", None, "new_password", "This field may not be blank."),
        (
            OTHER_PASSWORD,
            Some(PASSWORD),
            "new_password_confirm",
            apart,
        ),
    ] {
        let body = json!({
            "token": token, "new_password": password, "new_password_confirm": again,
        });
        let answer = world.post(RESET, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()[field], json!([told]));
    }
    let body = json!({
        "token": token, "new_password": OTHER_PASSWORD, "new_password_confirm": OTHER_PASSWORD,
    });
    assert_eq!(world.post(RESET, body).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_password_is_set_as_it_was_typed() {
    let world = World::new().await;
    let token = reset_link(&world).await.token;
    let typed = "  \u{1f511} Schlüssel\tund Schloß ";
    let body = json!({"token": token, "new_password": typed});
    assert_eq!(world.post(RESET, body).await.status, StatusCode::OK);
    assert_eq!(
        log_in(&world, EMAIL, typed.trim()).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(log_in(&world, EMAIL, typed).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn all_that_is_missing_is_named_together() {
    let world = World::new().await;
    for (path, missing) in [
        (VERIFY, vec!["token"]),
        (RESEND, vec!["email"]),
        (FORGOT, vec!["email"]),
        (RESET, vec!["token", "new_password"]),
    ] {
        let answer = world.post(path, json!({})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        let body = answer.json();
        assert_eq!(body["errors"].as_array().unwrap().len(), missing.len());
        for field in missing {
            assert_eq!(body[field], json!(["This field is required."]), "{path}");
        }
    }
}

#[actix_web::test]
async fn tokens_are_taken_in_json_forms_and_multipart() {
    for n in 0..3 {
        let world = World::new().await;
        let nth = |path, fields: &[(&str, &str)]| {
            let requests = three_ways(|| Request::new(Method::POST, path), fields);
            requests.into_iter().nth(n).unwrap()
        };
        world.send(nth(FORGOT, &[("email", EMAIL)])).await;
        let reset = link(&world).await.token;
        let fields = [("token", reset.as_str()), ("new_password", OTHER_PASSWORD)];
        let answer = world.send(nth(RESET, &fields)).await;
        assert_eq!(answer.status, StatusCode::OK, "{n}: {}", answer.text);
        assert_eq!(text(&answer.json()["message"]), "Password changed");
        letters(&world).await;
        world.post(REGISTER, newcomer()).await;
        world.send(nth(RESEND, &[("email", NEW)])).await;
        let verify = letters(&world).await.remove(1).link.unwrap().token;
        let answer = world.send(nth(VERIFY, &[("token", &verify)])).await;
        assert_eq!(answer.status, StatusCode::OK, "{n}: {}", answer.text);
    }
}

#[actix_web::test]
async fn a_bearer_that_comes_along_counts_for_nothing() {
    let world = World::new().await;
    for path in [REGISTER, FORGOT, RESEND] {
        let request = Request::new(Method::POST, path).bearer("a.b.c");
        let answer = world.send(request.json(&newcomer())).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }
}

const DAY_LESS_A_SECOND: Duration = Duration::from_secs(24 * 60 * 60 - 1);
