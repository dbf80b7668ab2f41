//! The log: JSON for programs, text for people, to standard error or into files.

use std::io::{self, IsTerminal};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Format, Log};

mod line;
mod rotated;

use line::Line;
use rotated::RotatedFile;

/// Starts the log of the service.
pub(crate) fn start(log: &Log) -> io::Result<()> {
    let filter = EnvFilter::new(log.filter.as_deref().unwrap_or("info,actix_server=warn"));
    match &log.file {
        None => {
            let terminal = io::stderr().is_terminal();
            let usual = if terminal {
                Format::Pretty
            } else {
                Format::Json
            };
            subscribe(filter, log.format.unwrap_or(usual), terminal, io::stderr);
        }
        Some(path) => {
            let file = RotatedFile::open(path.clone(), FILE_BYTES)?;
            let format = log.format.unwrap_or(Format::Json);
            subscribe(filter, format, false, Mutex::new(file));
        }
    }
    // What a panic says may hold anything, and belongs to no log line; where it was does.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panicked");
    }));
    Ok(())
}

/// Starts the log of a command: what is wrong, for whoever typed it. The files of the service are
/// left to the service.
pub(crate) fn start_for_command(log: &Log) {
    let filter = EnvFilter::new(log.filter.as_deref().unwrap_or("error"));
    let format = log.format.unwrap_or(Format::Pretty);
    subscribe(filter, format, io::stderr().is_terminal(), io::stderr);
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
        .with_writer(writer)
        .event_format(Line(format))
        .init();
}

const FILE_BYTES: u64 = 64 << 20;
