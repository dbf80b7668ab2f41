//! What a Postgres URL says, and what it may not say.

use core::fmt;
use core::time::Duration;
use std::io;
use std::path::PathBuf;

use deadpool::managed::BuildError;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::form_urlencoded;

use crate::hosts::Hosts;
use crate::tls::{self, Roots, Trust};

/// Where Postgres is, and how it is spoken to.
pub(crate) struct Target {
    /// The servers, each with what the driver needs to know.
    pub(crate) hosts: Hosts,
    /// How to encrypt, unless everything is sent in the clear.
    pub(crate) tls: Option<MakeRustlsConnect>,
}

impl Target {
    /// Reads `postgres://user:password@host:port/database?parameter=value`.
    ///
    /// There may be several hosts, `one:5432,other:5432`. Then that one is meant which takes writes,
    /// unless `target_session_attrs` says `any` or `read-only`.
    ///
    /// `sslmode` means what it means to libpq, and is `prefer` when it is absent: TLS where the
    /// server has it, without looking at the certificate. `verify-ca` and `verify-full` trust the
    /// certificates in the file `sslrootcert`, or those of the system; `require` looks at the
    /// certificate only where `sslrootcert` is given.
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        Self::parse_as(url, TargetSessionAttrs::ReadWrite)
    }

    /// Reads the URL of servers that are only read, so that any of several will do.
    pub(crate) fn parse_replica(url: &str) -> Result<Self, UrlError> {
        Self::parse_as(url, TargetSessionAttrs::Any)
    }

    fn parse_as(url: &str, of_several: TargetSessionAttrs) -> Result<Self, UrlError> {
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
        if config.get_hosts().len() > 1 && !query.says_which {
            config.target_session_attrs(of_several);
        }
        let encryption = Encryption::parse(query.mode.as_deref(), query.roots.as_deref())?;
        config.ssl_mode(encryption.mode);
        let tls = encryption
            .trust
            .map(|trust| tls::connector(&trust))
            .transpose()
            .map_err(UrlError::Certificates)?;
        Ok(Self {
            hosts: Hosts::new(each(&config)?),
            tls,
        })
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
    /// It has neither one port nor one for each host.
    #[error("the Postgres URL has another number of ports than of hosts")]
    Ports,
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
    says_which: bool,
}

impl Query {
    fn parse(text: &str) -> Result<Self, UrlError> {
        let (mut mode, mut roots, mut says_which) = (None, None, false);
        let mut passed_on = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let value = form_urlencoded::parse(pair.as_bytes())
                .next()
                .map(|(_, value)| value.into_owned());
            let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "sslmode" => mode = value,
                "sslrootcert" => roots = value,
                _ if PASSED_ON.contains(&name) => {
                    says_which |= name == "target_session_attrs";
                    passed_on.push(pair);
                }
                _ => return Err(UrlError::Parameter(name.to_owned())),
            }
        }
        Ok(Self {
            mode,
            roots,
            passed_on: passed_on.join("&"),
            says_which,
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

/// What the driver needs to know of each host. It could try one after the other by itself, but it
/// waits for ever for one that takes the connection and says nothing.
fn each(config: &Config) -> Result<Vec<Config>, UrlError> {
    let (hosts, ports) = (config.get_hosts(), config.get_ports());
    if ports.len() > 1 && ports.len() != hosts.len() {
        return Err(UrlError::Ports);
    }
    let port = |place: usize| ports.get(place).or(ports.first()).copied();
    let each = hosts
        .iter()
        .enumerate()
        .map(|(place, host)| alone(config, host, port(place)));
    Ok(each.collect())
}

/// What every connection has, and what the URL says.
fn alone(config: &Config, host: &Host, port: Option<u16>) -> Config {
    let mut alone = Config::new();
    match host {
        Host::Tcp(name) => alone.host(name),
        #[cfg(unix)]
        Host::Unix(path) => alone.host_path(path),
    };
    if let Some(port) = port {
        alone.port(port);
    }
    if let Some(user) = config.get_user() {
        alone.user(user);
    }
    if let Some(password) = config.get_password() {
        alone.password(password);
    }
    if let Some(database) = config.get_dbname() {
        alone.dbname(database);
    }
    alone
        .application_name(config.get_application_name().unwrap_or("tessera"))
        .channel_binding(config.get_channel_binding())
        .connect_timeout(*config.get_connect_timeout().unwrap_or(&CONNECT))
        .ssl_mode(config.get_ssl_mode())
        .target_session_attrs(config.get_target_session_attrs())
        .options(SESSION)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(3))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(10));
    alone
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
///
/// A statement that is a transaction of its own has to see what was committed when it began, whatever
/// the server's default is.
const SESSION: &str = "-c search_path= -c statement_timeout=5000 -c jit=off \
                       -c default_transaction_isolation=read\\ committed \
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
        let [config] = target.hosts.all() else {
            panic!("one host");
        };
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
            let [config] = target.hosts.all() else {
                panic!("one host: {url}");
            };
            assert_eq!(config.get_hosts().len(), 1, "{url}");
            assert_eq!(config.get_dbname(), Some("auth"), "{url}");
        }
    }

    #[test]
    fn of_several_hosts_that_one_is_meant_which_takes_writes() {
        let url = "postgres://ada:secret@one:6432,other:6433/auth";
        for (end, which) in [
            ("", TargetSessionAttrs::ReadWrite),
            ("?target_session_attrs=any", TargetSessionAttrs::Any),
        ] {
            let target = Target::parse(&format!("{url}{end}")).unwrap();
            let all = target.hosts.all().iter().map(|config| {
                assert_eq!(config.get_target_session_attrs(), which);
                assert_eq!(config.get_password(), Some(&b"secret"[..]));
                (config.get_hosts()[0].clone(), config.get_ports()[0])
            });
            let expected = [("one", 6432), ("other", 6433)]
                .map(|(host, port)| (Host::Tcp(host.to_owned()), port));
            assert_eq!(all.collect::<Vec<_>>(), expected);
        }
        let replica = Target::parse_replica(url).unwrap();
        let which = replica.hosts.all()[1].get_target_session_attrs();
        assert_eq!(which, TargetSessionAttrs::Any);
        let one = Target::parse("postgres://one/auth").unwrap();
        let which = one.hosts.all()[0].get_target_session_attrs();
        assert_eq!(which, TargetSessionAttrs::Any);
    }

    #[test]
    fn without_a_mode_tls_is_preferred_as_libpq_does() {
        let target = Target::parse("postgres://db.example/auth").unwrap();
        assert_eq!(target.hosts.all()[0].get_ssl_mode(), SslMode::Prefer);
        assert!(target.tls.is_some());
        let target = Target::parse("postgres://db.example/auth?sslmode=verify-full").unwrap();
        assert_eq!(target.hosts.all()[0].get_ssl_mode(), SslMode::Require);
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
