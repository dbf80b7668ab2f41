//! Administer events: read the log, see what waits and how far publishers came, retry one.

use actix_web::HttpRequest;
use actix_web::web::{Data, Path};
use paperclip::actix::{Apiv2Schema, api_v2_operation};
use serde::Deserialize;
use tessera_app::{PublishersError, RetryEventError, Tessera};

use crate::answer::Answer;
use crate::caller::{Administrator, run, tessera};
use crate::paging::Page;
use crate::problem::Problem;
use crate::query::Query;
use crate::views::{EventsView, PublishersView, RetriedView, WaitingEventsView};

/// List events
///
/// Shows the log by position: a tenant administrator the events of the own tenant, a platform
/// administrator all. Tenants are shown by their UUID, as in the events.
#[api_v2_operation(operation_id = "events", tags("Administration"))]
pub(crate) async fn list(
    tessera: Data<Tessera>,
    administrator: Administrator,
    query: Query<Page>,
) -> Result<Answer<EventsView>, Problem> {
    let page = query.read()?;
    let events = tessera.event_page(administrator.0, page.after, page.limit);
    let shown = EventsView::try_from(events.await?).map_err(Problem::internal)?;
    Ok(Answer::ok(shown))
}

/// List waiting events
///
/// Shows the events that a publisher went past without sending them: held up or rejected by the
/// broker, behind such a one, or parked. An event waits at each publisher on its own, and a page
/// never ends amid an event: it may be a little shorter than `limit` then, or longer.
#[api_v2_operation(operation_id = "waitingEvents", tags("Administration"))]
pub(crate) async fn waiting(
    tessera: Data<Tessera>,
    administrator: Administrator,
    query: Query<Page>,
) -> Result<Answer<WaitingEventsView>, Problem> {
    let page = query.read()?;
    let events = tessera.waiting_events(administrator.0, page.after, page.limit);
    Ok(Answer::ok(WaitingEventsView::from(events.await?)))
}

/// See how far publishers came
///
/// Shows figures of the whole installation, to platform administrators alone.
#[api_v2_operation(operation_id = "eventsStatus", tags("Administration"))]
pub(crate) async fn status(
    tessera: Data<Tessera>,
    administrator: Administrator,
) -> Result<Answer<PublishersView>, Problem> {
    let publishers = tessera.publishers(administrator.0).await?;
    let now = tessera.ports().clock.now();
    Ok(Answer::ok(PublishersView::new(&publishers, now)))
}

/// Retry a parked event
///
/// Has the event tried again at every publisher that parked it.
#[api_v2_operation(operation_id = "retryEvent", tags("Administration"))]
pub(crate) async fn retry(
    request: HttpRequest,
    administrator: Administrator,
    path: Path<EventPath>,
) -> Result<Answer<RetriedView>, Problem> {
    let id = path.id.parse().map_err(|_| Problem::NotFound)?;
    let tessera = tessera(&request)?;
    let retried = async move { tessera.retry_event(administrator.0, id).await };
    let retried = run(retried).await?;
    Ok(Answer::ok(RetriedView { retried }))
}

/// The event in the path.
#[derive(Apiv2Schema, Deserialize)]
pub(crate) struct EventPath {
    /// The event's id.
    id: String,
}

impl From<PublishersError> for Problem {
    fn from(error: PublishersError) -> Self {
        match error {
            PublishersError::NotPermitted(not_permitted) => not_permitted.into(),
            PublishersError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<RetryEventError> for Problem {
    fn from(error: RetryEventError) -> Self {
        match error {
            RetryEventError::NotParked => Self::NotFound,
            RetryEventError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
