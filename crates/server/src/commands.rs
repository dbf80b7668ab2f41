//! The commands of operators: each opens the store, runs one use case, prints what came of it.

use core::time::Duration;
use std::io::{self, IsTerminal, Read};

use tessera_app::Unready;
use tessera_domain::{Password, Tenant};
use tokio::runtime::Handle;
use tokio::time::sleep;
use zeroize::Zeroizing;

use crate::cli::{Cli, Command};
use crate::config::{Config, without_final_newline};
use crate::failure::Failure;
use crate::logging::Open;
use crate::output::{self, Output};
use crate::wiring::{self, KeyRingUse, Wired};

mod audit;
mod events;
mod healthcheck;
mod keys;
mod migrate;
mod tenant;
mod user;

/// Runs the command.
pub(crate) async fn run(
    cli: Cli,
    command: Command,
    config: &Config,
    log: &Open,
) -> Result<(), Failure> {
    let output = if cli.json { Output::Json } else { Output::Text };
    match command {
        Command::Asyncapi => output::write(&tessera_wire::asyncapi()),
        Command::Audit(command) => audit::run(*command, config, output).await,
        Command::Events(command) => events::run(command, config, output).await,
        Command::Healthcheck => healthcheck::run(&config.listen, output),
        Command::Keys(command) => keys::run(command, config, output).await,
        Command::Migrate(command) => migrate::run(command, config, output).await,
        Command::Openapi => output::document(&tessera_http::document(&config.web.app_version)),
        Command::Serve => crate::serve::serve(config, &log.access_log).await,
        Command::Tenant(command) => tenant::run(command, config, output).await,
        Command::User(command) => user::run(command, config, output).await,
    }
}

/// The service over a store that is ready, with a default tenant.
async fn open(config: &Config, key_ring: KeyRingUse) -> Result<Wired, Failure> {
    let wired = wiring::wire(config, config.listen.port, key_ring, &Handle::current())?;
    wired.backend.migrate_embedded(&config.events).await?;
    wait_for(&wired).await;
    wired.tessera.ports().store.check().await?;
    match key_ring {
        KeyRingUse::Opened => wired.tessera.prepare().await?,
        KeyRingUse::Untouched => wired.tessera.prepare_default_tenant().await?,
    }
    Ok(wired)
}

/// A database may be slow to take its first connection: nobody types a command twice gladly.
async fn wait_for(wired: &Wired) {
    for _ in 0..ATTEMPTS {
        match wired.tessera.ports().store.check().await {
            Err(Unready::Unavailable(_)) => sleep(PAUSE).await,
            Ok(()) | Err(Unready::NotMigrated | Unready::ReadOnly | Unready::Unbound) => return,
        }
    }
}

/// The tenant that a command names, where its data is in one place.
async fn tenant(wired: &Wired, name: &str) -> Result<Tenant, Failure> {
    let found = wired.tessera.tenant(name).await?;
    let tenant = found.ok_or_else(|| no_tenant(name))?;
    if let Some(to) = tenant.moving_to {
        let (name, to) = (tenant.name.as_str(), to.as_str());
        return Err(Failure::Failed(format!(
            "the tenant {name} is being moved: wait, or run `tessera tenant move --to {to}` again"
        )));
    }
    Ok(Tenant::clone(&tenant))
}

fn no_tenant(name: &str) -> Failure {
    Failure::Failed(format!("there is no tenant named `{name}`"))
}

/// A password on standard input, without the newline that ends it.
fn password() -> Result<Password, Failure> {
    let input = io::stdin();
    if input.is_terminal() {
        eprintln!("Type the password, press Enter and then Ctrl-D; it is shown as you type.");
    }
    let mut typed = Zeroizing::new(String::new());
    let read = input.lock().take(MOST_INPUT).read_to_string(&mut typed);
    read.map_err(|error| {
        Failure::Failed(format!(
            "the password on standard input cannot be read: {error}"
        ))
    })?;
    let password = without_final_newline(&typed);
    if password.contains('\0') {
        return Err(Failure::Failed(
            "the password on standard input has a NUL character, with which nobody could log in"
                .to_owned(),
        ));
    }
    Ok(Password::new(password.to_owned()))
}

const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// Far more than a password may have.
const MOST_INPUT: u64 = 65_536;
