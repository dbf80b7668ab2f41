//! What came of a claim, written down.

use std::collections::{BTreeSet, HashMap};

use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;
use tessera_app::{Claim, ClaimedEvent, Lease, Settlement};
use tessera_domain::{Standing, Timestamp, Waiting};
use uuid::Uuid;

use crate::pipeline::{Ended, Pipeline};
use crate::statement::Statement;
use crate::value::number;

/// Settles a claim in one round trip; refused as stale where the lease was lost meanwhile.
pub(crate) async fn settle(
    connection: &AsyncPgConnection,
    lease: &Lease,
    now: Timestamp,
    claim: &Claim,
    settlement: Settlement,
) -> Ended {
    let claimed: HashMap<u64, &ClaimedEvent> = claim
        .events
        .iter()
        .map(|claimed| (claimed.event.position, claimed))
        .collect();
    let mut pipeline = Pipeline::begin(connection);
    pipeline.push(advance(lease, claim, settlement.sent.len()));
    // Whose first waiting event may be another one now.
    let mut touched = BTreeSet::new();
    let waited = settlement.sent.iter().filter_map(|position| {
        let claimed = claimed.get(position)?;
        claimed.waiting.map(|_| *claimed)
    });
    let waited: Vec<&ClaimedEvent> = waited.collect();
    if !waited.is_empty() {
        touched.extend(waited.iter().map(|claimed| aggregate(claimed)));
        pipeline.push(end_waiting(lease, &waited));
    }
    if !settlement.waiting.is_empty() {
        let mut rows = Rows::default();
        for (position, waiting, reason) in settlement.waiting {
            if let Some(claimed) = claimed.get(&position) {
                if waiting.standing == Standing::Behind {
                    touched.insert(aggregate(claimed));
                }
                rows.push(claimed, waiting, reason);
            }
        }
        pipeline.push(rows.write(lease));
    }
    if !touched.is_empty() {
        pipeline.push(promote(lease, now, touched));
    }
    let late = late(claim);
    if !late.is_empty() {
        pipeline.push(fill(lease, late));
    }
    if !claim.missing.is_empty() {
        pipeline.push(miss(lease, claim));
    }
    pipeline.commit().await
}

/// The new positions that were behind the cursor. Beyond it, what is new and what is missing follow
/// each other without a hole, down from where the log was read to.
fn late(claim: &Claim) -> Vec<i64> {
    let mut missing = claim.missing.iter().rev().peekable();
    let mut beyond = claim.read_to;
    let new = claim.events.iter().rev();
    let new = new.filter(|claimed| claimed.waiting.is_none());
    new.map(|claimed| claimed.event.position)
        .skip_while(|position| {
            if let Some((first, _)) = missing.next_if(|(_, last)| *last == beyond) {
                beyond = first.saturating_sub(1);
            }
            let fresh = *position == beyond;
            beyond = beyond.saturating_sub(u64::from(fresh));
            fresh
        })
        .map(number)
        .collect()
}

/// What an event happened to.
type Aggregate<'a> = (Uuid, &'a str);

fn aggregate(claimed: &ClaimedEvent) -> Aggregate<'_> {
    (claimed.event.tenant.uuid(), &claimed.event.subject)
}

/// The columns of what waits.
#[derive(Default)]
struct Rows {
    positions: Vec<i64>,
    tenants: Vec<Uuid>,
    subjects: Vec<String>,
    rejections: Vec<i64>,
    holds: Vec<i64>,
    due: Vec<Option<i64>>,
    parked: Vec<Option<i64>>,
    reasons: Vec<Option<String>>,
}

impl Rows {
    fn push(&mut self, claimed: &ClaimedEvent, waiting: Waiting, reason: Option<String>) {
        let (due, parked) = match waiting.standing {
            Standing::Behind => (None, None),
            Standing::Due(at) => (Some(at), None),
            Standing::Parked(at) => (None, Some(at)),
        };
        self.positions.push(number(claimed.event.position));
        self.tenants.push(claimed.event.tenant.uuid());
        self.subjects.push(claimed.event.subject.clone());
        self.rejections.push(waiting.rejections.into());
        self.holds.push(waiting.holds.into());
        self.due.push(due.map(Timestamp::as_micros));
        self.parked.push(parked.map(Timestamp::as_micros));
        // They are a broker's words, and Postgres keeps no text with a NUL in it.
        self.reasons.push(reason.map(|why| why.replace('\0', " ")));
    }

    fn write(self, lease: &Lease) -> Statement<'static> {
        Statement::new(WAIT)
            .bind::<Text, _>(lease.publisher)
            .bind::<Array<BigInt>, _>(self.positions)
            .bind::<Array<SqlUuid>, _>(self.tenants)
            .bind::<Array<Text>, _>(self.subjects)
            .bind::<Array<BigInt>, _>(self.rejections)
            .bind::<Array<BigInt>, _>(self.holds)
            .bind::<Array<Nullable<BigInt>>, _>(self.due)
            .bind::<Array<Nullable<BigInt>>, _>(self.parked)
            .bind::<Array<Nullable<Text>>, _>(self.reasons)
    }
}

fn advance(lease: &Lease, claim: &Claim, sent: usize) -> Statement<'static> {
    Statement::new(ADVANCE)
        .bind::<BigInt, _>(number(claim.read_to))
        .bind::<BigInt, _>(i64::try_from(sent).unwrap_or(i64::MAX))
        .bind::<BigInt, _>(lease.until.as_micros())
        .bind::<Text, _>(lease.publisher)
        .bind::<SqlUuid, _>(lease.holder.uuid())
        .bind::<BigInt, _>(number(claim.number))
}

fn end_waiting(lease: &Lease, sent: &[&ClaimedEvent]) -> Statement<'static> {
    let positions = sent.iter().map(|claimed| number(claimed.event.position));
    Statement::new("DELETE FROM tessera.waiting WHERE publisher = $ AND position = ANY ($)")
        .bind::<Text, _>(lease.publisher)
        .bind::<Array<BigInt>, _>(positions.collect::<Vec<i64>>())
}

fn promote(lease: &Lease, now: Timestamp, touched: BTreeSet<Aggregate<'_>>) -> Statement<'static> {
    let (tenants, subjects): (Vec<Uuid>, Vec<String>) = touched
        .into_iter()
        .map(|(tenant, subject)| (tenant, subject.to_owned()))
        .unzip();
    Statement::new(PROMOTE)
        .bind::<BigInt, _>(now.as_micros())
        .bind::<Array<SqlUuid>, _>(tenants)
        .bind::<Array<Text>, _>(subjects)
        .bind::<Text, _>(lease.publisher)
        .bind::<Text, _>(lease.publisher)
}

fn fill(lease: &Lease, late: Vec<i64>) -> Statement<'static> {
    Statement::new(FILL)
        .bind::<Array<BigInt>, _>(late)
        .bind::<Text, _>(lease.publisher)
        .bind::<Text, _>(lease.publisher)
}

fn miss(lease: &Lease, claim: &Claim) -> Statement<'static> {
    let places = claim.missing.iter();
    let (firsts, lasts): (Vec<i64>, Vec<i64>) = places
        .map(|(first, last)| (number(*first), number(*last)))
        .unzip();
    Statement::new(MISS)
        .bind::<Text, _>(lease.publisher)
        .bind::<Array<BigInt>, _>(firsts)
        .bind::<Array<BigInt>, _>(lasts)
}

const ADVANCE: &str = "\
    WITH found AS (\
        UPDATE tessera.publishers \
        SET cursor = greatest(cursor, $), sent = sent + $, lease_until = $ \
        WHERE name = $ AND holder = $ AND claims = $ RETURNING 1\
    ) SELECT CASE WHEN count(*) = 1 THEN true ELSE tessera.stale() END FROM found";

// An event may have been erased while the relay had it in hand. That it is still there is looked up
// for each, for the reason that `claim` has for it.
const WAIT: &str = "\
    INSERT INTO tessera.waiting (publisher, position, tenant_id, subject, rejections, holds, \
        due_at, parked_at, reason) \
    SELECT $, position, tenant_id, subject, rejections, holds, due_at, parked_at, reason \
    FROM unnest($, $, $, $, $, $, $, $) AS waits (position, tenant_id, subject, rejections, holds, \
        due_at, parked_at, reason) \
    WHERE (SELECT true FROM tessera.events WHERE events.position = waits.position LIMIT 1) \
    ON CONFLICT ON CONSTRAINT waiting_pkey DO UPDATE SET rejections = EXCLUDED.rejections, \
        holds = EXCLUDED.holds, due_at = EXCLUDED.due_at, parked_at = EXCLUDED.parked_at, \
        reason = EXCLUDED.reason";

// `position + 0` for the reason that `claim` has for it.
const PROMOTE: &str = "\
    UPDATE tessera.waiting SET due_at = $ \
    FROM unnest($, $) AS touched (tenant_id, subject) CROSS JOIN LATERAL (\
        SELECT line.position FROM tessera.waiting AS line \
        WHERE line.publisher = $ AND line.tenant_id = touched.tenant_id \
            AND line.subject = touched.subject \
        ORDER BY line.position + 0 LIMIT 1\
    ) AS head \
    WHERE waiting.publisher = $ AND waiting.position = head.position \
        AND waiting.due_at IS NULL AND waiting.parked_at IS NULL";

// What is left of the gaps that the events appeared in.
const FILL: &str = "\
    WITH late AS (SELECT position FROM unnest($) AS late (position)), \
    filled AS (\
        DELETE FROM tessera.gaps AS gap WHERE gap.publisher = $ AND EXISTS (\
            SELECT FROM late WHERE position BETWEEN gap.first AND gap.last) \
        RETURNING gap.first, gap.last, gap.seen\
    ), rest AS (\
        SELECT filled.seen, ends.position - 1 AS last, \
            lag(ends.position, 1, filled.first - 1) OVER (\
                PARTITION BY filled.first ORDER BY ends.position) + 1 AS first \
        FROM filled CROSS JOIN LATERAL (\
            SELECT position FROM late WHERE position BETWEEN filled.first AND filled.last \
            UNION ALL SELECT filled.last + 1\
        ) AS ends\
    ) INSERT INTO tessera.gaps (publisher, first, last, seen) \
    SELECT $, first, last, seen FROM rest WHERE first <= last";

// The transaction began after the log was read: its id is later than that of whoever holds one of
// the positions.
const MISS: &str = "\
    INSERT INTO tessera.gaps (publisher, first, last, seen) \
    SELECT $, first, last, pg_current_xact_id() FROM unnest($, $) AS places (first, last)";
