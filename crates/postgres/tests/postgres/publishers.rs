//! How far a publisher came is written by one at a time, and only when there is something to write.

use core::time::Duration;

use tessera_app::{EventLog, Settlement};
use tessera_domain::Waiting;
use tokio::runtime::Handle;

use crate::relay::{NOW, claim, happen, insert, lease, positions, relay};
use crate::server::{Database, populated, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_with_nothing_to_do_writes_nothing() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let (acme, _, _) = populated(&store, "Acme").await;
    store.enrol("p").await.unwrap();
    let slow = database.admin().await;
    slow.batch_execute("BEGIN").await.unwrap();
    let late = insert(&slow).await;
    happen(&store, &acme, [11]).await;
    let claimed = claim(&store, 10).await;
    let [last] = *positions(&claimed) else {
        panic!("{claimed:?}");
    };
    let due = NOW + Duration::from_secs(5);
    let settlement = Settlement {
        sent: Vec::new(),
        waiting: vec![(last, Waiting::due(due), None)],
    };
    let settled = store.settle(&lease(), NOW, claimed, settlement).await;
    settled.unwrap();

    let row = "SELECT publishers::text || xmin::text FROM tessera.publishers";
    let row = async || -> String { admin.query_one(row, &[]).await.unwrap().get(0) };
    let before = row().await;
    for _ in 0..2 {
        let idle = claim(&store, 10).await;
        assert_eq!(
            (idle.events.len(), idle.more, idle.read_to),
            (0, false, last)
        );
        assert_eq!(idle.next_due, Some(due));
    }
    assert_eq!(row().await, before);
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(relay(&store).await, [late]);
    assert_ne!(row().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_is_forgotten_with_what_a_running_settlement_writes() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let [admin, settles] = [database.admin().await, database.admin().await];
    store.enrol("p").await.unwrap();
    // As a settlement goes about it.
    let advance = "BEGIN; UPDATE tessera.publishers SET cursor = 2 WHERE name = 'p'";
    settles.batch_execute(advance).await.unwrap();
    let other = store.clone();
    let forgotten = Handle::current().spawn(async move { other.forget("p").await });
    until("it waits for the settlement", async || {
        let waits = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        admin.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    let rest = "INSERT INTO tessera.waiting \
            VALUES ('p', 1, gen_random_uuid(), 'user/1', 0, 0, 0, NULL, NULL); \
        INSERT INTO tessera.gaps VALUES ('p', 2, 2, pg_current_xact_id()); \
        COMMIT";
    settles.batch_execute(rest).await.unwrap();
    assert!(forgotten.await.unwrap().unwrap());
    let left =
        "SELECT (SELECT count(*) FROM tessera.waiting) + (SELECT count(*) FROM tessera.gaps)";
    let left = admin.query_one(left, &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
    assert!(!store.forget("p").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_that_is_refused_as_a_duplicate_is_not_taken_for_done() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let (acme, _, _) = populated(&store, "Acme").await;
    store.enrol("p").await.unwrap();
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
            RAISE EXCEPTION 'taken' \
                USING ERRCODE = 'unique_violation', CONSTRAINT = 'users_email_key'; \
        END $$; \
        CREATE TRIGGER refuse BEFORE INSERT ON tessera.waiting \
            FOR EACH ROW EXECUTE FUNCTION public.refuse()";
    admin.batch_execute(refuse).await.unwrap();
    happen(&store, &acme, [11]).await;
    let claimed = claim(&store, 10).await;
    let settlement = Settlement {
        sent: Vec::new(),
        waiting: vec![(claimed.read_to, Waiting::due(NOW), None)],
    };
    let settled = store.settle(&lease(), NOW, claimed, settlement).await;
    assert!(settled.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_counted_beyond_what_takes_too_long() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let much = "INSERT INTO tessera.publishers VALUES ('p', 0, 0, 0, NULL, NULL); \
        INSERT INTO tessera.gaps VALUES ('p', 1, 50000, '1'), ('p', 50001, 100001, '1'); \
        UPDATE tessera.publishers SET cursor = 100001; \
        INSERT INTO tessera.events (id, tenant_id, subject, sequence, type, time, body) \
        SELECT gen_random_uuid(), gen_random_uuid(), 'user/1', number, 'UserCreated', 7, '{}' \
        FROM generate_series(1, 100001) AS numbers (number); \
        INSERT INTO tessera.waiting \
        SELECT 'p', 200000 + number, gen_random_uuid(), 'user/1', 0, 0, NULL, \
            CASE WHEN number > 100001 THEN 0 END, NULL \
        FROM generate_series(1, 200002) AS numbers (number)";
    admin.batch_execute(much).await.unwrap();
    let progress = store.progress().await.unwrap();
    let [progress] = &*progress else {
        panic!("{progress:?}");
    };
    assert_eq!((progress.pending, progress.parked), (200_000, 100_000));
    assert_eq!(progress.oldest.unwrap().as_micros(), 7);
}
