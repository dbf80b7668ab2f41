//! The pages that mails lead to.

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use tessera_http::document;

use crate::accounts::letters;
use crate::world::{Answer, EMAIL, PASSWORD, Request, World, text};

const PAGES: [&str; 3] = [
    "/account/change-email",
    "/account/reset-password",
    "/account/verify-email",
];

async fn get(world: &World, path: &str) -> Answer {
    world.send(Request::new(Method::GET, path)).await
}

/// What a page asks for, as a browser finds it from the page's address.
fn files(page: &str, html: &str) -> Vec<String> {
    let base = url::Url::parse("http://localhost:8000")
        .unwrap()
        .join(page)
        .unwrap();
    let named = html.split('"').filter(|part| part.starts_with("page."));
    named
        .map(|name| base.join(name).unwrap().path().to_owned())
        .collect()
}

#[actix_web::test]
async fn every_link_in_a_mail_leads_to_a_page() {
    let world = World::new().await;
    let newcomer = json!({"email": "eve@example.com", "password": PASSWORD});
    world.post("/api/auth/register/", newcomer).await;
    world
        .post("/api/auth/password-reset/", json!({"email": EMAIL}))
        .await;
    let pair = world.log_in().await;
    let change = Request::new(Method::POST, "/api/auth/change-email/")
        .bearer(text(&pair["access"]))
        .json(&json!({"email": "countess@example.com"}));
    world.send(change).await;
    let links: Vec<_> = letters(&world)
        .await
        .into_iter()
        .filter_map(|letter| letter.link)
        .collect();
    assert_eq!(links.len(), 3);
    for link in links {
        let path = link.url.strip_prefix("http://localhost:8000").unwrap();
        let answer = get(&world, path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert!(!answer.text.contains(&link.token));
    }
}

#[actix_web::test]
async fn a_page_and_its_files_are_served_with_and_without_a_final_slash() {
    let world = World::new().await;
    for page in PAGES {
        let bare = get(&world, page).await;
        for path in [
            page.to_owned(),
            format!("{page}/"),
            format!("{page}/?token=x&uid=y"),
        ] {
            let answer = get(&world, &path).await;
            assert_eq!(
                (answer.status, &answer.text),
                (StatusCode::OK, &bare.text),
                "{path}"
            );
            let files = files(&path, &answer.text);
            assert_eq!(files.len(), 2, "{path}");
            for file in files {
                let answer = get(&world, &file).await;
                assert_eq!(answer.status, StatusCode::OK, "{file}");
                guarded(&answer);
            }
            guarded(&answer);
        }
    }
}

/// Nothing but what is ours runs in it, and nobody keeps it or is told where it was.
fn guarded(answer: &Answer) {
    assert_eq!(
        answer.header("content-security-policy"),
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("set-cookie"), "");
}

#[actix_web::test]
async fn a_page_sends_what_it_has_to_an_operation_that_exists() {
    let world = World::new().await;
    let document = document("1.2.3");
    for page in PAGES {
        let html = get(&world, page).await.text;
        let (_, after) = html.split_once("data-path=\"").unwrap();
        let (path, _) = after.split_once('"').unwrap();
        let body = &document["paths"][path]["post"]["requestBody"];
        let form = &body["content"]["application/json"]["schema"]["$ref"];
        let (_, schema) = text(form).rsplit_once('/').unwrap();
        let known = &document["components"]["schemas"][schema]["properties"];
        let fields = html.split("name=\"new").skip(1);
        let fields = fields.map(|rest| format!("new{}", rest.split('"').next().unwrap()));
        for field in ["token".to_owned(), "uid".to_owned()]
            .into_iter()
            .chain(fields)
        {
            assert!(known[&field].is_object(), "{page} sends {field} to {path}");
        }
    }
}

#[actix_web::test]
async fn a_page_needs_no_script_and_no_style_of_its_own() {
    let world = World::new().await;
    for page in PAGES {
        let html = get(&world, page).await.text;
        assert!(!html.contains("<style") && !html.contains("style="));
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script src=\"page.js\" defer></script>")
                .count()
        );
    }
}

#[actix_web::test]
async fn every_field_of_a_page_has_a_label_and_a_place_for_what_is_wrong_with_it() {
    let world = World::new().await;
    let html = get(&world, "/account/reset-password").await.text;
    for field in ["new_password", "new_password_confirm"] {
        for part in [
            format!("<label for=\"{field}\">"),
            format!("<input id=\"{field}\" name=\"{field}\" type=\"password\""),
            format!("<p class=\"wrong\" id=\"{field}_wrong\">"),
        ] {
            assert_eq!(html.matches(&part).count(), 1, "{part}");
        }
    }
    for page in PAGES {
        let html = get(&world, page).await.text;
        assert!(html.contains("<html lang=\"en\">"));
        assert!(html.contains("role=\"status\" aria-live=\"polite\""));
    }
}

#[actix_web::test]
async fn nothing_else_is_there_and_nothing_else_can_be_done() {
    let world = World::new().await;
    for path in [
        "/account",
        "/account/",
        "/account/x",
        "/account/page.html",
        "/account/..%2fpages.rs",
    ] {
        assert_eq!(
            get(&world, path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    for page in PAGES {
        let answer = world.post(page, json!({"token": "x"})).await;
        assert_eq!(answer.code(), "method_not_allowed", "{page}");
        assert_eq!(answer.header("allow"), "GET, HEAD");
        let head = world.send(Request::new(Method::HEAD, page)).await;
        assert_eq!(head.status, StatusCode::OK);
        let document = document("1.2.3").to_string();
        assert!(!document.contains(page));
    }
}
