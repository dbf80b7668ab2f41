//! What was begun with tenants, and is to be finished beside the requests: deletions and moves.

use tessera_domain::Tenant;

use crate::Tessera;
use crate::ports::Unavailable;

impl Tessera {
    /// The tenants whose deletion or move was begun, here or elsewhere, and has not come to its end.
    pub async fn unfinished(&self) -> Result<Vec<Tenant>, Unavailable> {
        self.ports.store.unfinished_tenants().await
    }

    /// Waits until a deletion or a move is begun here.
    pub async fn begun(&self) {
        self.begun.notified().await;
    }
}
