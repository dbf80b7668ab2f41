//! What may be a moment old comes from a replica, and is never older than that.

use core::time::Duration;

use tessera_app::{CommitError, Store, TenantKey};
use tessera_domain::{Change, Changes, Tenant, TenantStatus};
use tessera_postgres::PostgresStore;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::proxy::{Proxy, silence};
use crate::server::{connect, migrate, populated, settings, store, until, with_database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_answers_what_may_be_a_moment_old_and_never_what_is_older() {
    let pair = Pair::start().await;
    let (proxy, through) = Proxy::of(&pair.standby.url()).await;
    let elsewhere = store(pair.primary.url(), 2);
    let store = pair.store(through);
    let (mut acme, _, _) = populated(&elsewhere, "Acme").await;
    let standby = connect(&pair.standby.url()).await;
    for status in [TenantStatus::Suspended, TenantStatus::Active] {
        replica_answers(&proxy, &store, &acme).await;
        standby.batch_execute(PAUSE).await.unwrap();
        acme = change(&elsewhere, &acme, status).await.unwrap();
        let key = TenantKey::Id(acme.id);
        let seen = until("the change is seen", async || {
            store.tenant_of_late(&key).await.unwrap() == Some(acme.clone())
        });
        timeout(SECOND, seen).await.unwrap();
        for _ in 0..200 {
            assert_eq!(of_late(&store, &acme).await, Some(acme.clone()));
        }
        standby.batch_execute(RESUME).await.unwrap();
    }
    replica_answers(&proxy, &store, &acme).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_process_committed_or_was_refused_for_is_seen_at_once() {
    let pair = Pair::start().await;
    let (proxy, through) = Proxy::of(&pair.standby.url()).await;
    let elsewhere = store(pair.primary.url(), 2);
    let store = pair.store(through);
    let (mut acme, _, _) = populated(&elsewhere, "Acme").await;
    let standby = connect(&pair.standby.url()).await;
    let suspended = TenantStatus::Suspended;
    for refused in [false, true, false, true] {
        replica_answers(&proxy, &store, &acme).await;
        standby.batch_execute(PAUSE).await.unwrap();
        acme = if refused {
            let newer = change(&elsewhere, &acme, suspended).await.unwrap();
            let stale = change(&store, &acme, suspended).await;
            assert!(matches!(stale, Err(CommitError::Stale)), "{stale:?}");
            newer
        } else {
            change(&store, &acme, suspended).await.unwrap()
        };
        for _ in 0..200 {
            assert_eq!(of_late(&store, &acme).await, Some(acme.clone()));
        }
        standby.batch_execute(RESUME).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_replica_is_gone_silent_or_another_database_the_primary_answers() {
    let pair = Pair::start().await;
    let elsewhere = store(pair.primary.url(), 2);
    let (acme, _, _) = populated(&elsewhere, "Acme").await;
    let (mut gone, closed) = Proxy::of(&pair.standby.url()).await;
    gone.stop().await;
    let port = silence().await;
    // With the same tables, and another registry in them.
    let primary = connect(&pair.primary.url()).await;
    primary
        .batch_execute("CREATE DATABASE other")
        .await
        .unwrap();
    let other = |url: &str| with_database(url, "other");
    migrate(&store(other(&pair.primary.url()), 1)).await;
    let other = other(&pair.standby.url());
    until("the replica has the other database", async || {
        store(other.clone(), 1).installation().await.is_ok()
    })
    .await;
    for url in [
        closed,
        format!("postgres://ada@127.0.0.1:{port}/auth"),
        other,
        // It takes writes, so that nothing tells how it relates to the primary.
        pair.primary.url(),
    ] {
        let store = pair.store(url);
        let asked = async {
            for _ in 0..20 {
                assert_eq!(of_late(&store, &acme).await, Some(acme.clone()));
            }
        };
        timeout(SECOND, asked).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_of_a_primary_that_was_left_behind_is_not_believed_however_far_it_came() {
    let Pair {
        mut primary,
        mut standby,
    } = Pair::start().await;
    let (acme, _, _) = populated(&store(primary.url(), 1), "Acme").await;
    let replica = Cluster::start(Some(&primary)).await;
    let has = async |server: &Cluster, what: &str| {
        let row = connect(&server.url()).await;
        row.query_one(what, &[]).await.unwrap().get::<_, bool>(0)
    };
    let tenant = "SELECT EXISTS (SELECT FROM tessera.tenants)";
    until("it has the tenant", async || has(&standby, tenant).await).await;
    standby.stop();
    // What only the replica hears of; then the other one is promoted without it.
    let admin = connect(&primary.url()).await;
    let more = "CREATE TABLE more AS SELECT generate_series(1, 50000)";
    admin.batch_execute(more).await.unwrap();
    let more = "SELECT to_regclass('public.more') IS NOT NULL";
    until("it has more", async || has(&replica, more).await).await;
    primary.stop();
    standby.start_again().await;
    assert!(has(&standby, "SELECT pg_promote()").await);

    let promoted = store(standby.url(), 2);
    let store = promoted.clone();
    let store = store.with_replica(settings(replica.url(), 2)).unwrap();
    let acme = change(&promoted, &acme, TenantStatus::Suspended)
        .await
        .unwrap();
    for _ in 0..200 {
        assert_eq!(of_late(&store, &acme).await, Some(acme.clone()));
    }
}

/// A primary, migrated, and a standby that follows it.
struct Pair {
    standby: Cluster,
    primary: Cluster,
}

impl Pair {
    async fn start() -> Self {
        let primary = Cluster::start(None).await;
        migrate(&store(primary.url(), 1)).await;
        let standby = Cluster::start(Some(&primary)).await;
        Self { standby, primary }
    }

    fn store(&self, replica: String) -> PostgresStore {
        let primary = store(self.primary.url(), 2);
        primary.with_replica(settings(replica, 2)).unwrap()
    }
}

async fn of_late(store: &PostgresStore, tenant: &Tenant) -> Option<Tenant> {
    let key = TenantKey::Id(tenant.id);
    store.tenant_of_late(&key).await.unwrap()
}

/// Waits until reads go to the replica; what comes from there is right all the time.
async fn replica_answers(proxy: &Proxy, store: &PostgresStore, tenant: &Tenant) {
    until("the replica answers", async || {
        for _ in 0..2 {
            proxy.hold(0);
            assert_eq!(of_late(store, tenant).await.as_ref(), Some(tenant));
            // Two statements; one that is behind is left alone then.
            if proxy.release() < 2 {
                return false;
            }
        }
        true
    })
    .await;
}

/// The tenant with another status, as it is then read.
async fn change(
    store: &PostgresStore,
    tenant: &Tenant,
    status: TenantStatus,
) -> Result<Tenant, CommitError> {
    let with_status = Tenant {
        status,
        ..tenant.clone()
    };
    let changes = Changes {
        tenants: vec![Change::Update(with_status.clone())],
        ..Changes::default()
    };
    store.commit(tenant, changes).await?;
    Ok(Tenant {
        version: with_status.version + 1,
        ..with_status
    })
}

const PAUSE: &str = "SELECT pg_wal_replay_pause()";
const RESUME: &str = "SELECT pg_wal_replay_resume()";
/// What is promised in a second has five on a machine that others use too.
const SECOND: Duration = Duration::from_secs(5);
