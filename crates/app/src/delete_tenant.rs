//! Delete a tenant: close it for good, remove what is of it bit by bit, and then itself.

use tessera_domain::{Change, Changes, Id, Tenant, TenantStatus};

use crate::administer_tenants::{AdministerTenantError, TenantAdministration, TenantChange};
use crate::ports::{TenantKey, Unavailable};
use crate::{ATTEMPTS, Contended, Tessera};

impl Tessera {
    /// Closes a tenant for good: from now on it is like an unknown one to everybody but those who
    /// administer tenants, and what is of it may be removed. Its names stay taken until it is gone.
    ///
    /// The running service goes on by itself, or [`finish_deletion`](Self::finish_deletion) does.
    pub async fn begin_deletion(
        &self,
        of: &TenantAdministration,
        named: &str,
    ) -> Result<Tenant, AdministerTenantError> {
        let deleting = self.change_tenant(&of.by, named, begin).await?;
        self.begun.notify_one();
        Ok(deleting)
    }

    /// Does the same to a tenant that is still as it was `seen`: whoever exported it keeps all that is
    /// removed.
    pub async fn begin_deletion_of(
        &self,
        of: &TenantAdministration,
        seen: &Tenant,
    ) -> Result<Tenant, AdministerTenantError> {
        let decide = |tenant: &Tenant| {
            if tenant.version != seen.version {
                return Err(AdministerTenantError::Changed);
            }
            begin(tenant)
        };
        let id = seen.id.to_string();
        let deleting = self.change_tenant(&of.by, &id, decide).await?;
        self.begun.notify_one();
        Ok(deleting)
    }

    /// Removes all that is left of a tenant whose deletion began, and then itself; `removed` is told
    /// how much of it, each time that something is. Any number may do that at the same time.
    ///
    /// Where it is cut short, it goes on the next time.
    pub async fn finish_deletion(
        &self,
        of: &TenantAdministration,
        id: Id<Tenant>,
        removed: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<(), Unavailable> {
        for _ in 0..ATTEMPTS {
            let found = self.ports.store.tenant(&TenantKey::Id(id)).await?;
            let deleting = |tenant: &Tenant| tenant.status == TenantStatus::Deleting;
            let Some(tenant) = found.filter(deleting) else {
                return Ok(());
            };
            loop {
                let count = self.ports.store.empty(&tenant, BATCH).await?;
                if count == 0 {
                    break;
                }
                removed(count);
            }
            let changes = Changes {
                tenants: vec![Change::Remove(id)],
                actor: of.by.clone(),
                events: vec![self.event(&tenant, self.now(), tenant.deleted())],
                ..Changes::default()
            };
            let committed = self.commit(&tenant, changes).await;
            self.registry.clear();
            match committed {
                Ok(()) => return Ok(()),
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended))
    }

    /// Finishes the deletions of those of the tenants that are being deleted; answers how many.
    ///
    /// That it fails with one tenant, which it tells at the end, spares no other.
    pub async fn finish_deletions(&self, begun: &[Tenant]) -> Result<usize, Unavailable> {
        let (mut finished, mut failed) = (0, None);
        let deleting = |tenant: &&Tenant| tenant.status == TenantStatus::Deleting;
        for tenant in begun.iter().filter(deleting) {
            let of = TenantAdministration::of_service();
            match self.finish_deletion(&of, tenant.id, &|_| {}).await {
                Ok(()) => finished += 1,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(finished), Err)
    }
}

fn begin(tenant: &Tenant) -> Result<Option<TenantChange>, AdministerTenantError> {
    if tenant.is_default() {
        return Err(AdministerTenantError::DefaultTenant);
    }
    Ok(tenant.begin_deletion().map(TenantChange::from))
}

const BATCH: usize = 1_000;
