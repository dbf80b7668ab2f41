//! What operators do with tenants: create, list, add a domain.

use tessera_domain::{
    Actor, Change, Changes, HostName, SchemaName, Tenant, TenantName, TenantNameError, User,
};

use crate::administer_users::UserFilter;
use crate::ports::{CommitError, Unavailable, Unique};
use crate::{ATTEMPTS, Contended, Tessera};

/// A request to make a tenant.
#[derive(Clone, Debug)]
pub struct CreateTenant {
    /// What it is called.
    pub name: TenantName,
    /// Where it lives; what its name suggests when it is not said.
    pub schema: Option<SchemaName>,
    /// Its domains, the primary one first.
    pub domains: Vec<HostName>,
}

/// Why no tenant was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateTenantError {
    /// Name, schema name or domain belong to another tenant.
    #[error("the {0} is taken")]
    Duplicate(Unique),
    /// The name suggests no schema name.
    #[error("the name suggests no schema name, so one must be given: {0}")]
    NoSchema(#[from] TenantNameError),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What adding a domain did.
#[derive(Clone, Debug)]
pub struct DomainAdded {
    /// The tenant as it is now.
    pub tenant: Tenant,
    /// Users of the default tenant whom the domain hides: a log in with their address now goes to
    /// the tenant.
    pub hidden: Vec<User>,
}

/// Why no domain was added.
#[derive(Debug, thiserror::Error)]
pub enum AddDomainError {
    /// Another tenant has it.
    #[error("the {0} is taken")]
    Duplicate(Unique),
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// Makes a tenant, with the place where its data lives.
    pub async fn create_tenant(&self, command: CreateTenant) -> Result<Tenant, CreateTenantError> {
        let now = self.now();
        let schema = match command.schema {
            Some(schema) => schema,
            None => SchemaName::suggest(&command.name)?,
        };
        let (mut tenant, fact) = Tenant::create(
            command.name,
            schema,
            self.settings.tenant_layout,
            self.new_id(),
            now,
        );
        let mut facts = vec![fact];
        for host in command.domains {
            if let Some((with_domain, fact)) = tenant.add_domain(host) {
                tenant = with_domain;
                facts.push(fact);
            }
        }
        let changes = Changes {
            tenants: vec![Change::Insert(tenant.clone())],
            actor: Actor::Operator,
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

    /// All tenants, by schema name.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        self.ports.store.tenants().await
    }

    /// Gives a domain to the tenant of that name or schema name.
    pub async fn add_domain(
        &self,
        tenant: &str,
        host: HostName,
    ) -> Result<DomainAdded, AddDomainError> {
        for _ in 0..ATTEMPTS {
            self.registry.clear();
            let now = self.now();
            let Some(tenant) = self.tenant(tenant).await? else {
                return Err(AddDomainError::NotFound);
            };
            let Some((with_domain, fact)) = tenant.add_domain(host.clone()) else {
                return self.domain_added(Tenant::clone(&tenant), &host).await;
            };
            let changes = Changes {
                tenants: vec![Change::Update(with_domain.clone())],
                actor: Actor::Operator,
                events: vec![self.event(&tenant, now, fact)],
                ..Changes::default()
            };
            match self.commit(&tenant, changes).await {
                Ok(()) => {
                    self.registry.clear();
                    let version = with_domain.version + 1;
                    let tenant = Tenant {
                        version,
                        ..with_domain
                    };
                    return self.domain_added(tenant, &host).await;
                }
                Err(CommitError::Stale) => {}
                Err(CommitError::Duplicate(what)) => return Err(AddDomainError::Duplicate(what)),
                Err(CommitError::Unavailable(unavailable)) => return Err(unavailable.into()),
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    async fn domain_added(
        &self,
        tenant: Tenant,
        host: &HostName,
    ) -> Result<DomainAdded, AddDomainError> {
        let mut hidden = Vec::new();
        if !tenant.is_default() {
            let default = self.default_tenant().await?;
            let (all, mut after) = (UserFilter::default(), None);
            loop {
                let page = self.ports.store.users(&default, &all, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                hidden.extend(page.into_iter().filter(|user| {
                    let email = user.email.as_ref();
                    email.is_some_and(|email| email.domain() == host.as_str())
                }));
            }
        }
        Ok(DomainAdded { tenant, hidden })
    }
}

const PAGE: usize = 500;
