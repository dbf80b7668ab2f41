//! Make a tenant.

use tessera_domain::{
    Change, Changes, HostName, SchemaName, Tenant, TenantLayout, TenantName, TenantNameError,
};

use crate::administer_tenants::TenantAdministration;
use crate::ports::{CommitError, Unavailable, Unique};
use crate::{Layouts, Tessera};

/// A request to make a tenant.
#[derive(Clone, Debug)]
pub struct CreateTenant {
    /// What it is called.
    pub name: TenantName,
    /// Where it lives; what its name suggests when it is not said.
    pub schema: Option<SchemaName>,
    /// Its domains, the primary one first.
    pub domains: Vec<HostName>,
    /// How its data is kept apart; as the settings have it when it is not said.
    pub layout: Option<TenantLayout>,
}

/// Why no tenant was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateTenantError {
    /// Name, schema name or domain belong to another tenant.
    #[error("the {0} is taken")]
    Duplicate(Unique),
    /// A layout is said, and the store keeps all tenants alike.
    #[error("layouts are for Postgres: in a SQLite file all tenants are in the same tables")]
    NoLayouts,
    /// The name suggests no schema name.
    #[error("the name suggests no schema name, so one must be given: {0}")]
    NoSchema(#[from] TenantNameError),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// Makes a tenant, with the place where its data lives.
    pub async fn create_tenant(
        &self,
        of: &TenantAdministration,
        command: CreateTenant,
    ) -> Result<Tenant, CreateTenantError> {
        let now = self.now();
        let layout = match (command.layout, self.settings.layouts) {
            (Some(_), Layouts::Alike) => return Err(CreateTenantError::NoLayouts),
            (Some(layout), Layouts::Apart) => layout,
            (None, Layouts::Alike | Layouts::Apart) => self.settings.tenant_layout,
        };
        let schema = match command.schema {
            Some(schema) => schema,
            None => SchemaName::suggest(&command.name)?,
        };
        let (mut tenant, fact) = Tenant::create(command.name, schema, layout, self.new_id(), now);
        let mut facts = vec![fact];
        for host in command.domains {
            if let Some((with_domain, fact)) = tenant.add_domain(host) {
                tenant = with_domain;
                facts.push(fact);
            }
        }
        let changes = Changes {
            tenants: vec![Change::Insert(tenant.clone())],
            actor: of.by.clone(),
            events: self.events(&tenant, now, facts),
            ..Changes::default()
        };
        let committed = self.commit(&tenant, changes).await;
        self.registry.clear();
        match committed {
            Ok(()) => Ok(Tenant {
                version: 1,
                ..tenant
            }),
            Err(CommitError::Duplicate(what)) => Err(CreateTenantError::Duplicate(what)),
            Err(CommitError::Stale) => Err(Unavailable::new(CommitError::Stale).into()),
            Err(CommitError::Unavailable(unavailable)) => Err(unavailable.into()),
        }
    }
}
