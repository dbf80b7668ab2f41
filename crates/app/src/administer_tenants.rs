//! What administrators of the platform do with tenants: list, show, rename, give and take domains,
//! suspend, resume. Making, moving and deleting one have files of their own.

use tessera_domain::{
    Actor, Change, Changes, Fact, HostName, NamePrefix, SchemaName, Tenant, TenantDomain,
    TenantName, TenantStatus, User,
};

use crate::administer_users::{AdministrationError, UserFilter};
use crate::ports::{CommitError, TenantKey, Unavailable, Unique};
use crate::purview::{NotPermitted, Purview};
use crate::validate::Caller;
use crate::{ATTEMPTS, Contended, Tessera};

/// All tenants, for somebody who may administer them.
#[derive(Clone, Debug)]
pub struct TenantAdministration {
    pub(crate) by: Actor,
}

impl TenantAdministration {
    /// The tenants, for a caller who administers the platform.
    pub fn of(caller: &Caller) -> Result<Self, NotPermitted> {
        match Purview::of(caller)? {
            Purview::Installation => Ok(Self { by: caller.actor() }),
            Purview::Tenant(_) => Err(NotPermitted),
        }
    }

    /// The tenants, for whoever runs the installation.
    pub fn of_operator() -> Self {
        Self {
            by: Actor::Operator,
        }
    }

    /// The tenants, for what the service does by itself.
    pub(crate) fn of_service() -> Self {
        Self { by: Actor::Service }
    }
}

/// Some of the tenants, by schema name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantPage {
    /// The tenants.
    pub tenants: Vec<Tenant>,
    /// The schema name after which the next page begins, while there are more.
    pub next: Option<SchemaName>,
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

/// Why nothing becomes of a tenant.
#[derive(Debug, thiserror::Error)]
pub enum AdministerTenantError {
    /// It is not as it was seen any more.
    #[error("the tenant changed meanwhile")]
    Changed,
    /// It is for those who name no tenant.
    #[error("the default tenant is neither suspended nor deleted")]
    DefaultTenant,
    /// Its deletion began.
    #[error("the tenant is being deleted")]
    Deleting,
    /// Its name or its domain belongs to another tenant.
    #[error("the {0} is taken")]
    Duplicate(Unique),
    /// The store keeps all tenants alike.
    #[error("layouts are for Postgres: in a SQLite file all tenants are in the same tables")]
    NoLayouts,
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The domain is none of its own.
    #[error("the tenant has no such domain")]
    UnknownDomain,
}

impl Tessera {
    /// All tenants, by schema name.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        self.ports.store.tenants().await
    }

    /// The tenants whose name or schema name begins with `search`, after the schema name `after`; at
    /// most `limit`.
    ///
    /// All of them are read for each page: an installation has thousands, and not millions.
    pub async fn tenant_page(
        &self,
        _of: &TenantAdministration,
        search: Option<&NamePrefix>,
        after: Option<&SchemaName>,
        limit: usize,
    ) -> Result<TenantPage, Unavailable> {
        let all = self.ports.store.tenants().await?;
        let mut rest = all.into_iter().filter(|tenant| {
            let keys = [tenant.name.key(), tenant.schema.key()];
            let begins = |prefix: &NamePrefix| keys.iter().any(|key| prefix.begins(key));
            search.is_none_or(begins)
                && after.is_none_or(|after| tenant.schema.as_str() > after.as_str())
        });
        let tenants: Vec<Tenant> = rest.by_ref().take(limit).collect();
        let last = tenants.last().map(|tenant| tenant.schema.clone());
        let next = last.filter(|_| rest.next().is_some());
        Ok(TenantPage { tenants, next })
    }

    /// The tenant of that id, name or schema name, for a caller who administers it.
    ///
    /// Whoever administers one tenant is told alike of another one and of one that does not exist.
    pub async fn administered_tenant(
        &self,
        caller: &Caller,
        named: &str,
    ) -> Result<Option<Tenant>, AdministrationError> {
        let purview = Purview::of(caller)?;
        let found = self.find_tenant(named).await?;
        match purview {
            Purview::Installation => Ok(found),
            Purview::Tenant(own) if found.as_ref().is_some_and(|one| one.id == own) => Ok(found),
            Purview::Tenant(_) => Err(NotPermitted.into()),
        }
    }

    /// The tenant of that id, name or schema name, as it is stored.
    pub async fn find_tenant(&self, named: &str) -> Result<Option<Tenant>, Unavailable> {
        match key_of(named) {
            Some(key) => self.ports.store.tenant(&key).await,
            None => Ok(None),
        }
    }

    /// Gives a tenant another name; its schema name stays.
    pub async fn rename_tenant(
        &self,
        of: &TenantAdministration,
        named: &str,
        name: TenantName,
    ) -> Result<Tenant, AdministerTenantError> {
        let decide = |tenant: &Tenant| Ok(tenant.rename(name.clone()).map(TenantChange::from));
        self.change_living(&of.by, named, decide).await
    }

    /// Gives a domain to a tenant, as its primary one where that is said or it is the first.
    pub async fn add_domain(
        &self,
        of: &TenantAdministration,
        named: &str,
        domain: TenantDomain,
    ) -> Result<DomainAdded, AdministerTenantError> {
        let TenantDomain { host, primary } = domain;
        let decide = |tenant: &Tenant| {
            let mut change = TenantChange::none(tenant);
            change.add(|tenant| tenant.add_domain(host.clone()));
            if primary {
                change.add(|tenant| tenant.make_primary(&host));
            }
            Ok::<_, AdministerTenantError>(change.unless_empty())
        };
        let tenant = self.change_living(&of.by, named, decide).await?;
        let hidden = self.hidden_by(&tenant, &host).await?;
        Ok(DomainAdded { tenant, hidden })
    }

    /// Takes a domain from a tenant.
    pub async fn remove_domain(
        &self,
        of: &TenantAdministration,
        named: &str,
        host: &HostName,
    ) -> Result<Tenant, AdministerTenantError> {
        let decide = |tenant: &Tenant| match tenant.remove_domain(host) {
            Some(removed) => Ok(Some(removed.into())),
            None => Err(AdministerTenantError::UnknownDomain),
        };
        self.change_living(&of.by, named, decide).await
    }

    /// Makes one of its domains the primary one of a tenant.
    pub async fn make_domain_primary(
        &self,
        of: &TenantAdministration,
        named: &str,
        host: &HostName,
    ) -> Result<Tenant, AdministerTenantError> {
        let decide = |tenant: &Tenant| {
            if !tenant.has_domain(host) {
                return Err(AdministerTenantError::UnknownDomain);
            }
            Ok(tenant.make_primary(host).map(TenantChange::from))
        };
        self.change_living(&of.by, named, decide).await
    }

    /// Closes a tenant: nobody logs in, and what was logged in works no more until it is resumed.
    pub async fn suspend_tenant(
        &self,
        of: &TenantAdministration,
        named: &str,
    ) -> Result<Tenant, AdministerTenantError> {
        let decide = |tenant: &Tenant| {
            if tenant.is_default() {
                return Err(AdministerTenantError::DefaultTenant);
            }
            Ok(tenant.suspend().map(TenantChange::from))
        };
        self.change_living(&of.by, named, decide).await
    }

    /// Opens a tenant again, with the sessions that are not over.
    pub async fn resume_tenant(
        &self,
        of: &TenantAdministration,
        named: &str,
    ) -> Result<Tenant, AdministerTenantError> {
        let decide = |tenant: &Tenant| Ok(tenant.resume().map(TenantChange::from));
        self.change_living(&of.by, named, decide).await
    }

    /// Changes a tenant unless it is being deleted.
    pub(crate) async fn change_living<E: From<ChangeTenantError>>(
        &self,
        by: &Actor,
        named: &str,
        decide: impl Fn(&Tenant) -> Result<Option<TenantChange>, E> + Send + Sync,
    ) -> Result<Tenant, E> {
        let decide = |tenant: &Tenant| match tenant.status {
            TenantStatus::Active | TenantStatus::Suspended => decide(tenant),
            TenantStatus::Deleting => Err(ChangeTenantError::Deleting.into()),
        };
        self.change_tenant(by, named, decide).await
    }

    /// Changes the tenant of that id, name or schema name as `decide` says; if it says nothing, it
    /// stays as it is.
    pub(crate) async fn change_tenant<E: From<ChangeTenantError>>(
        &self,
        by: &Actor,
        named: &str,
        decide: impl Fn(&Tenant) -> Result<Option<TenantChange>, E> + Send + Sync,
    ) -> Result<Tenant, E> {
        let mut key = key_of(named).ok_or(ChangeTenantError::NotFound)?;
        for _ in 0..ATTEMPTS {
            let found = self.ports.store.tenant(&key).await;
            let found = found.map_err(ChangeTenantError::Unavailable)?;
            let tenant = found.ok_or(ChangeTenantError::NotFound)?;
            let Some(TenantChange { tenant: to, facts }) = decide(&tenant)? else {
                return Ok(tenant);
            };
            let changes = Changes {
                tenants: vec![Change::Update(to.clone())],
                actor: by.clone(),
                events: self.events(&tenant, self.now(), facts),
                ..Changes::default()
            };
            let committed = self.commit(&tenant, changes).await;
            self.registry.clear();
            match committed {
                Ok(()) => {
                    let version = to.version + 1;
                    return Ok(Tenant { version, ..to });
                }
                // The name may be another one's by now.
                Err(CommitError::Stale) => key = TenantKey::Id(tenant.id),
                Err(CommitError::Duplicate(what)) => {
                    return Err(ChangeTenantError::Duplicate(what).into());
                }
                Err(CommitError::Unavailable(unavailable)) => {
                    return Err(ChangeTenantError::Unavailable(unavailable).into());
                }
            }
        }
        Err(ChangeTenantError::Unavailable(Unavailable::new(Contended)).into())
    }

    /// The users of the default tenant whose addresses lead to another one by its domain.
    async fn hidden_by(&self, tenant: &Tenant, host: &HostName) -> Result<Vec<User>, Unavailable> {
        let mut hidden = Vec::new();
        if tenant.is_default() {
            return Ok(hidden);
        }
        let default = self.default_tenant().await?;
        let (all, mut after) = (UserFilter::default(), None);
        loop {
            let page = self.ports.store.users(&default, &all, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(hidden);
            };
            after = Some(last.id);
            hidden.extend(page.into_iter().filter(|user| {
                let email = user.email.as_ref();
                email.is_some_and(|email| email.domain() == host.as_str())
            }));
        }
    }
}

/// Why a tenant is not changed, whatever was to become of it.
pub(crate) enum ChangeTenantError {
    /// Its deletion began.
    Deleting,
    /// Its name or its domain belongs to another tenant.
    Duplicate(Unique),
    /// There is no such tenant.
    NotFound,
    /// The store cannot be reached.
    Unavailable(Unavailable),
}

impl From<ChangeTenantError> for AdministerTenantError {
    fn from(error: ChangeTenantError) -> Self {
        match error {
            ChangeTenantError::Deleting => Self::Deleting,
            ChangeTenantError::Duplicate(what) => Self::Duplicate(what),
            ChangeTenantError::NotFound => Self::NotFound,
            ChangeTenantError::Unavailable(unavailable) => Self::Unavailable(unavailable),
        }
    }
}

/// What becomes of a tenant, and what is told of it.
pub(crate) struct TenantChange {
    tenant: Tenant,
    facts: Vec<Fact>,
}

impl TenantChange {
    fn none(tenant: &Tenant) -> Self {
        Self {
            tenant: tenant.clone(),
            facts: Vec::new(),
        }
    }

    fn add(&mut self, step: impl FnOnce(&Tenant) -> Option<(Tenant, Fact)>) {
        if let Some((tenant, fact)) = step(&self.tenant) {
            self.tenant = tenant;
            self.facts.push(fact);
        }
    }

    fn unless_empty(self) -> Option<Self> {
        (!self.facts.is_empty()).then_some(self)
    }
}

impl From<(Tenant, Fact)> for TenantChange {
    fn from((tenant, fact): (Tenant, Fact)) -> Self {
        let facts = vec![fact];
        Self { tenant, facts }
    }
}

/// What a text names: an id, or a name or schema name.
pub(crate) fn key_of(named: &str) -> Option<TenantKey> {
    match named.trim().parse() {
        Ok(id) => Some(TenantKey::Id(id)),
        Err(_) => TenantName::parse(named)
            .ok()
            .map(|name| TenantKey::Name(name.key())),
    }
}

const PAGE: usize = 5_000;
