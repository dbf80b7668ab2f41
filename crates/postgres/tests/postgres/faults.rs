//! What goes wrong on the other side, or on this one, passes.

use core::error::Error;
use core::fmt::Write;
use core::time::Duration;

use tessera_app::{CommitError, Store, Unready, UserFilter};
use tessera_contract::values;
use tessera_domain::{Change, Changes};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::proxy::{Proxy, silence};
use crate::server::{Database, count, populated, reread, store, touch, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_dropped_while_it_waits_leaves_no_open_transaction() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, mut ada, _) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    let watcher = database.admin().await;
    // On a cold connection first, then on a warm one.
    for round in 0..2 {
        let lock = "BEGIN; SELECT FROM acme.users FOR UPDATE";
        admin.batch_execute(lock).await.unwrap();
        let mut task = JoinSet::new();
        let (store_of_task, tenant, changes) = (store.clone(), acme.clone(), touch(&ada));
        task.spawn(async move { store_of_task.commit(&tenant, changes).await });
        until("the commit waits for the row", async || {
            count(&watcher, "wait_event_type = 'Lock'").await == 1
        })
        .await;
        task.shutdown().await;
        admin.batch_execute("ROLLBACK").await.unwrap();
        until("nothing is open", async || {
            count(&watcher, "state <> 'idle'").await == 0
        })
        .await;
        // Warm, its COMMIT was on its way already; either way it is whole.
        let written = reread(&store, &acme, &ada).await;
        assert_eq!(written.version, ada.version + u64::from(written != ada));
        assert!(round == 0 || written.version == ada.version + 1);
        ada = written;
        store.commit(&acme, touch(&ada)).await.unwrap();
        ada.version += 1;
    }
    assert_eq!(store.pool_status().size, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_usually_has_a_connection_that_waits_for_a_lock_has_another_one() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let (locked, ..) = populated(&store, "Locked").await;
    let mut others = Vec::new();
    for number in 0..8 {
        others.push(populated(&store, &format!("Other {number}")).await);
    }
    let [admin, watcher] = [database.admin().await, database.admin().await];
    let lock = "BEGIN; LOCK TABLE locked.users";
    admin.batch_execute(lock).await.unwrap();
    let everybody = UserFilter::default();
    let waits = store.users(&locked, &everybody, None, 9);
    let served = async {
        until("a connection waits for the lock", async || {
            count(&watcher, "wait_event_type = 'Lock'").await == 1
        })
        .await;
        // Half of them usually have that one.
        for (tenant, ada, session) in &others {
            let read = store.session(&tenant.schema, session.id).await.unwrap();
            assert_eq!(read.unwrap().user, *ada);
            store.commit(tenant, touch(ada)).await.unwrap();
        }
        let still = count(&watcher, "wait_event_type = 'Lock'").await;
        admin.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(still, 1);
    };
    let (waited, ()) = tokio::join!(waits, served);
    assert_eq!(waited.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_whose_tables_are_locked_leaves_connections_to_others() {
    for (pool, most) in [(2, 1), (3, 2), (8, 6)] {
        let database = Database::migrated().await;
        let store = database.store(pool);
        let (locked, ada, _) = populated(&store, "Locked").await;
        let (other, bob, session) = populated(&store, "Other").await;
        let [admin, watcher] = [database.admin().await, database.admin().await];
        let lock = "BEGIN; LOCK TABLE locked.users";
        admin.batch_execute(lock).await.unwrap();
        let mut waiting = JoinSet::new();
        for _ in 0..2 * pool {
            let (store, tenant, changes) = (store.clone(), locked.clone(), touch(&ada));
            waiting.spawn(async move { store.commit(&tenant, changes).await });
        }
        let wait = async || count(&watcher, "wait_event_type = 'Lock'").await;
        until("what it may have waits", async || wait().await >= most).await;
        let read = store.session(&other.schema, session.id).await.unwrap();
        assert_eq!(read.unwrap().user, bob);
        store.commit(&other, touch(&bob)).await.unwrap();
        let still = wait().await;
        admin.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(still, most);
        let answers = waiting.join_all().await;
        assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_leave_cost_no_connection_and_hold_none() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let (acme, ada, _) = populated(&store, "Acme").await;
    let mut tasks = JoinSet::new();
    for number in 0..100 {
        let (store, acme, ada) = (store.clone(), acme.clone(), ada.clone());
        tasks.spawn(async move { reread(&store, &acme, &ada).await });
        if number % 3 == 0 {
            tokio::task::yield_now().await;
            tasks.abort_all();
        }
    }
    while tasks.join_next().await.is_some() {}
    assert_eq!(reread(&store, &acme, &ada).await, ada);
    let watcher = database.admin().await;
    until("nothing is open", async || {
        count(&watcher, "state <> 'idle'").await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_refused_commits_none_costs_a_connection() {
    let database = Database::migrated().await;
    let store = database.store(4);
    let (acme, mut ada, _) = populated(&store, "Acme").await;
    ada.version += 1;
    let before = backends(&database.admin().await).await;
    for _ in 0..20 {
        let refused = store.commit(&acme, touch(&ada)).await;
        assert!(matches!(refused, Err(CommitError::Stale)), "{refused:?}");
        let twice = Change::Insert(ada.clone());
        let changes = Changes {
            users: vec![twice],
            ..Changes::default()
        };
        assert!(store.commit(&acme, changes).await.is_err());
    }
    assert_eq!(backends(&database.admin().await).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_connections_were_killed_it_serves_again() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let (acme, ada, _) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    for _ in 0..3 {
        kill(&admin).await;
        serves_again(&store, async || {
            let read = store.users(&acme, &UserFilter::default(), None, 1).await;
            read.is_ok_and(|users| users == [ada.clone()])
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_went_is_told_of_within_a_second_and_found_again_within_two() {
    let database = Database::migrated().await;
    let (mut proxy, url) = Proxy::of(&database.url()).await;
    let store = store(url, 2);
    let (acme, ada, _) = populated(&store, "Acme").await;
    for _ in 0..2 {
        proxy.stop().await;
        for _ in 0..8 {
            let read = timeout(SECOND, store.users(&acme, &UserFilter::default(), None, 1)).await;
            assert!(read.unwrap().is_err());
            let written = timeout(SECOND, store.commit(&acme, touch(&ada))).await;
            let written = written.unwrap();
            assert!(
                matches!(written, Err(CommitError::Unavailable(_))),
                "{written:?}"
            );
            let checked = timeout(SECOND, store.check()).await.unwrap();
            assert!(matches!(checked, Err(Unready::Unavailable(_))));
        }
        proxy.start().await;
        serves_again(&store, async || store.check().await.is_ok()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_given_up_within_a_second() {
    let port = silence().await;
    let store = store(format!("postgres://ada@127.0.0.1:{port}/auth"), 2);
    for _ in 0..4 {
        let read = timeout(SECOND, store.tenants()).await;
        assert!(read.unwrap().is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_said_nothing_for_a_while_has_no_more_connections_than_before() {
    let database = Database::migrated().await;
    let (proxy, url) = Proxy::of(&database.url()).await;
    let store = store(url, 2);
    let (acme, ada, _) = populated(&store, "Acme").await;
    let watcher = database.admin().await;
    for _ in 0..2 {
        proxy.hold(usize::MAX);
        for _ in 0..2 {
            let mut tasks = JoinSet::new();
            for _ in 0..4 {
                let (store, acme) = (store.clone(), acme.clone());
                tasks.spawn(async move {
                    store
                        .users(&acme, &UserFilter::default(), None, 1)
                        .await
                        .is_err()
                });
            }
            assert_eq!(tasks.join_all().await, [true; 4]);
        }
        proxy.release();
        serves_again(&store, async || store.check().await.is_ok()).await;
        assert_eq!(reread(&store, &acme, &ada).await, ada);
        until("no more than the pool may have", async || {
            count(&watcher, "true").await <= 2
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_was_given_up_leaves_no_backend_behind() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    let (admin, watcher) = (database.admin().await, database.admin().await);
    let lock = "BEGIN; LOCK TABLE acme.users IN ACCESS EXCLUSIVE MODE";
    admin.batch_execute(lock).await.unwrap();
    for _ in 0..3 {
        let read = store.users(&acme, &UserFilter::default(), None, 1).await;
        assert!(read.is_err());
    }
    let waiting = count(&watcher, "wait_event_type = 'Lock'").await;
    assert!(waiting <= 1, "{waiting} wait for nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_those_that_are_gone_or_say_nothing_are_passed_over() {
    let database = Database::migrated().await;
    let (mut proxy, through) = Proxy::of(&database.url()).await;
    proxy.stop().await;
    let (_, gone) = through.split_once('@').unwrap();
    let (gone, _) = gone.split_once('/').unwrap();
    let silent = silence().await;
    let url = database.url();
    let (who, server) = url.split_once('@').unwrap();
    let store = store(format!("{who}@127.0.0.1:{silent},{gone},{server}"), 2);
    let checked = timeout(SECOND, store.check()).await;
    assert!(matches!(checked, Ok(Ok(()))), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_error_tells_the_password() {
    let database = Database::migrated().await;
    let url = database.url();
    let (_, server) = url.rsplit_once('@').unwrap();
    // Where passwords are not looked at, nobody of that name is known.
    let store = store(format!("postgres://nobody_here:hushhush@{server}"), 1);
    let Err(Unready::Unavailable(unavailable)) = store.check().await else {
        panic!("nobody is let in");
    };
    let mut told = format!("{unavailable:?} {store:?}");
    let mut cause: Option<&dyn Error> = Some(&unavailable);
    while let Some(error) = cause {
        write!(told, " {error}").unwrap();
        cause = error.source();
    }
    assert!(told.contains("nobody_here"), "{told}");
    assert!(!told.contains("hushhush"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_is_waited_for_and_then_told_of() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, ada, _) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    let lock = "BEGIN; SELECT FROM acme.users FOR UPDATE";
    admin.batch_execute(lock).await.unwrap();
    let mut task = JoinSet::new();
    let (store_of_task, tenant, changes) = (store.clone(), acme.clone(), touch(&ada));
    task.spawn(async move { store_of_task.commit(&tenant, changes).await });
    let watcher = database.admin().await;
    until("the commit waits for the row", async || {
        count(&watcher, "wait_event_type = 'Lock'").await == 1
    })
    .await;
    let read = store.users(&acme, &UserFilter::default(), None, 1).await;
    assert!(read.is_err());
    admin.batch_execute("ROLLBACK").await.unwrap();
    task.join_all().await.remove(0).unwrap();
    let status = store.pool_status();
    assert_eq!((status.size, status.available), (1, 1), "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_became_read_only_is_left_and_found_again() {
    let database = Database::migrated().await;
    let store = database.store(4);
    let (acme, ada, _) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    read_only(&admin, "on").await;
    // As a server that was started again.
    kill(&admin).await;
    serves_again(&store, async || {
        store
            .users(&acme, &UserFilter::default(), None, 1)
            .await
            .is_ok()
    })
    .await;
    let written = store.commit(&acme, touch(&ada)).await;
    assert!(
        matches!(written, Err(CommitError::Unavailable(_))),
        "{written:?}"
    );
    assert!(matches!(store.check().await, Err(Unready::ReadOnly)));
    assert_eq!(reread(&store, &acme, &ada).await, ada);
    // The connections that are there stay read-only; new ones lead to where writes are taken.
    read_only(&admin, "off").await;
    serves_again(&store, async || store.check().await.is_ok()).await;
    store.commit(&acme, touch(&ada)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_meets_the_end_of_all_sessions_waits_for_it_and_is_refused() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let (acme, ada, session) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    let watcher = database.admin().await;
    // Alone, as a refresh writes, and together with something else.
    for events in [
        Vec::new(),
        vec![values::event(1, &acme, values::created(1))],
    ] {
        let ada = reread(&store, &acme, &ada).await;
        let end = "BEGIN; UPDATE acme.users SET epoch = epoch + 1";
        admin.batch_execute(end).await.unwrap();
        let changes = Changes {
            sessions: vec![Change::Update(session.clone())],
            epochs: vec![(ada.id, ada.epoch)],
            events,
            ..Changes::default()
        };
        let (committing, tenant) = (store.clone(), acme.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { committing.commit(&tenant, changes).await });
        until("the refresh waits for the user", async || {
            count(&watcher, "wait_event_type = 'Lock'").await == 1
        })
        .await;
        admin.batch_execute("COMMIT").await.unwrap();
        let refused = task.join_all().await.remove(0);
        assert!(matches!(refused, Err(CommitError::Stale)), "{refused:?}");
    }
}

async fn read_only(admin: &Client, value: &str) {
    let row = admin.query_one("SELECT current_database()::text", &[]);
    let name: String = row.await.unwrap().get(0);
    let alter = format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    admin.batch_execute(&alter).await.unwrap();
}

/// Ends the connections of the store.
async fn kill(admin: &Client) {
    let killed = admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE application_name = 'tessera' AND datname = current_database()",
        &[],
    );
    killed.await.unwrap();
}

async fn serves_again(store: &tessera_postgres::PostgresStore, serves: impl AsyncFnMut() -> bool) {
    timeout(2 * SECOND, until("it serves again", serves))
        .await
        .unwrap_or_else(|_| panic!("it does not serve within two seconds: {store:?}"));
}

/// The processes that serve the store.
async fn backends(watcher: &Client) -> Vec<i32> {
    let rows = watcher
        .query(
            "SELECT pid FROM pg_stat_activity \
             WHERE application_name = 'tessera' AND datname = current_database() ORDER BY pid",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// What is promised in a second has five on a machine that others use too.
const SECOND: Duration = Duration::from_secs(5);
