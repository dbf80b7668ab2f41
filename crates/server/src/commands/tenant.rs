//! `tessera tenant`: makes tenants and shows them.

use serde::Serialize;
use tessera_app::{CreateTenant, SettingsAdministration};
use tessera_domain::Tenant;
use tessera_http::UserView;

use crate::cli::{DomainCommand, TenantCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Output;
use crate::views::{TenantView, USER_COLUMNS};
use crate::wiring::{KeyRingUse, Wired};

pub(super) async fn run(
    command: TenantCommand,
    config: &Config,
    output: Output,
) -> Result<(), Failure> {
    let wired = super::open(config, KeyRingUse::Untouched).await?;
    let tessera = &wired.tessera;
    match command {
        TenantCommand::Create {
            name,
            schema,
            domains,
        } => {
            let command = CreateTenant {
                name,
                schema,
                domains,
            };
            output.one(&TenantView::from(&tessera.create_tenant(command).await?))
        }
        TenantCommand::Domain(command) => domain(command, &wired, output).await,
        TenantCommand::List => {
            let tenants = tessera.tenants().await?;
            let views: Vec<TenantView> = tenants.iter().map(TenantView::from).collect();
            output.many(&TenantView::COLUMNS, &views)
        }
        TenantCommand::Settings(command) => {
            let tenant = super::tenant(&wired, &command.tenant).await?;
            let of = SettingsAdministration::of_operator(tenant);
            let decide = |so_far| command.change(so_far);
            let changed = tessera.change_tenant_settings(&of, decide).await?;
            output.one(&TenantView::from(&changed))
        }
        TenantCommand::Show { tenant } => {
            output.one(&TenantView::from(&super::tenant(&wired, &tenant).await?))
        }
    }
}

async fn domain(command: DomainCommand, wired: &Wired, output: Output) -> Result<(), Failure> {
    let DomainCommand::Add { tenant, domain } = command;
    let added = wired.tessera.add_domain(&tenant, domain).await?;
    let default: Tenant = super::tenant(wired, tessera_domain::SchemaName::DEFAULT).await?;
    let hidden: Vec<UserView> = added
        .hidden
        .iter()
        .map(|user| UserView::new(user, &default))
        .collect();
    let tenant = TenantView::from(&added.tenant);
    if output == Output::Json {
        return output.one(&DomainAdded {
            tenant,
            hidden_users: hidden,
        });
    }
    output.one(&tenant)?;
    if hidden.is_empty() {
        return Ok(());
    }
    eprintln!(
        "\nThese users of the default tenant have an address in this domain. A log in with it now \
         goes to the tenant, so they can no longer log in:"
    );
    output.many(&USER_COLUMNS, &hidden)
}

/// The tenant, and whom its new domain hides.
#[derive(Serialize)]
struct DomainAdded {
    #[serde(flatten)]
    tenant: TenantView,
    hidden_users: Vec<UserView>,
}
