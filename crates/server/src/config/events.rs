//! Where events go: what is configured, and what is chosen where that is more than one thing.

use core::str::FromStr;
use core::time::Duration;
use std::path::PathBuf;

use tessera_kafka::{KafkaSecurity, KafkaSettings, KafkaSettingsError};
use tessera_rabbitmq::{Format, Mandatory};
use url::Url;

use super::value::Setting;
use super::{ConfigError, Environment, Notice, Secret};

/// Where events go, and how long they are kept.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    /// Each gets every event. None when nothing is to be told to anybody.
    pub(crate) destinations: Vec<Destination>,
    /// How long the log keeps what was sent.
    pub(crate) retention: Duration,
}

/// Where events go.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// A topic of Kafka.
    Kafka(KafkaSettings),
    /// A file in the data folder.
    Ndjson,
    /// An exchange of `RabbitMQ`.
    RabbitMq(RabbitMq),
}

/// How `RabbitMQ` is reached.
#[derive(Clone, Debug)]
pub(crate) struct RabbitMq {
    /// An `amqp://` URL; it holds a password.
    pub(crate) url: Secret,
    /// The exchange.
    pub(crate) exchange: String,
    /// The queue that is bound from the start.
    pub(crate) queue: String,
    /// What becomes of an event that no queue takes.
    pub(crate) mandatory: Mandatory,
    /// What the body of a message is.
    pub(crate) format: Format,
}

impl Destination {
    /// The name of its publisher.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Kafka(_) => KAFKA,
            Self::Ndjson => NDJSON,
            Self::RabbitMq(_) => RABBITMQ,
        }
    }
}

/// Reads them; refuses destinations that do not exist, lack their broker, or that nobody chose
/// between.
pub(crate) fn read(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<Events, ConfigError> {
    let kafka = kafka(environment, notices)?;
    let rabbitmq = rabbitmq(environment, notices)?;
    let places = places(environment, kafka.is_some(), rabbitmq.is_some())?;
    let (mut kafka, mut rabbitmq) = (kafka, rabbitmq);
    let mut destinations = Vec::new();
    for place in &places {
        let destination = match place.as_str() {
            KAFKA => kafka.take().map(Destination::Kafka),
            RABBITMQ => rabbitmq.take().map(Destination::RabbitMq),
            NDJSON => Some(Destination::Ndjson),
            _ => None,
        };
        destinations.extend(destination);
    }
    let retention = environment.parse("TESSERA_EVENTS_RETENTION", Setting::days)?;
    Ok(Events {
        destinations,
        retention: retention.unwrap_or(Duration::from_hours(24 * 7)),
    })
}

fn places(
    environment: &Environment,
    kafka: bool,
    rabbitmq: bool,
) -> Result<Vec<String>, ConfigError> {
    let Some(events) = environment.setting("TESSERA_EVENTS") else {
        let place = match (kafka, rabbitmq) {
            (false, false) => NDJSON,
            (false, true) => RABBITMQ,
            (true, false) => KAFKA,
            (true, true) => {
                return Err(ConfigError::new(
                    "KAFKA_BOOTSTRAP_SERVERS and RABBITMQ_URL are both set: say with \
                     TESSERA_EVENTS where events go (kafka, rabbitmq or kafka,rabbitmq)",
                ));
            }
        };
        return Ok(vec![place.to_owned()]);
    };
    let places = events.list()?;
    let known = [NDJSON, KAFKA, RABBITMQ, "none"];
    let strange = places.iter().any(|place| !known.contains(&place.as_str()));
    let has = |place: &str| places.iter().any(|p| p == place);
    let with_others = |place: &str| has(place) && places.len() > 1;
    let twice = places.len() > 1 && !(has(KAFKA) && has(RABBITMQ) && places.len() == 2);
    if strange || places.is_empty() || with_others("none") || with_others(NDJSON) || twice {
        return Err(events.wrong("ndjson, kafka, rabbitmq, kafka,rabbitmq or none"));
    }
    for (place, configured, name) in [
        (KAFKA, kafka, "KAFKA_BOOTSTRAP_SERVERS"),
        (RABBITMQ, rabbitmq, "RABBITMQ_URL"),
    ] {
        if has(place) && !configured {
            return Err(ConfigError::new(format!(
                "TESSERA_EVENTS names {place}, but {name} is not set"
            )));
        }
    }
    Ok(places)
}

fn kafka(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<Option<KafkaSettings>, ConfigError> {
    let topic = environment.parse("TESSERA_EVENTS_TOPIC", topic)?;
    let security = kafka_security(environment, notices)?;
    let brokers = environment.parse("KAFKA_BOOTSTRAP_SERVERS", brokers)?;
    Ok(brokers.map(|brokers| KafkaSettings {
        brokers,
        topic: topic.unwrap_or_else(|| USER_EVENTS.to_owned()),
        security,
    }))
}

fn kafka_security(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<KafkaSecurity, ConfigError> {
    let text = |name| {
        environment
            .setting(name)
            .map(|setting| setting.value.to_owned())
    };
    let password = environment.one_secret("KAFKA_SASL_PASSWORD", notices)?;
    let mechanism = environment.parse("KAFKA_SASL_MECHANISM", named)?;
    let security = KafkaSecurity {
        protocol: environment
            .parse("KAFKA_SECURITY_PROTOCOL", named)?
            .unwrap_or_default(),
        mechanism: mechanism.unwrap_or_default(),
        username: text("KAFKA_SASL_USERNAME"),
        password: password.map(|password| password.as_str().to_owned()),
        ssl_ca: text("KAFKA_SSL_CA").map(PathBuf::from),
    };
    let KafkaSecurity {
        protocol,
        username,
        password,
        ..
    } = &security;
    let has_sasl = protocol.has_sasl();
    if has_sasl && (username.is_none() || password.is_none()) {
        return Err(ConfigError::new(format!(
            "KAFKA_SECURITY_PROTOCOL is `{protocol}`, but KAFKA_SASL_USERNAME and \
             KAFKA_SASL_PASSWORD are not both set"
        )));
    }
    if !has_sasl && (mechanism.is_some() || username.is_some() || password.is_some()) {
        return Err(ConfigError::new(format!(
            "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD is set, but \
             KAFKA_SECURITY_PROTOCOL is `{protocol}`: SASL_SSL or SASL_PLAINTEXT uses them"
        )));
    }
    Ok(security)
}

fn rabbitmq(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<Option<RabbitMq>, ConfigError> {
    let exchange = environment.parse("TESSERA_EVENTS_EXCHANGE", amqp_name)?;
    let queue = environment.parse("TESSERA_EVENTS_QUEUE", amqp_name)?;
    let mandatory = if environment.switch("TESSERA_RABBITMQ_MANDATORY", true)? {
        Mandatory::On
    } else {
        Mandatory::Off
    };
    let format = if environment.switch("TESSERA_RABBITMQ_PLAIN", false)? {
        Format::Plain
    } else {
        Format::Structured
    };
    let Some(url) = environment.one_secret("RABBITMQ_URL", notices)? else {
        return Ok(None);
    };
    let url = url.as_str().trim();
    if !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "amqp" | "amqps")) {
        return Err(ConfigError::new(
            "RABBITMQ_URL must be as amqp://user:password@host:5672/vhost, or with amqps",
        ));
    }
    Ok(Some(RabbitMq {
        url: Secret::new(url.to_owned()),
        exchange: exchange.unwrap_or_else(|| USER_EVENTS.to_owned()),
        queue: queue.unwrap_or_else(|| USER_EVENTS.to_owned()),
        mandatory,
        format,
    }))
}

/// One of the names that Kafka's own clients use.
fn named<T: FromStr<Err = KafkaSettingsError>>(setting: Setting<'_>) -> Result<T, ConfigError> {
    let name = setting.name;
    setting
        .value
        .parse()
        .map_err(|error| ConfigError::new(format!("{name}: {error}")))
}

/// As Kafka has it: 249 characters at most, and no path.
fn topic(setting: Setting<'_>) -> Result<String, ConfigError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let topic = setting.value;
    let good = topic.len() <= 249 && topic.bytes().all(legal) && !matches!(topic, "." | "..");
    good.then(|| topic.to_owned())
        .ok_or_else(|| setting.wrong("a topic of letters, digits, `.`, `_` and `-`"))
}

/// As AMQP has it: a short string, and none of the broker's own names.
fn amqp_name(setting: Setting<'_>) -> Result<String, ConfigError> {
    let good = setting.value.len() <= 255 && !setting.value.starts_with("amq.");
    good.then(|| setting.value.to_owned())
        .ok_or_else(|| setting.wrong("255 bytes at most, and not begin with `amq.`"))
}

fn brokers(setting: Setting<'_>) -> Result<String, ConfigError> {
    let brokers = setting.list()?;
    let good = |broker: &String| {
        let (host, port) = broker.rsplit_once(':').unwrap_or_default();
        !host.is_empty()
            && !host.contains(['@', '/', ' '])
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    };
    (!brokers.is_empty() && brokers.iter().all(good))
        .then(|| brokers.join(","))
        .ok_or_else(|| {
            // It is not repeated: where somebody wrote a URL there may be a password in it.
            let name = setting.name;
            ConfigError::new(format!("{name} must be brokers as host:port, with commas"))
        })
}

const KAFKA: &str = "kafka";
const NDJSON: &str = "ndjson";
const RABBITMQ: &str = "rabbitmq";
const USER_EVENTS: &str = "user-events";

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(settings: [(&str, &str); N]) -> Result<Vec<&'static str>, String> {
        let read = read(&Environment::from(settings), &mut Vec::new());
        let events = read.map_err(|error| error.to_string())?;
        Ok(events.destinations.iter().map(Destination::name).collect())
    }

    #[test]
    fn events_go_where_something_is_configured_else_into_a_file() {
        let kafka = ("KAFKA_BOOTSTRAP_SERVERS", "k:9092");
        let rabbitmq = ("RABBITMQ_URL", "amqp://u:p@h/%2F");
        assert_eq!(names([]).unwrap(), ["ndjson"]);
        assert_eq!(names([kafka]).unwrap(), ["kafka"]);
        assert_eq!(names([rabbitmq]).unwrap(), ["rabbitmq"]);
        assert!(names([kafka, rabbitmq]).unwrap_err().contains("both set"));
        let both = ("TESSERA_EVENTS", "kafka, rabbitmq");
        assert_eq!(
            names([kafka, rabbitmq, both]).unwrap(),
            ["kafka", "rabbitmq"]
        );
        assert_eq!(names([kafka, ("TESSERA_EVENTS", "none")]).unwrap(), [""; 0]);
        assert_eq!(
            names([kafka, ("TESSERA_EVENTS", "ndjson")]).unwrap(),
            ["ndjson"]
        );
    }

    #[test]
    fn wrong_settings_of_events_do_not_start() {
        for (name, wrong) in [
            ("KAFKA_BOOTSTRAP_SERVERS", "kafka"),
            ("KAFKA_BOOTSTRAP_SERVERS", ","),
            ("KAFKA_BOOTSTRAP_SERVERS", "u:hushhush@h:9092"),
            ("KAFKA_SASL_MECHANISM", "MD5"),
            ("KAFKA_SASL_USERNAME", "tessera"),
            ("KAFKA_SECURITY_PROTOCOL", "TLS"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
            ("RABBITMQ_URL", "http://u:hushhush@h"),
            ("TESSERA_EVENTS", "kafka"),
            ("TESSERA_EVENTS", "kafka,kafka"),
            ("TESSERA_EVENTS", "nats"),
            ("TESSERA_EVENTS", "ndjson,none"),
            ("TESSERA_EVENTS_EXCHANGE", "amq.topic"),
            ("TESSERA_EVENTS_QUEUE", "amq.gen"),
            ("TESSERA_EVENTS_RETENTION", "x"),
            ("TESSERA_EVENTS_TOPIC", "user events"),
            ("TESSERA_RABBITMQ_PLAIN", "perhaps"),
        ] {
            let said = names([(name, wrong)]).unwrap_err();
            assert!(said.contains(name) && !said.contains("hushhush"), "{said}");
        }
    }
}
