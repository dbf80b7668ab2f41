//! `tessera migrate`: brings the tables up, or down, or says how they are.

use core::num::NonZeroUsize;

use tessera_app::TenantKey;
use tessera_domain::{SchemaName, TenantName};
use tokio::runtime::Handle;

use crate::backend::{Backend, MigrationView};
use crate::cli::Migrate;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(command: Migrate, config: &Config, output: Output) -> Result<(), Failure> {
    let backend = Backend::open(config, &Handle::current())?;
    if command.tenant.is_some() && backend.is_embedded() {
        return Err(Failure::Misused(
            "--tenant is for Postgres: in a SQLite file all tenants are in the same tables"
                .to_owned(),
        ));
    }
    let changed = match (command.status, command.dry_run, command.down) {
        (true, _, _) => backend.migrations().await?,
        (false, true, Some(count)) => backend.steps_down(count).await?,
        (false, true, None) => missing(&backend).await?,
        (false, false, Some(count)) => backend.migrate_down(count).await?,
        (false, false, None) => {
            let tenant = match &command.tenant {
                Some(name) => Some(schema(&backend, name).await?),
                None => None,
            };
            let jobs = NonZeroUsize::new(command.jobs).unwrap_or(NonZeroUsize::MIN);
            let changed = backend.migrate(tenant.as_ref(), jobs).await?;
            // What happens from now on is for them, also before the service first runs.
            backend.enrol(&config.events).await?;
            changed
        }
    };
    if changed.is_empty() && output == Output::Text {
        eprintln!("Nothing to do.");
        return Ok(());
    }
    output.many(&MigrationView::COLUMNS, &changed)
}

async fn missing(backend: &Backend) -> Result<Vec<MigrationView>, Failure> {
    let mut all = backend.migrations().await?;
    all.retain(|migration| !migration.applied);
    Ok(all)
}

async fn schema(backend: &Backend, name: &str) -> Result<SchemaName, Failure> {
    let unknown = || Failure::Failed(format!("there is no tenant named `{name}`"));
    let key = TenantName::parse(name).map_err(|_| unknown())?.key();
    let tenant = backend.store().tenant(&TenantKey::Name(key)).await?;
    tenant.map(|tenant| tenant.schema).ok_or_else(unknown)
}
