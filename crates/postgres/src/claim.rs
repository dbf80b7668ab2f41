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
use crate::statement::{Rows, Statement};
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
/// had. Where there is nothing to be done, it leaves the lease alone, and writes nothing.
pub(crate) async fn claim(
    connection: &AsyncPgConnection,
    lease: &Lease,
    now: Timestamp,
    limit: usize,
) -> Ended<Option<Claim>> {
    let [mut first, mut second, mut third] = [connection; 3];
    let [mut fourth, mut fifth, mut last] = [connection; 3];
    // One more than is wanted tells whether there is more.
    let enough = at_most(limit.saturating_add(1));
    let start = Statement::new(BEGIN).execute(&mut first);
    let take = take(lease, now).load(&mut second);
    let due = due(lease, now, enough).load(&mut third);
    let fresh = fresh(lease, enough).load(&mut fourth);
    let late = late(lease, enough).load(&mut fifth);
    let commit = Statement::new(COMMIT).execute(&mut last);
    let ((begun, taken, due), (fresh, late, committed)) =
        join(join3(start, take, due), join3(fresh, late, commit)).await;
    let over = committed.is_ok();
    let answer = (|| {
        begun?;
        let (taken, due, fresh, late): (Vec<Taken>, _, _, _) = (taken?, due?, fresh?, late?);
        committed?;
        let taken = taken.into_iter().next();
        Ok(taken.and_then(|taken| match (taken.claims, taken.idle) {
            (Some(number), _) => Some(taken.assemble(number, due, late, fresh, limit)),
            (None, true) => Some(taken.nothing()),
            (None, false) => None,
        }))
    })();
    Ended { over, answer }
}

/// What came of asking for the lease of a publisher.
#[derive(Queryable)]
struct Taken {
    cursor: i64,
    next_due: Option<i64>,
    idle: bool,
    claims: Option<i64>,
}

type TakenColumns = (BigInt, Nullable<BigInt>, Bool, Nullable<BigInt>);

impl Taken {
    fn nothing(&self) -> Claim {
        Claim {
            next_due: of_micros(self.next_due),
            read_to: count(self.cursor),
            ..Claim::default()
        }
    }

    fn assemble(
        self,
        number: i64,
        due: Vec<(EventRow, WaitingRow)>,
        late: Vec<(EventRow, bool)>,
        fresh: Vec<(EventRow, bool)>,
        limit: usize,
    ) -> Claim {
        let new = late.len().saturating_add(fresh.len());
        let all = due.len().saturating_add(new);
        let share = (limit / 2).max(limit.saturating_sub(new));
        let due = due.into_iter().take(share).map(|(event, waiting)| {
            let waiting = Some(Waiting::from(&waiting));
            claimed(event, waiting, false)
        });
        let mut events: Vec<ClaimedEvent> = due.collect();
        let new = |(event, blocked)| claimed(event, None, blocked);
        let room = limit.saturating_sub(events.len());
        events.extend(late.into_iter().take(room).map(new));
        let room = limit.saturating_sub(events.len());
        let fresh: Vec<ClaimedEvent> = fresh.into_iter().take(room).map(new).collect();
        let (mut read_to, mut missing) = (count(self.cursor), Vec::new());
        for position in fresh.iter().map(|claimed| claimed.event.position) {
            let expected = read_to.saturating_add(1);
            if expected < position {
                missing.push((expected, position.saturating_sub(1)));
            }
            read_to = position;
        }
        events.extend(fresh);
        Claim {
            more: events.len() < all,
            events,
            next_due: of_micros(self.next_due),
            read_to,
            missing,
            number: count(number),
        }
    }
}

fn claimed(event: EventRow, waiting: Option<Waiting>, blocked: bool) -> ClaimedEvent {
    ClaimedEvent {
        event: event.into(),
        waiting,
        blocked,
    }
}

fn take(lease: &Lease, now: Timestamp) -> Rows<'static, TakenColumns> {
    Statement::new(TAKE)
        .bind::<BigInt, _>(now.as_micros())
        .bind::<BigInt, _>(now.as_micros())
        .bind::<Text, _>(lease.publisher)
        .bind::<SqlUuid, _>(lease.holder.uuid())
        .bind::<BigInt, _>(lease.until.as_micros())
        .bind::<SqlUuid, _>(lease.holder.uuid())
        .bind::<BigInt, _>(now.as_micros())
        .rows()
}

fn due(
    lease: &Lease,
    now: Timestamp,
    enough: i64,
) -> Rows<'static, (EventColumns, WaitingColumns)> {
    Statement::new(DUE)
        .bind::<Text, _>(lease.publisher)
        .bind::<BigInt, _>(now.as_micros())
        .bind::<Text, _>(lease.publisher)
        .bind::<BigInt, _>(enough)
        .bind::<Text, _>(lease.publisher)
        .bind::<BigInt, _>(enough)
        .bind::<BigInt, _>(enough)
        .rows()
}

fn fresh(lease: &Lease, enough: i64) -> Rows<'static, (EventColumns, Bool)> {
    Statement::new(FRESH)
        .bind::<Text, _>(lease.publisher)
        .bind::<Text, _>(lease.publisher)
        .bind::<BigInt, _>(enough)
        .rows()
}

fn late(lease: &Lease, enough: i64) -> Rows<'static, (EventColumns, Bool)> {
    Statement::new(LATE)
        .bind::<Text, _>(lease.publisher)
        .bind::<Text, _>(lease.publisher)
        .bind::<Text, _>(lease.publisher)
        .bind::<BigInt, _>(enough)
        .bind::<BigInt, _>(enough)
        .rows()
}

// What is missing shortly before the last event may be of a commit that has not ended. The id of
// the transaction is made after the snapshot that misses it, so it is late enough to be `seen`.
const ENROL: &str = "\
    WITH ends AS (SELECT coalesce(max(position), 0) AS last FROM tessera.events), \
    enrolled AS (\
        INSERT INTO tessera.publishers (name, cursor, sent, claims, holder, lease_until) \
        SELECT $, last, 0, 0, NULL, NULL FROM ends \
        ON CONFLICT ON CONSTRAINT publishers_pkey DO NOTHING RETURNING name\
    ), places AS (\
        SELECT position, lag(position, 1, greatest(last - 10000, 0)) OVER (ORDER BY position) \
            AS previous \
        FROM ends JOIN tessera.events ON position > last - 10000\
    ) INSERT INTO tessera.gaps (publisher, first, last, seen) \
    SELECT name, previous + 1, position - 1, pg_current_xact_id() \
    FROM enrolled CROSS JOIN places WHERE previous + 1 < position";

// A gap is something to be done once it can be forgotten or filled, as for `LATE`.
const TAKE: &str = "\
    WITH found AS MATERIALIZED (\
        SELECT name, cursor, \
            (SELECT min(due_at) FROM tessera.waiting WHERE publisher = name AND due_at > $) \
                AS next_due, \
            (SELECT position FROM tessera.events WHERE position > cursor \
                ORDER BY position LIMIT 1) IS NULL \
            AND (SELECT due_at FROM tessera.waiting WHERE publisher = name AND due_at <= $ \
                ORDER BY due_at LIMIT 1) IS NULL \
            AND (SELECT first FROM tessera.gaps AS gap WHERE gap.publisher = name \
                AND (gap.seen <= pg_snapshot_xmin(pg_current_snapshot()) \
                    OR gap.seen >= pg_snapshot_xmax(pg_current_snapshot()) \
                    OR (SELECT position FROM tessera.events \
                        WHERE position BETWEEN gap.first AND gap.last \
                        ORDER BY position LIMIT 1) IS NOT NULL) \
                ORDER BY first LIMIT 1) IS NULL AS idle \
        FROM tessera.publishers WHERE name = $\
    ), taken AS (\
        UPDATE tessera.publishers AS publisher \
        SET holder = $, lease_until = $, claims = publisher.claims + 1 \
        FROM found WHERE publisher.name = found.name AND NOT found.idle \
            AND (publisher.holder IS NULL OR publisher.holder = $ OR publisher.lease_until <= $) \
        RETURNING publisher.cursor, publisher.claims\
    ) SELECT coalesce(taken.cursor, found.cursor), found.next_due, found.idle, taken.claims \
    FROM found LEFT JOIN taken ON true";

// What follows `TAKE` goes out before it is known whether the lease was had, so it asks whether this
// transaction made the row what it is: only then is the row locked as well.
// Those that are due longest come first, lest others that come due again and again keep them out.
// `position + 0` keeps the planner from the index by position, which finds a line by reading all
// that waits; a lookup of each event, from reading all events.
const DUE: &str = "\
    SELECT event.position, event.id, event.tenant_id, event.subject, event.sequence, event.type, \
        event.time, event.body, line.rejections, line.holds, line.due_at, line.parked_at \
    FROM (\
        SELECT position, rejections, holds, due_at, parked_at FROM (\
            SELECT tenant_id, subject FROM tessera.waiting \
            WHERE publisher = $ AND due_at <= $ AND EXISTS (\
                SELECT FROM tessera.publishers \
                WHERE name = $ AND xmin = pg_current_xact_id_if_assigned()::xid) \
            ORDER BY due_at LIMIT $\
        ) AS head CROSS JOIN LATERAL (\
            SELECT position, rejections, holds, due_at, parked_at FROM tessera.waiting \
            WHERE publisher = $ AND tenant_id = head.tenant_id AND subject = head.subject \
            ORDER BY position + 0 LIMIT $\
        ) AS followers ORDER BY position LIMIT $\
    ) AS line CROSS JOIN LATERAL (\
        SELECT position, id, tenant_id, subject, sequence, type, time, body \
        FROM tessera.events WHERE position = line.position LIMIT 1\
    ) AS event ORDER BY line.position";

// Whether something waits is looked up for each: an `EXISTS` might read all that waits instead.
const FRESH: &str = "\
    SELECT event.position, event.id, event.tenant_id, event.subject, event.sequence, event.type, \
        event.time, event.body, (\
            SELECT true FROM tessera.waiting WHERE waiting.publisher = $ \
                AND waiting.tenant_id = event.tenant_id AND waiting.subject = event.subject \
            LIMIT 1) IS NOT NULL \
    FROM tessera.events AS event \
    WHERE event.position > (\
        SELECT cursor FROM tessera.publishers \
        WHERE name = $ AND xmin = pg_current_xact_id_if_assigned()::xid) \
    ORDER BY event.position LIMIT $";

// It goes out after `FRESH`: so of an aggregate's events no later one can be fresh while an earlier
// one is not yet seen here. A gap is forgotten by the very snapshot that finds nothing in it and
// knows of the end of all that could have filled it. An id that is not given out yet is of another
// server, whose data was restored here: what was open there is gone.
const LATE: &str = "\
    WITH mine AS (SELECT name FROM tessera.publishers \
        WHERE name = $ AND xmin = pg_current_xact_id_if_assigned()::xid), \
    forgotten AS (\
        DELETE FROM tessera.gaps AS gap USING mine \
        WHERE gap.publisher = mine.name \
            AND (gap.seen <= pg_snapshot_xmin(pg_current_snapshot()) \
                OR gap.seen >= pg_snapshot_xmax(pg_current_snapshot())) \
            AND (SELECT position FROM tessera.events \
                WHERE position BETWEEN gap.first AND gap.last \
                ORDER BY position LIMIT 1) IS NULL\
    ) SELECT event.position, event.id, event.tenant_id, event.subject, event.sequence, \
        event.type, event.time, event.body, (\
            SELECT true FROM tessera.waiting WHERE waiting.publisher = $ \
                AND waiting.tenant_id = event.tenant_id AND waiting.subject = event.subject \
            LIMIT 1) IS NOT NULL \
    FROM mine JOIN tessera.gaps AS gap ON gap.publisher = $ CROSS JOIN LATERAL (\
        SELECT position, id, tenant_id, subject, sequence, type, time, body \
        FROM tessera.events WHERE position BETWEEN gap.first AND gap.last \
        ORDER BY position LIMIT $\
    ) AS event ORDER BY event.position LIMIT $";
