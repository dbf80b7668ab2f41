//! Tenants as this process last saw them.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tessera_domain::{Tenant, Timestamp};

use crate::Tessera;
use crate::ports::{TenantKey, Unavailable};

/// What was looked up of late, also that there was nothing; bounded in time and number.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// How often everything was forgotten: what was read before that is not remembered after it.
    cleared: u64,
    seen: HashMap<TenantKey, Seen>,
}

#[derive(Clone)]
struct Seen {
    at: Timestamp,
    tenant: Option<Arc<Tenant>>,
}

impl Registry {
    /// Forgets everything, after a tenant changed here.
    pub(crate) fn clear(&self) {
        let mut memory = self.memory();
        memory.cleared += 1;
        memory.seen.clear();
    }

    fn cleared(&self) -> u64 {
        self.memory().cleared
    }

    fn recall(&self, key: &TenantKey, now: Timestamp) -> Option<Seen> {
        let memory = self.memory();
        let found = memory.seen.get(key)?;
        let fresh = now >= found.at && now < found.at + FRESH_FOR;
        fresh.then(|| found.clone())
    }

    /// The tenant of that name or host, however long ago it was looked up.
    pub(crate) fn last_seen(&self, key: &TenantKey) -> Option<Arc<Tenant>> {
        self.memory().seen.get(key)?.tenant.clone()
    }

    fn remember(&self, key: TenantKey, seen: Seen, cleared: u64) {
        let mut memory = self.memory();
        if memory.cleared != cleared {
            return;
        }
        if memory.seen.len() >= CAPACITY {
            memory.seen.clear();
        }
        memory.seen.insert(key, seen);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
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
        let cleared = self.registry.cleared();
        let tenant = self.ports.store.tenant_of_late(&key).await?.map(Arc::new);
        let seen = Seen {
            at: now,
            tenant: tenant.clone(),
        };
        self.registry.remember(key, seen, cleared);
        Ok(tenant)
    }
}

/// A change made elsewhere is seen within a second, the read and its age included.
const FRESH_FOR: Duration = Duration::from_millis(500);
const CAPACITY: usize = 16_384;
