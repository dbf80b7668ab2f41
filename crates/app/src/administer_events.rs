//! What administrators do with events: read the log, see what waits and how far the publishers
//! came, have a parked event tried again.

use tessera_domain::{Event, Id};

use crate::Tessera;
use crate::event_log::{Progress, StoredEvent, WaitingEvent};
use crate::ports::Unavailable;
use crate::purview::{NotPermitted, Purview};

/// Some of the events that there are, by position.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventPage<T> {
    /// The events.
    pub events: Vec<T>,
    /// The position after which the next page begins, while there are more.
    pub next: Option<u64>,
}

/// Why the publishers are not shown.
#[derive(Debug, thiserror::Error)]
pub enum PublishersError {
    /// The figures are of all tenants together.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why no event is tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryEventError {
    /// No event of that id is parked.
    #[error("no event of that id is parked")]
    NotParked,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// The events after the position `after`; at most `limit`.
    pub async fn event_page(
        &self,
        purview: Purview,
        after: u64,
        limit: usize,
    ) -> Result<EventPage<StoredEvent>, Unavailable> {
        let (log, one_more) = (&self.ports.log, limit.saturating_add(1));
        let mut events = log.events(purview.tenant(), after, one_more).await?;
        let more = events.len() > limit;
        events.truncate(limit);
        let last = events.last().map(|event| event.position);
        let next = last.filter(|_| more);
        Ok(EventPage { events, next })
    }

    /// The events after the position `after` that wait at a publisher; at most `limit`.
    ///
    /// The next page begins by position, so none ends amid an event that waits at several
    /// publishers: it ends before it, or is longer than `limit` where it is the first.
    pub async fn waiting_events(
        &self,
        purview: Purview,
        after: u64,
        limit: usize,
    ) -> Result<EventPage<WaitingEvent>, Unavailable> {
        let position = |waiting: &WaitingEvent| waiting.event.position;
        let mut asked = limit;
        loop {
            let (log, one_more) = (&self.ports.log, asked.saturating_add(1));
            let mut events = log.waiting(purview.tenant(), after, one_more).await?;
            let Some(cut) = events.get(asked).map(position) else {
                return Ok(EventPage { events, next: None });
            };
            events.retain(|waiting| position(waiting) < cut);
            if let next @ Some(_) = events.last().map(position) {
                return Ok(EventPage { events, next });
            }
            asked = asked.saturating_mul(2).max(1);
        }
    }

    /// How far each publisher came, by name.
    pub async fn publishers(&self, purview: Purview) -> Result<Vec<Progress>, PublishersError> {
        match purview {
            Purview::Installation => Ok(self.ports.log.progress().await?),
            Purview::Tenant(_) => Err(NotPermitted.into()),
        }
    }

    /// Has a parked event tried again at every publisher that parked it; answers at how many.
    pub async fn retry_event(
        &self,
        purview: Purview,
        id: Id<Event>,
    ) -> Result<usize, RetryEventError> {
        let log = &self.ports.log;
        match log.retry(purview.tenant(), id, self.now()).await? {
            0 => Err(RetryEventError::NotParked),
            retried => Ok(retried),
        }
    }
}
