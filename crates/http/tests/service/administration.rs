//! Administration of events, on the wire.

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_app::{Receipt, Relay, RelaySettings, Store, UserKey};
use tessera_domain::{Change, Changes, Id, RetryPolicy, Role, User, Username};
use tessera_http::rfc3339;
use tessera_memory::MemoryPublisher;

use crate::world::{Answer, EMAIL, PASSWORD, Request, World, text};

const EVENTS: &str = "/api/admin/events/";
const STATUS: &str = "/api/admin/events/status/";
const WAITING: &str = "/api/admin/events/waiting/";

/// An account of each kind: `root` administers the platform, `hal` the default tenant, `eve` the
/// tenant Acme; `ada` none.
async fn world() -> World {
    let world = World::new().await;
    world.add_tenant("Acme", "acme.example").await;
    for (tenant, name, role) in [
        ("public", "root", "platform-admin"),
        ("public", "hal", "tenant-admin"),
        ("acme", "eve", "tenant-admin"),
    ] {
        let email = format!("{name}@{tenant}.example");
        world.add_user_with(tenant, &email, name, role).await;
    }
    world
}

async fn token(world: &World, tenant: &str, username: &str) -> String {
    let credentials = json!({"username": username, "password": PASSWORD});
    let path = format!("/t/{tenant}/api/token/");
    let pair = world.post(&path, credentials).await.json();
    text(&pair["access"]).to_owned()
}

async fn retry(world: &World, id: &str, token: &str) -> Answer {
    let path = format!("/api/admin/events/{id}/retry/");
    let request = Request::new(Method::POST, &path);
    world.send(request.bearer(token)).await
}

fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["events"].as_array().unwrap().clone()
}

/// Has a publisher try all that is new; it takes no event of a user.
pub(crate) async fn publish(world: &World, rejections: u32) {
    let ports = world.tessera.ports();
    let broker = MemoryPublisher::new("broker");
    broker.answer(|event| {
        if event.subject.starts_with("user/") {
            Receipt::Rejected("too large".to_owned())
        } else {
            Receipt::Sent
        }
    });
    let retry = RetryPolicy {
        rejections,
        ..RetryPolicy::default()
    };
    let mut relay = Relay::new(
        Arc::clone(&ports.log),
        Arc::new(broker),
        Arc::clone(&ports.clock),
        Arc::clone(&ports.entropy),
        Id::new(ports.clock.now(), [1; 10]),
        RelaySettings {
            retry,
            ..RelaySettings::default()
        },
    );
    relay.step().await.unwrap();
}

#[actix_web::test]
async fn a_platform_administrator_sees_all_events_as_they_are_sent() {
    let world = world().await;
    let root = token(&world, "public", "root").await;
    for path in [EVENTS, "/api/admin/events", "/t/public/api/admin/events/"] {
        let answer = world.get(path, &root).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json()["next"], Value::Null);
        let (shown, logged) = (events(&answer), world.store.events());
        assert_eq!(shown.len(), logged.len());
        for (shown, logged) in shown.iter().zip(logged) {
            let body = sent(&world, logged.position).await;
            assert!(answer.text.contains(&body), "{body}");
            let event: Value = serde_json::from_str(&body).unwrap();
            let expected = json!({
                "position": logged.position,
                "id": event["id"],
                "tenant_id": event["tenantid"],
                "subject": event["subject"],
                "sequence": logged.event.fact.sequence,
                "type": event["type"],
                "time": rfc3339(logged.event.at),
                "event": event,
            });
            assert_eq!(shown, &expected);
        }
    }
}

#[actix_web::test]
async fn a_tenant_administrator_sees_the_own_tenant_alone() {
    let world = world().await;
    for (tenant, name) in [("acme", "eve"), ("public", "hal")] {
        let id = world.tessera.tenant(tenant).await.unwrap().unwrap().id;
        let administrator = token(&world, tenant, name).await;
        let shown = events(&world.get(EVENTS, &administrator).await);
        let logged = world.store.events();
        let own = logged.iter().filter(|logged| logged.event.tenant == id);
        assert_eq!(shown.len(), own.count());
        assert!(
            shown
                .iter()
                .all(|event| event["tenant_id"] == id.to_string())
        );
    }
}

#[actix_web::test]
async fn who_administers_nothing_is_told_so_before_anything_else() {
    let world = world().await;
    let parked = "019ac0de-7b1a-7c3e-9f00-3f2a6b1c9d10";
    let ada = token(&world, "public", "ada").await;
    let answers = [
        world.get(EVENTS, &ada).await,
        world.get("/api/admin/events/?limit=0", &ada).await,
        world.get(WAITING, &ada).await,
        world.get(STATUS, &ada).await,
        retry(&world, parked, &ada).await,
        retry(&world, "nonsense", &ada).await,
    ];
    for answer in answers {
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
        assert_eq!(answer.code(), "permission_denied");
        let detail = "You do not have permission to perform this action.";
        assert_eq!(answer.json()["detail"], detail);
    }
}

#[actix_web::test]
async fn without_a_good_token_there_is_no_administration() {
    let world = world().await;
    let eve = token(&world, "acme", "eve").await;
    for path in [EVENTS, WAITING, STATUS] {
        let none = world.send(Request::new(Method::GET, path)).await;
        assert_eq!(none.status, StatusCode::UNAUTHORIZED);
        assert_eq!(none.code(), "not_authenticated");
        let (signed, _) = eve.rsplit_once('.').unwrap();
        for forged in ["x", "a.b.c", &format!("{signed}.AAAA")] {
            let answer = world.get(path, forged).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.code(), "token_not_valid");
        }
        let elsewhere = world.get(&format!("/t/public{path}"), &eve).await;
        assert_eq!(elsewhere.code(), "token_not_valid");
    }
}

#[actix_web::test]
async fn the_role_of_the_platform_is_nothing_in_another_tenant() {
    let world = world().await;
    let acme = world.tessera.tenant("acme").await.unwrap().unwrap();
    let eve = UserKey::Username(Username::parse("eve").unwrap().key().to_owned());
    let eve = world.store.user(&acme, &eve).await.unwrap().unwrap();
    let changes = Changes {
        users: vec![Change::Update(User {
            roles: vec![Role::parse("platform-admin").unwrap()],
            ..eve
        })],
        ..Changes::default()
    };
    world.store.commit(&acme, changes).await.unwrap();
    let eve = token(&world, "acme", "eve").await;
    for path in [EVENTS, WAITING, STATUS] {
        assert_eq!(world.get(path, &eve).await.code(), "permission_denied");
    }
}

#[actix_web::test]
async fn the_log_is_read_page_by_page() {
    let world = world().await;
    let root = token(&world, "public", "root").await;
    let all = events(&world.get(EVENTS, &root).await);
    let (mut paged, mut after) = (Vec::new(), json!(0));
    while !after.is_null() {
        let path = format!("/api/admin/events?after={after}&limit=2");
        let answer = world.get(&path, &root).await;
        assert!(events(&answer).len() <= 2);
        paged.extend(events(&answer));
        after = answer.json()["next"].clone();
    }
    assert_eq!(paged, all);
    let whole = format!("{EVENTS}?limit={}", all.len());
    assert_eq!(world.get(&whole, &root).await.json()["next"], Value::Null);
}

#[actix_web::test]
async fn a_page_has_a_hundred_events_unless_another_number_is_asked_for() {
    let world = world().await;
    let root = token(&world, "public", "root").await;
    for _ in 0..120 {
        world
            .post("/api/token/", json!({"email": EMAIL, "password": "wrong"}))
            .await;
    }
    assert_eq!(events(&world.get(EVENTS, &root).await).len(), 100);
    let more = world.get("/api/admin/events/?limit=1000", &root).await;
    assert_eq!(events(&more).len(), world.store.events().len());
}

#[actix_web::test]
async fn a_wrong_part_of_a_list_is_named() {
    let world = world().await;
    let root = token(&world, "public", "root").await;
    let no_integer = "A valid integer is required.";
    let least = |number| format!("Ensure this value is greater than or equal to {number}.");
    let most = "Ensure this value is less than or equal to 1000.";
    for (query, field, told) in [
        ("limit=0", "limit", least(1)),
        ("limit=-1", "limit", least(1)),
        ("limit=1001", "limit", most.to_owned()),
        ("limit=ten", "limit", no_integer.to_owned()),
        ("limit=1.5", "limit", no_integer.to_owned()),
        ("after=-1", "after", least(0)),
        ("after=99999999999999999999", "after", no_integer.to_owned()),
    ] {
        for path in [EVENTS, WAITING] {
            let answer = world.get(&format!("{path}?{query}"), &root).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
            assert_eq!(answer.code(), "invalid_input");
            let (body, pointer) = (answer.json(), format!("#/{field}"));
            assert_eq!(body[field], json!([told]), "{query}");
            assert_eq!(
                body["errors"],
                json!([{"pointer": pointer, "detail": told}])
            );
        }
    }
    let both = world
        .get("/api/admin/events/?limit=x&after=x", &root)
        .await
        .json();
    assert_eq!(both["limit"], both["after"]);
    let far = format!("{EVENTS}?after={}", i64::MAX);
    assert_eq!(events(&world.get(&far, &root).await).len(), 0);
}

#[actix_web::test]
async fn what_waits_is_shown_with_how_it_waits() {
    let world = World::new().await;
    world.tessera.ports().log.enrol("broker").await.unwrap();
    world.add_tenant("Acme", "acme.example").await;
    world
        .add_user_with("acme", "eve@acme.example", "eve", "tenant-admin")
        .await;
    let eve = token(&world, "acme", "eve").await;
    publish(&world, 1).await;
    world.add_user("acme", "bob@acme.example", "bob").await;
    publish(&world, 2).await;
    let answer = world.get(WAITING, &eve).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut shown = events(&answer);
    let acme = world.tessera.tenant("acme").await.unwrap().unwrap().id;
    for event in &mut shown {
        assert_eq!(event["tenant_id"], acme.to_string());
        assert!(text(&event["subject"]).starts_with("user/"));
        let named = event.as_object_mut().unwrap();
        named
            .retain(|name, _| !["id", "position", "subject", "tenant_id"].contains(&name.as_str()));
    }
    let next_try = shown[2]["next_try"].clone();
    let next = text(&next_try).parse::<jiff::Timestamp>().unwrap();
    assert!(next.as_microsecond() > world.tessera.ports().clock.now().as_micros());
    assert_eq!(
        shown,
        [
            json!({"publisher": "broker", "type": "UserCreated", "status": "parked",
                "rejections": 1, "holds": 0, "next_try": null,
                "parked_at": "2026-01-01T00:00:00Z", "reason": "too large"}),
            json!({"publisher": "broker", "type": "UserLoggedIn", "status": "behind",
                "rejections": 0, "holds": 0, "next_try": null, "parked_at": null,
                "reason": null}),
            json!({"publisher": "broker", "type": "UserCreated", "status": "due",
                "rejections": 1, "holds": 0, "next_try": next_try, "parked_at": null,
                "reason": "too large"}),
        ]
    );
    let first = world.get("/api/admin/events/waiting?limit=1", &eve).await;
    assert_eq!(events(&first).len(), 1);
    let after = first.json()["next"].clone();
    let rest = world.get(&format!("{WAITING}?after={after}"), &eve).await;
    assert_eq!(
        (events(&rest).len(), &rest.json()["next"]),
        (2, &Value::Null)
    );
    let elsewhere = world.add_user_with("public", "hal@example.com", "hal", "tenant-admin");
    elsewhere.await;
    let hal = token(&world, "public", "hal").await;
    assert_eq!(events(&world.get(WAITING, &hal).await).len(), 0);
}

#[actix_web::test]
async fn only_a_platform_administrator_sees_how_far_publishers_came() {
    let world = World::new().await;
    let nothing = json!({"name": "broker", "pending": 0, "oldest_seconds": null, "sent": 0,
        "parked": 0});
    world
        .add_user_with("public", "root@example.com", "root", "platform-admin")
        .await;
    world
        .add_user_with("public", "hal@example.com", "hal", "tenant-admin")
        .await;
    let [root, hal] = [
        token(&world, "public", "root").await,
        token(&world, "public", "hal").await,
    ];
    let status = async || world.get(STATUS, &root).await.json();
    assert_eq!(status().await, json!({"publishers": []}));
    world.tessera.ports().log.enrol("broker").await.unwrap();
    assert_eq!(status().await, json!({"publishers": [nothing]}));
    world.add_tenant("Acme", "acme.example").await;
    world.add_user("acme", "bob@acme.example", "bob").await;
    publish(&world, 1).await;
    world.add_user("acme", "eve@acme.example", "eve").await;
    world
        .clock
        .advance(core::time::Duration::from_millis(90_900));
    let came = json!({"name": "broker", "pending": 1, "oldest_seconds": 90, "sent": 2,
        "parked": 1});
    assert_eq!(status().await, json!({"publishers": [came]}));
    let refused = world.get(STATUS, &hal).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.code(), "permission_denied");
}

#[actix_web::test]
async fn a_parked_event_is_retried_by_those_who_may_see_it() {
    let world = world().await;
    world.tessera.ports().log.enrol("broker").await.unwrap();
    for name in ["bob", "kim"] {
        let email = format!("{name}@acme.example");
        world.add_user("acme", &email, name).await;
    }
    publish(&world, 1).await;
    let [eve, hal, root] = [("acme", "eve"), ("public", "hal"), ("public", "root")];
    let [eve, hal, root] = [
        token(&world, eve.0, eve.1).await,
        token(&world, hal.0, hal.1).await,
        token(&world, root.0, root.1).await,
    ];
    let parked = events(&world.get(WAITING, &root).await);
    assert_eq!(parked.len(), 2);
    for (event, own) in parked.iter().zip([&eve, &root]) {
        let id = text(&event["id"]);
        let another = retry(&world, id, &hal).await;
        assert_eq!((another.status, another.code()), not_found());
        let done = retry(&world, id, own).await;
        assert_eq!(
            (done.status, done.json()),
            (StatusCode::OK, json!({"retried": 1}))
        );
        assert_eq!(done.header("cache-control"), "no-store");
        let again = retry(&world, id, own).await;
        assert_eq!((again.status, again.code()), not_found());
    }
    let waiting = events(&world.get(WAITING, &root).await);
    assert!(waiting.iter().all(|event| event["status"] == "due"));
    for unknown in ["019ac0de-7b1a-7c3e-9f00-3f2a6b1c9d10", "nonsense", "7"] {
        let answer = retry(&world, unknown, &root).await;
        assert_eq!((answer.status, answer.code()), not_found(), "{unknown}");
    }
}

#[actix_web::test]
async fn what_administrators_cannot_do_there_is_told_with_what_they_can() {
    let world = World::new().await;
    for (path, allowed) in [
        (EVENTS, "GET, HEAD"),
        (STATUS, "GET, HEAD"),
        (WAITING, "GET, HEAD"),
        ("/api/admin/events/x/retry", "POST"),
    ] {
        let other = world.send(Request::new(Method::DELETE, path)).await;
        assert_eq!(other.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(other.header("allow"), allowed, "{path}");
    }
}

/// What is sent of the event at that position.
async fn sent(world: &World, position: u64) -> String {
    let log = &world.tessera.ports().log;
    let events = log.events(None, position - 1, 1).await.unwrap();
    events[0].body.clone()
}

fn not_found() -> (StatusCode, String) {
    (StatusCode::NOT_FOUND, "not_found".to_owned())
}
