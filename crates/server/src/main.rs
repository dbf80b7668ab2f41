//! The `tessera` binary: reads the settings, wires the ports, and serves or runs one command.

mod backend;
mod cli;
mod clock;
mod commands;
mod config;
mod data_folder;
mod failure;
mod logging;
mod mailer;
mod output;
mod publishers;
mod serve;
mod views;
mod welcome;
mod wiring;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Runtime;

use cli::{Cli, Command};
use config::Config;
use failure::Failure;

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    let command = cli.command.take().unwrap_or(Command::Serve);
    match run(cli, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where nobody can be told, the exit status still says it.
            let _ = writeln!(io::stderr(), "tessera: {failure}");
            failure.exit_code()
        }
    }
}

fn run(cli: Cli, command: Command) -> Result<(), Failure> {
    let config = Config::load()?;
    // It outlives the runtime, whose tasks log until they end.
    let log = match command {
        Command::Serve => logging::start(&config.log)
            .map_err(|error| Failure::Misused(format!("TESSERA_LOG_FILE: {error}")))?,
        Command::Asyncapi
        | Command::Audit(_)
        | Command::Events(_)
        | Command::Healthcheck
        | Command::Keys(_)
        | Command::Migrate(_)
        | Command::Openapi
        | Command::Tenant(_)
        | Command::User(_) => logging::start_for_command(&config.log),
    };
    // Workers of the server are single-threaded; what must outlive a request runs here.
    let runtime = Runtime::new().map_err(|error| Failure::because(&error))?;
    let done = runtime.block_on(commands::run(cli, command, &config, &log));
    // A disk that hangs is not waited for.
    runtime.shutdown_timeout(PATIENCE);
    done
}

const PATIENCE: Duration = Duration::from_secs(1);
