//! What is measured, where, and for how long.

use core::str::FromStr;
use core::time::Duration;
use std::path::PathBuf;

use crate::Failure;
use crate::brokers::{Kafka, RabbitMq};

/// What is measured, where, and for how long.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The binary that is measured.
    pub(crate) service: PathBuf,
    /// An empty folder for what the services write; whoever gives it removes it.
    pub(crate) folder: PathBuf,
    /// An empty database for a service that signs with RS256, and one for ES256.
    pub(crate) postgres: Option<[String; 2]>,
    /// How long each row runs in each round.
    pub(crate) span: Duration,
    /// How often each row is measured.
    pub(crate) rounds: u32,
    /// What the services log.
    pub(crate) log: String,
    /// The one row to measure; without it, all of them but those of events and of tenants.
    pub(crate) only: Option<Row>,
    /// Where the events of the services go.
    pub(crate) events: Events,
    /// How many tenants there are, and where.
    pub(crate) tenants: Tenants,
}

/// Where the events of the services go, as far as there is something.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// A server where databases may be made, and the folder of its `psql` and `pgbench`.
    pub(crate) postgres: Option<(String, PathBuf)>,
    pub(crate) kafka: Option<Kafka>,
    pub(crate) rabbitmq: Option<RabbitMq>,
}

/// How many tenants there are, where that is measured.
#[derive(Debug)]
pub(crate) struct Tenants {
    /// A server where databases may be made, and the folder of its `psql`.
    pub(crate) postgres: Option<(String, PathBuf)>,
    /// Compared with one.
    pub(crate) count: usize,
    /// How many accounts have a session; each is in a tenant of its own.
    pub(crate) sessions: usize,
}

/// What is measured of a service in each round; `Events` and `Tenants` are tables of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Row {
    Events,
    Jwks,
    LogIn,
    P99,
    Refresh,
    Register,
    Tenants,
    Validate,
}

impl FromStr for Row {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        match name {
            "events" => Ok(Self::Events),
            "jwks" => Ok(Self::Jwks),
            "log-in" => Ok(Self::LogIn),
            "p99" => Ok(Self::P99),
            "refresh" => Ok(Self::Refresh),
            "register" => Ok(Self::Register),
            "tenants" => Ok(Self::Tenants),
            "validate" => Ok(Self::Validate),
            _ => Err(format!("there is no row {name}").into()),
        }
    }
}

impl Settings {
    /// Whether one of these rows is to be measured.
    pub(crate) fn measure(&self, rows: &[Row]) -> bool {
        self.only.is_none_or(|only| rows.contains(&only))
    }

    /// Reads the command line.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let (mut service, mut folder, mut rs256, mut es256) = (None, None, None, None);
        let (mut seconds, mut rounds, mut log) = (2.0, 5, "info".to_owned());
        let (mut only, mut events) = (None, Events::default());
        let (mut server, mut bin) = (None, None);
        let (mut many, mut tenants, mut sessions) = (None, 10_000, 2_000);
        let (mut kafka, mut kafka_lib, mut rabbitmq, mut rabbitmqctl) = (None, None, None, None);
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--service" => service = Some(PathBuf::from(value)),
                "--folder" => folder = Some(PathBuf::from(value)),
                "--postgres-rs256" => rs256 = Some(value),
                "--postgres-es256" => es256 = Some(value),
                "--seconds" => seconds = value.parse()?,
                "--rounds" => rounds = value.parse()?,
                "--log" => log = value,
                "--only" => only = Some(value.parse()?),
                "--postgres-events" => server = Some(value),
                "--postgres-tenants" => many = Some(value),
                "--tenants" => tenants = value.parse()?,
                "--sessions" => sessions = value.parse()?,
                "--postgres-bin" => bin = Some(PathBuf::from(value)),
                "--kafka" => kafka = Some(value),
                "--kafka-lib" => kafka_lib = Some(PathBuf::from(value)),
                "--rabbitmq" => rabbitmq = Some(value),
                "--rabbitmqctl" => rabbitmqctl = Some(PathBuf::from(value)),
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        events.postgres = server.zip(bin.clone());
        let kafka = kafka.zip(kafka_lib);
        events.kafka = kafka.map(|(address, lib)| Kafka { address, lib });
        let rabbitmq = rabbitmq.zip(rabbitmqctl);
        events.rabbitmq = rabbitmq.map(|(url, ctl)| RabbitMq { url, ctl });
        if rounds == 0 {
            return Err("--rounds is at least 1".into());
        }
        if tenants < LEAST_TENANTS {
            return Err(format!("--tenants is at least {LEAST_TENANTS}").into());
        }
        Ok(Self {
            service: service
                .ok_or("--service names the binary")?
                .canonicalize()?,
            folder: folder
                .ok_or("--folder names an empty folder")?
                .canonicalize()?,
            postgres: rs256.zip(es256).map(|(rs256, es256)| [rs256, es256]),
            span: Duration::try_from_secs_f64(seconds)?,
            rounds,
            log,
            only,
            events,
            tenants: Tenants {
                postgres: many.zip(bin),
                count: tenants,
                sessions: usize::clamp(sessions, LEAST_TENANTS, tenants),
            },
        })
    }
}

/// One is louder than twenty others.
const LEAST_TENANTS: usize = 21;
