//! Each type of event has its file in `golden`, byte for byte: consumers rely on it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use core::time::Duration;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tessera_domain::{
    Algorithm, Event, EventKind, Fact, Generation, Id, JobRoleBy, KeyId, LoginFailure, MailSender,
    Origin, PasswordChars, Registration, SessionEnd, Subject, TenantLayout, TenantSettings,
    Timestamp, TokenIssuer,
};
use tessera_wire::{encode, with_position};

#[test]
fn each_type_is_written_as_its_golden_file_says() {
    for event in examples() {
        let encoded = encode(&event);
        let golden = fs::read_to_string(file(encoded.event_type)).unwrap();
        assert_eq!(encoded.body, golden.trim_end(), "{}", encoded.event_type);
    }
}

#[test]
fn each_golden_file_has_an_example() {
    let files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let types = examples()
        .iter()
        .map(|event| encode(event).event_type.to_owned())
        .collect();
    assert_eq!(files, types);
}

#[test]
fn a_body_is_a_cloud_event_that_agrees_with_what_is_stored_beside_it() {
    for event in examples() {
        let encoded = encode(&event);
        let body = parse(&encoded.body);
        assert_eq!(body["specversion"], "1.0");
        assert_eq!(body["type"], encoded.event_type);
        assert_eq!(body["subject"], *encoded.subject);
        assert_eq!(body["id"], event.id.to_string());
        assert_eq!(body["tenantid"], event.tenant.to_string());
        assert_eq!(body["sequence"], event.fact.sequence.to_string());
        assert!(body["data"].is_object());
        let extension = |name: &String| name.bytes().all(|b| b.is_ascii_lowercase());
        assert!(body.as_object().unwrap().keys().all(extension));
    }
}

#[test]
fn each_kind_of_the_domain_has_an_example() {
    let examples = examples();
    let next_examples = examples.iter().cycle().skip(1);
    for (event, next_event) in examples.iter().zip(next_examples) {
        assert_eq!(encode(next_event).event_type, next(&event.fact.kind));
    }
}

#[test]
fn no_type_has_a_member_that_sounds_like_a_secret() {
    for event in examples() {
        let encoded = encode(&event);
        let positioned = with_position(&encoded.body, 1);
        let names = members(&parse(&positioned)).into_iter();
        for name in names.chain(described(encoded.event_type)) {
            let name = name.to_lowercase();
            for secret in SECRETS {
                assert!(!name.contains(secret), "{}: {name}", encoded.event_type);
            }
        }
    }
}

#[test]
fn no_type_has_a_value_that_is_written_like_a_secret() {
    for event in examples() {
        let encoded = encode(&event);
        for text in texts(&parse(&encoded.body)) {
            let secret = SECRET_STARTS.iter().any(|start| text.starts_with(start));
            assert!(!secret, "{}: {text}", encoded.event_type);
        }
    }
}

#[test]
fn the_position_joins_as_the_last_member_and_nothing_else_changes() {
    let body = encode(&example(Subject::User(id(3)), EventKind::UserEnabled)).body;
    let positioned = with_position(&body, u64::MAX);
    let open = body.strip_suffix('}').unwrap();
    assert_eq!(
        positioned,
        format!("{open},\"position\":\"18446744073709551615\"}}")
    );
    let mut value = parse(&positioned);
    value.as_object_mut().unwrap().remove("position");
    assert_eq!(value, parse(&body));
}

#[test]
fn what_clients_sent_is_escaped() {
    let text = "\" \\ \u{1f} \u{2028} </script> ü 🗝";
    let kind = EventKind::TenantDomainAdded {
        domain: text.to_owned(),
    };
    let body = encode(&example(Subject::Tenant(id(2)), kind)).body;
    assert_eq!(parse(&body)["data"]["domain"], text);
}

fn examples() -> Vec<Event> {
    let (user, session) = (Subject::User(id(3)), Subject::Session(id(4)));
    let key = Subject::Key(id(5));
    let kid = || KeyId::new("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".to_owned());
    let owned = |text: &str| text.to_owned();
    let later = Timestamp::from_micros(1_767_225_630_000_000);
    let mut examples = vec![
        example(
            Subject::Attempt(id(6)),
            EventKind::LoginFailed {
                user: Some(id(3)),
                why: LoginFailure::WrongPassword,
                ip: Some(owned("192.0.2.7")),
            },
        ),
        example(user, EventKind::PasswordChanged),
        example(user, EventKind::PasswordResetRequested),
        example(
            session,
            EventKind::RefreshReused {
                user: id(3),
                presented: Generation::FIRST,
                current: Generation::new(3),
            },
        ),
        example(
            Subject::Attempt(id(6)),
            EventKind::RegistrationRepeated {
                user: id(3),
                ip: Some(owned("192.0.2.7")),
            },
        ),
        example(
            user,
            EventKind::RolesChanged {
                roles: vec![owned("tenant-admin"), owned("editor")],
                is_superuser: false,
            },
        ),
        example(
            session,
            EventKind::SessionEnded {
                user: id(3),
                why: SessionEnd::LogOutEverywhere,
            },
        ),
        example(key, EventKind::SigningKeyRetired { key: kid() }),
        example(
            key,
            EventKind::SigningKeyRotated {
                key: kid(),
                algorithm: Algorithm::Es256,
                signs_from: later,
            },
        ),
    ];
    examples.extend(examples_of_tenants());
    examples.extend(examples_of_users());
    examples
}

fn examples_of_tenants() -> Vec<Event> {
    let owned = |text: &str| text.to_owned();
    let acme = || owned("acme.example");
    let kinds = vec![
        EventKind::TenantCreated {
            name: owned("Acme Bücher"),
            schema: owned("acme_buecher"),
        },
        EventKind::TenantDeleted,
        EventKind::TenantDeletionStarted,
        EventKind::TenantDomainAdded { domain: acme() },
        EventKind::TenantDomainRemoved {
            domain: owned("old.acme.example"),
        },
        EventKind::TenantMoveStarted {
            to: TenantLayout::Shared,
        },
        EventKind::TenantMoved {
            layout: TenantLayout::Shared,
        },
        EventKind::TenantPrimaryDomainChanged { domain: acme() },
        EventKind::TenantRenamed {
            name: owned("Acme & Söhne"),
        },
        EventKind::TenantResumed,
        EventKind::TenantSettingsChanged(TenantSettings {
            registration: Some(Registration::Invite),
            password_chars: PasswordChars::new(12),
            job_role: JobRoleBy::Users,
            access_lifetime: Some(Duration::from_mins(5)),
            refresh_lifetime: None,
            allowed_origins: vec![Origin::parse("https://app.acme.example").unwrap()],
            mail_from: Some(MailSender::parse("Acme Bücher <mail@acme.example>").unwrap()),
            issuer: TokenIssuer::Tenant,
        }),
        EventKind::TenantSuspended,
    ];
    let tenant = Subject::Tenant(id(2));
    kinds
        .into_iter()
        .map(|kind| example(tenant, kind))
        .collect()
}

fn examples_of_users() -> Vec<Event> {
    let user = Subject::User(id(3));
    let owned = |text: &str| text.to_owned();
    let later = Timestamp::from_micros(1_767_225_630_000_000);
    vec![
        example(
            user,
            EventKind::UserCreated {
                email: Some(owned("Ada@acme.example")),
                username: None,
                first_name: owned("Ada"),
                last_name: owned("King \"Lovelace\""),
                roles: vec![owned("tenant-admin"), owned("editor")],
            },
        ),
        example(user, EventKind::UserDeleted),
        example(user, EventKind::UserDisabled),
        example(
            user,
            EventKind::UserEmailChanged {
                email: owned("Ada.Lovelace@acme.example"),
            },
        ),
        example(user, EventKind::UserEmailVerified),
        example(user, EventKind::UserEnabled),
        example(
            user,
            EventKind::UserLocked {
                until: later,
                failures: 5,
            },
        ),
        example(
            user,
            EventKind::UserLoggedIn {
                session: id(4),
                ip: Some(owned("2001:db8::7")),
                user_agent: None,
            },
        ),
        example(
            user,
            EventKind::UserProfileChanged {
                first_name: owned("Ada"),
                last_name: owned("Lovelace"),
                job_role: String::new(),
            },
        ),
        example(user, EventKind::UserUnlocked),
    ]
}

/// The type of the next example, in a ring of all kinds: a new one does not compile until it has its
/// place.
fn next(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::LoginFailed { .. } => "PasswordChanged",
        EventKind::PasswordChanged => "PasswordResetRequested",
        EventKind::PasswordResetRequested => "RefreshReused",
        EventKind::RefreshReused { .. } => "RegistrationRepeated",
        EventKind::RegistrationRepeated { .. } => "RolesChanged",
        EventKind::RolesChanged { .. } => "SessionEnded",
        EventKind::SessionEnded { .. } => "SigningKeyRetired",
        EventKind::SigningKeyRetired { .. } => "SigningKeyRotated",
        EventKind::SigningKeyRotated { .. } => "TenantCreated",
        EventKind::TenantCreated { .. } => "TenantDeleted",
        EventKind::TenantDeleted => "TenantDeletionStarted",
        EventKind::TenantDeletionStarted => "TenantDomainAdded",
        EventKind::TenantDomainAdded { .. } => "TenantDomainRemoved",
        EventKind::TenantDomainRemoved { .. } => "TenantMoveStarted",
        EventKind::TenantMoveStarted { .. } => "TenantMoved",
        EventKind::TenantMoved { .. } => "TenantPrimaryDomainChanged",
        EventKind::TenantPrimaryDomainChanged { .. } => "TenantRenamed",
        EventKind::TenantRenamed { .. } => "TenantResumed",
        EventKind::TenantResumed => "TenantSettingsChanged",
        EventKind::TenantSettingsChanged(_) => "TenantSuspended",
        EventKind::TenantSuspended => "UserCreated",
        EventKind::UserCreated { .. } => "UserDeleted",
        EventKind::UserDeleted => "UserDisabled",
        EventKind::UserDisabled => "UserEmailChanged",
        EventKind::UserEmailChanged { .. } => "UserEmailVerified",
        EventKind::UserEmailVerified => "UserEnabled",
        EventKind::UserEnabled => "UserLocked",
        EventKind::UserLocked { .. } => "UserLoggedIn",
        EventKind::UserLoggedIn { .. } => "UserProfileChanged",
        EventKind::UserProfileChanged { .. } => "UserUnlocked",
        EventKind::UserUnlocked => "LoginFailed",
    }
}

fn example(subject: Subject, kind: EventKind) -> Event {
    Event {
        id: id(1),
        at: Timestamp::from_micros(1_767_225_600_000_042),
        tenant: id(2),
        fact: Fact {
            subject,
            sequence: 7,
            kind,
        },
    }
}

fn id<T>(number: u8) -> Id<T> {
    Id::new(Timestamp::from_secs(1_767_225_600), [number; 10])
}

fn parse(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

fn members(value: &Value) -> Vec<String> {
    let Some(object) = value.as_object() else {
        return Vec::new();
    };
    let inner = object.values().flat_map(members);
    object.keys().cloned().chain(inner).collect()
}

/// All names in the schemas of the type, those of its members among them.
fn described(event_type: &str) -> impl Iterator<Item = String> {
    ["CloudEvent", event_type].into_iter().flat_map(|name| {
        let file = folder().with_file_name(format!("schemas/{name}.json"));
        members(&parse(&fs::read_to_string(file).unwrap()))
    })
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Null | Value::Number(_) => Vec::new(),
    }
}

fn file(event_type: &str) -> PathBuf {
    folder().join(format!("{event_type}.json"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

const SECRETS: [&str; 8] = [
    "credential",
    "digest",
    "hash",
    "password",
    "private",
    "sealed",
    "secret",
    "token",
];

/// Of records of passwords, of tokens, and of keys.
const SECRET_STARTS: [&str; 4] = ["$", "-----BEGIN", "eyJ", "pbkdf2_"];
