//! Remove the sessions that give nothing any more.

use crate::Tessera;
use crate::ports::Unavailable;

impl Tessera {
    /// Removes dead sessions of all tenants, a bounded number at a time; answers how many.
    pub async fn prune(&self) -> Result<usize, Unavailable> {
        let mut removed = 0;
        for tenant in self.ports.store.tenants().await? {
            loop {
                let now = self.now();
                let batch = self.ports.store.prune(&tenant, now, BATCH).await?;
                removed += batch;
                if batch < BATCH {
                    break;
                }
            }
        }
        Ok(removed)
    }
}

const BATCH: usize = 1_000;
