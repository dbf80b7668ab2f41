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
            is_filter(filter.value)
                .then(|| filter.value.to_owned())
                .ok_or_else(|| filter.wrong("error, warn, info, debug, trace, off, or a filter as info,tessera_http=debug"))
        })?,
        format: environment.parse("TESSERA_LOG_FORMAT", |format| {
            format.one_of(&[("json", Format::Json), ("pretty", Format::Pretty)])
        })?,
        file: environment
            .setting("TESSERA_LOG_FILE")
            .map(|file| PathBuf::from(file.value)),
    })
}

/// A bare word is a level: the parser would take any other one for the name of a module, and log
/// nothing of the rest.
fn is_filter(text: &str) -> bool {
    let named = |part: &str| part.contains('=') || LEVELS.contains(&part);
    let mut parts = text.split(',').map(str::trim);
    parts.all(|part| named(&part.to_ascii_lowercase())) && EnvFilter::try_new(text).is_ok()
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
