//! Every name that may be set: what is a secret, what is not built yet, and what is a slip.

use super::{ConfigError, Environment, Notice};

/// Whether this name is one that Tessera reads.
pub(crate) fn is_known(name: &str) -> bool {
    name.starts_with(OURS) || known(name).is_some()
}

/// The names of one setting, this one among them: a secret also has its `NAME_FILE`.
pub(crate) fn spellings(name: &str) -> Vec<String> {
    match known(name) {
        Some(known) if known.kind == Kind::Secret => {
            vec![known.name.to_owned(), file_of(known.name)]
        }
        Some(_) | None => vec![name.to_owned()],
    }
}

/// The name that gives the secret `name` as a file.
pub(crate) fn file_of(name: &str) -> String {
    format!("{name}{FILE}")
}

/// Refuses a name of ours that does not exist, and tells of those that do nothing yet.
pub(crate) fn check(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<(), ConfigError> {
    for name in environment.names() {
        if name.starts_with(OURS) && known(name).is_none() && !is_foreign(name) {
            return Err(unknown(name));
        }
    }
    for known in NAMES {
        let Stage::Later { default } = known.stage else {
            continue;
        };
        let file = environment.names().any(|name| name == file_of(known.name));
        let set = environment.setting(known.name).filter(|setting| {
            !default
                .split('|')
                .any(|value| value.eq_ignore_ascii_case(setting.value))
        });
        if set.is_some() || (known.kind == Kind::Secret && file) {
            notices.push(Notice::new(format!(
                "{} is set, but what it sets is not built yet",
                known.name
            )));
        }
    }
    Ok(())
}

/// The secrets that do nothing yet.
pub(crate) fn later_secrets() -> impl Iterator<Item = &'static str> {
    let later =
        |known: &&Known| known.kind == Kind::Secret && matches!(known.stage, Stage::Later { .. });
    NAMES.iter().filter(later).map(|known| known.name)
}

#[cfg(test)]
pub(crate) fn listed() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|known| known.name)
}

fn known(name: &str) -> Option<&'static Known> {
    NAMES.iter().find(|known| {
        known.name == name
            || (known.kind == Kind::Secret && name.strip_suffix(FILE) == Some(known.name))
    })
}

/// What our tests use, and what Kubernetes sets for a service named `tessera`.
fn is_foreign(name: &str) -> bool {
    name == "TESSERA_PORT"
        || ["TESSERA_TEST_", "TESSERA_SERVICE_", "TESSERA_PORT_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn unknown(name: &str) -> ConfigError {
    let meant = name.strip_prefix(OURS).filter(|bare| known(bare).is_some());
    let near = || {
        NAMES
            .iter()
            .map(|known| (distance(name, known.name), known.name))
            .min()
            .filter(|(distance, _)| *distance <= FARTHEST)
            .map(|(_, name)| name)
    };
    ConfigError::new(match meant.or_else(near) {
        Some(meant) => format!("{name} is no setting of Tessera; did you mean {meant}?"),
        None => format!("{name} is no setting of Tessera"),
    })
}

/// How many letters have to change, come or go (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut next = vec![i + 1];
        for ((b, diagonal), above) in other.bytes().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(usize::MAX);
            next.push((diagonal + usize::from(a != b)).min(left.min(*above) + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

struct Known {
    name: &'static str,
    kind: Kind,
    stage: Stage,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Plain,
    Secret,
}

#[derive(Clone, Copy)]
enum Stage {
    Built,
    /// It does nothing yet; the values of `default`, between bars, ask for nothing else.
    Later {
        default: &'static str,
    },
}

const fn plain(name: &'static str) -> Known {
    Known {
        name,
        kind: Kind::Plain,
        stage: Stage::Built,
    }
}

const fn secret(name: &'static str) -> Known {
    Known {
        kind: Kind::Secret,
        ..plain(name)
    }
}

const fn later(name: &'static str, default: &'static str) -> Known {
    Known {
        stage: Stage::Later { default },
        ..plain(name)
    }
}

const fn later_secret(name: &'static str) -> Known {
    Known {
        kind: Kind::Secret,
        ..later(name, "")
    }
}

const OURS: &str = "TESSERA_";
const FILE: &str = "_FILE";
const FARTHEST: usize = 4;

const NAMES: &[Known] = &[
    secret("AUTH_DB_URL"),
    plain("ACCESS_TOKEN_EXPIRE_MINUTES"),
    plain("ALGORITHM"),
    plain("ALLOWED_HOSTS"),
    later("APPLE_CLIENT_ID", ""),
    later_secret("APPLE_CLIENT_SECRET"),
    later("APPLE_KEY_ID", ""),
    later_secret("APPLE_PRIVATE_KEY"),
    later("APPLE_TEAM_ID", ""),
    plain("APP_NAME"),
    plain("APP_VERSION"),
    plain("CORS_ALLOWED_ORIGINS"),
    secret("DATABASE_URL"),
    plain("DB_HOST"),
    plain("DB_NAME"),
    secret("DB_PASSWORD"),
    plain("DB_PORT"),
    plain("DB_USER"),
    plain("DEBUG"),
    plain("DEFAULT_FROM_EMAIL"),
    secret("DJANGO_SECRET_KEY"),
    plain("EMAIL_HOST"),
    secret("EMAIL_HOST_PASSWORD"),
    plain("EMAIL_HOST_USER"),
    plain("EMAIL_PORT"),
    plain("EMAIL_USE_TLS"),
    plain("FRONTEND_URL"),
    later("GOOGLE_CLIENT_ID", ""),
    later_secret("GOOGLE_CLIENT_SECRET"),
    plain("HOST"),
    plain("JWT_ACCESS_TOKEN_LIFETIME"),
    plain("JWT_ALGORITHM"),
    plain("JWT_PRIVATE_KEY_PATH"),
    plain("JWT_PUBLIC_KEY_PATH"),
    plain("JWT_REFRESH_TOKEN_LIFETIME"),
    secret("JWT_SECRET_KEY"),
    plain("KAFKA_BOOTSTRAP_SERVERS"),
    plain("KAFKA_SASL_MECHANISM"),
    secret("KAFKA_SASL_PASSWORD"),
    plain("KAFKA_SASL_USERNAME"),
    plain("KAFKA_SECURITY_PROTOCOL"),
    plain("KAFKA_SSL_CA"),
    later("MICROSOFT_CLIENT_ID", ""),
    later_secret("MICROSOFT_CLIENT_SECRET"),
    later("MICROSOFT_TENANT_ID", ""),
    plain("PORT"),
    secret("RABBITMQ_URL"),
    plain("REFRESH_TOKEN_EXPIRE_MINUTES"),
    secret("SECRET_KEY"),
    plain("TESSERA_ARGON2"),
    plain("TESSERA_AUDIENCE"),
    plain("TESSERA_AUDIT_RETENTION"),
    plain("TESSERA_BODY_LIMIT"),
    secret("TESSERA_DATABASE_REPLICA_URL"),
    plain("TESSERA_DATA_DIR"),
    plain("TESSERA_DB_POOL"),
    plain("TESSERA_EVENTS"),
    plain("TESSERA_EVENTS_EXCHANGE"),
    plain("TESSERA_EVENTS_QUEUE"),
    plain("TESSERA_EVENTS_RETENTION"),
    plain("TESSERA_EVENTS_TOPIC"),
    later("TESSERA_GATEWAY_CONFIG", ""),
    plain("TESSERA_HASH_QUEUE"),
    plain("TESSERA_HASH_THREADS"),
    secret("TESSERA_KEY_ENCRYPTION_KEY"),
    plain("TESSERA_LOCKOUT"),
    plain("TESSERA_LOG"),
    plain("TESSERA_LOG_FILE"),
    plain("TESSERA_LOG_FORMAT"),
    plain("TESSERA_MAIL_CA"),
    plain("TESSERA_MAIL_TEMPLATES"),
    plain("TESSERA_METRICS_ADDR"),
    plain("TESSERA_PUBLIC_URL"),
    plain("TESSERA_RABBITMQ_MANDATORY"),
    plain("TESSERA_RABBITMQ_PLAIN"),
    plain("TESSERA_RATE_LIMITS"),
    plain("TESSERA_REFRESH_COOKIE"),
    plain("TESSERA_REFRESH_GRACE"),
    plain("TESSERA_REFRESH_ROTATION"),
    plain("TESSERA_REGISTRATION"),
    plain("TESSERA_REQUEST_TIMEOUT"),
    plain("TESSERA_SESSION_MAX"),
    plain("TESSERA_SHUTDOWN_GRACE"),
    plain("TESSERA_TENANT_LAYOUT"),
    plain("TESSERA_TENANT_ORDER"),
    plain("TESSERA_TOKEN_TYP"),
    plain("TESSERA_TRUSTED_PROXIES"),
    plain("TESSERA_UNVERIFIED_LOGIN"),
    later("TESSERA_USER_IDS", "uuid"),
    plain("WEB_PAGE_URL"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str, value: &str) -> Result<Vec<String>, String> {
        let mut notices = Vec::new();
        check(&Environment::from([(name, value)]), &mut notices)
            .map(|()| notices.iter().map(ToString::to_string).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_slip_is_refused_and_the_nearest_name_shown() {
        for (slip, meant) in [
            ("TESSERA_REFRESH_GRASE", Some("TESSERA_REFRESH_GRACE")),
            ("TESSERA_HASH_THREAD", Some("TESSERA_HASH_THREADS")),
            ("TESSERA_HOST", Some("HOST")),
            ("TESSERA_DATABASE_URL", Some("DATABASE_URL")),
            (
                "TESSERA_KEY_ENCRYPTION_KEY_FLE",
                Some("TESSERA_KEY_ENCRYPTION_KEY"),
            ),
            ("TESSERA_PORTAL", None),
            ("TESSERA_NOTHING_OF_THE_KIND", None),
        ] {
            let said = match meant {
                Some(meant) => {
                    format!("{slip} is no setting of Tessera; did you mean {meant}?")
                }
                None => format!("{slip} is no setting of Tessera"),
            };
            assert_eq!(checked(slip, "x"), Err(said));
        }
    }

    #[test]
    fn what_tests_and_kubernetes_set_is_not_ours() {
        for name in [
            "TESSERA_TEST_POSTGRES_URL",
            "TESSERA_SERVICE_HOST",
            "TESSERA_PORT",
            "TESSERA_PORT_8000_TCP_ADDR",
            "TESSERA_KEY_ENCRYPTION_KEY_FILE",
            "HOSTNAME",
        ] {
            assert_eq!(checked(name, "x"), Ok(Vec::new()), "{name}");
        }
    }

    #[test]
    fn what_is_not_built_yet_is_told_of_unless_it_changes_nothing() {
        for (name, value) in [
            ("GOOGLE_CLIENT_ID", "tessera"),
            ("GOOGLE_CLIENT_SECRET_FILE", "/run/secrets/google"),
            ("TESSERA_USER_IDS", "integer"),
        ] {
            assert_eq!(checked(name, value).unwrap().len(), 1, "{name}");
        }
        for (name, value) in [("TESSERA_USER_IDS", "uuid"), ("GOOGLE_CLIENT_ID", "")] {
            assert_eq!(checked(name, value), Ok(Vec::new()), "{name}");
        }
    }

    #[test]
    fn a_name_is_listed_once() {
        let mut names: Vec<_> = NAMES.iter().map(|known| known.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
