//! The `tessera` binary: reads the settings, wires the ports, and serves or runs one command.

#![expect(dead_code, unused_imports, reason = "what is wired follows")]

mod cli;
mod clock;
mod config;
mod logging;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;
use config::Config;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let started = match Config::load() {
        Ok(config) if cli.command.is_some() => {
            logging::start_for_command(&config.log);
            Ok(())
        }
        Ok(config) => logging::start(&config.log).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("tessera: {sentence}");
            ExitCode::from(2)
        }
    }
}
