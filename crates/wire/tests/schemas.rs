//! Each type of event has its file in `schemas`, which accepts what is sent and little else.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::iter::successors;
use std::path::{Path, PathBuf};

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};
use tessera_domain::{
    Algorithm, Event, EventKind, Fact, Id, JobRoleBy, KeyId, LoginFailure, SessionEnd, Subject,
    TenantLayout, TenantSettings, Timestamp, TokenIssuer,
};
use tessera_wire::{encode, with_position};

#[test]
fn each_type_has_a_schema_and_no_schema_is_left_over() {
    let mut expected = types();
    assert!(expected.insert("CloudEvent".to_owned()));
    assert_eq!(names("schemas"), expected);
}

#[test]
fn each_golden_file_suits_the_schema_of_its_type_and_no_other() {
    for sent in types() {
        let event = golden(&sent);
        for described in types() {
            let suits = validator(&described).is_valid(&event);
            assert_eq!(suits, sent == described, "{sent} as {described}");
        }
    }
}

#[test]
fn a_schema_is_named_after_its_type_and_describes_every_member() {
    let shared = read("schemas", "CloudEvent");
    for event_type in types() {
        let schema = read("schemas", &event_type);
        assert_eq!(schema["title"], *event_type);
        assert_eq!(schema["properties"]["type"]["const"], *event_type);
        let event = golden(&event_type);
        assert_described(&shared, &event);
        let data = &schema["properties"]["data"];
        assert_described(data, &event["data"]);
        assert!(schema["description"].is_string() && data["description"].is_string());
    }
}

#[test]
fn a_body_without_one_of_its_members_is_refused() {
    for_each_member(|event_type, validator, event, parent, name| {
        let mut event = event.clone();
        let members = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        members.remove(name).unwrap();
        assert!(!validator.is_valid(&event), "{event_type} without {name}");
    });
}

#[test]
fn a_body_with_a_member_of_a_wrong_kind_is_refused() {
    for_each_member(|event_type, validator, event, parent, name| {
        for wrong in [json!(true), json!(-1), json!(""), json!([{}])] {
            let mut event = event.clone();
            let member = event.pointer_mut(&format!("{parent}/{name}")).unwrap();
            let text = FREE_TEXTS.contains(&name) && wrong.is_string();
            let flag = member.is_boolean() && wrong.is_boolean();
            if text || flag {
                continue;
            }
            *member = wrong.clone();
            assert!(!validator.is_valid(&event), "{event_type}: {name} {wrong}");
        }
    });
}

#[test]
fn only_what_may_be_unknown_may_be_null() {
    for_each_member(|event_type, validator, event, parent, name| {
        let mut event = event.clone();
        *event.pointer_mut(&format!("{parent}/{name}")).unwrap() = Value::Null;
        let nullable = NULLABLE.contains(&(event_type, name));
        assert_eq!(validator.is_valid(&event), nullable, "{event_type}: {name}");
    });
}

#[test]
fn a_body_may_have_more_members_than_are_described() {
    for event_type in types() {
        let mut event = golden(&event_type);
        event["traceparent"] = json!("00-1-2-01");
        event["data"]["later"] = json!({"new": [1]});
        assert!(validator(&event_type).is_valid(&event), "{event_type}");
    }
}

#[test]
fn numbers_times_and_subjects_are_judged_by_how_they_are_written() {
    let validator = validator("UserLocked");
    for (pointer, wrong) in [
        ("/data/failures", json!("5")),
        ("/data/until", json!("2026-01-01T00:00:30Z")),
        ("/id", json!("019b76da-a800-7101-8101-01010101010")),
        ("/position", json!("-1")),
        ("/position", json!(1)),
        ("/sequence", json!("0")),
        ("/sequence", json!("07")),
        ("/source", json!("urn:other")),
        ("/specversion", json!("0.3")),
        (
            "/subject",
            json!("session/019b76da-a800-7303-8303-030303030303"),
        ),
        ("/subject", json!("user/7")),
        ("/time", json!("2026-01-01T00:00:00.000042+00:00")),
        ("/time", json!("2026-01-01T25:00:00.000042Z")),
    ] {
        let mut event = golden("UserLocked");
        *event.pointer_mut(pointer).unwrap() = wrong.clone();
        assert!(!validator.is_valid(&event), "{pointer} {wrong}");
    }
}

#[test]
fn every_reason_of_the_domain_is_listed_and_none_is_left_over() {
    let kinds = successors(Some(LoginFailure::Disabled), |why| after_failure(*why)).map(|why| {
        let (user, ip) = (None, None);
        EventKind::LoginFailed { user, why, ip }
    });
    assert_listed("why", kinds);
    let kinds = successors(Some(SessionEnd::Deleted), |why| after_end(*why)).map(|why| {
        let user = id(3);
        EventKind::SessionEnded { user, why }
    });
    assert_listed("why", kinds);
    let kinds =
        successors(Some(Algorithm::EdDsa), |algorithm| after(*algorithm)).map(|algorithm| {
            let key = KeyId::new("kid".to_owned());
            let signs_from = Timestamp::from_secs(0);
            EventKind::SigningKeyRotated {
                key,
                algorithm,
                signs_from,
            }
        });
    assert_listed("algorithm", kinds);
}

#[test]
fn every_choice_of_a_tenant_is_listed_and_none_is_left_over() {
    let layouts = TenantLayout::ALL.into_iter();
    let started = |to| EventKind::TenantMoveStarted { to };
    assert_listed("to", layouts.clone().map(started));
    assert_listed(
        "layout",
        layouts.map(|layout| EventKind::TenantMoved { layout }),
    );
    let job_roles = JobRoleBy::ALL.into_iter().map(|job_role| TenantSettings {
        job_role,
        ..TenantSettings::default()
    });
    assert_listed(
        "job_role_by",
        job_roles.map(EventKind::TenantSettingsChanged),
    );
    let issuers = TokenIssuer::ALL.into_iter().map(|issuer| TenantSettings {
        issuer,
        ..TenantSettings::default()
    });
    assert_listed("issuer", issuers.map(EventKind::TenantSettingsChanged));
}

/// Those after it in the chain of all, here and below: a new one does not compile until it has its
/// place.
fn after_failure(why: LoginFailure) -> Option<LoginFailure> {
    match why {
        LoginFailure::Disabled => Some(LoginFailure::Locked),
        LoginFailure::Locked => Some(LoginFailure::SuspendedTenant),
        LoginFailure::SuspendedTenant => Some(LoginFailure::UnknownTenant),
        LoginFailure::UnknownTenant => Some(LoginFailure::UnknownUser),
        LoginFailure::UnknownUser => Some(LoginFailure::Unverified),
        LoginFailure::Unverified => Some(LoginFailure::WrongPassword),
        LoginFailure::WrongPassword => None,
    }
}

fn after_end(why: SessionEnd) -> Option<SessionEnd> {
    match why {
        SessionEnd::Deleted => Some(SessionEnd::Disabled),
        SessionEnd::Disabled => Some(SessionEnd::Guessing),
        SessionEnd::Guessing => Some(SessionEnd::Limit),
        SessionEnd::Limit => Some(SessionEnd::LogOut),
        SessionEnd::LogOut => Some(SessionEnd::LogOutEverywhere),
        SessionEnd::LogOutEverywhere => Some(SessionEnd::Operator),
        SessionEnd::Operator => Some(SessionEnd::PasswordChange),
        SessionEnd::PasswordChange => Some(SessionEnd::Reuse),
        SessionEnd::Reuse => Some(SessionEnd::Revoked),
        SessionEnd::Revoked => None,
    }
}

fn after(algorithm: Algorithm) -> Option<Algorithm> {
    match algorithm {
        Algorithm::EdDsa => Some(Algorithm::Es256),
        Algorithm::Es256 => Some(Algorithm::Hs256),
        Algorithm::Hs256 => Some(Algorithm::Ps256),
        Algorithm::Ps256 => Some(Algorithm::Rs256),
        Algorithm::Rs256 => None,
    }
}

/// That the values of `member`, as these kinds of one type have them, are those of its schema.
fn assert_listed(member: &str, kinds: impl Iterator<Item = EventKind>) {
    let events: Vec<Value> = kinds.map(body).collect();
    let event_type = events[0]["type"].as_str().unwrap();
    let schema = read("schemas", event_type);
    let listed = &schema["properties"]["data"]["properties"][member]["enum"];
    let told: Vec<&Value> = events.iter().map(|event| &event["data"][member]).collect();
    assert_eq!(listed.as_array().unwrap().iter().collect::<Vec<_>>(), told);
}

fn body(kind: EventKind) -> Value {
    let event = Event {
        id: id(1),
        at: Timestamp::from_secs(0),
        tenant: id(2),
        fact: Fact {
            subject: Subject::Key(id(5)),
            sequence: 1,
            kind,
        },
    };
    serde_json::from_str(&encode(&event).body).unwrap()
}

fn id<T>(number: u8) -> Id<T> {
    Id::new(Timestamp::from_secs(0), [number; 10])
}

fn assert_described(schema: &Value, value: &Value) {
    let described = schema
        .get("properties")
        .cloned()
        .unwrap_or_else(|| json!({}));
    let described = described.as_object().unwrap();
    let members: Vec<_> = value.as_object().unwrap().keys().collect();
    let mut named: Vec<_> = described.keys().collect();
    named.sort_by_key(|name| members.iter().position(|member| member == name));
    assert_eq!(named, members);
    assert!(
        described
            .values()
            .all(|member| member["description"].is_string())
    );
}

/// Calls `check` with type, schema, event, the object that has the member, and the member's name.
fn for_each_member(check: impl Fn(&str, &Validator, &Value, &str, &str)) {
    for event_type in types() {
        let (validator, event) = (validator(&event_type), golden(&event_type));
        for parent in ["", "/data"] {
            for name in event.pointer(parent).unwrap().as_object().unwrap().keys() {
                check(&event_type, &validator, &event, parent, name);
            }
        }
    }
}

fn validator(event_type: &str) -> Validator {
    let shared = format!("{BASE}CloudEvent.json");
    let registry = Registry::new().add(shared, read("schemas", "CloudEvent"));
    let registry = registry.unwrap().prepare().unwrap();
    jsonschema::draft202012::options()
        .with_base_uri(format!("{BASE}{event_type}.json"))
        .with_registry(&registry)
        .should_validate_formats(true)
        .build(&read("schemas", event_type))
        .unwrap()
}

fn golden(event_type: &str) -> Value {
    let body = fs::read_to_string(file("golden", event_type)).unwrap();
    serde_json::from_str(&with_position(body.trim_end(), 42)).unwrap()
}

fn types() -> BTreeSet<String> {
    names("golden")
}

fn names(folder: &str) -> BTreeSet<String> {
    fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn read(folder: &str, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(file(folder, name)).unwrap()).unwrap()
}

fn file(folder: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(format!("{name}.json"))
}

const BASE: &str = "https://tessera.example/schemas/";

/// The members that may say anything.
const FREE_TEXTS: [&str; 12] = [
    "domain",
    "email",
    "first_name",
    "ip",
    "job_role",
    "kid",
    "last_name",
    "mail_from",
    "name",
    "schema",
    "user_agent",
    "username",
];

const NULLABLE: [(&str, &str); 12] = [
    ("LoginFailed", "ip"),
    ("LoginFailed", "user"),
    ("RegistrationRepeated", "ip"),
    ("TenantSettingsChanged", "access_seconds"),
    ("TenantSettingsChanged", "mail_from"),
    ("TenantSettingsChanged", "min_chars"),
    ("TenantSettingsChanged", "refresh_seconds"),
    ("TenantSettingsChanged", "registration"),
    ("UserCreated", "email"),
    ("UserCreated", "username"),
    ("UserLoggedIn", "ip"),
    ("UserLoggedIn", "user_agent"),
];
