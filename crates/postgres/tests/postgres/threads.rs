//! Threads that ask by runtimes of their own have connections of their own.

use std::thread;

use tessera_app::Store;
use tessera_domain::{Tenant, User};
use tessera_postgres::{PostgresSettings, PostgresStore};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::server::{Database, count, populated, reread, settings, touch, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_has_its_own_connections_and_then_those_of_all_and_takes_none_along() {
    let mut world = World::new(4, 1).await;
    world.lock().await;
    // With the common one busy a thread has three; the fifth and sixth wait.
    let waits = world.commits(1);
    until("one waits for the row", async || world.waiting().await == 1).await;
    let at_home = world.on_a_thread(5);
    until("all wait for the row", async || world.waiting().await == 4).await;
    let status = world.store.pool_status();
    assert_eq!((status.max_size, status.size, status.available), (4, 4, 0));
    until("two wait for a turn", async || {
        world.store.pool_status().waiting == 2
    })
    .await;
    world.unlock().await;
    waits.join_all().await;
    at_home.join().unwrap();

    // Those of the thread were driven by it, and went with it.
    until("they are gone", async || world.connections().await == 1).await;
    assert_eq!(world.store.pool_status().size, 1);
    world.ada = reread(&world.store, &world.acme, &world.ada).await;

    // Its place is another's now, which takes the common one as well.
    world.lock().await;
    let at_home = world.on_a_thread(4);
    until("all wait for the row", async || world.waiting().await == 4).await;
    world.unlock().await;
    at_home.join().unwrap();
    assert_eq!(world.store.pool_status().waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_connections_of_a_thread_one_tenant_leaves_a_part_to_others() {
    let world = World::new(8, 1).await;
    world.lock().await;
    // Of the six of the thread it has five, and of the two of all one.
    let at_home = world.on_a_thread(10);
    until("the others wait for a turn", async || {
        world.store.pool_status().waiting == 4 && world.waiting().await == 6
    })
    .await;
    world.unlock().await;
    at_home.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_that_has_no_place_uses_what_all_use() {
    // Of several, one is left to other tenants.
    for (pool_size, threads, most) in [(1, 1, 1), (4, 0, 3), (2, 2, 1)] {
        let world = World::new(pool_size, threads).await;
        world.lock().await;
        let at_home = world.on_a_thread(pool_size + 1);
        until("all wait for the row", async || {
            world.waiting().await == most
        })
        .await;
        world.unlock().await;
        at_home.join().unwrap();
        // The main runtime drives them.
        assert_eq!(world.connections().await, most);
        assert_eq!(world.store.pool_status().size, most);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_threads_write_through_few_connections_and_each_write_counts_once() {
    let world = World::new(4, 2).await;
    let threads: Vec<_> = (0..3).map(|_| world.on_a_thread(40)).collect();
    let written: usize = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    let ada = reread(&world.store, &world.acme, &world.ada).await;
    assert_eq!(ada.version, world.ada.version + 1);
    assert_eq!(written, 1);
    assert!(world.connections().await <= 4);
}

/// A store with a user whom many would change.
struct World {
    _database: Database,
    store: PostgresStore,
    acme: Tenant,
    ada: User,
    admin: Client,
    watcher: Client,
}

impl World {
    async fn new(pool_size: usize, threads: usize) -> Self {
        let database = Database::migrated().await;
        let settings = PostgresSettings {
            threads,
            ..settings(database.url_of_owner(), pool_size)
        };
        let store = PostgresStore::new(settings).unwrap();
        let (acme, ada, _) = populated(&database.store(1), "Acme").await;
        let (admin, watcher) = (database.admin().await, database.admin().await);
        let world = Self {
            _database: database,
            store,
            acme,
            ada,
            admin,
            watcher,
        };
        until("the store that filled it is gone", async || {
            world.connections().await == 0
        })
        .await;
        world
    }

    /// The changes, from here.
    fn commits(&self, count: usize) -> JoinSet<bool> {
        let mut commits = JoinSet::new();
        for _ in 0..count {
            let (store, acme, changes) = (self.store.clone(), self.acme.clone(), touch(&self.ada));
            commits.spawn(async move { store.commit(&acme, changes).await.is_ok() });
        }
        commits
    }

    /// The changes, from another thread; how many of them were written.
    fn on_a_thread(&self, count: usize) -> thread::JoinHandle<usize> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let entered = runtime.enter();
        let commits = self.commits(count);
        drop(entered);
        thread::spawn(move || {
            let written = runtime.block_on(commits.join_all());
            written.into_iter().filter(|written| *written).count()
        })
    }

    async fn lock(&self) {
        let lock = "BEGIN; SELECT FROM acme.users FOR UPDATE";
        self.admin.batch_execute(lock).await.unwrap();
    }

    async fn unlock(&self) {
        self.admin.batch_execute("ROLLBACK").await.unwrap();
    }

    /// How many of the store wait for the row.
    async fn waiting(&self) -> usize {
        self.count("wait_event_type = 'Lock'").await
    }

    async fn connections(&self) -> usize {
        self.count("true").await
    }

    async fn count(&self, what: &str) -> usize {
        usize::try_from(count(&self.watcher, what).await).unwrap()
    }
}
