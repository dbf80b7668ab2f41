//! Another address for one's account.

use core::time::Duration;

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_domain::MailKind;

use super::{
    CHANGE_EMAIL, CONFIRM_EMAIL, ME, NEW, TOKEN_NOT_VALID, access, letters, link, log_in,
    reset_link, three_ways,
};
use crate::world::{Answer, EMAIL, PASSWORD, Request, World, members};

async fn ask(world: &World, access: &str, body: &Value) -> Answer {
    let request = Request::new(Method::POST, CHANGE_EMAIL).bearer(access);
    world.send(request.json(body)).await
}

async fn confirm(world: &World, token: &str) -> Answer {
    world.post(CONFIRM_EMAIL, json!({"token": token})).await
}

fn refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["token"], json!([TOKEN_NOT_VALID]));
}

#[actix_web::test]
async fn an_address_changes_once_the_new_one_confirms_it_and_the_old_one_is_told() {
    let world = World::new().await;
    let access = access(&world).await;
    let answer = ask(&world, &access, &json!({"email": "Eve@Example.com"})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(members(&answer.json()), ["message"]);
    assert_eq!(world.get(ME, &access).await.json()["email"], EMAIL);
    let [confirming, telling] = letters(&world).await.try_into().unwrap();
    assert_eq!(
        (confirming.kind, confirming.to.as_str()),
        (MailKind::ChangeEmail, "Eve@Example.com")
    );
    assert_eq!(
        (telling.kind, telling.to.as_str()),
        (MailKind::ChangeEmailRequested, EMAIL)
    );
    assert!(telling.link.is_none());
    let link = confirming.link.unwrap();
    assert!(
        link.url
            .starts_with("http://localhost:8000/account/change-email?uid=")
    );

    let confirmed = confirm(&world, &link.token).await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    assert_eq!(members(&confirmed.json()), ["message"]);
    let pair = log_in(&world, NEW, PASSWORD).await.json();
    assert_eq!(pair["user"]["email"], "Eve@Example.com");
    assert_eq!(
        log_in(&world, EMAIL, PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
    let [changed] = letters(&world).await.try_into().unwrap();
    assert_eq!(
        (changed.kind, changed.to.as_str()),
        (MailKind::EmailChanged, EMAIL)
    );
    refused(&confirm(&world, &link.token).await);
}

#[actix_web::test]
async fn a_confirmation_works_for_an_hour() {
    for (after, works) in [(3600, false), (3599, true)] {
        let world = World::new().await;
        ask(&world, &access(&world).await, &json!({"email": NEW})).await;
        let token = link(&world).await.token;
        world.clock.advance(Duration::from_secs(after));
        let answer = confirm(&world, &token).await;
        assert_eq!(answer.status == StatusCode::OK, works, "{}", answer.text);
    }
}

#[actix_web::test]
async fn a_token_for_something_else_confirms_nothing() {
    let world = World::new().await;
    let reset = reset_link(&world).await.token;
    refused(&confirm(&world, &reset).await);
    refused(&confirm(&world, "x").await);
    assert_eq!(log_in(&world, EMAIL, PASSWORD).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn an_address_that_somebody_has_is_answered_the_same_and_gets_no_link() {
    let world = World::new().await;
    world.add_user("public", "bob@example.com", "bob").await;
    let access = access(&world).await;
    let free = ask(&world, &access, &json!({"email": NEW})).await;
    letters(&world).await;
    let taken = ask(&world, &access, &json!({"email": "bob@example.com"})).await;
    assert_eq!((taken.status, &taken.text), (free.status, &free.text));
    let kinds: Vec<MailKind> = letters(&world).await.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [MailKind::ChangeEmailRequested]);
}

#[actix_web::test]
async fn an_address_that_somebody_took_meanwhile_is_confirmed_to_nobody_else() {
    let world = World::new().await;
    ask(&world, &access(&world).await, &json!({"email": NEW})).await;
    let token = link(&world).await.token;
    world.add_user("public", NEW, "eve").await;
    refused(&confirm(&world, &token).await);
    assert_eq!(log_in(&world, EMAIL, PASSWORD).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn what_is_wrong_is_told_as_django_rest_framework_told_it() {
    let world = World::new().await;
    let access = access(&world).await;
    for (body, told) in [
        (json!({}), "This field is required."),
        (json!({"email": null}), "This field may not be null."),
        (json!({"email": "eve"}), "Enter a valid email address."),
    ] {
        let answer = ask(&world, &access, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["email"], json!([told]));
    }
    let answer = world.post(CONFIRM_EMAIL, json!({})).await;
    assert_eq!(answer.json()["token"], json!(["This field is required."]));
    let nobody = world.post(CHANGE_EMAIL, json!({"email": NEW})).await;
    assert_eq!(
        (nobody.status, nobody.code().as_str()),
        (StatusCode::UNAUTHORIZED, "not_authenticated")
    );
}

#[actix_web::test]
async fn an_address_is_taken_in_json_forms_and_multipart() {
    for n in 0..3 {
        let world = World::new().await;
        let access = access(&world).await;
        let asking = || Request::new(Method::POST, CHANGE_EMAIL).bearer(&access);
        let asked = three_ways(asking, &[("email", NEW)]);
        world.send(asked.into_iter().nth(n).unwrap()).await;
        let token = link(&world).await.token;
        let confirming = || Request::new(Method::POST, CONFIRM_EMAIL);
        let confirmed = three_ways(confirming, &[("token", &token)]);
        let answer = world.send(confirmed.into_iter().nth(n).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{n}: {}", answer.text);
    }
}
