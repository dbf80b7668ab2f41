//! The audit trail.

use std::collections::BTreeMap;

use tessera_app::{AuditEntry, AuditPlace, AuditQuery};
use tessera_domain::{Actor, Event, Id, Tenant, Timestamp};
use tessera_wire::DELETION_STARTED;

use crate::store::LoggedEvent;

/// Every entry, by its place.
#[derive(Debug, Default)]
pub(super) struct Trail(BTreeMap<AuditPlace, AuditEntry>);

impl Trail {
    pub(super) fn join(&mut self, joining: &[LoggedEvent], actor: &Actor) {
        for LoggedEvent { event, encoded, .. } in joining {
            let Event { id, at, tenant, .. } = *event;
            let entry = AuditEntry {
                id,
                at,
                tenant,
                event_type: encoded.event_type.to_owned(),
                subject: encoded.subject.clone(),
                user: event.fact.user(),
                actor: actor.clone(),
                data: tessera_wire::audit_data(&event.fact.kind),
            };
            self.0.insert(entry.place(), entry);
        }
    }

    pub(super) fn erase(&mut self, tenants: &[Id<Tenant>]) {
        self.0
            .retain(|_, entry| stays(entry) || !tenants.contains(&entry.tenant));
    }

    pub(super) fn erase_some(&mut self, tenant: Id<Tenant>, limit: usize) -> usize {
        let goes = |entry: &&AuditEntry| entry.tenant == tenant && !stays(entry);
        let of_tenant = self.0.values().filter(goes);
        let some: Vec<AuditPlace> = of_tenant.take(limit).map(AuditEntry::place).collect();
        self.0.retain(|place, _| !some.contains(place));
        some.len()
    }

    pub(super) fn entries(&self, query: &AuditQuery) -> Vec<AuditEntry> {
        let asked = |entry: &&AuditEntry| {
            query.tenant.is_none_or(|tenant| entry.tenant == tenant)
                && query.user.is_none_or(|user| entry.user == Some(user))
                && query
                    .actor
                    .is_none_or(|actor| entry.actor.user().is_some_and(|(id, _)| id == actor))
                && (query.event_type.as_deref()).is_none_or(|asked| entry.event_type == asked)
                && query.from.is_none_or(|from| entry.at >= from)
                && query.to.is_none_or(|to| entry.at < to)
                && query.before.is_none_or(|before| entry.place() < before)
        };
        let entries = self.0.values().rev().filter(asked);
        entries.take(query.limit).cloned().collect()
    }

    pub(super) fn expire(&mut self, before: Timestamp, limit: usize) -> usize {
        let old = self.0.keys().take_while(|place| place.at < before);
        let old: Vec<AuditPlace> = old.take(limit).copied().collect();
        for place in &old {
            self.0.remove(place);
        }
        old.len()
    }
}

/// Whether it says who began to delete its tenant, and stays after it.
fn stays(entry: &AuditEntry) -> bool {
    entry.event_type == DELETION_STARTED
}
