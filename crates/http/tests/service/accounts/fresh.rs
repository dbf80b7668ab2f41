//! What only somebody may do who logged in a moment ago.

use core::time::Duration;

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_domain::MailKind;

use super::{CHANGE_EMAIL, ME, NEW, access, letters, log_in};
use crate::world::{Answer, EMAIL, PASSWORD, Request, World, text};

fn both(access: &str) -> [Request; 2] {
    let change = Request::new(Method::POST, CHANGE_EMAIL).bearer(access);
    let delete = Request::new(Method::DELETE, ME).bearer(access);
    [change.json(&json!({"email": NEW})), delete]
}

/// RFC 9470, section 3.
fn stale(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    assert_eq!(answer.code(), "insufficient_user_authentication");
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"tessera\", error=\"insufficient_user_authentication\", max_age=600"
    );
}

#[actix_web::test]
async fn ten_minutes_after_the_log_in_another_one_is_asked_for() {
    let world = World::new().await;
    let access = access(&world).await;
    world.clock.advance(Duration::from_mins(10));
    for request in both(&access) {
        stale(&world.send(request).await);
    }
    assert!(letters(&world).await.is_empty());
    assert_eq!(world.get(ME, &access).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_refresh_makes_no_log_in_fresh_and_another_log_in_does() {
    let world = World::new().await;
    let pair = world.log_in().await;
    world.clock.advance(Duration::from_mins(10));
    let body = json!({"refresh": pair["refresh"]});
    let refreshed = world.post("/api/token/refresh/", body).await.json();
    for request in both(text(&refreshed["access"])) {
        stale(&world.send(request).await);
    }
    let fresh = access(&world).await;
    let [changed, deleted] = both(&fresh);
    assert_eq!(world.send(changed).await.status, StatusCode::OK);
    assert_eq!(world.send(deleted).await.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn a_moment_before_that_it_is_still_fresh() {
    let world = World::new().await;
    let access = access(&world).await;
    world.clock.advance(Duration::from_secs(599));
    let [changed, deleted] = both(&access);
    assert_eq!(world.send(changed).await.status, StatusCode::OK);
    assert_eq!(world.send(deleted).await.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn a_deleted_account_is_gone_with_its_sessions_and_told_so() {
    for path in ["/api/auth/me/", "/auth/me", "/t/public/api/auth/me"] {
        let world = World::new().await;
        let (other, mine) = (access(&world).await, access(&world).await);
        let request = Request::new(Method::DELETE, path).bearer(&mine);
        let answer = world.send(request).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::NO_CONTENT, "")
        );
        for token in [&other, &mine] {
            let gone = world.get(ME, token).await;
            assert_eq!(
                (gone.status, gone.code().as_str()),
                (StatusCode::UNAUTHORIZED, "token_not_valid")
            );
        }
        let again = world
            .send(Request::new(Method::DELETE, path).bearer(&mine))
            .await;
        assert_eq!(again.code(), "token_not_valid");
        assert_eq!(
            log_in(&world, EMAIL, PASSWORD).await.status,
            StatusCode::UNAUTHORIZED
        );
        let [letter] = letters(&world).await.try_into().unwrap();
        assert_eq!(
            (letter.kind, letter.to.as_str()),
            (MailKind::AccountDeleted, EMAIL)
        );
    }
}

#[actix_web::test]
async fn nobody_is_deleted_without_a_good_access_token() {
    let world = World::new().await;
    let pair: Value = world.log_in().await;
    let none = world.send(Request::new(Method::DELETE, ME)).await;
    assert_eq!(none.code(), "not_authenticated");
    for token in ["a.b.c", text(&pair["refresh"])] {
        let request = Request::new(Method::DELETE, ME).bearer(token);
        assert_eq!(world.send(request).await.code(), "token_not_valid");
    }
    assert_eq!(
        world.get(ME, text(&pair["access"])).await.status,
        StatusCode::OK
    );
}
