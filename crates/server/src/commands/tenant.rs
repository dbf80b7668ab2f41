//! `tessera tenant`: makes tenants, shows, changes, moves and deletes them.

use tessera_app::{CreateTenant, SettingsAdministration, TenantAdministration};
use tessera_domain::{SchemaName, Tenant, TenantDomain};
use tessera_http::{DomainAddedView, TenantView, UserView};

use crate::cli::{DomainCommand, TenantCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Output;
use crate::views::{TENANT_COLUMNS, USER_COLUMNS};
use crate::wiring::{KeyRingUse, Wired};

mod delete;
mod export;
mod relocate;

pub(super) async fn run(
    command: TenantCommand,
    config: &Config,
    output: Output,
) -> Result<(), Failure> {
    let open = || super::open(config, KeyRingUse::Untouched);
    let of = TenantAdministration::of_operator();
    let changed = match command {
        TenantCommand::Create(command) => {
            let command = CreateTenant {
                name: command.name,
                schema: command.schema,
                domains: command.domains,
                layout: command.layout,
            };
            open().await?.tessera.create_tenant(&of, command).await?
        }
        TenantCommand::Delete(command) => return delete::run(command, open, output).await,
        TenantCommand::Domain(command) => return domain(command, &open().await?, output).await,
        TenantCommand::List => {
            let tenants = open().await?.tessera.tenants().await?;
            let views: Vec<TenantView> = tenants.iter().map(TenantView::from).collect();
            return output.many(&TENANT_COLUMNS, &views);
        }
        TenantCommand::Move { tenant, to } => {
            let wired = open().await?;
            relocate::run(&wired, &of, &tenant, to).await?
        }
        TenantCommand::Rename { tenant, name } => {
            let wired = open().await?;
            wired.tessera.rename_tenant(&of, &tenant, name).await?
        }
        TenantCommand::Resume { tenant } => {
            let wired = open().await?;
            wired.tessera.resume_tenant(&of, &tenant).await?
        }
        TenantCommand::Settings(command) => {
            let wired = open().await?;
            let tenant = find(&wired, &command.tenant).await?;
            let of = SettingsAdministration::of_operator(tenant);
            let decide = |so_far| command.change(so_far);
            wired.tessera.change_tenant_settings(&of, decide).await?
        }
        TenantCommand::Show { tenant } => find(&open().await?, &tenant).await?,
        TenantCommand::Suspend { tenant } => {
            let wired = open().await?;
            wired.tessera.suspend_tenant(&of, &tenant).await?
        }
    };
    output.one(&TenantView::from(&changed))
}

async fn domain(command: DomainCommand, wired: &Wired, output: Output) -> Result<(), Failure> {
    let (tessera, of) = (&wired.tessera, TenantAdministration::of_operator());
    let (tenant, domain) = match command {
        DomainCommand::Add { tenant, domain } => (tenant, domain),
        DomainCommand::Primary { tenant, domain } => {
            let made = tessera.make_domain_primary(&of, &tenant, &domain).await?;
            return output.one(&TenantView::from(&made));
        }
        DomainCommand::Remove { tenant, domain } => {
            let removed = tessera.remove_domain(&of, &tenant, &domain).await?;
            return output.one(&TenantView::from(&removed));
        }
    };
    let domain = TenantDomain {
        host: domain,
        primary: false,
    };
    let added = tessera.add_domain(&of, &tenant, domain).await?;
    let default = find(wired, SchemaName::DEFAULT).await?;
    if output == Output::Json {
        return output.one(&DomainAddedView::new(&added, &default));
    }
    output.one(&TenantView::from(&added.tenant))?;
    if added.hidden.is_empty() {
        return Ok(());
    }
    eprintln!(
        "\nThese users of the default tenant have an address in this domain. A log in with it now \
         goes to the tenant, so they can no longer log in:"
    );
    let hidden = added.hidden.iter();
    let hidden: Vec<UserView> = hidden.map(|user| UserView::new(user, &default)).collect();
    output.many(&USER_COLUMNS, &hidden)
}

/// The tenant of that name, schema name or id, in whatever state it is.
async fn find(wired: &Wired, named: &str) -> Result<Tenant, Failure> {
    let found = wired.tessera.find_tenant(named).await?;
    found.ok_or_else(|| super::no_tenant(named))
}
