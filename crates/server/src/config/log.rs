//! What is logged, how and where.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::{ConfigError, Environment};

/// What is logged, how and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Log {
    /// The level, or a filter of several.
    pub(crate) filter: Option<String>,
    /// How a line looks; none is by whether a person reads it.
    pub(crate) format: Option<Format>,
    /// The file; none is standard error.
    pub(crate) file: Option<PathBuf>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// One JSON object, for programs.
    Json,
    /// Text, for people.
    Pretty,
}

pub(crate) fn read(environment: &Environment) -> Result<Log, ConfigError> {
    Ok(Log {
        filter: environment.parse("TESSERA_LOG", |filter| {
            let readable = EnvFilter::try_new(filter.value).is_ok();
            readable
                .then(|| filter.value.to_owned())
                .ok_or_else(|| filter.wrong("error, warn, info, debug, trace, or a filter of them"))
        })?,
        format: environment.parse("TESSERA_LOG_FORMAT", |format| {
            format.one_of(&[("json", Format::Json), ("pretty", Format::Pretty)])
        })?,
        file: environment
            .setting("TESSERA_LOG_FILE")
            .map(|file| PathBuf::from(file.value)),
    })
}
