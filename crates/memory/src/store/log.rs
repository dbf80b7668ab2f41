//! The event log, and how far each publisher came with it.

use std::collections::{BTreeMap, HashSet};

use tessera_app::{
    Aggregate, Claim, Claimed, ClaimedEvent, CommitError, Lease, Progress, Settlement, StoredEvent,
    WaitingEvent,
};
use tessera_domain::{Event, Id, Standing, Tenant, Timestamp, Waiting};

use crate::store::LoggedEvent;

/// Everything that is kept of events.
#[derive(Debug, Default)]
pub(super) struct Log {
    events: BTreeMap<u64, LoggedEvent>,
    last: u64,
    publishers: BTreeMap<String, Enrolled>,
    sequences: HashSet<Sequence>,
}

/// How far a publisher came.
#[derive(Debug, Default)]
struct Enrolled {
    cursor: u64,
    sent: u64,
    claims: u64,
    lease: Option<(Id<Lease>, Timestamp)>,
    waiting: BTreeMap<u64, (Waiting, Option<String>)>,
}

/// What an event is unique by: tenant, subject as written down, and sequence.
type Sequence = (Id<Tenant>, String, u64);

impl Log {
    /// The events as they join the log, if they may.
    pub(super) fn joining(&self, events: Vec<Event>) -> Result<Vec<LoggedEvent>, CommitError> {
        let mut sequences = HashSet::new();
        let mut joining = Vec::new();
        for (position, event) in (self.last + 1..).zip(events) {
            let encoded = tessera_wire::encode(&event);
            let logged = LoggedEvent {
                position,
                event,
                encoded,
            };
            let sequence = logged.sequence();
            if self.sequences.contains(&sequence) || !sequences.insert(sequence) {
                return Err(CommitError::Stale);
            }
            joining.push(logged);
        }
        Ok(joining)
    }

    pub(super) fn join(&mut self, joining: Vec<LoggedEvent>) {
        for logged in joining {
            self.last = logged.position;
            self.sequences.insert(logged.sequence());
            self.events.insert(logged.position, logged);
        }
    }

    /// Forgets the events that `goes` names, wherever they wait; no position is used again.
    pub(super) fn erase(&mut self, goes: impl Fn(&Event) -> bool) {
        for (position, logged) in self.events.extract_if(.., |_, logged| goes(&logged.event)) {
            self.sequences.remove(&logged.sequence());
            for enrolled in self.publishers.values_mut() {
                enrolled.waiting.remove(&position);
            }
        }
    }

    /// Forgets the oldest events of a tenant; answers how many.
    pub(super) fn erase_some(&mut self, tenant: Id<Tenant>, limit: usize) -> usize {
        let of_tenant = self.events.values();
        let of_tenant = of_tenant.filter(|logged| logged.event.tenant == tenant);
        let some: Vec<Id<Event>> = of_tenant
            .take(limit)
            .map(|logged| logged.event.id)
            .collect();
        self.erase(|event| some.contains(&event.id));
        some.len()
    }

    pub(super) fn logged(&self) -> impl Iterator<Item = &LoggedEvent> {
        self.events.values()
    }

    pub(super) fn page(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Vec<StoredEvent> {
        let events = self.events.range(after.saturating_add(1)..);
        let events = events
            .map(|(_, logged)| logged)
            .filter(|logged| is_of(logged, tenant));
        events.take(limit).map(StoredEvent::from).collect()
    }

    pub(super) fn last_page(&self, tenant: Option<Id<Tenant>>, limit: usize) -> Vec<StoredEvent> {
        let events = self
            .events
            .values()
            .rev()
            .filter(|logged| is_of(logged, tenant));
        let mut page: Vec<StoredEvent> = events.take(limit).map(StoredEvent::from).collect();
        page.reverse();
        page
    }

    pub(super) fn sent_page(
        &self,
        publisher: &str,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Vec<StoredEvent> {
        let Some(enrolled) = self.publishers.get(publisher) else {
            return Vec::new();
        };
        let sent = |logged: &&LoggedEvent| {
            let position = logged.position;
            position <= enrolled.cursor && !enrolled.waiting.contains_key(&position)
        };
        let events = self.events.range(after.saturating_add(1)..);
        let events = events.map(|(_, logged)| logged);
        let events = events.filter(|logged| is_of(logged, tenant)).filter(sent);
        events.take(limit).map(StoredEvent::from).collect()
    }

    pub(super) fn enrol(&mut self, publisher: &str) {
        let cursor = self.last;
        self.publishers
            .entry(publisher.to_owned())
            .or_insert_with(|| Enrolled {
                cursor,
                ..Enrolled::default()
            });
    }

    pub(super) fn forget(&mut self, publisher: &str) -> bool {
        self.publishers.remove(publisher).is_some()
    }

    pub(super) fn claim(&mut self, lease: &Lease, now: Timestamp, limit: usize) -> Claimed {
        self.enrol(lease.publisher);
        let Some(enrolled) = self.publishers.get_mut(lease.publisher) else {
            return Claimed::Ours(Claim::default());
        };
        if let Some((holder, until)) = enrolled.lease
            && holder != lease.holder
            && now < until
        {
            return Claimed::Elsewhere(until);
        }
        enrolled.lease = Some((lease.holder, lease.until));
        enrolled.claims += 1;
        let (mut due, mut new) = (
            enrolled.due(&self.events, now),
            enrolled.unseen(&self.events),
        );
        let all = due.len() + new.len();
        due.truncate((limit / 2).max(limit.saturating_sub(new.len())));
        new.truncate(limit - due.len());
        let read_to = new.last().map(|claimed| claimed.event.position);
        let events: Vec<ClaimedEvent> = due.into_iter().chain(new).collect();
        Claimed::Ours(Claim {
            more: events.len() < all,
            events,
            next_due: enrolled.next_due(now),
            read_to: read_to.unwrap_or(enrolled.cursor),
            missing: Vec::new(),
            number: enrolled.claims,
        })
    }

    pub(super) fn settle(
        &mut self,
        lease: &Lease,
        now: Timestamp,
        claim: &Claim,
        settlement: Settlement,
    ) -> bool {
        let held = |enrolled: &&mut Enrolled| {
            let holder = enrolled.lease.map(|(holder, _)| holder);
            holder == Some(lease.holder) && enrolled.claims == claim.number
        };
        let Some(enrolled) = self.publishers.get_mut(lease.publisher).filter(held) else {
            return false;
        };
        enrolled.lease = Some((lease.holder, lease.until));
        enrolled.cursor = enrolled.cursor.max(claim.read_to);
        for position in settlement.sent {
            enrolled.waiting.remove(&position);
            enrolled.sent += 1;
        }
        for (position, waiting, reason) in settlement.waiting {
            // It may have been erased while the relay had it in hand.
            if self.events.contains_key(&position) {
                enrolled.waiting.insert(position, (waiting, reason));
            }
        }
        enrolled.promote(&self.events, now);
        true
    }

    pub(super) fn release(&mut self, lease: &Lease) {
        if let Some(enrolled) = self.publishers.get_mut(lease.publisher)
            && enrolled
                .lease
                .is_some_and(|(holder, _)| holder == lease.holder)
        {
            enrolled.lease = None;
        }
    }

    pub(super) fn progress(&self) -> Vec<Progress> {
        let publishers = self.publishers.iter();
        publishers
            .map(|(name, enrolled)| enrolled.progress(name, &self.events))
            .collect()
    }

    pub(super) fn waiting(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Vec<WaitingEvent> {
        let mut all: Vec<WaitingEvent> = Vec::new();
        for (publisher, enrolled) in &self.publishers {
            let waiting = enrolled.waiting.range(after.saturating_add(1)..);
            all.extend(waiting.filter_map(|(position, (waiting, reason))| {
                let logged = self.events.get(position)?;
                is_of(logged, tenant).then(|| WaitingEvent {
                    publisher: publisher.clone(),
                    event: logged.into(),
                    waiting: *waiting,
                    reason: reason.clone(),
                })
            }));
        }
        all.sort_by(|one, other| {
            let key = |waiting: &WaitingEvent| (waiting.event.position, waiting.publisher.clone());
            key(one).cmp(&key(other))
        });
        all.truncate(limit);
        all
    }

    pub(super) fn retry(
        &mut self,
        tenant: Option<Id<Tenant>>,
        event: Id<Event>,
        now: Timestamp,
    ) -> usize {
        let found = self.events.values().find(|logged| logged.event.id == event);
        let Some(logged) = found.filter(|logged| is_of(logged, tenant)) else {
            return 0;
        };
        let parked = self.publishers.values_mut().filter_map(|enrolled| {
            let (waiting, _) = enrolled.waiting.get_mut(&logged.position)?;
            let retried = waiting.retried(now);
            (core::mem::replace(waiting, retried) != retried).then_some(())
        });
        parked.count()
    }

    pub(super) fn expire(&mut self, before: Timestamp) {
        let publishers = &self.publishers;
        self.events.retain(|position, logged| {
            let sent = |enrolled: &Enrolled| {
                *position <= enrolled.cursor && !enrolled.waiting.contains_key(position)
            };
            logged.event.at >= before || !publishers.values().all(sent)
        });
    }
}

impl Enrolled {
    /// What waits and is due, with all that waits behind it.
    fn due(&self, events: &BTreeMap<u64, LoggedEvent>, now: Timestamp) -> Vec<ClaimedEvent> {
        let (mut stuck, mut due) = (HashSet::new(), Vec::new());
        for (position, (waiting, _)) in &self.waiting {
            let Some(logged) = events.get(position) else {
                continue;
            };
            let aggregate = logged.aggregate();
            if stuck.contains(&aggregate) || !waiting.is_due(now) {
                stuck.insert(aggregate);
                continue;
            }
            due.push(ClaimedEvent {
                event: logged.into(),
                waiting: Some(*waiting),
                blocked: false,
            });
        }
        due
    }

    fn unseen(&self, events: &BTreeMap<u64, LoggedEvent>) -> Vec<ClaimedEvent> {
        let waiting: HashSet<Aggregate<'_>> = self
            .waiting
            .keys()
            .filter_map(|position| events.get(position))
            .map(LoggedEvent::aggregate)
            .collect();
        let new = events.range(self.cursor + 1..);
        new.map(|(_, logged)| ClaimedEvent {
            event: logged.into(),
            waiting: None,
            blocked: waiting.contains(&logged.aggregate()),
        })
        .collect()
    }

    /// Nothing is before what was behind the last event that was sent: its turn has come.
    fn promote(&mut self, events: &BTreeMap<u64, LoggedEvent>, now: Timestamp) {
        let mut aggregates = HashSet::new();
        for (position, (waiting, _)) in &mut self.waiting {
            let first = events
                .get(position)
                .is_some_and(|logged| aggregates.insert(logged.aggregate()));
            if first && waiting.standing == Standing::Behind {
                waiting.standing = Standing::Due(now);
            }
        }
    }

    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self
            .waiting
            .values()
            .filter_map(|(waiting, _)| due_at(waiting));
        due.filter(|due| *due > now).min()
    }

    fn progress(&self, name: &str, events: &BTreeMap<u64, LoggedEvent>) -> Progress {
        let parked = |waiting: &Waiting| matches!(waiting.standing, Standing::Parked(_));
        let parked_here = |position: &u64| {
            let waiting = self.waiting.get(position);
            waiting.is_some_and(|(waiting, _)| parked(waiting))
        };
        let pending = events.iter().filter(|(position, _)| {
            **position > self.cursor
                || (self.waiting.contains_key(position) && !parked_here(position))
        });
        let pending: Vec<Timestamp> = pending.map(|(_, logged)| logged.event.at).collect();
        let parked = self.waiting.values().filter(|(waiting, _)| parked(waiting));
        Progress {
            publisher: name.to_owned(),
            pending: count(pending.len()),
            oldest: pending.into_iter().min(),
            cursor: self.cursor,
            sent: self.sent,
            parked: count(parked.count()),
        }
    }
}

impl LoggedEvent {
    fn sequence(&self) -> Sequence {
        let (tenant, subject) = self.aggregate();
        (tenant, subject.to_owned(), self.event.fact.sequence)
    }

    fn aggregate(&self) -> Aggregate<'_> {
        (self.event.tenant, &self.encoded.subject)
    }
}

impl From<&LoggedEvent> for StoredEvent {
    fn from(logged: &LoggedEvent) -> Self {
        let LoggedEvent {
            position,
            event,
            encoded,
        } = logged;
        Self {
            position: *position,
            id: event.id,
            tenant: event.tenant,
            subject: encoded.subject.clone(),
            sequence: event.fact.sequence,
            event_type: encoded.event_type.to_owned(),
            at: event.at,
            body: tessera_wire::with_position(&encoded.body, *position),
        }
    }
}

fn is_of(logged: &LoggedEvent, tenant: Option<Id<Tenant>>) -> bool {
    tenant.is_none_or(|tenant| logged.event.tenant == tenant)
}

fn due_at(waiting: &Waiting) -> Option<Timestamp> {
    match waiting.standing {
        Standing::Behind | Standing::Parked(_) => None,
        Standing::Due(at) => Some(at),
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
