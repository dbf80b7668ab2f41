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

impl Memory {
    /// Forgets no more than has to go: what is read again anyway, else that there was nothing, which
    /// strangers can ask for without end, else everything.
    fn make_room(&mut self, now: Timestamp) {
        self.seen.retain(|_, seen| seen.is_fresh(now));
        if self.seen.len() >= CAPACITY {
            self.seen.retain(|_, seen| seen.tenant.is_some());
        }
        if self.seen.len() >= CAPACITY {
            self.seen.clear();
        }
    }
}

impl Seen {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now >= self.at && now < self.at + FRESH_FOR
    }
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
        found.is_fresh(now).then(|| found.clone())
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
            memory.make_room(seen.at);
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

#[cfg(test)]
mod tests {
    use core::ops::Range;

    use tessera_domain::{Id, SchemaName, TenantLayout, TenantName};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(100);

    fn key(number: usize) -> TenantKey {
        TenantKey::Name(format!("t{number}"))
    }

    fn remember(registry: &Registry, numbers: Range<usize>, seen: &Seen) {
        for number in numbers {
            registry.remember(key(number), seen.clone(), registry.cleared());
        }
    }

    fn something(at: Timestamp) -> Seen {
        let name = TenantName::parse("Acme").unwrap();
        let schema = SchemaName::parse("acme").unwrap();
        let id = Id::new(at, [1; 10]);
        let (tenant, _) = Tenant::create(name, schema, TenantLayout::Schema, id, at);
        let tenant = Some(Arc::new(tenant));
        Seen { at, tenant }
    }

    fn nothing(at: Timestamp) -> Seen {
        Seen { at, tenant: None }
    }

    #[test]
    fn names_that_strangers_make_up_push_no_tenant_out() {
        let registry = Registry::default();
        remember(&registry, 0..3, &something(NOW));
        remember(&registry, 3..3 * CAPACITY, &nothing(NOW));
        for number in 0..3 {
            assert!(registry.last_seen(&key(number)).is_some(), "{number}");
        }
        assert!(registry.memory().seen.len() <= CAPACITY);
    }

    #[test]
    fn what_would_be_read_again_anyway_goes_first() {
        let registry = Registry::default();
        let later = NOW + FRESH_FOR;
        remember(&registry, 0..CAPACITY - 1, &something(NOW));
        remember(&registry, CAPACITY..CAPACITY + 2, &nothing(later));
        assert!(registry.recall(&key(CAPACITY), later).is_some());
        assert_eq!(registry.memory().seen.len(), 2);
    }

    #[test]
    fn more_tenants_than_have_room_are_forgotten() {
        let registry = Registry::default();
        remember(&registry, 0..CAPACITY + 1, &something(NOW));
        assert_eq!(registry.memory().seen.len(), 1);
    }
}
