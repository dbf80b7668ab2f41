//! What was begun with tenants, and is to be finished beside the requests: deletions and moves.

use tessera_domain::{Tenant, TenantStatus};

use crate::Tessera;
use crate::ports::Unavailable;

impl Tessera {
    /// The tenants whose deletion or move was begun, here or elsewhere, and has not come to its end.
    pub async fn unfinished(&self) -> Result<Vec<Tenant>, Unavailable> {
        let mut tenants = self.ports.store.tenants().await?;
        tenants
            .retain(|tenant| tenant.status == TenantStatus::Deleting || tenant.moving_to.is_some());
        Ok(tenants)
    }

    /// Waits until a deletion or a move is begun here.
    pub async fn begun(&self) {
        self.begun.notified().await;
    }
}
