//! The log itself: pages of it, and what may leave it.

use diesel::delete;
use diesel::dsl::{exists, min, not};
use diesel::prelude::*;
use tessera_app::StoredEvent;
use tessera_domain::{Id, Tenant, Timestamp};

use crate::columns::{Count, Moment, Uid};
use crate::log_rows::LoggedRow;
use crate::schema::{events, publishers, sqlite_sequence, waiting};

pub(crate) fn page(
    conn: &mut SqliteConnection,
    tenant: Option<Id<Tenant>>,
    after: u64,
    limit: usize,
) -> QueryResult<Vec<StoredEvent>> {
    let mut page = events::table
        .filter(events::position.gt(place(after)))
        .order(events::position)
        .limit(bound(limit))
        .select(LoggedRow::as_select())
        .into_boxed();
    if let Some(tenant) = tenant {
        page = page.filter(events::tenant_id.eq(Uid::from(tenant)));
    }
    let rows: Vec<LoggedRow> = page.load(conn)?;
    Ok(rows.into_iter().map(StoredEvent::from).collect())
}

/// The page of what the publisher has sent.
pub(crate) fn sent_page(
    conn: &mut SqliteConnection,
    publisher: &str,
    tenant: Option<Id<Tenant>>,
    after: u64,
    limit: usize,
) -> QueryResult<Vec<StoredEvent>> {
    let waits = waiting::table
        .filter(waiting::publisher.eq(publisher))
        .filter(waiting::position.eq(events::position));
    let come_to = publishers::table
        .find(publisher)
        .select(publishers::cursor.nullable())
        .single_value();
    let mut page = events::table
        .filter(events::position.gt(place(after)))
        .filter(events::position.nullable().le(come_to))
        .filter(not(exists(waits)))
        .order(events::position)
        .limit(bound(limit))
        .select(LoggedRow::as_select())
        .into_boxed();
    if let Some(tenant) = tenant {
        page = page.filter(events::tenant_id.eq(Uid::from(tenant)));
    }
    let rows: Vec<LoggedRow> = page.load(conn)?;
    Ok(rows.into_iter().map(StoredEvent::from).collect())
}

pub(crate) fn last_page(
    conn: &mut SqliteConnection,
    tenant: Option<Id<Tenant>>,
    limit: usize,
) -> QueryResult<Vec<StoredEvent>> {
    let mut page = events::table
        .order(events::position.desc())
        .limit(bound(limit))
        .select(LoggedRow::as_select())
        .into_boxed();
    if let Some(tenant) = tenant {
        page = page.filter(events::tenant_id.eq(Uid::from(tenant)));
    }
    let rows: Vec<LoggedRow> = page.load(conn)?;
    Ok(rows.into_iter().rev().map(StoredEvent::from).collect())
}

/// The last position that was given out, whether its event is still there or not.
pub(crate) fn last_position(conn: &mut SqliteConnection) -> QueryResult<Count> {
    let last = sqlite_sequence::table
        .find("events")
        .select(sqlite_sequence::seq)
        .get_result(conn)
        .optional()?;
    Ok(last.unwrap_or(Count(0)))
}

/// What may leave the log, by position, and whether there may be more of it.
#[derive(Debug)]
pub(crate) struct Expired {
    pub(crate) positions: Vec<Count>,
    pub(crate) more: bool,
}

/// The old ones among the first events that every publisher sent. What waits is stepped over, so
/// that it holds up nothing; what is too young ends the search where a look at that many finds
/// nothing else, for times follow positions but for the clocks of several processes.
///
/// What it finds stays so: an event that is sent never waits again, and a publisher that is
/// enrolled starts behind it.
pub(crate) fn expired(conn: &mut SqliteConnection, before: Timestamp) -> QueryResult<Expired> {
    conn.transaction(|conn| {
        let slowest = publishers::table
            .select(min(publishers::cursor))
            .get_result::<Option<Count>>(conn)?;
        let waits = waiting::table.filter(waiting::position.eq(events::position));
        let sent: Vec<(Count, Moment)> = events::table
            .filter(events::position.le(slowest.map_or(i64::MAX, |slowest| place(slowest.0))))
            .filter(not(exists(waits)))
            .order(events::position)
            .limit(bound(LOOK))
            .select((events::position, events::time))
            .load(conn)?;
        let whole = sent.len() == LOOK;
        let old = sent.into_iter().filter(|(_, time)| time.0 < before);
        let positions: Vec<Count> = old.map(|(position, _)| position).collect();
        Ok(Expired {
            more: whole && !positions.is_empty(),
            positions,
        })
    })
}

pub(crate) fn remove(conn: &mut SqliteConnection, positions: Vec<Count>) -> QueryResult<()> {
    delete(events::table.filter(events::position.eq_any(positions))).execute(conn)?;
    Ok(())
}

/// A position as it is compared; there is none beyond the largest.
pub(crate) fn place(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

pub(crate) fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// How many events one step of expiry looks at, and so removes at most.
const LOOK: usize = 1_000;
