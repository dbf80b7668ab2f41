//! What a publisher has to do, and who may do it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::{join, join3};
use tessera_app::{Claim, ClaimedEvent, Lease};
use tessera_domain::{Timestamp, Waiting};

use crate::event::{EventColumns, EventRow};
use crate::pipeline::{BEGIN, COMMIT, Ended};
use crate::progress::{WaitingColumns, WaitingRow};
use crate::statement::Statement;
use crate::store::at_most;
use crate::value::{count, of_micros};

/// Makes a publisher known, unless it is.
pub(crate) async fn enrol(
    mut connection: &AsyncPgConnection,
    publisher: String,
) -> QueryResult<usize> {
    Statement::new(ENROL)
        .bind::<Text, _>(publisher)
        .execute(&mut connection)
        .await
}

/// When the lease of a publisher ends, if somebody has it; nothing of one that is not known.
pub(crate) async fn lease_end(
    mut connection: &AsyncPgConnection,
    publisher: String,
) -> QueryResult<Option<Option<i64>>> {
    Statement::new("SELECT lease_until FROM tessera.publishers WHERE name = $")
        .bind::<Text, _>(publisher)
        .rows::<Nullable<BigInt>>()
        .get_result(&mut connection)
        .await
        .optional()
}

/// Takes the lease and reads what is to be done, in one round trip; nothing if the lease cannot be
/// had.
pub(crate) async fn claim(
    connection: &AsyncPgConnection,
    lease: &Lease,
    now: Timestamp,
    limit: usize,
) -> Ended<Option<Claim>> {
    let (mut first, mut second, mut third) = (connection, connection, connection);
    let (mut fourth, mut last) = (connection, connection);
    // One more than is wanted tells whether there is more.
    let enough = at_most(limit.saturating_add(1));
    let begin = Statement::new(BEGIN).execute(&mut first);
    let take = take(lease, now).load::<(i64, i64, Option<i64>)>(&mut second);
    let due = due(lease, now, enough).load::<(EventRow, WaitingRow)>(&mut third);
    let fresh = fresh(lease, enough).load::<(EventRow, bool)>(&mut fourth);
    let commit = Statement::new(COMMIT).execute(&mut last);
    let ((begun, taken, due), (fresh, committed)) =
        join(join3(begin, take, due), join(fresh, commit)).await;
    let over = committed.is_ok();
    let answer = (|| {
        begun?;
        let (taken, due, fresh) = (taken?, due?, fresh?);
        committed?;
        let taken = taken.into_iter().next();
        Ok(taken.map(|taken| assemble(taken, due, fresh, limit)))
    })();
    Ended { over, answer }
}

fn assemble(
    (cursor, number, next_due): (i64, i64, Option<i64>),
    due: Vec<(EventRow, WaitingRow)>,
    fresh: Vec<(EventRow, bool)>,
    limit: usize,
) -> Claim {
    let all = due.len().saturating_add(fresh.len());
    let share = (limit / 2).max(limit.saturating_sub(fresh.len()));
    let due = due.into_iter().take(share).map(|(event, waiting)| {
        let waiting = Some(Waiting::from(&waiting));
        claimed(event, waiting, false)
    });
    let mut events: Vec<ClaimedEvent> = due.collect();
    let room = limit.saturating_sub(events.len());
    let fresh = fresh.into_iter().take(room);
    events.extend(fresh.map(|(event, blocked)| claimed(event, None, blocked)));
    let new = events.last().filter(|last| last.waiting.is_none());
    let read_to = new.map_or(count(cursor), |last| last.event.position);
    Claim {
        more: events.len() < all,
        events,
        next_due: of_micros(next_due),
        read_to,
        missing: Vec::new(),
        number: count(number),
    }
}

fn claimed(event: EventRow, waiting: Option<Waiting>, blocked: bool) -> ClaimedEvent {
    ClaimedEvent {
        event: event.into(),
        waiting,
        blocked,
    }
}

fn take(
    lease: &Lease,
    now: Timestamp,
) -> crate::statement::Rows<'static, (BigInt, BigInt, Nullable<BigInt>)> {
    Statement::new(TAKE)
        .bind::<SqlUuid, _>(lease.holder.uuid())
        .bind::<BigInt, _>(lease.until.as_micros())
        .bind::<Text, _>(lease.publisher)
        .bind::<SqlUuid, _>(lease.holder.uuid())
        .bind::<BigInt, _>(now.as_micros())
        .bind::<BigInt, _>(now.as_micros())
        .rows()
}

fn due(
    lease: &Lease,
    now: Timestamp,
    enough: i64,
) -> crate::statement::Rows<'static, (EventColumns, WaitingColumns)> {
    Statement::new(DUE)
        .bind::<Text, _>(lease.publisher)
        .bind::<BigInt, _>(now.as_micros())
        .bind::<Text, _>(lease.publisher)
        .bind::<SqlUuid, _>(lease.holder.uuid())
        .bind::<BigInt, _>(enough)
        .bind::<Text, _>(lease.publisher)
        .bind::<BigInt, _>(enough)
        .bind::<BigInt, _>(enough)
        .rows()
}

fn fresh(lease: &Lease, enough: i64) -> crate::statement::Rows<'static, (EventColumns, Bool)> {
    Statement::new(FRESH)
        .bind::<Text, _>(lease.publisher)
        .bind::<Text, _>(lease.publisher)
        .bind::<SqlUuid, _>(lease.holder.uuid())
        .bind::<BigInt, _>(enough)
        .rows()
}

const ENROL: &str = "\
    INSERT INTO tessera.publishers (name, cursor, sent, claims, holder, lease_until) \
    SELECT $, coalesce(max(position), 0), 0, 0, NULL, NULL FROM tessera.events \
    ON CONFLICT ON CONSTRAINT publishers_pkey DO NOTHING";

const TAKE: &str = "\
    UPDATE tessera.publishers SET holder = $, lease_until = $, claims = claims + 1 \
    WHERE name = $ AND (holder IS NULL OR holder = $ OR lease_until <= $) \
    RETURNING cursor, claims, (SELECT min(due_at) FROM tessera.waiting \
        WHERE publisher = name AND due_at > $)";

// What follows `TAKE` goes out before it is known whether the lease was had, so it asks again.
// Those that are due longest come first, lest others that come due again and again keep them out.
const DUE: &str = "\
    SELECT event.position, event.id, event.tenant_id, event.subject, event.sequence, event.type, \
        event.time, event.body, line.rejections, line.holds, line.due_at, line.parked_at \
    FROM (\
        SELECT tenant_id, subject FROM tessera.waiting \
        WHERE publisher = $ AND due_at <= $ AND EXISTS (\
            SELECT FROM tessera.publishers WHERE name = $ AND holder = $) \
        ORDER BY due_at, position LIMIT $\
    ) AS head CROSS JOIN LATERAL (\
        SELECT position, rejections, holds, due_at, parked_at FROM tessera.waiting \
        WHERE publisher = $ AND tenant_id = head.tenant_id AND subject = head.subject \
        ORDER BY position LIMIT $\
    ) AS line JOIN tessera.events AS event ON event.position = line.position \
    ORDER BY event.position LIMIT $";

const FRESH: &str = "\
    SELECT event.position, event.id, event.tenant_id, event.subject, event.sequence, event.type, \
        event.time, event.body, EXISTS (\
            SELECT FROM tessera.waiting WHERE waiting.publisher = $ \
                AND waiting.tenant_id = event.tenant_id AND waiting.subject = event.subject) \
    FROM tessera.events AS event \
    WHERE event.position > (\
        SELECT cursor FROM tessera.publishers WHERE name = $ AND holder = $) \
    ORDER BY event.position LIMIT $";
