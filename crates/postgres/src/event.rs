//! The events, as they are written and read.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_app::StoredEvent;
use tessera_domain::{Id, Tenant, Timestamp};
use uuid::Uuid;

use crate::schema::events;
use crate::value::{count, number};

/// A row of `tessera.events`.
#[derive(Queryable, Selectable)]
#[diesel(table_name = events, check_for_backend(diesel::pg::Pg))]
pub(crate) struct EventRow {
    position: i64,
    id: Uuid,
    tenant_id: Uuid,
    subject: String,
    sequence: i64,
    kind: String,
    time: i64,
    body: String,
}

/// The columns of an [`EventRow`], in its order.
pub(crate) type EventColumns = (BigInt, SqlUuid, SqlUuid, Text, BigInt, Text, BigInt, Text);

impl From<EventRow> for StoredEvent {
    fn from(row: EventRow) -> Self {
        let position = count(row.position);
        Self {
            position,
            id: Id::from(row.id),
            tenant: Id::from(row.tenant_id),
            subject: row.subject,
            sequence: count(row.sequence),
            event_type: row.kind,
            at: Timestamp::from_micros(row.time),
            body: tessera_wire::with_position(&row.body, position),
        }
    }
}

/// The first events after `after`, of one tenant or of all.
pub(crate) async fn page(
    mut connection: &AsyncPgConnection,
    tenant: Option<Id<Tenant>>,
    after: u64,
    limit: i64,
) -> QueryResult<Vec<EventRow>> {
    let page = events::table
        .filter(events::position.gt(number(after)))
        .order(events::position)
        .limit(limit)
        .select(EventRow::as_select());
    match tenant {
        None => page.load(&mut connection).await,
        Some(tenant) => {
            let page = page.filter(events::tenant_id.eq(tenant.uuid()));
            page.load(&mut connection).await
        }
    }
}

/// The last events, of one tenant or of all, the last one first.
pub(crate) async fn last_page(
    mut connection: &AsyncPgConnection,
    tenant: Option<Id<Tenant>>,
    limit: i64,
) -> QueryResult<Vec<EventRow>> {
    let page = events::table
        .order(events::position.desc())
        .limit(limit)
        .select(EventRow::as_select());
    match tenant {
        None => page.load(&mut connection).await,
        Some(tenant) => {
            let page = page.filter(events::tenant_id.eq(tenant.uuid()));
            page.load(&mut connection).await
        }
    }
}
