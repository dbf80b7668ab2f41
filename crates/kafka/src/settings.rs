//! Where the brokers are and how to speak with them, and what librdkafka is told.

use core::fmt;
use core::str::FromStr;
use std::path::PathBuf;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use thiserror::Error;

/// Which Kafka, and which topic of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KafkaSettings {
    /// Some of the brokers, `host:port` with commas between; they tell of the others.
    pub brokers: String,
    /// The topic. It is never made by us: its partitions and replicas are the operator's choice.
    pub topic: String,
    /// How the brokers are spoken with.
    pub security: KafkaSecurity,
}

/// How the brokers are spoken with; by default in the clear and with no name.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct KafkaSecurity {
    /// What the listener speaks.
    pub protocol: SecurityProtocol,
    /// How the password is shown, where the protocol has SASL.
    pub mechanism: SaslMechanism,
    /// Who we are, where the protocol has SASL.
    pub username: Option<String>,
    /// That it is us, where the protocol has SASL.
    pub password: Option<String>,
    /// A PEM file of the authorities to trust, where the protocol has TLS; else the system's.
    pub ssl_ca: Option<PathBuf>,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// Authenticated.
    SaslPlaintext,
    /// Encrypted and authenticated.
    SaslSsl,
    /// Encrypted.
    Ssl,
}

/// How a password is shown to a broker.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SaslMechanism {
    /// As it is.
    #[default]
    Plain,
    /// By SCRAM, over SHA-256.
    ScramSha256,
    /// By SCRAM, over SHA-512.
    ScramSha512,
}

/// Why there is no publisher with these settings.
#[derive(Debug, Error)]
pub enum KafkaSettingsError {
    /// There is a place among the brokers with nothing in it.
    #[error("the list of Kafka brokers is empty, or has an empty place")]
    Brokers,
    /// A protocol without SASL, and credentials.
    #[error("a Kafka user name or password is set, but {0} sends none")]
    CredentialsUnused(SecurityProtocol),
    /// A protocol with SASL, and not both of a user name and a password.
    #[error("{0} needs a Kafka user name and a password")]
    NoCredentials(SecurityProtocol),
    /// A build without TLS.
    #[error("{0} needs TLS, which this build leaves out (its feature `tls` brings it)")]
    NoTls(&'static str),
    /// librdkafka says no.
    #[error("the Kafka client does not take these settings: {0}")]
    Refused(String),
    /// A name that no topic can have.
    #[error(
        "a Kafka topic has 1 to 249 letters, digits, dots, underscores and hyphens, unlike `{0}`"
    )]
    Topic(String),
    /// No mechanism that we know.
    #[error("`{0}` is none of the SASL mechanisms PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512")]
    UnknownMechanism(String),
    /// No protocol that there is.
    #[error("`{0}` is none of the protocols PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL")]
    UnknownProtocol(String),
}

impl KafkaSettings {
    /// What librdkafka is told.
    pub(crate) fn config(&self) -> Result<ClientConfig, KafkaSettingsError> {
        if self
            .brokers
            .split(',')
            .any(|broker| broker.trim().is_empty())
        {
            return Err(KafkaSettingsError::Brokers);
        }
        if !is_topic(&self.topic) {
            return Err(KafkaSettingsError::Topic(self.topic.clone()));
        }
        let mut config = ClientConfig::new();
        for (name, value) in FIXED {
            config.set(*name, *value);
        }
        config.set("bootstrap.servers", &self.brokers);
        self.security.apply(&mut config)?;
        Ok(config)
    }
}

impl KafkaSecurity {
    fn apply(&self, config: &mut ClientConfig) -> Result<(), KafkaSettingsError> {
        let Self {
            protocol,
            mechanism,
            username,
            password,
            ssl_ca,
        } = self;
        if !cfg!(feature = "tls") {
            self.without_tls()?;
        }
        config.set("security.protocol", protocol.name());
        match (protocol.has_sasl(), username, password) {
            (true, Some(username), Some(password)) => {
                config.set("sasl.mechanism", mechanism.name());
                config.set("sasl.username", username);
                config.set("sasl.password", password);
            }
            (true, _, _) => return Err(KafkaSettingsError::NoCredentials(*protocol)),
            (false, None, None) => {}
            (false, _, _) => return Err(KafkaSettingsError::CredentialsUnused(*protocol)),
        }
        if let (true, Some(ssl_ca)) = (protocol.has_tls(), ssl_ca) {
            config.set("ssl.ca.location", ssl_ca.to_string_lossy());
        }
        Ok(())
    }

    fn without_tls(&self) -> Result<(), KafkaSettingsError> {
        if self.protocol.has_tls() {
            return Err(KafkaSettingsError::NoTls(self.protocol.name()));
        }
        if self.protocol.has_sasl() && self.mechanism != SaslMechanism::Plain {
            return Err(KafkaSettingsError::NoTls(self.mechanism.name()));
        }
        Ok(())
    }
}

impl fmt::Debug for KafkaSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSecurity")
            .field("protocol", &self.protocol)
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "redacted"))
            .field("ssl_ca", &self.ssl_ca)
            .finish()
    }
}

impl SecurityProtocol {
    fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
            Self::Ssl => "SSL",
        }
    }

    /// Whether a user name and a password are sent.
    pub fn has_sasl(self) -> bool {
        match self {
            Self::Plaintext | Self::Ssl => false,
            Self::SaslPlaintext | Self::SaslSsl => true,
        }
    }

    fn has_tls(self) -> bool {
        match self {
            Self::Plaintext | Self::SaslPlaintext => false,
            Self::SaslSsl | Self::Ssl => true,
        }
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads the names that Kafka's own clients use.
impl FromStr for SecurityProtocol {
    type Err = KafkaSettingsError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [
            Self::Plaintext,
            Self::SaslPlaintext,
            Self::SaslSsl,
            Self::Ssl,
        ]
        .into_iter()
        .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
        .ok_or_else(|| KafkaSettingsError::UnknownProtocol(name.to_owned()))
    }
}

impl SaslMechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Reads the names that Kafka's own clients use.
impl FromStr for SaslMechanism {
    type Err = KafkaSettingsError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| KafkaSettingsError::UnknownMechanism(name.to_owned()))
    }
}

impl From<KafkaError> for KafkaSettingsError {
    /// Leaves out the value, which may be a password.
    fn from(error: KafkaError) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the others do not come of settings"
        )]
        match error {
            KafkaError::ClientConfig(_, reason, name, _) => {
                Self::Refused(format!("{name}: {reason}"))
            }
            KafkaError::ClientCreation(reason) => Self::Refused(reason),
            other => Self::Refused(other.to_string()),
        }
    }
}

fn is_topic(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&name.len()) && !matches!(name, "." | "..") && name.bytes().all(known)
}

/// What no operator has to decide.
const FIXED: &[(&str, &str)] = &[
    ("client.id", "tessera"),
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("max.in.flight", "5"),
    // Well within the lease of a relay, so that another one seldom repeats what this one still sends.
    ("message.timeout.ms", "6000"),
    // Counted are refusals that may pass, above all too few replicas: after two seconds the broker's
    // own word for it is better than a time-out without any.
    ("retries", "4"),
    ("request.timeout.ms", "5000"),
    ("socket.timeout.ms", "10000"),
    ("socket.connection.setup.timeout.ms", "5000"),
    ("api.version.request.timeout.ms", "5000"),
    ("socket.keepalive.enable", "true"),
    // A broker that is back is to be found while a call still waits for it.
    ("reconnect.backoff.max.ms", "500"),
    // A topic may be unknown for that long to some brokers after it was made.
    ("topic.metadata.propagation.max.ms", "500"),
    ("linger.ms", "2"),
    // librdkafka has it built in; zlib and zstd would be libraries of their own.
    ("compression.type", "lz4"),
    // The topic's limit decides, as far as brokers read requests at all: to the 100 MiB of their
    // `socket.request.max.bytes`, beyond which they hang up without a reason.
    ("message.max.bytes", "100000000"),
    // As the Java clients do it, so that a key has one partition whoever writes it.
    ("partitioner", "murmur2_random"),
];
