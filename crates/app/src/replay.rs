//! Sends again what a publisher has sent, because an operator wants it.

use std::sync::Arc;

use tessera_domain::{Id, Tenant};

use crate::Unavailable;
use crate::event_log::{EventLog, Occasion, Progress, Publisher, Receipt, StoredEvent};
use crate::relay::lines;

/// A replay to one publisher, some events a step: a step that failed may be tried again.
///
/// It sends what the publisher has sent already, up to where it was when the replay began: the
/// first delivery of an event is the relay's.
pub struct Replay {
    log: Arc<dyn EventLog>,
    publisher: Arc<dyn Publisher>,
    tenant: Option<Id<Tenant>>,
    after: u64,
    to: u64,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Replayed {
    /// How many events the step sent.
    pub sent: usize,
    /// How many events of the step the broker would not take.
    pub refused: usize,
    /// Whether this was the last step.
    pub done: bool,
}

/// Why a step of a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The broker is away.
    #[error("{0}")]
    Away(String),
    /// The log cannot be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Replay {
    /// A replay of one tenant's events, or of all, from the position `from` on.
    pub async fn begin(
        log: Arc<dyn EventLog>,
        publisher: Arc<dyn Publisher>,
        tenant: Option<Id<Tenant>>,
        from: u64,
    ) -> Result<Self, Unavailable> {
        let name = publisher.name();
        let own = |progress: &Progress| progress.publisher == name;
        let progress = log.progress().await?.into_iter().find(own);
        Ok(Self {
            to: progress.map_or(0, |progress| progress.cursor),
            after: from.saturating_sub(1),
            log,
            publisher,
            tenant,
        })
    }

    /// The position from which the rest is to be sent.
    pub fn next(&self) -> u64 {
        self.after.saturating_add(1)
    }

    /// The position that it ends at.
    pub fn to(&self) -> u64 {
        self.to
    }

    /// Sends the next events.
    pub async fn step(&mut self) -> Result<Replayed, ReplayError> {
        let (name, log) = (self.publisher.name(), &self.log);
        let page = log.sent(name, self.tenant, self.after, PAGE).await?;
        let full = page.len() == PAGE;
        let last = page.last().map_or(self.to, |event| event.position);
        let known = page.iter().filter(|event| event.position <= self.to);
        let mut lines = lines(known, StoredEvent::aggregate);
        let mut replayed = Replayed::default();
        while !lines.is_empty() {
            let round: Vec<&StoredEvent> = lines.iter_mut().filter_map(Iterator::next).collect();
            for receipt in self.publisher.publish(&round, Occasion::Replay).await {
                match receipt {
                    Receipt::Held(_) | Receipt::Rejected(_) => replayed.refused += 1,
                    Receipt::Sent => replayed.sent += 1,
                    Receipt::Unavailable(why) => return Err(ReplayError::Away(why)),
                }
            }
            lines.retain(|line| line.len() > 0);
        }
        self.after = last;
        replayed.done = !full || last >= self.to;
        Ok(replayed)
    }
}

const PAGE: usize = 1_000;
