//! The log: JSON for programs, text for people, to standard error or into files.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use tessera_http::{AccessEvents, AccessLog};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Format, Log};

mod access;
mod buffered;
mod line;
mod rotated;

use access::JsonAccessLog;
use buffered::{Buffered, Guard};
use line::Line;
use rotated::RotatedFile;

/// The log, which has to be kept until the process ends: when it is dropped, all is written.
pub(crate) struct Open {
    /// Takes down requests.
    pub(crate) access_log: Arc<dyn AccessLog>,
    _guard: Option<Guard>,
}

impl Open {
    /// A log whose lines do not wait.
    fn at_once() -> Self {
        Self {
            access_log: Arc::new(AccessEvents),
            _guard: None,
        }
    }
}

/// Starts the log of the service. Lines wait a little for others, but not where people read along.
pub(crate) fn start(log: &Log) -> io::Result<Open> {
    let filter = filter(log, "info,actix_server=warn,lapin=off,librdkafka=warn");
    let open = match &log.file {
        None if io::stderr().is_terminal() => {
            let format = log.format.unwrap_or(Format::Pretty);
            subscribe(filter, format, true, io::stderr);
            Open::at_once()
        }
        None => buffered(filter, log, io::stderr())?,
        Some(path) => {
            let file = RotatedFile::open(path.clone(), FILE_BYTES)?;
            buffered(filter, log, file)?
        }
    };
    // What a panic says may hold anything, and belongs to no log line; where it was does.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panicked");
    }));
    Ok(open)
}

fn buffered(
    filter: EnvFilter,
    log: &Log,
    sink: impl io::Write + Send + 'static,
) -> io::Result<Open> {
    let lines = Buffered::start(sink)?;
    let format = log.format.unwrap_or(Format::Json);
    let open = Open {
        access_log: match format {
            Format::Json => Arc::new(JsonAccessLog(lines.clone())),
            Format::Pretty => Arc::new(AccessEvents),
        },
        _guard: Some(lines.guard()),
    };
    subscribe(filter, format, false, lines);
    Ok(open)
}

/// Starts the log of a command: what is wrong, for whoever typed it. The files of the service are
/// left to the service.
pub(crate) fn start_for_command(log: &Log) -> Open {
    let filter = filter(log, "error,lapin=off");
    let format = log.format.unwrap_or(Format::Pretty);
    subscribe(filter, format, io::stderr().is_terminal(), io::stderr);
    Open::at_once()
}

/// What is logged: as the settings have it, but for what may hold an e-mail address or a password
/// record whatever they have.
fn filter(log: &Log, usual: &str) -> EnvFilter {
    let asked = log.filter.as_deref().unwrap_or(usual);
    let never = NEVER.map(|target| format!("{target}=off")).join(",");
    EnvFilter::new(format!("{asked},{never}"))
}

fn subscribe(
    filter: EnvFilter,
    format: Format,
    colours: bool,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) {
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        // It would print to standard error, and panic where that is what cannot be written.
        .log_internal_errors(false)
        .with_writer(writer)
        .event_format(Line(format))
        .init();
}

/// Where lapin logs each message that no queue took, with its body, and tokio-postgres each statement,
/// with its values.
const NEVER: [&str; 3] = [
    "lapin::returned_messages",
    "tokio_postgres::query",
    "tokio_postgres::simple_query",
];
const FILE_BYTES: u64 = 64 << 20;
