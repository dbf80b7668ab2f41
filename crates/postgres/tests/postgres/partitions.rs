//! Events leave a partition at a time, and there is always a place for the next one.

use core::time::Duration;

use tessera_app::{EventLog, Settlement};
use tessera_domain::{Standing, Timestamp, Waiting};
use tokio_postgres::Client;

use crate::relay::{NOW, claim, happen, insert, lease, positions, relay};
use crate::server::{Database, populated, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_ahead_and_not_more_than_are_needed() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let first = [1, 1_000_001, 2_000_001, 3_000_001];
    assert_eq!(partitions(&admin).await, first);
    jump(&admin, 1_999_998).await;
    while store.expire(NOW).await.unwrap() {}
    assert_eq!(partitions(&admin).await, first[1..]);
    jump(&admin, 2_000_001).await;
    while store.expire(NOW).await.unwrap() {}
    // The empty ones behind went.
    let ahead = [2_000_001, 3_000_001, 4_000_001, 5_000_001];
    assert_eq!(partitions(&admin).await, ahead);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_beyond_all_partitions_has_a_place_and_later_ones_have_a_partition() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    store.enrol("p").await.unwrap();
    jump(&admin, 10_000_000).await;
    happen(&store, &acme, [11, 12]).await;
    assert_eq!(places(&admin).await, ["tessera.events_rest"]);
    while store.expire(NOW).await.unwrap() {}
    assert_eq!(
        partitions(&admin).await.last(),
        Some(&13_000_001),
        "beyond what is in the rest"
    );
    jump(&admin, 12_000_000).await;
    happen(&store, &acme, [13]).await;
    let expected = ["tessera.events_12000001", "tessera.events_rest"];
    assert_eq!(places(&admin).await, expected);
    let sent = relay(&store).await;
    assert_eq!(sent, [10_000_001, 10_000_002, 12_000_001]);
    while store.expire(old()).await.unwrap() {}
    assert!(store.events(None, 0, 9).await.unwrap().len() < 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_dropped_whole_and_never_while_something_in_it_waits() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    store.enrol("p").await.unwrap();
    happen(&store, &acme, [11, 12]).await;
    jump(&admin, 1_000_000).await;
    happen(&store, &acme, [13]).await;
    while store.expire(old()).await.unwrap() {}
    assert_eq!(partitions(&admin).await.first(), Some(&1), "not sent");

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
    // What is missing is forgotten first.
    relay(&store).await;
    while store.expire(old()).await.unwrap() {}
    assert_eq!(partitions(&admin).await.first(), Some(&1), "one is parked");

    let event = store.events(None, 0, 1).await.unwrap().remove(0);
    assert_eq!(store.retry(None, event.id, NOW).await.unwrap(), 1);
    assert_eq!(relay(&store).await, [*parked]);
    until("the partition is gone", async || {
        relay(&store).await;
        while store.expire(old()).await.unwrap() {}
        partitions(&admin).await.first() == Some(&1_000_001)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_is_not_waited_for() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let [admin, writer] = [database.admin().await, database.admin().await];
    jump(&admin, 1_500_000).await;
    writer.batch_execute("BEGIN").await.unwrap();
    insert(&writer).await;
    assert!(!store.expire(old()).await.unwrap());
    assert_eq!(partitions(&admin).await.first(), Some(&1));
    writer.batch_execute("COMMIT").await.unwrap();
    assert!(store.expire(old()).await.unwrap());
    assert_eq!(partitions(&admin).await.first(), Some(&1_000_001));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_late_and_was_not_sent_does_not_expire() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    store.enrol("p").await.unwrap();
    let slow = database.admin().await;
    slow.batch_execute("BEGIN").await.unwrap();
    let late = insert(&slow).await;
    happen(&store, &acme, [11]).await;
    relay(&store).await;
    slow.batch_execute("COMMIT").await.unwrap();
    while store.expire(old()).await.unwrap() {}
    assert_eq!(relay(&store).await, [late]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_reader_keeps_partitions_from_going_and_nothing_else() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let [admin, reader] = [database.admin().await, database.admin().await];
    insert(&admin).await;
    jump(&admin, 2_500_000).await;
    insert(&admin).await;
    let read = "BEGIN; LOCK TABLE ONLY tessera.events IN ACCESS SHARE MODE";
    reader.batch_execute(read).await.unwrap();
    store.expire(old()).await.unwrap();
    assert!(store.events(None, 0, 9).await.unwrap().is_empty());
    let all = partitions(&admin).await;
    assert_eq!((all.first(), all.last()), (Some(&1), Some(&5_000_001)));
    reader.batch_execute("COMMIT").await.unwrap();
    while store.expire(old()).await.unwrap() {}
    assert_eq!(partitions(&admin).await.first(), Some(&2_000_001));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_keeps_no_old_event_from_going() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let [admin, dump] = [database.admin().await, database.admin().await];
    insert(&admin).await;
    jump(&admin, 2_500_000).await;
    insert(&admin).await;
    let before = partitions(&admin).await;
    // It has every partition, `events_rest` too.
    let read = "BEGIN; LOCK TABLE tessera.events IN ACCESS SHARE MODE";
    dump.batch_execute(read).await.unwrap();
    while store.expire(old()).await.unwrap() {}
    assert!(store.events(None, 0, 9).await.unwrap().is_empty());
    assert_eq!(partitions(&admin).await, before);
    dump.batch_execute("COMMIT").await.unwrap();
    while store.expire(old()).await.unwrap() {}
    let expected = [2_000_001, 3_000_001, 4_000_001, 5_000_001];
    assert_eq!(partitions(&admin).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_a_partition_is_old_its_last_events_tell() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    // Young ones at both ends.
    let many = "INSERT INTO tessera.events (position, id, tenant_id, subject, sequence, type, \
                    time, body) \
                SELECT number, gen_random_uuid(), gen_random_uuid(), 'user/raw', 1, \
                    'UserCreated', CASE WHEN number IN (1, 5999) THEN 9e15::bigint ELSE 0 END, '{}' \
                FROM generate_series(1, 6000) AS numbers (number)";
    admin.batch_execute(many).await.unwrap();
    jump(&admin, 1_500_000).await;
    let old = Timestamp::from_micros(1);
    store.expire(old).await.unwrap();
    assert_eq!(partitions(&admin).await.first(), Some(&1));
    let last = "DELETE FROM tessera.events WHERE position = 5999";
    admin.batch_execute(last).await.unwrap();
    store.expire(old).await.unwrap();
    assert_eq!(partitions(&admin).await.first(), Some(&1_000_001));
}

/// A moment that all events are before.
fn old() -> Timestamp {
    NOW + Duration::from_micros(1)
}

/// Gives out `position` as the last one.
async fn jump(admin: &Client, position: i64) {
    let setval = "SELECT setval('tessera.positions', $1)";
    admin.query_one(setval, &[&position]).await.unwrap();
}

/// Where the partitions begin.
async fn partitions(admin: &Client) -> Vec<i64> {
    let rows = admin.query("SELECT first FROM tessera.partitions()", &[]);
    let rows = rows.await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Where events are.
async fn places(admin: &Client) -> Vec<String> {
    let rows = admin
        .query(
            "SELECT DISTINCT tableoid::regclass::text FROM tessera.events ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
