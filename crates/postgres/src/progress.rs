//! How far publishers came, and what waits at them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_app::{Progress, WaitingEvent};
use tessera_domain::{Event, Id, Standing, Tenant, Timestamp, Waiting};

use crate::event::{EventColumns, EventRow};
use crate::statement::Statement;
use crate::value::{count, number, of_micros};

/// How an event waits.
#[derive(Queryable)]
pub(crate) struct WaitingRow {
    rejections: i64,
    holds: i64,
    due_at: Option<i64>,
    parked_at: Option<i64>,
}

/// The columns of a [`WaitingRow`], in its order.
pub(crate) type WaitingColumns = (BigInt, BigInt, Nullable<BigInt>, Nullable<BigInt>);

impl From<&WaitingRow> for Waiting {
    fn from(row: &WaitingRow) -> Self {
        let standing = match (row.due_at, row.parked_at) {
            (None, None) => Standing::Behind,
            (_, Some(at)) => Standing::Parked(Timestamp::from_micros(at)),
            (Some(at), None) => Standing::Due(Timestamp::from_micros(at)),
        };
        Self {
            rejections: u32::try_from(row.rejections).unwrap_or(u32::MAX),
            holds: u32::try_from(row.holds).unwrap_or(u32::MAX),
            standing,
        }
    }
}

/// How far each publisher came, by name.
pub(crate) async fn of_all(mut connection: &AsyncPgConnection) -> QueryResult<Vec<Progress>> {
    let rows: Vec<(String, i64, i64, i64, i64, Option<i64>)> = Statement::new(PROGRESS)
        .rows::<(Text, BigInt, BigInt, BigInt, BigInt, Nullable<BigInt>)>()
        .load(&mut connection)
        .await?;
    let progress = |(publisher, cursor, sent, parked, pending, oldest)| Progress {
        publisher,
        pending: count(pending),
        oldest: of_micros(oldest),
        cursor: count(cursor),
        sent: count(sent),
        parked: count(parked),
    };
    Ok(rows.into_iter().map(progress).collect())
}

/// What waits after the position `after`, of one tenant or of all.
pub(crate) async fn waiting(
    mut connection: &AsyncPgConnection,
    tenant: Option<Id<Tenant>>,
    after: u64,
    limit: i64,
) -> QueryResult<Vec<WaitingEvent>> {
    let tenant = tenant.map(Id::uuid);
    let rows: Vec<(EventRow, WaitingRow, String, Option<String>)> = Statement::new(WAITING)
        .bind::<BigInt, _>(number(after))
        .bind::<Nullable<SqlUuid>, _>(tenant)
        .bind::<Nullable<SqlUuid>, _>(tenant)
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(limit)
        .rows::<(EventColumns, WaitingColumns, Text, Nullable<Text>)>()
        .load(&mut connection)
        .await?;
    let waiting = |(event, waiting, publisher, reason): (EventRow, WaitingRow, _, _)| {
        let waiting = Waiting::from(&waiting);
        WaitingEvent {
            publisher,
            event: event.into(),
            waiting,
            reason,
        }
    };
    Ok(rows.into_iter().map(waiting).collect())
}

/// Makes an event due again wherever it is parked; answers at how many publishers.
pub(crate) async fn retry(
    mut connection: &AsyncPgConnection,
    tenant: Option<Id<Tenant>>,
    event: Id<Event>,
    now: Timestamp,
) -> QueryResult<usize> {
    let tenant = tenant.map(Id::uuid);
    Statement::new(RETRY)
        .bind::<BigInt, _>(now.as_micros())
        .bind::<SqlUuid, _>(event.uuid())
        .bind::<Nullable<SqlUuid>, _>(tenant)
        .bind::<Nullable<SqlUuid>, _>(tenant)
        .execute(&mut connection)
        .await
}

// Nothing is counted beyond 100,000, as it takes too long; of what is new, beyond 10,000 already the
// difference of positions tells enough. The oldest is the first by position: moments of events differ from
// that order by less than anybody reads off them.
const PROGRESS: &str = "\
    SELECT publisher.name, publisher.cursor, publisher.sent, parked.number, \
        CASE WHEN fresh.number > 10000 \
            THEN (SELECT max(position) FROM tessera.events) - publisher.cursor \
            ELSE fresh.number END + late.number + waits.number, \
        least(\
            (SELECT time FROM tessera.events WHERE position > publisher.cursor \
                ORDER BY position LIMIT 1), \
            late.oldest, \
            (SELECT time FROM tessera.events WHERE position = (\
                SELECT waiting.position FROM tessera.waiting \
                WHERE waiting.publisher = publisher.name AND waiting.parked_at IS NULL \
                ORDER BY waiting.position LIMIT 1))) \
    FROM tessera.publishers AS publisher \
    CROSS JOIN LATERAL (SELECT count(*) AS number FROM (\
        SELECT FROM tessera.events WHERE position > publisher.cursor \
        ORDER BY position LIMIT 10001) AS counted) AS fresh \
    CROSS JOIN LATERAL (SELECT count(*) AS number, min(counted.time) AS oldest FROM (\
        SELECT event.time FROM (\
            SELECT first, last FROM tessera.gaps WHERE gaps.publisher = publisher.name \
            ORDER BY first LIMIT 100000\
        ) AS gap CROSS JOIN LATERAL (\
            SELECT time FROM tessera.events WHERE position BETWEEN gap.first AND gap.last \
            ORDER BY position LIMIT 100000\
        ) AS event LIMIT 100000) AS counted) AS late \
    CROSS JOIN LATERAL (SELECT count(*) AS number FROM (\
        SELECT FROM tessera.waiting \
        WHERE waiting.publisher = publisher.name AND parked_at IS NULL \
        ORDER BY position LIMIT 100000) AS counted) AS waits \
    CROSS JOIN LATERAL (SELECT count(*) AS number FROM (\
        SELECT FROM tessera.waiting \
        WHERE waiting.publisher = publisher.name AND parked_at IS NOT NULL \
        ORDER BY position LIMIT 100000) AS counted) AS parked \
    ORDER BY publisher.name";

const WAITING: &str = "\
    SELECT event.position, event.id, event.tenant_id, event.subject, event.sequence, event.type, \
        event.time, event.body, line.rejections, line.holds, line.due_at, line.parked_at, \
        publisher.name, line.reason \
    FROM tessera.publishers AS publisher CROSS JOIN LATERAL (\
        SELECT position, rejections, holds, due_at, parked_at, reason FROM tessera.waiting \
        WHERE waiting.publisher = publisher.name AND position > $ \
            AND ($ IS NULL OR tenant_id = $) \
        ORDER BY position LIMIT $\
    ) AS line CROSS JOIN LATERAL (\
        SELECT position, id, tenant_id, subject, sequence, type, time, body \
        FROM tessera.events WHERE position = line.position LIMIT 1\
    ) AS event ORDER BY event.position, publisher.name LIMIT $";

const RETRY: &str = "\
    UPDATE tessera.waiting SET rejections = 0, holds = 0, due_at = $, parked_at = NULL \
    WHERE parked_at IS NOT NULL \
        AND (SELECT id FROM tessera.events WHERE events.position = waiting.position) = $ \
        AND ($ IS NULL OR waiting.tenant_id = $)";
