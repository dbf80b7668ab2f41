//! What one is called.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_domain::{JobRoleBy, TenantSettings};

use super::{ME, access, set, three_ways};
use crate::world::{Answer, Request, World};

async fn patch(world: &World, access: &str, body: &Value) -> Answer {
    let request = Request::new(Method::PATCH, ME).bearer(access);
    world.send(request.json(body)).await
}

#[actix_web::test]
async fn names_change_and_what_is_not_named_stays() {
    let world = World::new().await;
    let access = access(&world).await;
    for (body, first, last) in [
        (json!({"first_name": " Augusta "}), "Augusta", "Lovelace"),
        (json!({"last_name": "King"}), "Augusta", "King"),
        (json!({"first_name": ""}), "", "King"),
        (json!({}), "", "King"),
        (
            json!({"first_name": "Ada", "last_name": "Byron"}),
            "Ada",
            "Byron",
        ),
    ] {
        let answer = patch(&world, &access, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let me = world.get(ME, &access).await.json();
        assert_eq!(answer.json(), me);
        assert_eq!(
            (&me["first_name"], &me["last_name"]),
            (&json!(first), &json!(last))
        );
        assert_eq!(me["user"]["first_name"], first);
    }
}

#[actix_web::test]
async fn names_are_taken_on_every_path_in_json_forms_and_multipart() {
    let world = World::new().await;
    let access = access(&world).await;
    for path in [
        "/api/auth/me/",
        "/api/auth/me",
        "/auth/me/",
        "/t/public/auth/me",
    ] {
        let request = || Request::new(Method::PATCH, path).bearer(&access);
        for (n, request) in three_ways(request, &[("first_name", "Ève & Co")])
            .into_iter()
            .enumerate()
        {
            patch(&world, &access, &json!({"first_name": "Ada"})).await;
            let answer = world.send(request).await;
            assert_eq!(answer.json()["first_name"], "Ève & Co", "{path} {n}");
        }
    }
}

#[actix_web::test]
async fn all_that_is_wrong_is_named_together_and_nothing_changes() {
    let world = World::new().await;
    let access = access(&world).await;
    let before = world.get(ME, &access).await.json();
    let long = "x".repeat(151);
    let body = json!({"first_name": null, "last_name": long, "job_role": ["chief"]});
    let answer = patch(&world, &access, &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let told = answer.json();
    assert_eq!(told["first_name"], json!(["This field may not be null."]));
    assert_eq!(
        told["last_name"],
        json!(["Ensure this field has no more than 150 characters."])
    );
    assert_eq!(told["job_role"], json!(["Not a valid string."]));
    let partly = json!({"first_name": "Eve", "last_name": 7});
    assert_eq!(
        patch(&world, &access, &partly).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(world.get(ME, &access).await.json(), before);
}

#[actix_web::test]
async fn the_job_role_is_the_users_own_only_where_the_settings_say_so() {
    for (job_role, then) in [
        (JobRoleBy::Administrators, ""),
        (JobRoleBy::Users, "Countess"),
    ] {
        let world = World::new().await;
        set(&world, |settings| TenantSettings {
            job_role,
            ..settings
        })
        .await;
        let access = access(&world).await;
        let answer = patch(&world, &access, &json!({"job_role": "Countess"})).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json()["job_role"], then);
        assert_eq!(world.get(ME, &access).await.json()["job_role"], then);
    }
}

#[actix_web::test]
async fn nobody_is_renamed_without_an_access_token() {
    let world = World::new().await;
    let request = Request::new(Method::PATCH, ME).json(&json!({"first_name": "Eve"}));
    let answer = world.send(request).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::UNAUTHORIZED, "not_authenticated")
    );
}
