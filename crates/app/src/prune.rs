//! Remove the sessions that give nothing any more.

use tessera_domain::Tenant;

use crate::Tessera;
use crate::ports::Unavailable;
use crate::resolve_tenant::{exists, stays};

impl Tessera {
    /// Removes dead sessions of all tenants, a bounded number at a time; answers how many.
    ///
    /// That it fails with one tenant, which it tells at the end, spares no other.
    pub async fn prune(&self) -> Result<usize, Unavailable> {
        let (mut removed, mut failed) = (0, None);
        let mut tenants = self.ports.store.tenants().await?;
        // What is on its way somewhere, or about to be removed, is left to whoever does that.
        tenants.retain(|tenant| stays(tenant).is_ok() && exists(tenant));
        for tenant in tenants {
            match self.prune_tenant(&tenant).await {
                Ok(count) => removed += count,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(removed), Err)
    }

    async fn prune_tenant(&self, tenant: &Tenant) -> Result<usize, Unavailable> {
        let mut removed = 0;
        loop {
            let now = self.now();
            let batch = self.ports.store.prune(tenant, now, BATCH).await?;
            removed += batch;
            if batch < BATCH {
                return Ok(removed);
            }
        }
    }
}

const BATCH: usize = 1_000;
