use core::future::pending;

use actix_web::body::to_bytes;
use actix_web::dev::Service as _;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{self, Json, Path, ServiceConfig};
use actix_web::{App, Route};
use tokio::time::timeout;

use super::*;
use crate::access_log::AccessEvents;
use crate::spawn;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_000)
    }
}

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

fn edge() -> Edge {
    Edge {
        access_log: Arc::new(AccessEvents),
        allowed_hosts: AllowedHosts::default(),
        allowed_origins: "https://app.example".parse().unwrap(),
        clock: Arc::new(Still),
        entropy: Arc::new(Zeros),
        metrics: Arc::new(Metrics::new("1", Vec::new()).unwrap()),
        public_scheme: Scheme::Http,
        rate_limits: None,
        request_time: Duration::from_secs(15),
        trusted_proxies: "10.0.0.0/8".parse().unwrap(),
    }
}

macro_rules! app {
    ($edge:expr) => {
        init_service(App::new().wrap(Envelope(Arc::new($edge))).configure(routes)).await
    };
}

// Below the macro that they use.
mod browsers;
mod log;

fn routes(config: &mut ServiceConfig) {
    let mut add = |path: &str, route: Route| {
        config.service(web::resource(path).route(route));
    };
    add("/ok", web::get().to(|| async { "done" }));
    add("/foreign", web::post().to(|_: Json<u8>| async { "read" }));
    add("/kept", web::get().to(kept));
    add("/logs", web::get().to(logs));
    add("/never", web::get().to(pending::<HttpResponse>));
    add("/number/{n}", web::get().to(number));
    add("/panic", web::get().to(panics));
    add("/problem", web::get().to(unavailable));
}

async fn kept() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "max-age=300"))
        .finish()
}

async fn logs() -> Result<HttpResponse, Problem> {
    tracing::info!("at once");
    tokio::task::yield_now().await;
    tracing::info!("later");
    spawn::run(async { tracing::info!("in a task") }).await?;
    Ok(HttpResponse::Ok().finish())
}

async fn number(n: Path<u8>) -> String {
    n.to_string()
}

async fn unavailable() -> Result<HttpResponse, Problem> {
    Err(Problem::Unavailable("the secret cause".into()))
}

async fn panics() -> HttpResponse {
    panic!("the secret message")
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name);
        let value = values.next()?;
        assert_eq!(values.next(), None, "{name} comes twice");
        Some(value.to_str().unwrap())
    }

    fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}",
            self.body
        );
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["status"], self.status);
        body["code"].as_str().unwrap().to_owned()
    }
}

async fn send_to(edge: Edge, request: TestRequest) -> Answer {
    let app = app!(edge);
    let answered = timeout(Duration::from_hours(1), app.call(request.to_request())).await;
    let answer = match answered.expect("an answer in time") {
        Ok(response) => HttpResponse::from(response),
        Err(error) => error.error_response(),
    };
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: String::from_utf8(to_bytes(answer.into_body()).await.unwrap().to_vec()).unwrap(),
    }
}

async fn send(request: TestRequest) -> Answer {
    send_to(edge(), request).await
}

fn get(path: &str) -> TestRequest {
    TestRequest::with_uri(path)
}

fn post(path: &str) -> TestRequest {
    TestRequest::post().uri(path)
}

fn preflight(path: &str, origin: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .method(Method::OPTIONS)
        .insert_header(("origin", origin.to_owned()))
        .insert_header(("access-control-request-method", "POST"))
        .insert_header(("access-control-request-headers", "authorization, x-tenant"))
}

/// One request of every kind of answer, with its status.
fn every_kind() -> Vec<(TestRequest, u16)> {
    vec![
        (get("/ok"), 200),
        (preflight("/ok", "https://app.example"), 204),
        (get("/number/300"), 404),
        (get("/nothing"), 404),
        (post("/ok"), 405),
        (post("/foreign").set_payload("x"), 400),
        (get("/ok").insert_header(("x", "x".repeat(40_000))), 431),
        (get(&format!("/{}", "x".repeat(9_000))), 414),
        (get("/panic"), 500),
        (get("/problem"), 503),
        (get("/never"), 503),
    ]
}

#[actix_web::test]
async fn every_failure_is_a_problem() {
    tokio::time::pause();
    for (request, status) in every_kind() {
        if status >= 400 {
            assert!(!send(request).await.code().is_empty());
        }
    }
}

#[actix_web::test]
async fn a_given_id_comes_back_and_a_harmful_one_does_not() {
    for path in ["/ok", "/nothing", "/panic"] {
        let given = send(get(path).insert_header(("x-request-id", "trace-7"))).await;
        assert_eq!(given.header("x-request-id"), Some("trace-7"), "{path}");
        let harmful = send(get(path).insert_header(("x-request-id", "a\"b"))).await;
        assert_eq!(harmful.header("x-request-id").unwrap().len(), 32, "{path}");
    }
}

#[actix_web::test]
async fn a_panic_is_a_problem_that_says_nothing() {
    let answer = send(get("/panic")).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (500, "internal_error")
    );
    assert!(!answer.body.contains("secret"));
}

#[actix_web::test]
async fn after_a_panic_the_worker_serves_on() {
    let app = app!(edge());
    for _ in 0..3 {
        assert!(app.call(get("/panic").to_request()).await.is_err());
        let answer = app.call(get("/ok").to_request()).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[actix_web::test]
async fn a_request_that_takes_too_long_is_answered_in_time() {
    tokio::time::pause();
    let edge = edge();
    let begin = tokio::time::sleep(edge.request_time).deadline();
    let answer = send_to(edge, get("/never")).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "unavailable")
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
    let end = tokio::time::sleep(Duration::ZERO).deadline();
    assert!(begin <= end && end < begin + Duration::from_secs(1));
}

#[actix_web::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405_with_those_there_are() {
    let unknown = send(get("/nothing")).await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (404, "not_found")
    );
    let wrong = send(post("/ok")).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (405, "method_not_allowed")
    );
    assert_eq!(wrong.header("allow"), Some("GET"));
}

#[actix_web::test]
async fn two_authorizations_are_refused() {
    let two = get("/ok")
        .append_header(("authorization", "Bearer a"))
        .append_header(("authorization", "Bearer b"));
    let answer = send(two).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "malformed_headers")
    );
}

#[actix_web::test]
async fn requests_are_counted_by_pattern_and_never_by_path() {
    tokio::time::pause();
    let edge = edge();
    for path in ["/number/7", "/number/8", "/secret-of-a-client", "/panic"] {
        send_to(edge.clone(), get(path)).await;
    }
    let text = edge.metrics.render().unwrap();
    for line in [
        r#"{method="GET",route="/number/{n}",status="200"} 2"#,
        r#"{method="GET",route="unmatched",status="404"} 1"#,
        r#"{method="GET",route="unmatched",status="500"} 1"#,
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains("secret"));
}
