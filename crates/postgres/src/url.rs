//! What a Postgres URL says, and what it may not say.

use core::fmt;
use core::time::Duration;
use std::io;
use std::path::PathBuf;

use deadpool::managed::BuildError;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::form_urlencoded;

use crate::tls::{self, Roots, Trust};

/// Where Postgres is, and how it is spoken to.
pub(crate) struct Target {
    /// What the driver needs to know.
    pub(crate) config: Config,
    /// How to encrypt, unless everything is sent in the clear.
    pub(crate) tls: Option<MakeRustlsConnect>,
}

impl Target {
    /// Reads `postgres://user:password@host:port/database?parameter=value`.
    ///
    /// `sslmode` means what it means to libpq, and is `prefer` when it is absent: TLS where the
    /// server has it, without looking at the certificate. `verify-ca` and `verify-full` trust the
    /// certificates in the file `sslrootcert`, or those of the system; `require` looks at the
    /// certificate only where `sslrootcert` is given.
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        if !SCHEMES.iter().any(|scheme| address.starts_with(scheme)) {
            return Err(UrlError::Scheme);
        }
        let query = Query::parse(query)?;
        // The driver's own message is left out: it may quote the URL.
        let mut config: Config = format!("{address}?{}", query.passed_on)
            .parse()
            .map_err(|_| UrlError::Malformed)?;
        if config.get_hosts().is_empty() {
            return Err(UrlError::NoHost);
        }
        let encryption = Encryption::parse(query.mode.as_deref(), query.roots.as_deref())?;
        config.ssl_mode(encryption.mode);
        let tls = encryption
            .trust
            .map(|trust| tls::connector(&trust))
            .transpose()
            .map_err(UrlError::Certificates)?;
        set_up(&mut config);
        Ok(Self { config, tls })
    }
}

/// Why a Postgres URL cannot be used. None of the messages has a part of its user or password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The certificates to trust cannot be read.
    #[error("the certificates that the Postgres URL asks to trust cannot be used: {0}")]
    Certificates(io::Error),
    /// It is not a URL, or a value in it is of the wrong form.
    #[error(
        "the Postgres URL cannot be read; write special characters in its user and password as \
         %40 for @, %2F for / and so on"
    )]
    Malformed,
    /// It names no host.
    #[error("the Postgres URL names no host")]
    NoHost,
    /// A parameter that nobody knows.
    #[error(
        "the Postgres URL has the parameter `{0}`, which is none of application_name, \
         channel_binding, connect_timeout, host, sslmode, sslrootcert and target_session_attrs"
    )]
    Parameter(String),
    /// It begins with something else.
    #[error("a Postgres URL begins with postgres:// or postgresql://")]
    Scheme,
    /// There can be no pool.
    #[error("the pool of connections to Postgres cannot be made: {0}")]
    Pool(#[from] BuildError),
    /// Another word than these.
    #[error(
        "sslmode in the Postgres URL is none of disable, allow, prefer, require, verify-ca and \
         verify-full"
    )]
    SslMode,
}

struct Query {
    mode: Option<String>,
    roots: Option<String>,
    passed_on: String,
}

impl Query {
    fn parse(text: &str) -> Result<Self, UrlError> {
        let (mut mode, mut roots) = (None, None);
        let mut passed_on = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let value = form_urlencoded::parse(pair.as_bytes())
                .next()
                .map(|(_, value)| value.into_owned());
            let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "sslmode" => mode = value,
                "sslrootcert" => roots = value,
                _ if PASSED_ON.contains(&name) => passed_on.push(pair),
                _ => return Err(UrlError::Parameter(name.to_owned())),
            }
        }
        Ok(Self {
            mode,
            roots,
            passed_on: passed_on.join("&"),
        })
    }
}

struct Encryption {
    mode: SslMode,
    trust: Option<Trust>,
}

impl Encryption {
    fn parse(mode: Option<&str>, roots: Option<&str>) -> Result<Self, UrlError> {
        let named = roots.is_some();
        let roots = || match roots {
            None | Some("system") => Roots::System,
            Some(path) => Roots::File(PathBuf::from(path)),
        };
        let (mode, trust) = match mode.unwrap_or("prefer") {
            "disable" => (SslMode::Disable, None),
            "allow" | "prefer" => (SslMode::Prefer, Some(Trust::Anyone)),
            "require" if !named => (SslMode::Require, Some(Trust::Anyone)),
            "require" | "verify-ca" => (SslMode::Require, Some(Trust::Issuer(roots()))),
            "verify-full" => (SslMode::Require, Some(Trust::IssuerAndName(roots()))),
            _ => return Err(UrlError::SslMode),
        };
        Ok(Self { mode, trust })
    }
}

/// What every connection has, whatever the URL says.
fn set_up(config: &mut Config) {
    if config.get_application_name().is_none() {
        config.application_name("tessera");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    config
        .options(SESSION)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(3))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(10));
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target(..)")
    }
}

const CONNECT: Duration = Duration::from_secs(1);
const PASSED_ON: [&str; 5] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "host",
    "target_session_attrs",
];
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// A statement ends by itself, also when nobody is left who waits for it. None takes so long that
/// it would be worth compiling, or more than one process: what these seem to save makes the planner
/// read and sort all where a walk along an index ends early.
const SESSION: &str = "-c search_path= -c statement_timeout=5000 -c jit=off \
                       -c max_parallel_workers_per_gather=0 \
                       -c idle_in_transaction_session_timeout=10000";

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        Target::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn a_url_says_who_where_and_what() {
        let target = Target::parse(
            "postgresql://ada:p%40ss%2Fword@db.example:6432/auth?application_name=app&sslmode=disable",
        )
        .unwrap();
        let config = &target.config;
        assert_eq!(config.get_user(), Some("ada"));
        assert_eq!(config.get_password(), Some(&b"p@ss/word"[..]));
        assert_eq!(config.get_ports(), [6432]);
        assert_eq!(config.get_dbname(), Some("auth"));
        assert_eq!(config.get_application_name(), Some("app"));
        assert!(target.tls.is_none());
    }

    #[test]
    fn a_host_may_be_an_address_or_a_socket() {
        for url in [
            "postgres://ada@[::1]:5432/auth",
            "postgres://ada@%2Frun%2Fpg:5432/auth",
            "postgres://ada@/auth?host=/run/pg",
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.config.get_hosts().len(), 1, "{url}");
            assert_eq!(target.config.get_dbname(), Some("auth"), "{url}");
        }
    }

    #[test]
    fn without_a_mode_tls_is_preferred_as_libpq_does() {
        let target = Target::parse("postgres://db.example/auth").unwrap();
        assert_eq!(target.config.get_ssl_mode(), SslMode::Prefer);
        assert!(target.tls.is_some());
        let target = Target::parse("postgres://db.example/auth?sslmode=verify-full").unwrap();
        assert_eq!(target.config.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn a_wrong_url_is_refused_in_a_sentence_without_its_password() {
        for (url, word) in [
            ("mysql://ada:secret@h/db", "begins"),
            ("postgres://ada:secret@h/db?sslmod=require", "`sslmod`"),
            ("postgres://ada:secret@h/db?options=-c%20a", "`options`"),
            ("postgres://ada:secret@h/db?sslmode=maybe", "sslmode"),
            ("postgres://ada:secret@h:port/db", "cannot be read"),
            ("postgres://ada:secret@/db", "no host"),
            (
                "postgres://ada:secret@h/db?sslmode=verify-full&sslrootcert=/nowhere",
                "certificates",
            ),
        ] {
            let message = refused(url);
            assert!(message.contains(word), "{url}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
