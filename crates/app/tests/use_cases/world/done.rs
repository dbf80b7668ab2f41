//! What a use case cost and recorded.

use core::iter;
use std::collections::HashMap;

use tessera_domain::{EventKind, SessionEnd, Subject};
use tessera_memory::LoggedEvent;

use crate::world::World;

/// What was done, all in all or by one thing.
pub(crate) struct Done {
    pub(crate) verified: usize,
    pub(crate) hashed: usize,
    pub(crate) commits: usize,
    pub(crate) events: Vec<LoggedEvent>,
}

impl World {
    /// What `doing` answers, and what it did.
    pub(crate) async fn watch<T>(&self, doing: impl Future<Output = T>) -> (T, Done) {
        let before = self.done();
        let answer = doing.await;
        let after = self.done();
        let done = Done {
            verified: after.verified - before.verified,
            hashed: after.hashed - before.hashed,
            commits: after.commits - before.commits,
            events: after.events[before.events.len()..].to_vec(),
        };
        (answer, done)
    }

    fn done(&self) -> Done {
        Done {
            verified: self.passwords.verified(),
            hashed: self.passwords.hashed(),
            commits: self.store.memory().commits(),
            events: self.store.memory().events(),
        }
    }

    /// That each subject's events are counted from 1 without gaps, in the order of the log.
    pub(crate) fn assert_events_are_gapless(&self) {
        let mut counts = HashMap::new();
        for (logged, position) in iter::zip(self.store.memory().events(), 1..) {
            assert_eq!(logged.position, position);
            let subject = (logged.event.tenant, logged.encoded.subject.clone());
            let count = counts.entry(subject).or_insert(0);
            *count += 1;
            assert_eq!(logged.event.fact.sequence, *count, "{logged:?}");
        }
    }
}

impl Done {
    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        let kinds = self.events.iter().map(|logged| &logged.event.fact.kind);
        kinds.cloned().collect()
    }

    /// The types of the events, in their order.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let names = self.events.iter().map(|logged| logged.encoded.event_type);
        names.collect()
    }

    pub(crate) fn subjects(&self) -> Vec<Subject> {
        let subjects = self.events.iter().map(|logged| logged.event.fact.subject);
        subjects.collect()
    }

    /// The sessions that were told to have ended, and why.
    pub(crate) fn ended(&self) -> Vec<(Subject, SessionEnd)> {
        let ended = |logged: &LoggedEvent| {
            let EventKind::SessionEnded { why, .. } = logged.event.fact.kind else {
                return None;
            };
            Some((logged.event.fact.subject, why))
        };
        self.events.iter().filter_map(ended).collect()
    }
}
