//! The event log.

use diesel::prelude::*;
use tessera_domain::Event;

use crate::pipeline::Pipeline;
use crate::schema::events;
use crate::value::number;

/// Adds an event to the log, as others will read it.
pub(crate) fn append(pipeline: &mut Pipeline<'_>, event: &Event) {
    let encoded = tessera_wire::encode(event);
    pipeline.push(diesel::insert_into(events::table).values((
        events::id.eq(event.id.uuid()),
        events::tenant_id.eq(event.tenant.uuid()),
        events::subject.eq(encoded.subject),
        events::sequence.eq(number(event.fact.sequence)),
        events::kind.eq(encoded.event_type),
        events::time.eq(event.at.as_micros()),
        events::body.eq(encoded.body),
    )));
}
