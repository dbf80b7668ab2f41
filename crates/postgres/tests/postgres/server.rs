//! A database for each test, on a server that is there already.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::thread;

use tessera_app::{Store, UserKey};
use tessera_contract::values;
use tessera_domain::{Change, Changes, Session, Tenant, TenantLayout, User};
use tessera_postgres::{Migrate, PostgresSettings, PostgresStore, Step};
use tokio::runtime::{Builder, Handle};
use tokio_postgres::{Client, NoTls};

/// A database of its own, gone when this is dropped.
pub(crate) struct Database {
    name: String,
    role: Option<&'static str>,
    server: String,
}

impl Database {
    /// An empty database.
    pub(crate) async fn empty() -> Self {
        let server = server_url();
        let admin = connect(&server).await;
        // The server knows best what is not taken yet.
        let row = admin
            .query_one(
                "SELECT 'tessera_test_' || replace(gen_random_uuid()::text, '-', '')",
                &[],
            )
            .await
            .unwrap();
        let name: String = row.get(0);
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        admin.batch_execute(&create).await.unwrap();
        Self {
            name,
            role: None,
            server,
        }
    }

    /// A database with the shared tables, and no tenant.
    pub(crate) async fn migrated() -> Self {
        let database = Self::empty().await;
        migrate(&database.store(1)).await;
        database
    }

    /// A database with the shared tables, of a role that row-level security binds: tenants that
    /// are made on this thread share tables in it.
    pub(crate) async fn shared() -> Self {
        values::lay_out(TenantLayout::Shared);
        let mut database = Self::empty().await;
        let admin = connect(&database.server).await;
        admin.batch_execute(ROLE).await.unwrap();
        let name = &database.name;
        let owner = format!("ALTER DATABASE {name} OWNER TO tessera_test_bound");
        admin.batch_execute(&owner).await.unwrap();
        database.role = Some("tessera_test_bound:bound");
        migrate(&database.store(1)).await;
        database
    }

    /// A store on it with at most so many connections.
    pub(crate) fn store(&self, pool_size: usize) -> PostgresStore {
        store(self.url_of_owner(), pool_size)
    }

    /// A connection of the role that the store connects as.
    pub(crate) async fn owner(&self) -> Client {
        connect(&self.url_of_owner()).await
    }

    /// Where it is, for the role that the store connects as.
    pub(crate) fn url_of_owner(&self) -> String {
        let url = self.url();
        match (self.role, url.split_once("://"), url.rsplit_once('@')) {
            (Some(role), Some((scheme, _)), Some((_, place))) => {
                format!("{scheme}://{role}@{place}")
            }
            _ => url,
        }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }

    /// A connection that is not the store's.
    pub(crate) async fn admin(&self) -> Client {
        connect(&self.url()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        // The runtime of the test may be at its end.
        let dropped = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { connect(&server).await.batch_execute(&drop).await })
        });
        if let Ok(answer) = dropped.join()
            && !thread::panicking()
        {
            answer.unwrap();
        }
    }
}

/// How many of the store's connections are as `what` says.
pub(crate) async fn count(watcher: &Client, what: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE application_name = 'tessera' AND datname = current_database() AND {what}"
    );
    watcher.query_one(&sql, &[]).await.unwrap().get(0)
}

/// A store on the database of that URL.
pub(crate) fn store(url: String, pool_size: usize) -> PostgresStore {
    store_as(url, pool_size, TenantLayout::Schema)
}

/// A store that is to make tenants in that layout.
pub(crate) fn store_as(url: String, pool_size: usize, layout: TenantLayout) -> PostgresStore {
    PostgresStore::new(PostgresSettings {
        layout,
        ..settings(url, pool_size)
    })
    .unwrap()
}

/// Settings of a store that no thread has connections of for itself.
pub(crate) fn settings(url: String, pool_size: usize) -> PostgresSettings {
    PostgresSettings {
        url,
        pool_size,
        threads: 0,
        layout: TenantLayout::Schema,
        runtime: Handle::current(),
    }
}

/// Takes every step that is missing.
pub(crate) async fn migrate(store: &PostgresStore) -> usize {
    let run = Migrate {
        tenant: None,
        jobs: NonZeroUsize::MIN,
        told: &|_| {},
    };
    let done = store.migrate(&run).await.unwrap();
    assert!(done.set_aside.is_empty(), "{:?}", done.set_aside);
    done.steps.len()
}

/// Takes the last migrations back.
pub(crate) async fn migrate_down(store: &PostgresStore, count: usize) -> Vec<Step> {
    let done = store.migrate_down(count, NonZeroUsize::MIN, &|_| {}).await;
    let done = done.unwrap();
    assert!(done.set_aside.is_empty(), "{:?}", done.set_aside);
    done.steps
}

/// A tenant with a user and a session, as they were read.
pub(crate) async fn populated(store: &PostgresStore, name: &str) -> (Tenant, User, Session) {
    let tenant = values::tenant(name);
    let ada = values::named_user(1, "ada");
    let session = values::session(&ada, 1);
    let changes = Changes {
        tenants: vec![Change::Insert(tenant.clone())],
        users: vec![Change::Insert(ada.clone())],
        sessions: vec![Change::Insert(session.clone())],
        ..Changes::default()
    };
    store.commit(&tenant, changes).await.unwrap();
    let read = store.session(&tenant.schema, session.id).await.unwrap();
    let holder = read.unwrap();
    (holder.tenant, holder.user, holder.session)
}

/// The user, as it is now.
pub(crate) async fn reread(store: &PostgresStore, tenant: &Tenant, user: &User) -> User {
    let by = UserKey::Id(user.id);
    store.user(tenant, &by).await.unwrap().unwrap()
}

/// A commit that changes the user.
pub(crate) fn touch(user: &User) -> Changes {
    Changes {
        users: vec![Change::Update(user.clone())],
        ..Changes::default()
    }
}

/// Tries until it is so; fails when it does not become so within ten seconds.
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not become so: {what}");
}

/// The URL `server`, with another database.
pub(crate) fn with_database(server: &str, database: &str) -> String {
    let (address, _) = server.rsplit_once('/').unwrap();
    format!("{address}/{database}")
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    Handle::current().spawn(connection);
    client
}

pub(crate) fn server_url() -> String {
    setting("TESSERA_TEST_POSTGRES_URL")
}

/// What `scripts/test` provides.
pub(crate) fn setting(name: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no configuration but this"
    )]
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run ./scripts/test, which provides it"))
}

/// Makes the role once, whoever else does so at the same time.
const ROLE: &str = "DO $$ BEGIN \
    PERFORM pg_advisory_xact_lock(84737, 3); \
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tessera_test_bound') THEN \
        CREATE ROLE tessera_test_bound LOGIN PASSWORD 'bound'; \
    END IF; END $$";
