//! Events, as their administrators see them.

use paperclip::actix::Apiv2Schema;
use paperclip::v2::models::{DataType, DefaultSchemaRaw};
use paperclip::v2::schema::Apiv2Schema as Schema;
use serde::Serialize;
use serde_json::value::RawValue;
use tessera_app::{EventPage, Progress, StoredEvent, WaitingEvent};
use tessera_domain::{Standing, Timestamp};

use super::rfc3339;

/// A page of the log.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct EventsView {
    events: Vec<EventView>,
    /// What `after` is for the next page; null when there was no more.
    next: Option<u64>,
}

impl TryFrom<EventPage<StoredEvent>> for EventsView {
    type Error = serde_json::Error;

    fn try_from(page: EventPage<StoredEvent>) -> Result<Self, Self::Error> {
        let events = page.events.into_iter().map(EventView::try_from);
        Ok(Self {
            events: events.collect::<Result<_, _>>()?,
            next: page.next,
        })
    }
}

/// An event of the log.
#[derive(Apiv2Schema, Serialize)]
pub struct EventView {
    /// Its place in the log.
    position: u64,
    id: String,
    /// The tenant's UUID, as the event's `tenantid` has it: also for an imported tenant, whose
    /// `tenant_id` elsewhere is its old id.
    tenant_id: String,
    subject: String,
    sequence: u64,
    #[serde(rename = "type")]
    event_type: String,
    time: String,
    event: CloudEvent,
}

impl TryFrom<StoredEvent> for EventView {
    type Error = serde_json::Error;

    fn try_from(event: StoredEvent) -> Result<Self, Self::Error> {
        Ok(Self {
            position: event.position,
            id: event.id.to_string(),
            tenant_id: event.tenant.to_string(),
            subject: event.subject,
            sequence: event.sequence,
            event_type: event.event_type,
            time: rfc3339(event.at),
            event: CloudEvent(RawValue::from_string(event.body)?),
        })
    }
}

/// An event as it is sent, byte for byte.
#[derive(Serialize)]
#[serde(transparent)]
struct CloudEvent(Box<RawValue>);

impl Schema for CloudEvent {
    fn raw_schema() -> DefaultSchemaRaw {
        DefaultSchemaRaw {
            data_type: Some(DataType::Object),
            description: Some("The CloudEvent, as it is sent.".to_owned()),
            ..DefaultSchemaRaw::default()
        }
    }
}

/// A page of what waits.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct WaitingEventsView {
    events: Vec<WaitingEventView>,
    /// What `after` is for the next page; null when there was no more.
    next: Option<u64>,
}

impl From<EventPage<WaitingEvent>> for WaitingEventsView {
    fn from(page: EventPage<WaitingEvent>) -> Self {
        Self {
            events: page.events.into_iter().map(Into::into).collect(),
            next: page.next,
        }
    }
}

/// An event that waits at a publisher.
#[derive(Apiv2Schema, Serialize)]
pub struct WaitingEventView {
    publisher: String,
    /// Its place in the log.
    position: u64,
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    /// The tenant's UUID, as the event's `tenantid` has it: also for an imported tenant, whose
    /// `tenant_id` elsewhere is its old id.
    tenant_id: String,
    /// `behind` an earlier event of its subject, `due` for another try at `next_try`, or `parked`
    /// until someone retries it.
    status: &'static str,
    /// How often the broker rejected it for itself.
    rejections: u32,
    /// How often in a row something else held it up.
    holds: u32,
    next_try: Option<String>,
    parked_at: Option<String>,
    /// What the broker said last.
    reason: Option<String>,
}

impl From<WaitingEvent> for WaitingEventView {
    fn from(waiting: WaitingEvent) -> Self {
        let (event, how) = (waiting.event, waiting.waiting);
        let (status, next_try, parked_at) = match how.standing {
            Standing::Behind => ("behind", None, None),
            Standing::Due(at) => ("due", Some(rfc3339(at)), None),
            Standing::Parked(at) => ("parked", None, Some(rfc3339(at))),
        };
        Self {
            publisher: waiting.publisher,
            position: event.position,
            id: event.id.to_string(),
            event_type: event.event_type,
            subject: event.subject,
            tenant_id: event.tenant.to_string(),
            status,
            rejections: how.rejections,
            holds: how.holds,
            next_try,
            parked_at,
            reason: waiting.reason,
        }
    }
}

/// How far the publishers came.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct PublishersView {
    publishers: Vec<PublisherView>,
}

impl PublishersView {
    /// These publishers, as they are at `now`.
    pub(crate) fn new(publishers: &[Progress], now: Timestamp) -> Self {
        Self {
            publishers: publishers
                .iter()
                .map(|progress| PublisherView::new(progress, now))
                .collect(),
        }
    }
}

/// How far a publisher came.
#[derive(Apiv2Schema, Serialize)]
pub struct PublisherView {
    name: String,
    /// The events that it has yet to send, those that are parked not among them.
    pending: u64,
    /// The age of the oldest of those, in whole seconds.
    oldest_seconds: Option<u64>,
    /// How many it has sent.
    sent: u64,
    parked: u64,
}

impl PublisherView {
    /// The publisher, as it is at `now`.
    pub fn new(progress: &Progress, now: Timestamp) -> Self {
        Self {
            name: progress.publisher.clone(),
            pending: progress.pending,
            oldest_seconds: progress.oldest.map(|oldest| now.since(oldest).as_secs()),
            sent: progress.sent,
            parked: progress.parked,
        }
    }
}

/// That an event is tried again.
#[derive(Apiv2Schema, Serialize)]
pub struct RetriedView {
    /// At how many publishers.
    pub retried: usize,
}
