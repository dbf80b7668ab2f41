//! Measures the `tessera` binary from outside, beside what this machine could do at best.
//!
//! It knows of the service what a client knows, and what `/proc` tells of a process. `scripts/bench`
//! builds both, starts Postgres and runs this; `docs/performance.md` says what is measured how.

mod bounds;
mod brokers;
mod client;
mod drive;
mod empty;
mod event_log;
mod events;
mod installation;
mod measure;
mod process;
mod proxy;
mod psql;
mod report;
mod series;
mod settings;
mod tenants;
mod watch;

use std::error::Error;
use std::process::ExitCode;

use crate::settings::{Row, Settings};

/// What went wrong, for whoever measures.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let done = if arguments.next_if(|first| first == empty::COMMAND).is_some() {
        empty::serve()
    } else {
        Settings::read(arguments).and_then(|settings| match settings.only {
            Some(Row::Events) => events::run(&settings),
            Some(Row::Tenants) => tenants::run(&settings),
            _ => measure::run(&settings),
        })
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
