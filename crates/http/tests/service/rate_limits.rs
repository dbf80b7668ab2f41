//! Addresses and tenants that send too many requests.

use core::time::Duration;
use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_http::RateLimits;

use crate::accounts::letters;
use crate::world::{Answer, EMAIL, PASSWORD, Request, World, text};

async fn world() -> World {
    let mut world = World::new().await;
    let clock = Arc::clone(&world.tessera.ports().clock);
    world.rate_limits = Some(Arc::new(RateLimits::new(&clock, 1)));
    world
}

fn log_in(address: &str) -> Request {
    let credentials = json!({"email": EMAIL, "password": PASSWORD});
    Request::new(Method::POST, "/api/token/")
        .json(&credentials)
        .from(address)
}

/// A log in that is refused for its body, if it comes to that.
fn nonsense(address: &str) -> Request {
    Request::new(Method::POST, "/api/token/").from(address)
}

fn guess(tenant: &str, address: &str) -> Request {
    Request::new(Method::POST, "/api/token/")
        .json(&json!({"email": "nobody@example.com", "password": "wrong"}))
        .header("x-tenant", tenant)
        .from(address)
}

/// Uses up what an address may send to log in.
async fn use_up(world: &World, address: &str) {
    let requests = (0..BURST).map(|_| nonsense(address));
    for answer in world.send_all(requests).await {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
}

fn standing(answer: &Answer) -> [&str; 2] {
    [
        answer.header("ratelimit-policy"),
        answer.header("ratelimit"),
    ]
}

async fn refresh(world: &World, pair: &Value) -> Answer {
    let body = json!({"refresh": pair["refresh"]});
    let request = Request::new(Method::POST, "/api/token/refresh/").json(&body);
    world.send(request.from(ADDRESS)).await
}

#[actix_web::test]
async fn an_address_that_logs_in_too_often_is_refused_until_time_has_passed() {
    let world = world().await;
    use_up(&world, ADDRESS).await;
    for path in [
        "/api/token/",
        "/auth/token",
        "/t/public/auth/login",
        "/api/auth/login/",
    ] {
        let request = Request::new(Method::POST, path).from(ADDRESS);
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
        assert_eq!(answer.code(), "too_many_requests");
        let detail = &answer.json()["detail"];
        assert_eq!(
            detail,
            "Request was throttled. Expected available in 1 second."
        );
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(
            standing(&answer),
            [r#""log-in";q=1200;w=1200"#, r#""log-in";r=0;t=1"#]
        );
    }
    world.clock.advance(Duration::from_secs(1));
    let [first, second] = [log_in(ADDRESS), log_in(ADDRESS)];
    assert_eq!(world.send(first).await.status, StatusCode::OK);
    assert_eq!(
        world.send(second).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[actix_web::test]
async fn who_is_refused_has_not_been_heard() {
    let world = world().await;
    let before = world.log_in().await;
    use_up(&world, ADDRESS).await;
    let unreadable =
        Request::new(Method::POST, "/api/token/").body("image/png", "x".repeat(99_999));
    for request in [log_in(ADDRESS), unreadable.from(ADDRESS)] {
        assert_eq!(
            world.send(request).await.status,
            StatusCode::TOO_MANY_REQUESTS
        );
    }
    let sessions = world
        .get("/api/auth/sessions/", text(&before["access"]))
        .await;
    assert_eq!(sessions.json()["sessions"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn what_is_sent_to_log_in_takes_nothing_from_what_an_owner_needs() {
    let world = world().await;
    let pair = world.log_in().await;
    use_up(&world, ADDRESS).await;
    let answer = refresh(&world, &pair).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        standing(&answer),
        [r#""refresh";q=30000;w=10"#, r#""refresh";r=29999;t=1"#]
    );
    let access = answer.json()["access"].clone();
    let ask = |method, path| {
        let request = Request::new(method, path);
        request.bearer(text(&access)).from(ADDRESS)
    };
    let passwords = json!({"old_password": PASSWORD, "new_password": "another long password"});
    for (request, limited) in [
        (ask(Method::GET, "/api/auth/me/"), false),
        (ask(Method::GET, "/api/token/validate/"), false),
        (
            ask(Method::POST, "/api/auth/change-password/").json(&passwords),
            true,
        ),
        (ask(Method::POST, "/api/auth/logout-all/"), false),
    ] {
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.headers.contains_key("ratelimit"), limited);
    }
}

#[actix_web::test]
async fn another_address_is_not_touched_but_an_ipv6_neighbour_is() {
    let world = world().await;
    use_up(&world, "2001:db8:0:7::1").await;
    for (address, status) in [
        ("2001:db8:0:7:ffff::2", StatusCode::TOO_MANY_REQUESTS),
        ("2001:db8:0:8::1", StatusCode::OK),
        (ADDRESS, StatusCode::OK),
        ("::ffff:192.0.2.2", StatusCode::OK),
    ] {
        let answer = world.send(log_in(address)).await;
        assert_eq!(answer.status, status, "{address}");
    }
}

#[actix_web::test]
async fn a_stranger_cannot_choose_its_bucket() {
    let world = world().await;
    use_up(&world, ADDRESS).await;
    for (number, name) in ["x-forwarded-for", "forwarded", "x-real-ip"]
        .iter()
        .enumerate()
    {
        let value = format!("203.0.113.{number}");
        let request = log_in(ADDRESS).header(name, &value);
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{name}");
    }
}

#[actix_web::test]
async fn behind_a_trusted_proxy_each_client_has_its_own() {
    let mut world = world().await;
    world.trusted_proxies = "192.0.2.1".parse().unwrap();
    use_up(&world, "203.0.113.1").await;
    let behind = |client| log_in(ADDRESS).header("x-forwarded-for", client);
    for (client, status) in [
        ("203.0.113.1", StatusCode::TOO_MANY_REQUESTS),
        ("203.0.113.2, 203.0.113.1", StatusCode::TOO_MANY_REQUESTS),
        ("203.0.113.2", StatusCode::OK),
    ] {
        let answer = world.send(behind(client)).await;
        assert_eq!(answer.status, status, "{client}");
    }
}

#[actix_web::test]
async fn every_account_and_none_leave_the_same_standing() {
    let try_ = |email, password| {
        let body = json!({"email": email, "password": password});
        let request = Request::new(Method::POST, "/api/token/").json(&body);
        request.from(ADDRESS)
    };
    let mut seen = Vec::new();
    for request in [
        try_(EMAIL, PASSWORD),
        try_(EMAIL, "wrong"),
        try_("nobody@example.com", "wrong"),
        guess("nowhere", ADDRESS),
        nonsense(ADDRESS),
    ] {
        let answer = world().await.send(request).await;
        seen.push(standing(&answer).map(str::to_owned));
    }
    assert_eq!(
        seen[0],
        [r#""log-in";q=1200;w=1200"#, r#""log-in";r=1199;t=1"#]
    );
    assert!(seen.iter().all(|standing| *standing == seen[0]), "{seen:?}");
}

#[actix_web::test]
async fn a_tenant_has_its_share_however_many_addresses_it_has() {
    let world = world().await;
    world.add_tenant("Acme", "acme.example").await;
    world.add_user("acme", EMAIL, "ada").await;
    let of_acme = |address: &str| log_in(address).header("x-tenant", "acme");
    let at_acme = || log_in("203.0.113.1").header("host", "acme.example");
    // By a name that was not seen before it is counted for the default tenant.
    let pair = world.send(of_acme(ADDRESS)).await.json();
    assert_eq!(world.send(at_acme()).await.status, StatusCode::OK);
    let guesses = (0..SHARE).map(|number| guess("Acme", &format!("198.51.100.{}", number % 9)));
    for answer in world.send_all(guesses).await {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    }
    for request in [of_acme(ADDRESS), at_acme(), guess("acme", "203.0.113.1")] {
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.code(), "too_many_requests");
        assert_eq!(answer.header("retry-after"), "1");
        let [policy, now] = [
            r#""log-in-by-tenant";q=1800;w=60"#,
            r#""log-in-by-tenant";r=0;t=1"#,
        ];
        assert_eq!(standing(&answer), [policy, now]);
    }
    assert_eq!(world.send(log_in(ADDRESS)).await.status, StatusCode::OK);
    assert_eq!(refresh(&world, &pair).await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.send(of_acme(ADDRESS)).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_tenant_has_its_share_of_changes_of_password_too() {
    let world = world().await;
    world.add_tenant("Acme", "acme.example").await;
    world.add_user("acme", EMAIL, "ada").await;
    let of_acme = log_in(ADDRESS).header("x-tenant", "acme");
    let pairs = [world.send(of_acme).await.json(), world.log_in().await];
    let change = |pair: &Value, from: usize| {
        let passwords = json!({"old_password": PASSWORD, "new_password": "short"});
        let request = Request::new(Method::POST, "/api/auth/change-password/").json(&passwords);
        let request = request.bearer(text(&pair["access"]));
        request.from(&format!("198.51.100.{}", from % 20))
    };
    let changes = (0..3_000).map(|from| change(&pairs[0], from));
    for answer in world.send_all(changes).await {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    }
    let answers = world.send_all(pairs.iter().map(|pair| change(pair, 0)));
    let statuses = answers.await.into_iter().map(|answer| answer.status);
    assert_eq!(
        statuses.collect::<Vec<_>>(),
        [StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_REQUEST]
    );
}

#[actix_web::test]
async fn made_up_tokens_from_everywhere_keep_nobody_from_a_reset_or_a_verification() {
    let world = world().await;
    let newcomer = json!({"email": "eve@example.com", "password": PASSWORD});
    world.post("/api/auth/register/", newcomer).await;
    world
        .post("/api/auth/password-reset/", json!({"email": EMAIL}))
        .await;
    let mut letters = letters(&world).await;
    letters.sort_by_key(|letter| letter.kind.as_str());
    let tokens = letters.into_iter().map(|letter| letter.link.unwrap().token);
    let [reset, verification] = tokens.collect::<Vec<_>>().try_into().unwrap();
    let confirm = |path: &str, token: &str, from: &str| {
        let body = json!({"token": token, "new_password": "another long password"});
        let request = Request::new(Method::POST, path).json(&body);
        request.from(from)
    };
    let paths = [
        "/api/auth/verify-email/",
        "/api/auth/password-reset/confirm/",
        "/api/auth/change-email/confirm/",
    ];
    let junk = (0..JUNK).map(|number| {
        let from = format!("198.51.100.{}", number % 250);
        confirm(paths[number % 3], &format!("public.{number}"), &from)
    });
    for answer in world.send_all(junk).await {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    }
    for (path, token) in [(paths[0], verification), (paths[1], reset)] {
        let answer = world.send(confirm(path, &token, ADDRESS)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
}

#[actix_web::test]
async fn made_up_tenants_share_the_part_of_the_default_one() {
    let world = world().await;
    let guesses = (0..SHARE).map(|number| {
        let address = format!("198.51.100.{}", number % 9);
        guess(&format!("made-up-{number}"), &address)
    });
    for answer in world.send_all(guesses).await {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    }
    for request in [guess("one-more", ADDRESS), log_in(ADDRESS)] {
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[actix_web::test]
async fn where_limits_are_off_nobody_is_counted() {
    let world = World::new().await;
    let requests = (0..BURST).map(|_| nonsense(ADDRESS));
    world.send_all(requests).await;
    let answer = world.send(log_in(ADDRESS)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(standing(&answer), ["", ""]);
}

#[actix_web::test]
async fn pages_and_operators_can_see_it() {
    let world = world().await;
    use_up(&world, ADDRESS).await;
    let page = log_in(ADDRESS).header("origin", "https://app.example.com");
    let metrics = Request::new(Method::GET, "/metrics/");
    let answers = world.send_all([page, log_in(ADDRESS), metrics]).await;
    let exposed = answers[0].header("access-control-expose-headers");
    for field in ["RateLimit", "RateLimit-Policy", "Retry-After"] {
        assert!(exposed.split(", ").any(|it| it == field), "{exposed}");
    }
    let counted = r#"tessera_rate_limited_total{by="address",group="log-in"} 2"#;
    assert!(answers[2].text.contains(counted), "{}", answers[2].text);
}

const ADDRESS: &str = "192.0.2.1";
const BURST: usize = 1_200;
const SHARE: usize = 1_800;

/// More than a tenant has of what takes a session and a hash.
const JUNK: usize = 4_000;
