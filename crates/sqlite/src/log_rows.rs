//! How the log, its publishers and what waits at them are kept in rows.

use diesel::prelude::*;
use tessera_app::{ClaimedEvent, Lease, StoredEvent, WaitingEvent};
use tessera_domain::{Id, Standing, Timestamp, Waiting};

use crate::columns::{Count, Moment, Uid};
use crate::schema::{events, publishers, waiting};

/// An event with its place in the log.
#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
pub(crate) struct LoggedRow {
    position: Count,
    id: Uid,
    tenant_id: Uid,
    subject: String,
    sequence: Count,
    event_type: String,
    time: Moment,
    body: String,
}

impl From<LoggedRow> for StoredEvent {
    fn from(row: LoggedRow) -> Self {
        let position = row.position.0;
        Self {
            position,
            id: row.id.id(),
            tenant: row.tenant_id.id(),
            subject: row.subject,
            sequence: row.sequence.0,
            event_type: row.event_type,
            at: row.time.0,
            body: tessera_wire::with_position(&row.body, position),
        }
    }
}

/// A publisher, and whose the right to publish is.
#[derive(Queryable, Selectable)]
#[diesel(table_name = publishers)]
pub(crate) struct PublisherRow {
    pub(crate) name: String,
    pub(crate) cursor: Count,
    pub(crate) sent: Count,
    pub(crate) claims: Count,
    holder: Option<Uid>,
    lease_until: Option<Moment>,
}

impl PublisherRow {
    /// Who has the lease, and until when.
    pub(crate) fn lease(&self) -> Option<(Id<Lease>, Timestamp)> {
        let (holder, until) = self.holder.zip(self.lease_until)?;
        Some((holder.id(), until.0))
    }
}

/// An event that waits at a publisher.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = waiting, treat_none_as_default_value = false)]
pub(crate) struct WaitingRow {
    publisher: String,
    tenant_id: Uid,
    subject: String,
    position: Count,
    rejections: Count,
    holds: Count,
    due_at: Option<Moment>,
    parked_at: Option<Moment>,
    reason: Option<String>,
}

impl WaitingRow {
    pub(crate) fn new(
        publisher: &str,
        event: &StoredEvent,
        waiting: Waiting,
        reason: Option<String>,
    ) -> Self {
        let row = Self {
            publisher: publisher.to_owned(),
            tenant_id: event.tenant.into(),
            subject: event.subject.clone(),
            position: Count(event.position),
            rejections: Count(0),
            holds: Count(0),
            due_at: None,
            parked_at: None,
            reason,
        };
        row.with(waiting)
    }

    /// The same event, waiting differently.
    pub(crate) fn with(self, waiting: Waiting) -> Self {
        let (due_at, parked_at) = match waiting.standing {
            Standing::Behind => (None, None),
            Standing::Due(at) => (Some(Moment(at)), None),
            Standing::Parked(at) => (None, Some(Moment(at))),
        };
        Self {
            rejections: Count(waiting.rejections.into()),
            holds: Count(waiting.holds.into()),
            due_at,
            parked_at,
            ..self
        }
    }

    pub(crate) fn waiting(&self) -> Waiting {
        let due = self.due_at.map(|at| Standing::Due(at.0));
        let parked = self.parked_at.map(|at| Standing::Parked(at.0));
        let number = |count: Count| u32::try_from(count.0).unwrap_or(u32::MAX);
        Waiting {
            rejections: number(self.rejections),
            holds: number(self.holds),
            standing: due.or(parked).unwrap_or(Standing::Behind),
        }
    }

    pub(crate) fn claimed(&self, event: LoggedRow) -> ClaimedEvent {
        ClaimedEvent {
            event: event.into(),
            waiting: Some(self.waiting()),
            blocked: false,
        }
    }

    pub(crate) fn listed(self, event: LoggedRow) -> WaitingEvent {
        WaitingEvent {
            waiting: self.waiting(),
            publisher: self.publisher,
            event: event.into(),
            reason: self.reason,
        }
    }
}
