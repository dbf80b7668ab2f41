//! How far the publishers came, for who watches them.

use diesel::dsl::{count_star, min};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use tessera_app::{Progress, WaitingEvent};
use tessera_domain::{Id, Tenant};

use crate::columns::{Count, Moment, Uid};
use crate::log::{bound, last_position, place};
use crate::log_rows::{LoggedRow, PublisherRow, WaitingRow};
use crate::schema::{events, publishers, waiting};

pub(crate) fn progress(conn: &mut SqliteConnection) -> QueryResult<Vec<Progress>> {
    conn.transaction(|conn| {
        let publishers: Vec<PublisherRow> = publishers::table
            .order(publishers::name)
            .select(PublisherRow::as_select())
            .load(conn)?;
        publishers
            .into_iter()
            .map(|publisher| progress_of(conn, publisher))
            .collect()
    })
}

pub(crate) fn waiting(
    conn: &mut SqliteConnection,
    tenant: Option<Id<Tenant>>,
    after: u64,
    limit: usize,
) -> QueryResult<Vec<WaitingEvent>> {
    let mut page = waiting::table
        .inner_join(events::table.on(events::position.eq(waiting::position)))
        .filter(waiting::position.gt(place(after)))
        .order((waiting::position, waiting::publisher))
        .limit(bound(limit))
        .select((WaitingRow::as_select(), LoggedRow::as_select()))
        .into_boxed();
    if let Some(tenant) = tenant {
        page = page.filter(waiting::tenant_id.eq(Uid::from(tenant)));
    }
    let rows: Vec<(WaitingRow, LoggedRow)> = page.load(conn)?;
    let listed = rows.into_iter().map(|(row, event)| row.listed(event));
    Ok(listed.collect())
}

fn progress_of(conn: &mut SqliteConnection, publisher: PublisherRow) -> QueryResult<Progress> {
    let waiting = waiting::table.filter(waiting::publisher.eq(&publisher.name));
    let (pending, first): (Count, Option<Count>) = waiting
        .filter(waiting::parked_at.is_null())
        .select((count_star(), min(waiting::position)))
        .get_result(conn)?;
    let parked: Count = waiting
        .filter(waiting::parked_at.is_not_null())
        .count()
        .get_result(conn)?;
    let new = unseen(conn, publisher.cursor)?;
    let from = first.map_or(publisher.cursor.0.saturating_add(1), |first| first.0);
    let oldest: Option<Moment> = events::table
        .filter(events::position.ge(place(from)))
        .order(events::position)
        .select(events::time)
        .first(conn)
        .optional()?;
    Ok(Progress {
        publisher: publisher.name,
        pending: pending.0.saturating_add(new),
        oldest: oldest.map(|oldest| oldest.0),
        cursor: publisher.cursor.0,
        sent: publisher.sent.0,
        parked: parked.0,
    })
}

/// How many events are after `cursor`. Beyond so many that counting takes long, how many places:
/// some of these are of events that were erased.
fn unseen(conn: &mut SqliteConnection, cursor: Count) -> QueryResult<u64> {
    let counted: Counted = sql_query(UNSEEN)
        .bind::<BigInt, _>(cursor)
        .bind::<BigInt, _>(Count(MANY.saturating_add(1)))
        .get_result(conn)?;
    if counted.number.0 <= MANY {
        return Ok(counted.number.0);
    }
    let last = last_position(conn)?;
    Ok(last.0.saturating_sub(cursor.0))
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    number: Count,
}

const UNSEEN: &str = "\
    SELECT count(*) AS number FROM (SELECT 1 FROM events WHERE position > ? LIMIT ?)";
const MANY: u64 = 10_000;
