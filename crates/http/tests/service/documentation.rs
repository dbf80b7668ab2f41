//! The document, against its checked-in form and against the routes that exist.

use std::path::Path;

use actix_web::http::{Method, StatusCode};
use serde_json::Value;
use tessera_domain::{TenantSettings, TokenIssuer};

use crate::world::{ASYNCAPI, Request, World};

fn document() -> Value {
    tessera_http::document(env!("CARGO_PKG_VERSION"))
}

/// Each documented operation: path, method, and what is said of it.
fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            (path.clone(), method, operation.clone())
        })
    });
    each.collect()
}

#[test]
fn the_document_is_the_checked_in_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let checked_in: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        document() == checked_in,
        "run `just openapi` and look at what changed"
    );
}

#[test]
fn every_operation_has_a_name_of_its_own_examples_and_problems_on_errors() {
    let document = document();
    let mut names: Vec<String> = Vec::new();
    for (path, method, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(!names.contains(&name), "{name} twice");
        names.push(name);
        assert!(operation["summary"].is_string(), "{method} {path}");
        assert!(operation["tags"][0].is_string(), "{method} {path}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let content = response["content"].as_object();
            let (media_type, media) = match content.and_then(|types| types.iter().next()) {
                Some(found) => found,
                None if status == "204" => continue,
                None => panic!("{method} {path} {status} has no content"),
            };
            let example = &media["example"];
            assert!(
                example != &serde_json::json!({}),
                "{method} {path} {status}: no example"
            );
            assert_eq!(
                media_type == "application/problem+json",
                status.as_str() >= "400"
            );
        }
        if let Some(body) = operation["requestBody"]["content"].as_object() {
            for media in body.values() {
                assert!(
                    media["example"]
                        .as_object()
                        .is_some_and(|it| !it.is_empty()),
                    "{path}"
                );
            }
        }
    }
}

#[actix_web::test]
async fn every_documented_operation_exists_and_no_other_method_does() {
    let world = World::new().await;
    let own_issuer = |so_far| TenantSettings {
        issuer: TokenIssuer::Tenant,
        ..so_far
    };
    world.change_settings("public", own_issuer).await;
    let document = document();
    let operations = operations(&document);
    for (path, method, _) in &operations {
        let bare = path.trim_end_matches('/').to_owned();
        let of_tenant = [format!("/t/public{path}"), format!("/t/public{bare}")];
        for form in [path.clone(), bare].into_iter().chain(of_tenant) {
            let concrete = concrete(&form);
            let concrete = if concrete.is_empty() {
                "/".to_owned()
            } else {
                concrete
            };
            let status = world
                .send(Request::new(method.clone(), &concrete))
                .await
                .status;
            assert!(
                status != StatusCode::METHOD_NOT_ALLOWED && status != StatusCode::NOT_FOUND,
                "{method} {concrete} is documented and answers {status}"
            );
            let other = world.send(Request::new(Method::PUT, &concrete)).await;
            assert_eq!(other.status, StatusCode::METHOD_NOT_ALLOWED, "{concrete}");
            assert!(other.header("allow").contains(method.as_str()));
        }
    }
}

fn concrete(path: &str) -> String {
    let path = path.replace("{id}", "019ac0de-7b1a-7c3e-9f00-3f2a6b1c9d10");
    let path = path.replace("{domain}", "acme.example");
    path.replace("{schema}", "public")
}

#[actix_web::test]
async fn what_needs_a_bearer_says_so_and_refuses_without() {
    let world = World::new().await;
    let document = document();
    for (path, method, operation) in operations(&document) {
        let needs = operation["security"].as_array().unwrap();
        let optional = needs.iter().any(|need| need == &serde_json::json!({}));
        let concrete = concrete(&path);
        let answer = world.send(Request::new(method, &concrete)).await;
        let refused = answer.status == StatusCode::UNAUTHORIZED;
        assert_eq!(
            refused,
            !needs.is_empty() || optional,
            "{path}: {}",
            answer.text
        );
    }
}

#[actix_web::test]
async fn the_document_is_served() {
    let world = World::new().await;
    let served = world.send(Request::new(Method::GET, "/api/schema/")).await;
    assert_eq!(served.status, StatusCode::OK);
    assert_eq!(served.json()["info"]["version"], "1.2.3");
}

#[actix_web::test]
async fn the_document_of_the_events_is_the_one_that_was_given() {
    let world = World::new().await;
    for path in ["/api/asyncapi/", "/api/asyncapi"] {
        let served = world.send(Request::new(Method::GET, path)).await;
        assert_eq!(
            (served.status, served.text.as_str()),
            (StatusCode::OK, ASYNCAPI)
        );
        assert_eq!(served.header("content-type"), "application/json");
    }
}

#[actix_web::test]
async fn keys_discovery_and_events_may_be_kept_and_asked_for_by_their_tag() {
    let world = World::new().await;
    for path in [
        "/api/asyncapi/",
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/",
    ] {
        let answer = world.send(Request::new(Method::GET, path)).await;
        assert_eq!(
            answer.header("cache-control"),
            "public, max-age=300",
            "{path}"
        );
        let tag = answer.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{path}: {tag}");
        let kept = Request::new(Method::GET, path).header("if-none-match", &tag);
        let kept = world.send(kept).await;
        assert_eq!(
            (kept.status, kept.text.as_str()),
            (StatusCode::NOT_MODIFIED, "")
        );
    }
    let keys = world
        .send(Request::new(Method::GET, "/.well-known/jwks.json"))
        .await
        .json();
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["alg"]), (&"EC".into(), &"ES256".into()));
    assert!(key.get("d").is_none());
    let discovery = world.send(Request::new(
        Method::GET,
        "/.well-known/openid-configuration",
    ));
    let discovery = discovery.await.json();
    assert_eq!(discovery["issuer"], "http://localhost:8000");
    assert_eq!(
        discovery["jwks_uri"],
        "http://localhost:8000/.well-known/jwks.json"
    );
}
