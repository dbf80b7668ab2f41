//! Settings as operators write them, and what becomes of each.

use core::time::Duration;
use std::fs;

use tessera_crypto::{Audience, TokenTyp};
use tessera_domain::{Algorithm, Rotation};
use tessera_http::RefreshCookie;

use super::*;

fn read<const N: usize>(pairs: [(&str, &str); N]) -> Config {
    Config::read(&Environment::from(pairs)).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal<const N: usize>(pairs: [(&str, &str); N]) -> String {
    match Config::read(&Environment::from(pairs)) {
        Ok(_) => panic!("accepted: {pairs:?}"),
        Err(error) => error.to_string(),
    }
}

fn notices<const N: usize>(pairs: [(&str, &str); N]) -> Vec<String> {
    read(pairs).notices.iter().map(Notice::to_string).collect()
}

#[test]
fn nothing_set_is_the_embedded_default() {
    let config = read([]);
    assert_eq!(config.notices, []);
    assert_eq!(
        config.database,
        Database::Sqlite {
            path: "./data/tessera.db".into(),
            name: "TESSERA_DATA_DIR"
        }
    );
    assert_eq!(
        (config.listen.host.as_str(), config.listen.port),
        ("127.0.0.1", 8_000)
    );
    assert_eq!(config.tokens, TokenPolicy::default());
    assert_eq!(config.tokens.access_lifetime, Duration::from_mins(15));
    assert_eq!(config.tokens.grace, Duration::from_secs(10));
    assert_eq!(config.lockout, LockoutPolicy::default());
    assert_eq!(config.audit_retention, Duration::from_hours(24 * 365));
    assert_eq!(config.signing.key, SigningKey::Generated(None));
    assert_eq!(config.signing.audience, Audience::Issuer);
    assert_eq!(config.hashing.cost, Argon2Cost::default());
    assert_eq!(config.web.body_limits.bytes, 65_536);
    assert!(config.web.rate_limits);
    assert_eq!(config.web.refresh_cookie, RefreshCookie::Off);
}

/// The file that people copy: with every line in force it is the default, but for a host and a
/// port of a database that has no name.
#[test]
fn the_example_file_shows_every_setting_with_its_default() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.env.example"));
    let text = text.unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("# "));
    let pairs: Vec<(&str, &str)> = lines
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| {
            name.bytes()
                .all(|b| b.is_ascii_uppercase() || b"_0123456789".contains(&b))
        })
        .collect();
    for name in ["PORT", "TESSERA_ARGON2", "KAFKA_SSL_CA", "DEBUG"] {
        assert!(pairs.iter().any(|(shown, _)| *shown == name), "{name}");
    }
    for (name, value) in &pairs {
        assert!(
            names::listed().any(|listed| listed == *name),
            "{name} is in .env.example alone"
        );
        if !matches!(*name, "DB_HOST" | "DB_PORT") {
            let config = read([(name, value)]);
            assert_eq!(config.notices, [], "{name}={value}");
            let same = format!("{config:?}") == format!("{:?}", read([]));
            assert!(same || SAID.contains(name), "{name}={value}");
        }
    }
    for name in names::listed() {
        let shown = pairs.iter().any(|(shown, _)| *shown == name);
        assert!(
            shown || UNSHOWN.contains(&name),
            "{name} is missing in .env.example"
        );
    }
}

/// What says the default in so many words.
const SAID: [&str; 2] = ["JWT_ALGORITHM", "TESSERA_LOG"];
/// What is part of a group of names.
const UNSHOWN: [&str; 4] = [
    "APPLE_KEY_ID",
    "APPLE_PRIVATE_KEY",
    "APPLE_TEAM_ID",
    "MICROSOFT_TENANT_ID",
];

#[test]
fn a_database_is_named_in_every_way_in_use() {
    for line in DATABASES.lines() {
        let (expected, settings) = line.split_once(" | ").unwrap();
        let mut pairs = settings.split(' ').filter_map(|pair| pair.split_once('='));
        let pairs = [(); 5].map(|()| pairs.next().unwrap_or_default());
        let database = match read(pairs).database {
            Database::Postgres { url, .. } => url.as_str().to_owned(),
            Database::Sqlite { path, .. } => path.display().to_string(),
        };
        assert_eq!(database, expected, "{settings}");
    }
}

/// Where the data is, and the settings that say so.
const DATABASES: &str = "\
postgres://u:p@h/d | DATABASE_URL=postgres://u:p@h/d
postgres://u:p@h:1/d | DATABASE_URL=postgresql://u:p@h:1/d
postgres://u@h/d?sslmode=require | DATABASE_URL=postgresql+asyncpg://u@h/d?ssl=require
postgres://u@h/d?sslmode=disable | AUTH_DB_URL=postgresql+psycopg2://u@h/d?sslmode=disable
postgres://first/d | AUTH_DB_URL=postgres://second/d DATABASE_URL=postgres://first/d
postgres://first/d | DATABASE_URL=postgres://first/d DB_NAME=second
rel/t.db | DATABASE_URL=sqlite:///rel/t.db
/abs/t.db | DATABASE_URL=sqlite:////abs/t.db
t.db | DATABASE_URL=sqlite+aiosqlite:///t.db?x=1
postgres://postgres@localhost:5432/d | DB_NAME=d
postgres://%C3%BC:p%40ss%3Aw%3Frd%23@h:6432/d%2F1 | DB_NAME=d/1 DB_USER=ü DB_PASSWORD=p@ss:w?rd# DB_HOST=h DB_PORT=6432
postgres://postgres@[::1]:5432/d | DB_NAME=d DB_HOST=::1
postgres://postgres@%2Frun%2Fpg:5432/d | DB_NAME=d DB_HOST=/run/pg
/srv/t/tessera.db | TESSERA_DATA_DIR=/srv/t
./data/tessera.db | DB_PORT=tcp://10.0.0.1:5432";

#[test]
fn a_secret_signs_where_nothing_else_is_said() {
    let key = |pairs: [(&str, &str); 3]| read(pairs).signing.key;
    let none = ("", "");
    let secret = |name| SigningKey::Secret(name, Secret::new(STRONG.to_owned()));
    assert_eq!(
        key([("SECRET_KEY", STRONG), none, none]),
        secret("SECRET_KEY")
    );
    assert_eq!(
        key([("SECRET_KEY", OTHER), ("JWT_SECRET_KEY", STRONG), none]),
        secret("JWT_SECRET_KEY")
    );
    assert_eq!(
        key([
            ("DJANGO_SECRET_KEY", OTHER),
            ("SECRET_KEY", STRONG),
            ("ALGORITHM", "HS256")
        ]),
        secret("SECRET_KEY")
    );
    assert_eq!(
        key([
            ("SECRET_KEY", STRONG),
            ("JWT_ALGORITHM", "RS256"),
            ("ALGORITHM", "HS256")
        ]),
        SigningKey::Generated(Some(Algorithm::Rs256))
    );
    assert_eq!(
        notices([("SECRET_KEY", STRONG)]),
        ["SECRET_KEY is set and JWT_ALGORITHM is not: tokens are signed with HS256"]
    );
    assert!(notices([("SECRET_KEY", STRONG), ("JWT_ALGORITHM", "HS256")]).is_empty());
    assert_eq!(
        read([("SECRET_KEY", STRONG)]).signing.audience,
        Audience::Unsaid
    );
    assert_eq!(
        read([("SECRET_KEY", STRONG), ("TESSERA_AUDIENCE", "api")])
            .signing
            .audience,
        Audience::Named("api".to_owned())
    );
}

#[test]
fn a_placeholder_is_for_debugging_alone_and_a_short_secret_for_nothing() {
    let placeholder = "change-me-change-me-change-me-change-me";
    assert!(refusal([("SECRET_KEY", placeholder)]).starts_with("SECRET_KEY is a placeholder"));
    read([("SECRET_KEY", placeholder), ("DEBUG", "True")]);
    for debug in ["true", "false"] {
        let said = refusal([("DJANGO_SECRET_KEY", "short"), ("DEBUG", debug)]);
        assert_eq!(
            said,
            "DJANGO_SECRET_KEY is shorter than the 32 bytes that HS256 needs"
        );
    }
}

#[test]
fn a_weak_or_placeholder_secret_outside_debug_does_not_start_although_it_signs_nothing() {
    let placeholder = "django-insecure-3k$9q!x7v@m2w#p5z8r1t6y4u0i";
    for used in [("JWT_ALGORITHM", "ES256"), ("JWT_SECRET_KEY", STRONG)] {
        for secret in [placeholder, "short"] {
            let said = refusal([used, ("SECRET_KEY", secret)]);
            assert!(said.starts_with("SECRET_KEY is "), "{said}");
        }
        read([used, ("SECRET_KEY", placeholder), ("DEBUG", "true")]);
    }
}

#[test]
fn a_key_file_signs_whatever_secret_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    fs::write(&path, "a key").unwrap();
    let path = path.to_str().unwrap();
    let config = read([("JWT_PRIVATE_KEY_PATH", path), ("SECRET_KEY", STRONG)]);
    let private = Secret::new("a key".to_owned());
    assert_eq!(
        config.signing.key,
        SigningKey::Pem {
            algorithm: None,
            private,
            public: None
        }
    );
    assert_eq!(
        refusal([("JWT_PRIVATE_KEY_PATH", path), ("JWT_ALGORITHM", "HS256")]),
        "JWT_PRIVATE_KEY_PATH is set, but HS256 signs with a secret: keep one of them"
    );
    assert!(
        refusal([("JWT_PUBLIC_KEY_PATH", path)]).starts_with("JWT_PUBLIC_KEY_PATH is set, but")
    );
}

#[test]
fn lifetimes_come_in_seconds_or_minutes() {
    let tokens = read([
        ("JWT_ACCESS_TOKEN_LIFETIME", "60"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "1"),
        ("REFRESH_TOKEN_EXPIRE_MINUTES", "10"),
        ("TESSERA_REFRESH_GRACE", "0"),
        ("TESSERA_REFRESH_ROTATION", "off"),
    ])
    .tokens;
    assert_eq!(tokens.access_lifetime, Duration::from_mins(1));
    assert_eq!(tokens.refresh_lifetime, Duration::from_mins(10));
    assert_eq!(tokens.grace, Duration::ZERO);
    assert_eq!(tokens.rotation, Rotation::Never);
}

#[test]
fn settings_that_contradict_each_other_do_not_start() {
    for (seconds, minutes) in [
        ("JWT_ACCESS_TOKEN_LIFETIME", "ACCESS_TOKEN_EXPIRE_MINUTES"),
        ("JWT_REFRESH_TOKEN_LIFETIME", "REFRESH_TOKEN_EXPIRE_MINUTES"),
    ] {
        assert_eq!(
            refusal([(seconds, "1200"), (minutes, "25")]),
            format!("{seconds} and {minutes} contradict each other: keep one of them")
        );
        read([(seconds, "1200"), (minutes, "20")]);
    }
    let said = refusal([
        ("JWT_ACCESS_TOKEN_LIFETIME", "61"),
        ("REFRESH_TOKEN_EXPIRE_MINUTES", "1"),
    ]);
    assert!(said.contains("REFRESH_TOKEN_EXPIRE_MINUTES) is shorter"));
}

#[test]
fn a_word_that_is_no_level_does_not_silence_the_log() {
    for wrong in [
        "loud",
        "inf",
        "tessera_http",
        "info,loud",
        "tessera_http=loud",
    ] {
        let said = refusal([("TESSERA_LOG", wrong)]);
        assert!(said.starts_with(&format!("TESSERA_LOG is `{wrong}`, but must be")));
    }
    for right in [
        "WARN",
        "off",
        "info,tessera_http=debug",
        "actix_server=off, debug",
    ] {
        read([("TESSERA_LOG", right)]);
    }
}

#[test]
fn a_wrong_order_is_refused_in_a_sentence() {
    assert_eq!(
        refusal([("TESSERA_TENANT_ORDER", "host")]),
        "TESSERA_TENANT_ORDER is `host`, but an order names `token` first, `default` last, and \
         between them `explicit`, `host` and `email` in any order, each once"
    );
}

#[test]
fn what_is_worth_knowing_is_told() {
    for (name, value) in [
        ("DEBUG", "true"),
        ("TESSERA_LOCKOUT", "off"),
        ("TESSERA_RATE_LIMITS", "off"),
        ("TESSERA_REFRESH_ROTATION", "off"),
        ("EMAIL_HOST_USER", "ada"),
        ("GOOGLE_CLIENT_ID", "tessera"),
        ("DATABASE_URL", "postgres://h/d"),
        ("TESSERA_PORT", "9000"),
    ] {
        assert_eq!(notices([(name, value)]).len(), 1, "{name}");
    }
    assert!(notices([("TESSERA_PORT", "tcp://10.0.0.1:8000")]).is_empty());
    assert!(
        notices([
            ("DATABASE_URL", "postgres://h/d"),
            ("TESSERA_PUBLIC_URL", "https://id.example.org")
        ])
        .is_empty()
    );
}

#[test]
fn limits_of_requests_are_on_or_off_and_off_is_told() {
    assert!(read([("TESSERA_RATE_LIMITS", "on")]).web.rate_limits);
    assert!(!read([("TESSERA_RATE_LIMITS", "off")]).web.rate_limits);
    assert_eq!(
        notices([("TESSERA_RATE_LIMITS", "off")]),
        ["TESSERA_RATE_LIMITS is off: an address may try passwords and ask for mails without end"]
    );
    assert_eq!(
        refusal([("TESSERA_RATE_LIMITS", "maybe")]),
        "TESSERA_RATE_LIMITS is `maybe`, but must be `on` or `off`"
    );
}

#[test]
fn values_are_read_as_they_are_written() {
    let config = read([
        ("TESSERA_PUBLIC_URL", "https://id.example.org/auth/"),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://app.example.org, http://localhost:3000",
        ),
        ("ALLOWED_HOSTS", "id.example.org,.Example.com"),
        ("TESSERA_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("TESSERA_TOKEN_TYP", "at+jwt"),
        ("HOST", "[::1]"),
    ]);
    assert_eq!(
        config.listen.public_url.as_deref(),
        Some("https://id.example.org/auth")
    );
    assert!(
        config
            .web
            .allowed_origins
            .allows(b"https://app.example.org")
    );
    assert!(config.web.allowed_origins.allows(b"http://localhost:3000"));
    let proxies = format!("{:?}", config.web.trusted_proxies);
    assert!(proxies.contains("10.0.0.0/8") && proxies.contains("::1"));
    assert_eq!(config.signing.typ, TokenTyp::AtJwt);
    assert_eq!(config.listen.host, "::1");
    read([("ALLOWED_HOSTS", "*")]);
}

#[test]
fn wrong_settings_are_refused_in_one_sentence_that_names_them() {
    for line in WRONG.lines() {
        let (named, settings) = line.split_once(" | ").unwrap();
        let mut pairs = settings.split(' ').filter_map(|pair| pair.split_once('='));
        let pairs = [pairs.next().unwrap(), pairs.next().unwrap_or_default()];
        let said = refusal(pairs);
        assert!(said.contains(named), "{settings}: {said}");
        assert!(!said.contains('\n') && !said.ends_with('.'), "{said}");
    }
}

/// What the sentence names, and the settings that are wrong.
const WRONG: &str = "\
ALLOWED_HOSTS | ALLOWED_HOSTS=http://x
AUTH_DB_URL | AUTH_DB_URL=mysql://h/d
CORS_ALLOWED_ORIGINS | CORS_ALLOWED_ORIGINS=*
CORS_ALLOWED_ORIGINS | CORS_ALLOWED_ORIGINS=https://*.x.org
CORS_ALLOWED_ORIGINS | CORS_ALLOWED_ORIGINS=app.example.org
CORS_ALLOWED_ORIGINS | CORS_ALLOWED_ORIGINS=null
DATABASE_URL | DATABASE_URL=sqlite://
DATABASE_URL | DATABASE_URL=sqlite:///:memory:
DB_HOST | DB_HOST=h
DB_PORT | DB_NAME=d DB_PORT=x
DB_PASSWORD | DB_PASSWORD=p
DEBUG | DEBUG=perhaps
JWT_ACCESS_TOKEN_LIFETIME | JWT_ACCESS_TOKEN_LIFETIME=0
TESSERA_SESSION_MAX | JWT_ACCESS_TOKEN_LIFETIME=90 TESSERA_SESSION_MAX=60
JWT_ALGORITHM | JWT_ALGORITHM=HS256
JWT_ALGORITHM | JWT_ALGORITHM=HS512
JWT_ALGORITHM | JWT_ALGORITHM=none
JWT_PRIVATE_KEY_PATH | JWT_PRIVATE_KEY_PATH=/nowhere/key.pem
JWT_SECRET_KEY_FILE | JWT_SECRET_KEY=k7Qp9xZ2vN4mB6tR8wL1cY3jH5gF0dSa JWT_SECRET_KEY_FILE=/x
TESSERA_EVENTS_RETENTION | TESSERA_EVENTS_RETENTION=x
TESSERA_EVENTS | KAFKA_BOOTSTRAP_SERVERS=h:1 RABBITMQ_URL=amqp://h
PORT | PORT=65536
TESSERA_METRICS_ADDR | PORT=9000 TESSERA_METRICS_ADDR=127.0.0.1:9000
SECRET_KEY_FILE | SECRET_KEY_FILE=/nowhere/secret
TESSERA_ARGON2 | TESSERA_ARGON2=m=8,t=1,p=1
TESSERA_BODY_LIMIT | TESSERA_BODY_LIMIT=1
TESSERA_DATABASE_REPLICA_URL | TESSERA_DATABASE_REPLICA_URL=postgres://h/d
TESSERA_DATABASE_REPLICA_URL | DATABASE_URL=postgres://h/d TESSERA_DATABASE_REPLICA_URL=sqlite:///t.db
TESSERA_DATABASE_REPLICA_URL | DATABASE_URL=postgres://h/d TESSERA_DATABASE_REPLICA_URL=h/d
TESSERA_DB_POOL | TESSERA_DB_POOL=0
KAFKA_BOOTSTRAP_SERVERS | TESSERA_EVENTS=kafka
TESSERA_EVENTS | TESSERA_EVENTS=none,ndjson
TESSERA_HASH_QUEUE | TESSERA_HASH_QUEUE=0
TESSERA_HASH_THREADS | TESSERA_HASH_THREADS=0
TESSERA_KEY_ENCRYPTION_KEY | TESSERA_KEY_ENCRYPTION_KEY=short
TESSERA_KEY_ENCRYPTION_KEY | TESSERA_KEY_ENCRYPTION_KEY=0000000000000000000000000000000000000000000000000000000000000000
TESSERA_LOG | TESSERA_LOG=info==
TESSERA_LOG_FORMAT | TESSERA_LOG_FORMAT=xml
TESSERA_METRICS_ADDR | TESSERA_METRICS_ADDR=9000
TESSERA_PUBLIC_URL | TESSERA_PUBLIC_URL=id.example.org
TESSERA_PUBLIC_URL | TESSERA_PUBLIC_URL=https://u:p@x.org
TESSERA_REFRESH_COOKIE | TESSERA_REFRESH_COOKIE=2
TESSERA_REFRESH_GRACE | TESSERA_REFRESH_GRACE=61
TESSERA_REFRESH_GRACE | TESSERA_REFRESH_GRASE=6
TESSERA_REQUEST_TIMEOUT | TESSERA_REQUEST_TIMEOUT=0
TESSERA_SHUTDOWN_GRACE | TESSERA_SHUTDOWN_GRACE=-1
TESSERA_TENANT_LAYOUT | TESSERA_TENANT_LAYOUT=both
TESSERA_TENANT_ORDER | TESSERA_TENANT_ORDER=host
TESSERA_TOKEN_TYP | TESSERA_TOKEN_TYP=jws
TESSERA_TRUSTED_PROXIES | TESSERA_TRUSTED_PROXIES=proxy";

#[test]
fn no_secret_is_repeated() {
    for pairs in [
        [("DATABASE_URL", "mysql://u:hushhush@h/d")],
        [("DATABASE_URL", "hushhush")],
        [("SECRET_KEY", "hushhush")],
        [("TESSERA_KEY_ENCRYPTION_KEY", "hushhush")],
        [("TESSERA_PUBLIC_URL", "https://u:hushhush@h")],
    ] {
        assert!(!refusal(pairs).contains("hushhush"));
    }
    let config = read([
        ("SECRET_KEY", "hushhush-k7Qp9xZ2vN4mB6tR8wL1cY3j"),
        ("DATABASE_URL", "postgres://u:hushhush@h/d"),
        (REPLICA, "postgres://u:hushhush@r/d?ssl=true"),
    ]);
    assert!(!format!("{config:?}").contains("hushhush"));
    let Database::Postgres { replica, .. } = config.database else {
        panic!("it is Postgres");
    };
    let replica = replica.unwrap();
    assert_eq!(
        replica.as_str(),
        "postgres://u:hushhush@r/d?sslmode=require"
    );
}

const STRONG: &str = "k7Qp9xZ2vN4mB6tR8wL1cY3jH5gF0dSa";
const OTHER: &str = "Zq1wX8eC3rV6tB0yN5uM2iK9oL4pJ7aS";
