//! `tessera migrate`: brings the tables up, or down, or says how they are.

use core::num::NonZeroUsize;

use tessera_domain::TenantName;
use tokio::runtime::Handle;

use crate::backend::{Backend, Changed};
use crate::cli::Migrate;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Output;
use crate::wiring;

pub(super) async fn run(command: Migrate, config: &Config, output: Output) -> Result<(), Failure> {
    let backend = Backend::open(config, &Handle::current())?;
    if command.tenant.is_some() && backend.is_embedded() {
        return Err(Failure::Misused(
            "--tenant is for Postgres: in a SQLite file all tenants are in the same tables"
                .to_owned(),
        ));
    }
    let tenant = command.tenant.as_deref().map(key).transpose()?;
    let tenant = tenant.as_deref();
    let jobs = command
        .jobs
        .or(NonZeroUsize::new(wiring::cores()))
        .unwrap_or(NonZeroUsize::MIN);
    if command.status {
        return backend.standings(tenant).await?.print(output);
    }
    let clock = wiring::clock();
    let begun = clock.now();
    let changed = match (command.dry_run, command.down) {
        (true, Some(count)) => return planned(&backend.steps_down(count).await?, output),
        (true, None) => return planned(&backend.steps_up(tenant).await?, output),
        (false, Some(count)) => backend.migrate_down(count, jobs).await?,
        (false, None) => {
            let changed = backend.migrate(tenant, jobs).await?;
            // What happens from now on is for them, also before the service first runs.
            backend.enrol(&config.events).await?;
            changed
        }
    };
    changed.print(output)?;
    if changed.is_empty() {
        nothing_to_do(output);
    } else {
        let seconds = clock.now().since(begun).as_secs_f64();
        eprintln!("{} in {seconds:.1} s.", changed.summary());
    }
    changed.judge()
}

fn planned(changed: &Changed, output: Output) -> Result<(), Failure> {
    changed.print(output)?;
    if changed.is_empty() {
        nothing_to_do(output);
    }
    Ok(())
}

fn nothing_to_do(output: Output) {
    if output == Output::Text {
        eprintln!("Nothing to do.");
    }
}

fn key(name: &str) -> Result<String, Failure> {
    let name = TenantName::parse(name);
    name.map(|name| name.key())
        .map_err(|error| Failure::Failed(format!("--tenant: {error}")))
}
