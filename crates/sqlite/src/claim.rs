//! What a relay is given to do.
//!
//! The lease is taken by the writer; the events are read by a reader after that is committed, so
//! that no commit waits for them. Whatever happens in between, they are events that no settled
//! claim has sent, and a claim that was overtaken settles nothing.

use diesel::dsl::{exists, min};
use diesel::prelude::*;
use diesel::{delete, insert_or_ignore_into, update};
use tessera_app::{Claim, Claimed, ClaimedEvent, Lease};
use tessera_domain::Timestamp;

use crate::columns::{Count, Moment, Uid};
use crate::log::{bound, last_position, place};
use crate::log_rows::{LoggedRow, PublisherRow, WaitingRow};
use crate::schema::{events, publishers, waiting};

/// What came of asking for the lease.
#[derive(Debug)]
pub(crate) enum Taken {
    Elsewhere(Timestamp),
    Ours(u64),
}

pub(crate) fn enrol(conn: &mut SqliteConnection, publisher: &str) -> QueryResult<()> {
    let cursor = last_position(conn)?;
    insert_or_ignore_into(publishers::table)
        .values((
            publishers::name.eq(publisher),
            publishers::cursor.eq(cursor),
            publishers::sent.eq(0),
            publishers::claims.eq(0),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn forget(conn: &mut SqliteConnection, publisher: &str) -> QueryResult<bool> {
    let forgotten = delete(publishers::table.find(publisher)).execute(conn)?;
    Ok(forgotten > 0)
}

/// The claim of a publisher that has nothing to do now.
pub(crate) fn nothing(
    conn: &mut SqliteConnection,
    publisher: &str,
    now: Timestamp,
) -> QueryResult<Option<Claim>> {
    conn.transaction(|conn| {
        let stored: Option<Count> = publishers::table
            .find(publisher)
            .select(publishers::cursor)
            .get_result(conn)
            .optional()?;
        let Some(Count(cursor)) = stored else {
            return Ok(None);
        };
        let new = !unseen(conn, publisher, cursor, 1)?.is_empty();
        if new || !due(conn, publisher, now, 1)?.is_empty() {
            return Ok(None);
        }
        Ok(Some(Claim {
            next_due: next_due(conn, publisher, now)?,
            read_to: cursor,
            ..Claim::default()
        }))
    })
}

/// Takes the lease, unless it is another's at `now`; answers the number of the claim.
pub(crate) fn take(
    conn: &mut SqliteConnection,
    lease: &Lease,
    now: Timestamp,
) -> QueryResult<Taken> {
    enrol(conn, lease.publisher)?;
    let stored = publishers::table.find(lease.publisher);
    let publisher: PublisherRow = stored.select(PublisherRow::as_select()).get_result(conn)?;
    if let Some((holder, until)) = publisher.lease()
        && holder != lease.holder
        && now < until
    {
        return Ok(Taken::Elsewhere(until));
    }
    let number = publisher.claims.0.saturating_add(1);
    update(stored)
        .set((
            publishers::claims.eq(Count(number)),
            publishers::holder.eq(Some(Uid::from(lease.holder))),
            publishers::lease_until.eq(Some(Moment(lease.until))),
        ))
        .execute(conn)?;
    Ok(Taken::Ours(number))
}

/// The events of the claim with that number, as one state has them.
pub(crate) fn read(
    conn: &mut SqliteConnection,
    publisher: &str,
    number: u64,
    now: Timestamp,
    limit: usize,
) -> QueryResult<Claimed> {
    conn.transaction(|conn| {
        let Count(cursor) = publishers::table
            .find(publisher)
            .select(publishers::cursor)
            .get_result(conn)?;
        let mut new = unseen(conn, publisher, cursor, limit.saturating_add(1))?;
        let most = (limit / 2).max(limit.saturating_sub(new.len()));
        let mut due = due(conn, publisher, now, most.saturating_add(1))?;
        let found = due.len() + new.len();
        due.truncate(most);
        due.sort_by_key(|claimed| claimed.event.position);
        new.truncate(limit - due.len());
        let read_to = new.last().map(|claimed| claimed.event.position);
        let events: Vec<ClaimedEvent> = due.into_iter().chain(new).collect();
        Ok(Claimed::Ours(Claim {
            more: events.len() < found,
            events,
            next_due: next_due(conn, publisher, now)?,
            read_to: read_to.unwrap_or(cursor),
            missing: Vec::new(),
            number,
        }))
    })
}

fn unseen(
    conn: &mut SqliteConnection,
    publisher: &str,
    cursor: u64,
    most: usize,
) -> QueryResult<Vec<ClaimedEvent>> {
    let earlier = waiting::table
        .filter(waiting::publisher.eq(publisher))
        .filter(waiting::tenant_id.eq(events::tenant_id))
        .filter(waiting::subject.eq(events::subject));
    let rows: Vec<(LoggedRow, bool)> = events::table
        .filter(events::position.gt(place(cursor)))
        .order(events::position)
        .limit(bound(most))
        .select((LoggedRow::as_select(), exists(earlier)))
        .load(conn)?;
    let new = rows.into_iter().map(|(event, blocked)| ClaimedEvent {
        event: event.into(),
        waiting: None,
        blocked,
    });
    Ok(new.collect())
}

/// What waits and is due, longest due first, each with all that waits behind it, in its order.
fn due(
    conn: &mut SqliteConnection,
    publisher: &str,
    now: Timestamp,
    most: usize,
) -> QueryResult<Vec<ClaimedEvent>> {
    let firsts: Vec<(Uid, String)> = waiting::table
        .filter(waiting::publisher.eq(publisher))
        .filter(waiting::due_at.le(Moment(now)))
        .order((waiting::due_at, waiting::position))
        .limit(bound(most))
        .select((waiting::tenant_id, waiting::subject))
        .load(conn)?;
    let mut due = Vec::new();
    for (tenant, subject) in firsts {
        if due.len() >= most {
            break;
        }
        let rows: Vec<(WaitingRow, LoggedRow)> = waiting::table
            .inner_join(events::table.on(events::position.eq(waiting::position)))
            .filter(waiting::publisher.eq(publisher))
            .filter(waiting::tenant_id.eq(tenant))
            .filter(waiting::subject.eq(subject))
            .order(waiting::position)
            .limit(bound(most - due.len()))
            .select((WaitingRow::as_select(), LoggedRow::as_select()))
            .load(conn)?;
        let line = rows
            .into_iter()
            .take_while(|(row, _)| row.waiting().is_due(now));
        due.extend(line.map(|(row, event)| row.claimed(event)));
    }
    Ok(due)
}

fn next_due(
    conn: &mut SqliteConnection,
    publisher: &str,
    now: Timestamp,
) -> QueryResult<Option<Timestamp>> {
    let next: Option<Moment> = waiting::table
        .filter(waiting::publisher.eq(publisher))
        .filter(waiting::due_at.gt(Moment(now)))
        .select(min(waiting::due_at))
        .get_result(conn)?;
    Ok(next.map(|next| next.0))
}
