//! Tenants as this process last saw them.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tessera_domain::{Tenant, Timestamp};

use crate::Tessera;
use crate::ports::{TenantKey, Unavailable};

/// What was looked up of late, also that there was nothing; bounded in time and number.
#[derive(Default)]
pub(crate) struct Registry(Mutex<HashMap<TenantKey, Seen>>);

#[derive(Clone)]
struct Seen {
    at: Timestamp,
    tenant: Option<Arc<Tenant>>,
}

impl Registry {
    /// Forgets everything, after a tenant changed here.
    pub(crate) fn clear(&self) {
        self.seen().clear();
    }

    fn recall(&self, key: &TenantKey, now: Timestamp) -> Option<Seen> {
        let seen = self.seen();
        let found = seen.get(key)?;
        let fresh = now >= found.at && now < found.at + FRESH_FOR;
        fresh.then(|| found.clone())
    }

    /// The tenant of that name or host, however long ago it was looked up.
    pub(crate) fn last_seen(&self, key: &TenantKey) -> Option<Arc<Tenant>> {
        self.seen().get(key)?.tenant.clone()
    }

    fn remember(&self, key: TenantKey, at: Timestamp, tenant: Option<Arc<Tenant>>) {
        let mut seen = self.seen();
        if seen.len() >= CAPACITY {
            seen.clear();
        }
        seen.insert(key, Seen { at, tenant });
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<TenantKey, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tessera {
    /// The tenant of that name or host, as it was less than a second ago.
    pub(crate) async fn tenant_by(
        &self,
        key: TenantKey,
    ) -> Result<Option<Arc<Tenant>>, Unavailable> {
        let now = self.now();
        if let Some(known) = self.registry.recall(&key, now) {
            return Ok(known.tenant);
        }
        let found = self.ports.store.tenant_of_late(&key).await?;
        let found = found.map(Arc::new);
        self.registry.remember(key, now, found.clone());
        Ok(found)
    }
}

/// A change made elsewhere is seen within a second, the read and its age included.
const FRESH_FOR: Duration = Duration::from_millis(500);
const CAPACITY: usize = 16_384;
