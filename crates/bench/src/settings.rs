//! What is measured, where, and for how long.

use core::str::FromStr;
use core::time::Duration;
use std::path::PathBuf;

use crate::Failure;

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
    /// The one row to measure; all of them without it.
    pub(crate) only: Option<Row>,
}

/// What is measured of a service in each round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Row {
    Jwks,
    LogIn,
    P99,
    Refresh,
    Validate,
}

impl FromStr for Row {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        match name {
            "jwks" => Ok(Self::Jwks),
            "log-in" => Ok(Self::LogIn),
            "p99" => Ok(Self::P99),
            "refresh" => Ok(Self::Refresh),
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
        let mut only = None;
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
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        if rounds == 0 {
            return Err("--rounds is at least 1".into());
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
        })
    }
}
