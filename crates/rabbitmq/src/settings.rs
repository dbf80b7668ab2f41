//! Where `RabbitMQ` is, and what it is sent.

use core::fmt;
use core::time::Duration;
use std::{fs, io};

use lapin::tcp::OwnedTLSConfig;
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use tokio::runtime::Handle;
use url::{Host, Url};

/// What a publisher needs to know.
#[derive(Clone)]
pub struct RabbitMqSettings {
    /// `amqp://user:password@host:port/vhost`, or `amqps` for TLS with the certificates that the
    /// system trusts, and those of the file `?cacertfile=`. Without a virtual host, or with an
    /// empty one, it is `/`.
    pub url: String,
    /// The exchange that events go to.
    pub exchange: String,
    /// The queue that keeps them.
    pub queue: String,
    /// What becomes of an event that no queue is bound for.
    pub mandatory: Mandatory,
    /// What the body of a message is.
    pub format: Format,
    /// How long a call may take at most, with all that it does: connecting, sending, and sending
    /// again without what the broker refuses.
    pub time_out: Duration,
    /// The runtime whose life connections share. Workers of HTTP have runtimes of their own.
    pub runtime: Handle,
}

impl RabbitMqSettings {
    /// The time-out unless something else is wanted: less than a relay's lease.
    pub const TIME_OUT: Duration = Duration::from_secs(10);
}

/// Without the URL: of one that is not escaped as it should be, any part may be a password.
impl fmt::Debug for RabbitMqSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqSettings")
            .field("exchange", &self.exchange)
            .field("queue", &self.queue)
            .field("mandatory", &self.mandatory)
            .field("format", &self.format)
            .field("time_out", &self.time_out)
            .finish_non_exhaustive()
    }
}

/// What becomes of an event that no queue is bound for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mandatory {
    /// It is dropped, and counts as sent.
    Off,
    /// It is held until there is one.
    #[default]
    On,
}

/// What the body of a message is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// `{"event":"UserCreated", ..}`, flat, as consumers of older services expect it.
    Plain,
    /// The event as it is kept, a `CloudEvents` object.
    #[default]
    Structured,
}

/// Why the settings can never be right. No message has a part of the URL's user or password.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file of the URL's `cacertfile`.
    #[error("the certificates that the RabbitMQ URL asks to trust cannot be read: {0}")]
    Certificates(io::Error),
    /// It is not a URL, or a value in it is of the wrong form.
    #[error(
        "the RabbitMQ URL cannot be read; write special characters in its user and password as \
         %40 for @, %2F for / and so on"
    )]
    Malformed,
    /// It has no such name, or one that AMQP has no room for.
    #[error("the name of the RabbitMQ {0} is empty or longer than 255 bytes")]
    Name(&'static str),
    /// It names no host.
    #[error("the RabbitMQ URL names no host")]
    NoHost,
    /// A parameter that would be without effect.
    #[error("the RabbitMQ URL has the parameter `{0}`, which is not known")]
    Parameter(String),
    /// It begins with something else.
    #[error("a RabbitMQ URL begins with amqp:// or amqps://")]
    Scheme,
}

/// The broker that a URL names, and whose certificates are trusted there.
pub(crate) struct Target {
    pub(crate) uri: AMQPUri,
    pub(crate) certificates: Option<String>,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, SettingsError> {
        if !(text.starts_with("amqp://") || text.starts_with("amqps://")) {
            return Err(SettingsError::Scheme);
        }
        // The parsers' own messages are left out: they may quote the URL.
        let url = Url::parse(text).map_err(|_| SettingsError::Malformed)?;
        let host = url.host().ok_or(SettingsError::NoHost)?;
        let mut uri: AMQPUri = text.parse().map_err(|_| SettingsError::Malformed)?;
        if let Host::Ipv6(address) = host {
            // lapin would go to localhost.
            uri.authority.host = address.to_string();
        }
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let mut certificates = None;
        for (name, value) in url.query_pairs() {
            if name == "cacertfile" {
                let read = fs::read_to_string(&*value);
                certificates = Some(read.map_err(SettingsError::Certificates)?);
            } else if !PARAMETERS.contains(&&*name) {
                return Err(SettingsError::Parameter(name.into_owned()));
            }
        }
        Ok(Self { uri, certificates })
    }

    pub(crate) fn tls(&self) -> OwnedTLSConfig {
        OwnedTLSConfig {
            identity: None,
            cert_chain: self.certificates.clone(),
        }
    }
}

/// A name as AMQP can carry it.
pub(crate) fn name(what: &'static str, name: &str) -> Result<ShortString, SettingsError> {
    let short = ShortString::try_new(name).ok();
    short
        .filter(|name| !name.as_str().is_empty())
        .ok_or(SettingsError::Name(what))
}

/// Seconds after which a connection is taken for dead, unless the URL says otherwise.
const HEARTBEAT: u16 = 10;

/// Those that lapin reads, and those of pika, found in deployments, that only say how patient it is.
const PARAMETERS: [&str; 10] = [
    "auth_mechanism",
    "blocked_connection_timeout",
    "channel_max",
    "connection_attempts",
    "connection_timeout",
    "frame_max",
    "heartbeat",
    "retry_delay",
    "socket_timeout",
    "stack_timeout",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_and_a_virtual_host() {
        for (url, host, vhost) in [
            ("amqp://rabbit", "rabbit", "/"),
            ("amqp://rabbit/", "rabbit", "/"),
            ("amqp://ada:secret@rabbit:5673/%2f", "rabbit", "/"),
            ("amqp://rabbit/tessera?heartbeat=30", "rabbit", "tessera"),
            ("amqps://127.0.0.1/x", "127.0.0.1", "x"),
            ("amqp://[::1]:5672/x", "::1", "x"),
        ] {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(target.uri.authority.host, host, "{url}");
            assert_eq!(target.uri.vhost, vhost, "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_right_is_refused_without_its_password() {
        for (url, says) in [
            ("rabbit:5672", "begins with"),
            ("http://ada:secret@rabbit", "begins with"),
            ("amqp://", "no host"),
            ("amqp://ada:secret@", "cannot be read"),
            ("amqp://ada:secret@rabbit:x", "cannot be read"),
            ("amqp://ada:secret#@rabbit", "cannot be read"),
            ("amqp://ada:secret@rabbit?heartbeat=x", "cannot be read"),
            ("amqp://ada:secret@rabbit?verify=secret", "`verify`"),
            (
                "amqps://ada:secret@rabbit?cacertfile=/nowhere",
                "certificates",
            ),
        ] {
            let Err(error) = Target::parse(url) else {
                panic!("{url} is taken");
            };
            let error = error.to_string();
            assert!(error.contains(says), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }
}
