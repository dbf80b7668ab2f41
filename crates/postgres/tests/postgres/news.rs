//! Relays hear of what other processes commit.

use core::time::Duration;

use tessera_app::{EventLog, News};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::relay::happen;
use crate::server::{Database, populated, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_another_process_is_heard_of() {
    let database = Database::migrated().await;
    let [here, there] = [database.store(1), database.store(1)];
    let (acme, _, _) = populated(&there, "Acme").await;
    let admin = database.admin().await;
    let mut news = here.news();
    // That it listens now.
    heard(&mut news).await;
    happen(&there, &acme, [11]).await;
    heard(&mut news).await;

    // After the connection was lost, too; and what happened meanwhile is told at the return.
    let killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE query ~ 'tessera_events' AND pid <> pg_backend_pid() \
                      AND datname = current_database()";
    admin.batch_execute(killed).await.unwrap();
    heard(&mut news).await;
    happen(&there, &acme, [12]).await;
    heard(&mut news).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_wants_news_listens_and_no_longer_than_the_store_lives() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    listening(&admin, 0).await;
    happen(&store, &acme, [11]).await;
    listening(&admin, 1).await;
    let mut news = store.clone().news();
    heard(&mut news).await;
    listening(&admin, 1).await;
    drop(store);
    listening(&admin, 0).await;
    assert!(news.changed().await.is_err());
}

async fn heard(news: &mut News) {
    let changed = timeout(Duration::from_secs(10), news.changed());
    changed.await.unwrap().unwrap();
}

/// Waits until there are so many connections that tell of events.
async fn listening(admin: &Client, wanted: i64) {
    until("there are as many as wanted", async || {
        let connections = admin.query_one(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE query ~ 'tessera_events' AND pid <> pg_backend_pid() \
                 AND datname = current_database()",
            &[],
        );
        connections.await.unwrap().get::<_, i64>(0) == wanted
    })
    .await;
}
