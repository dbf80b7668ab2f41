//! What a publisher sent, for those who want it again.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use tessera_app::{StoredEvent, Unavailable};
use tessera_domain::{Id, Tenant};

use crate::PostgresStore;
use crate::event::{EventColumns, EventRow};
use crate::statement::Statement;
use crate::store::at_most;
use crate::turns::Line;
use crate::value::number;

impl PostgresStore {
    /// The events after the position `after` that a publisher sent, of one tenant or of all, by
    /// position; none of a publisher that is not known.
    pub(crate) async fn sent_page(
        &self,
        publisher: &str,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        let (publisher, limit) = (publisher.to_owned(), at_most(limit));
        let rows = self
            .read(&Line::Anybody, |connection| {
                page(connection, publisher, tenant, after, limit).boxed()
            })
            .await?;
        Ok(rows.into_iter().map(StoredEvent::from).collect())
    }
}

/// The events after `after` that are at or before the cursor of `publisher`, do not wait at it and
/// are in none of its gaps: as one snapshot has them.
pub(crate) async fn page(
    mut connection: &AsyncPgConnection,
    publisher: String,
    tenant: Option<Id<Tenant>>,
    after: u64,
    limit: i64,
) -> QueryResult<Vec<EventRow>> {
    let page = match tenant {
        None => Statement::new(SENT),
        Some(tenant) => Statement::new(SENT_OF_TENANT).bind::<SqlUuid, _>(tenant.uuid()),
    };
    page.bind::<BigInt, _>(number(after))
        .bind::<Text, _>(publisher.clone())
        .bind::<Text, _>(publisher.clone())
        .bind::<Text, _>(publisher)
        .bind::<BigInt, _>(limit)
        .rows::<EventColumns>()
        .load(&mut connection)
        .await
}

macro_rules! sent {
    ($of_tenant:literal) => {
        concat!(
            "SELECT position, id, tenant_id, subject, sequence, type, time, body FROM (\
                SELECT position, id, tenant_id, subject, sequence, type, time, body \
                FROM tessera.events WHERE ",
            $of_tenant,
            "position > $ \
                    AND (position, 0) <= ((SELECT cursor FROM tessera.publishers WHERE name = $), 0) \
                ORDER BY position OFFSET 0\
            ) AS event \
            WHERE (SELECT true FROM tessera.waiting \
                    WHERE publisher = $ AND waiting.position = event.position LIMIT 1) IS NULL \
                AND (SELECT last >= event.position FROM tessera.gaps \
                    WHERE publisher = $ AND first <= event.position \
                    ORDER BY first DESC LIMIT 1) IS NOT TRUE \
            ORDER BY position LIMIT $"
        )
    };
}

// Whether an event waits, or is in a gap, is looked up for each, as far as the page reaches: a
// `NOT EXISTS` might read all that waits. `OFFSET`, and a cursor that is compared as part of a row,
// keep the planner from taking the events for so few that it looks at all of them and then sorts.
// Gaps do not overlap, so the last one that begins before an event tells of all.
const SENT: &str = sent!("");
const SENT_OF_TENANT: &str = sent!("tenant_id = $ AND ");

#[cfg(test)]
mod tests {
    use core::slice;

    use tessera_app::{EventLog, Settlement};
    use tessera_domain::{Standing, Waiting};

    use crate::relay::{NOW, claim, happen, insert, lease, positions, relay};
    use crate::server::{Database, populated};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sent_is_what_the_cursor_passed_and_neither_waits_nor_came_late() {
        let database = Database::migrated().await;
        let store = database.store(1);
        let (acme, _, _) = populated(&store, "Acme").await;
        let (other, _, _) = populated(&store, "Other").await;
        let slow = database.admin().await;
        store.enrol("p").await.unwrap();
        let sent = async |tenant, after, limit| {
            let page = store.sent_page("p", tenant, after, limit).await.unwrap();
            let positions: Vec<u64> = page.iter().map(|event| event.position).collect();
            positions
        };
        happen(&store, &acme, [11, 12]).await;
        assert!(sent(None, 0, 9).await.is_empty(), "the cursor is before");

        slow.batch_execute("BEGIN").await.unwrap();
        let late = insert(&slow).await;
        happen(&store, &other, [13]).await;
        let claimed = claim(&store, 10).await;
        let [parked, rest @ ..] = &*positions(&claimed) else {
            panic!("{claimed:?}");
        };
        let waiting = Waiting {
            standing: Standing::Parked(NOW),
            ..Waiting::BEHIND
        };
        let settlement = Settlement {
            sent: rest.to_vec(),
            waiting: vec![(*parked, waiting, None)],
        };
        let settled = store.settle(&lease(), NOW, claimed, settlement).await;
        settled.unwrap();
        slow.batch_execute("COMMIT").await.unwrap();
        happen(&store, &acme, [14]).await;
        let [acmes, others] = rest else {
            panic!("{rest:?}");
        };
        assert_eq!(sent(None, 0, 9).await, rest, "one waits, and one came late");
        assert_eq!(sent(None, 0, 1).await, slice::from_ref(acmes));
        assert_eq!(sent(None, *acmes, 9).await, slice::from_ref(others));
        assert_eq!(sent(Some(acme.id), 0, 9).await, slice::from_ref(acmes));
        assert_eq!(sent(Some(other.id), 0, 9).await, slice::from_ref(others));
        let unknown = store.sent_page("q", None, 0, 9).await.unwrap();
        assert!(unknown.is_empty());

        let again = relay(&store).await;
        assert_eq!(again, [late, others + 1]);
        let all = [*acmes, late, *others, others + 1];
        assert_eq!(sent(None, 0, 9).await, all);
        let page = store.sent_page("p", None, 0, 9).await.unwrap();
        let events = store.events(None, *parked, 9).await.unwrap();
        assert_eq!(page, events);
    }
}
