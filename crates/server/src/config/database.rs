//! Where the data is kept, by whichever of the names in use says so.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::{ConfigError, Environment, Notice, Secret};

/// Where the data is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Database {
    /// A Postgres server.
    Postgres {
        /// A `postgres://` URL; it holds a password.
        url: Secret,
        /// The setting it came from.
        name: &'static str,
        /// One more, of a server that follows it, which [`REPLICA`] names.
        replica: Option<Secret>,
    },
    /// A file.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The setting that decides where it is.
        name: &'static str,
    },
}

/// The setting that names a replica.
pub(crate) const REPLICA: &str = "TESSERA_DATABASE_REPLICA_URL";

pub(crate) fn read(
    environment: &Environment,
    data_dir: &Path,
    notices: &mut Vec<Notice>,
) -> Result<Database, ConfigError> {
    let mut database = primary(environment, data_dir, notices)?;
    let Some(read_only) = environment.one_secret(REPLICA, notices)? else {
        return Ok(database);
    };
    match (&mut database, by_url(REPLICA, read_only.as_str().trim())?) {
        (Database::Postgres { replica, .. }, Database::Postgres { url, .. }) => {
            *replica = Some(url);
            Ok(database)
        }
        (Database::Sqlite { .. }, _) => Err(ConfigError::new(format!(
            "{REPLICA} is set, but the database is a file: only Postgres has replicas"
        ))),
        (Database::Postgres { .. }, Database::Sqlite { .. }) => Err(ConfigError::new(format!(
            "{REPLICA} names a file, and a replica is a Postgres"
        ))),
    }
}

fn primary(
    environment: &Environment,
    data_dir: &Path,
    notices: &mut Vec<Notice>,
) -> Result<Database, ConfigError> {
    if let Some((name, url)) = environment.secret(&["DATABASE_URL", "AUTH_DB_URL"], notices)? {
        return by_url(name, url.as_str().trim());
    }
    let password = environment.secret(&["DB_PASSWORD"], notices)?;
    if let Some(database) = environment.setting("DB_NAME") {
        let password = password.as_ref().map(|(_, password)| password);
        return by_parts(environment, database.value, password);
    }
    let half = environment.first(&["DB_HOST", "DB_USER"]);
    let half = half.map(|setting| setting.name);
    if let Some(name) = half.or(password.map(|(name, _)| name)) {
        return Err(ConfigError::new(format!(
            "{name} is set, but DB_NAME is not: name the database, or set DATABASE_URL"
        )));
    }
    Ok(Database::Sqlite {
        path: data_dir.join("tessera.db"),
        name: "TESSERA_DATA_DIR",
    })
}

/// The value is never repeated: it holds a password.
fn by_url(name: &'static str, url: &str) -> Result<Database, ConfigError> {
    let unknown = || {
        ConfigError::new(format!(
            "{name} must start with postgres://, postgresql://, postgresql+driver:// or sqlite:///"
        ))
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(unknown)?;
    let scheme = scheme.split_once('+').map_or(scheme, |(kind, _)| kind);
    match scheme.to_ascii_lowercase().as_str() {
        "postgres" | "postgresql" => Ok(Database::Postgres {
            url: Secret::new(format!("postgres://{}", with_sslmode(rest))),
            name,
            replica: None,
        }),
        "sqlite" => sqlite(name, rest),
        _ => Err(unknown()),
    }
}

/// As `SQLAlchemy` and dj-database-url read it: the path begins after the third slash, so that a
/// fourth one makes it absolute.
fn sqlite(name: &'static str, rest: &str) -> Result<Database, ConfigError> {
    let path = rest.strip_prefix('/').unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if path.is_empty() || path == ":memory:" {
        return Err(ConfigError::new(format!(
            "{name} names no file: write sqlite:///relative/path or sqlite:////absolute/path"
        )));
    }
    Ok(Database::Sqlite {
        path: PathBuf::from(path),
        name,
    })
}

/// Some drivers call it `ssl`; what is kept is what libpq calls it.
fn with_sslmode(rest: &str) -> String {
    let Some((base, query)) = rest.split_once('?') else {
        return rest.to_owned();
    };
    let parameters: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.strip_prefix("ssl=") {
            Some("true" | "True" | "1") => "sslmode=require".to_owned(),
            Some("false" | "False" | "0") => "sslmode=disable".to_owned(),
            Some(mode) => format!("sslmode={mode}"),
            None => parameter.to_owned(),
        })
        .collect();
    format!("{base}?{}", parameters.join("&"))
}

fn by_parts(
    environment: &Environment,
    database: &str,
    password: Option<&Secret>,
) -> Result<Database, ConfigError> {
    let port: u16 = environment
        .parse("DB_PORT", |port| port.number(1..=65_535))?
        .unwrap_or(5_432);
    let text = |name, default| environment.setting(name).map_or(default, |s| s.value);
    let host = text("DB_HOST", "localhost");
    let host = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        escaped(host, "[]:")
    };
    let user = escaped(text("DB_USER", "postgres"), "");
    let password = password.map_or(String::new(), |password| {
        format!(":{}", escaped(password.as_str(), ""))
    });
    let database = escaped(database, "");
    Ok(Database::Postgres {
        url: Secret::new(format!(
            "postgres://{user}{password}@{host}:{port}/{database}"
        )),
        name: "DB_NAME",
        replica: None,
    })
}

/// Percent-encodes everything that is not unreserved (RFC 3986, 2.3) or in `kept`.
fn escaped(text: &str, kept: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || kept.contains(c) {
            escaped.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
