//! What came of a claim, and what an operator wants tried again.

use std::collections::{HashMap, HashSet};

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::{delete, replace_into, select, update};
use tessera_app::{Aggregate, Claim, Lease, Settlement, StoredEvent};
use tessera_domain::{Event, Id, Standing, Tenant, Timestamp};

use crate::columns::{Count, Moment, Uid};
use crate::log_rows::{PublisherRow, WaitingRow};
use crate::schema::{events, publishers, waiting};

pub(crate) fn settle(
    conn: &mut SqliteConnection,
    lease: &Lease,
    now: Timestamp,
    claim: &Claim,
    settlement: Settlement,
) -> QueryResult<bool> {
    let stored = publishers::table.find(lease.publisher);
    let publisher: Option<PublisherRow> = stored
        .select(PublisherRow::as_select())
        .get_result(conn)
        .optional()?;
    let Some(publisher) = publisher.filter(|publisher| is_held(publisher, lease, claim)) else {
        return Ok(false);
    };
    let sent = u64::try_from(settlement.sent.len()).unwrap_or(u64::MAX);
    update(stored)
        .set((
            publishers::cursor.eq(Count(publisher.cursor.0.max(claim.read_to))),
            publishers::sent.eq(Count(publisher.sent.0.saturating_add(sent))),
            publishers::lease_until.eq(Some(Moment(lease.until))),
        ))
        .execute(conn)?;
    let changed = write_waiting(conn, lease.publisher, claim, settlement)?;
    for (tenant, subject) in changed {
        promote(conn, lease.publisher, tenant, subject, now)?;
    }
    Ok(true)
}

pub(crate) fn release(conn: &mut SqliteConnection, lease: &Lease) -> QueryResult<()> {
    let holder = Uid::from(lease.holder);
    let held = publishers::table
        .find(lease.publisher)
        .filter(publishers::holder.eq(holder));
    update(held)
        .set((
            publishers::holder.eq(None::<Uid>),
            publishers::lease_until.eq(None::<Moment>),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn retry(
    conn: &mut SqliteConnection,
    tenant: Option<Id<Tenant>>,
    event: Id<Event>,
    now: Timestamp,
) -> QueryResult<usize> {
    let mut parked = waiting::table
        .inner_join(events::table.on(events::position.eq(waiting::position)))
        .filter(waiting::parked_at.is_not_null())
        .filter(events::id.eq(Uid::from(event)))
        .select(WaitingRow::as_select())
        .into_boxed();
    if let Some(tenant) = tenant {
        parked = parked.filter(waiting::tenant_id.eq(Uid::from(tenant)));
    }
    let rows: Vec<WaitingRow> = parked.load(conn)?;
    let retried = rows.len();
    for row in rows {
        let waiting = row.waiting().retried(now);
        replace_into(waiting::table)
            .values(row.with(waiting))
            .execute(conn)?;
    }
    Ok(retried)
}

fn is_held(publisher: &PublisherRow, lease: &Lease, claim: &Claim) -> bool {
    let holder = publisher.lease().map(|(holder, _)| holder);
    holder == Some(lease.holder) && publisher.claims.0 == claim.number
}

/// Writes what waits, and removes what does no more; answers what may have another first event.
fn write_waiting<'a>(
    conn: &mut SqliteConnection,
    publisher: &str,
    claim: &'a Claim,
    settlement: Settlement,
) -> QueryResult<HashSet<Aggregate<'a>>> {
    let sent: HashSet<u64> = settlement.sent.into_iter().collect();
    let mut changed = HashSet::new();
    let mut in_hand: HashMap<u64, &StoredEvent> = HashMap::new();
    for claimed in &claim.events {
        let event = &claimed.event;
        in_hand.insert(event.position, event);
        if claimed.waiting.is_some() && sent.contains(&event.position) {
            delete(waiting_at(publisher, Count(event.position))).execute(conn)?;
            changed.insert((event.tenant, event.subject.as_str()));
        }
    }
    for (position, waiting, reason) in settlement.waiting {
        let Some(event) = in_hand.get(&position) else {
            continue;
        };
        // It may have been erased while the relay had it in hand.
        let there = select(exists(events::table.find(Count(position))));
        if !there.get_result(conn)? {
            continue;
        }
        replace_into(waiting::table)
            .values(WaitingRow::new(publisher, event, waiting, reason))
            .execute(conn)?;
        if waiting.standing == Standing::Behind {
            changed.insert((event.tenant, event.subject.as_str()));
        }
    }
    Ok(changed)
}

/// Nothing is before what was behind the last event that was sent: its turn has come.
fn promote(
    conn: &mut SqliteConnection,
    publisher: &str,
    tenant: Id<Tenant>,
    subject: &str,
    now: Timestamp,
) -> QueryResult<()> {
    let first: Option<Count> = waiting::table
        .filter(waiting::publisher.eq(publisher))
        .filter(waiting::tenant_id.eq(Uid::from(tenant)))
        .filter(waiting::subject.eq(subject))
        .order(waiting::position)
        .select(waiting::position)
        .first(conn)
        .optional()?;
    let Some(first) = first else {
        return Ok(());
    };
    let behind = waiting_at(publisher, first)
        .filter(waiting::due_at.is_null())
        .filter(waiting::parked_at.is_null());
    update(behind)
        .set(waiting::due_at.eq(Some(Moment(now))))
        .execute(conn)?;
    Ok(())
}

/// The row of the event at `position`.
#[diesel::dsl::auto_type(no_type_alias)]
fn waiting_at<'a>(publisher: &'a str, position: Count) -> _ {
    waiting::table
        .filter(waiting::publisher.eq(publisher))
        .filter(waiting::position.eq(position))
}
