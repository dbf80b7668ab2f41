//! A tenant that a connection serves often is served as it is now, by plans of its own.

use tessera_app::{SessionHolder, Store, TenantKey};
use tessera_contract::values;
use tessera_domain::{Change, Changes, Epoch, Session, Tenant, TenantLayout};
use tessera_postgres::PostgresStore;
use tokio_postgres::Client;

use crate::server::{Database, populated, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_another_process_changed_is_seen_as_it_is() {
    let database = Database::migrated().await;
    let (store, other) = (database.store(1), database.store(1));
    let (acme, _, session) = populated(&store, "Acme").await;
    often(&store, &session, &acme).await;
    let (suspended, _) = acme.suspend().unwrap();
    let changed = change(&other, &acme, Change::Update(suspended)).await;
    assert_eq!(often(&store, &session, &changed).await.tenant, changed);
    let host = values::domain("acme.example", false).host;
    let (with_domain, _) = changed.add_domain(host).unwrap();
    let changed = change(&other, &changed, Change::Update(with_domain)).await;
    assert_eq!(changed.domains.len(), 1);
    assert_eq!(often(&store, &session, &changed).await.tenant, changed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_found_wherever_another_process_moved_it() {
    let database = Database::shared().await;
    let (store, other) = (database.store(1), database.store(1));
    let (mut acme, _, session) = populated(&store, "Acme").await;
    for layout in [
        TenantLayout::Schema,
        TenantLayout::Shared,
        TenantLayout::Schema,
    ] {
        let (moving, _) = acme.begin_move(layout).unwrap();
        let moving = change(&other, &acme, Change::Update(moving)).await;
        assert!(store.session(&acme.schema, session.id).await.is_err());
        assert!(refresh(&store, &acme, &session).await.is_err());
        let (arrived, _) = moving.arrive().unwrap();
        acme = change(&other, &moving, Change::Update(arrived)).await;
        assert_eq!(often(&store, &session, &acme).await.tenant, acme);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_tenant_that_went_is_found_at_one_that_is_called_the_same() {
    let database = Database::migrated().await;
    let (store, other) = (database.store(1), database.store(1));
    let (acme, ada, session) = populated(&store, "Acme").await;
    often(&store, &session, &acme).await;
    let gone = Changes {
        tenants: vec![Change::Remove(acme.id)],
        ..Changes::default()
    };
    other.commit(&acme, gone).await.unwrap();
    assert_eq!(read(&store, &session, &acme).await, None);
    let again = Tenant {
        id: values::id(77),
        ..values::tenant("Acme")
    };
    let again = change(&other, &again, Change::Insert(again.clone())).await;
    assert_eq!(again.schema, acme.schema);
    assert_eq!(read(&store, &session, &acme).await, None);
    // As it was known, with the session it had: another tenant's by now.
    let mine = Changes {
        users: vec![Change::Insert(ada)],
        sessions: vec![Change::Insert(session.clone())],
        ..Changes::default()
    };
    other.commit(&again, mine).await.unwrap();
    assert!(refresh(&store, &acme, &session).await.is_err());
    assert_eq!(often(&store, &session, &again).await.tenant, again);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_tables_a_tenant_that_came_often_is_an_error_and_nobody_elses_rows() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, session) = populated(&store, "Acme").await;
    let (other, _, of_other) = populated(&store, "Other").await;
    let holder = often(&store, &session, &acme).await;
    often(&store, &of_other, &other).await;
    let admin = database.admin().await;
    for (less, more) in [
        (
            "ALTER TABLE acme.users RENAME TO hidden",
            "ALTER TABLE acme.hidden RENAME TO users",
        ),
        (
            "ALTER SCHEMA acme RENAME TO hidden",
            "ALTER SCHEMA hidden RENAME TO acme",
        ),
    ] {
        admin.batch_execute(less).await.unwrap();
        for _ in 0..3 {
            assert!(store.session(&acme.schema, session.id).await.is_err());
            assert!(refresh(&store, &acme, &session).await.is_err());
            assert!(read(&store, &of_other, &other).await.is_some());
        }
        admin.batch_execute(more).await.unwrap();
        assert_eq!(often(&store, &session, &acme).await, holder);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_is_refused_as_any_where_something_changed() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, ada, session) = populated(&store, "Acme").await;
    often(&store, &session, &acme).await;
    let admin = database.admin().await;
    let stale_user = "UPDATE acme.users SET epoch = epoch + 1";
    admin.batch_execute(stale_user).await.unwrap();
    assert!(refresh(&store, &acme, &session).await.is_err());
    assert_eq!(written(&admin).await, 1);
    let back = "UPDATE acme.users SET epoch = epoch - 1";
    admin.batch_execute(back).await.unwrap();
    let older = Session {
        version: 0,
        ..session.clone()
    };
    assert!(refresh(&store, &acme, &older).await.is_err());
    let nobodys = Session {
        user: values::id(9),
        ..session.clone()
    };
    assert!(refresh(&store, &acme, &nobodys).await.is_err());
    refresh(&store, &acme, &session).await.unwrap();
    assert_eq!(written(&admin).await, 2);
    assert!(refresh(&store, &acme, &session).await.is_err());
    assert_eq!(read(&store, &session, &acme).await.unwrap().user, ada);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_a_move_meets_comes_along() {
    let database = Database::shared().await;
    values::lay_out(TenantLayout::Schema);
    let (store, other) = (database.store(1), database.store(2));
    let (acme, ada, session) = populated(&store, "Acme").await;
    often(&store, &session, &acme).await;
    let admin = database.admin().await;
    // The refresh has the tables, and waits for the row of its user.
    let slow = database.owner().await;
    let hold = "BEGIN; SELECT FROM acme.users FOR UPDATE";
    slow.batch_execute(hold).await.unwrap();
    let refreshed = refresh(&store, &acme, &session);
    let moved = async {
        until("the refresh waits", async || blocked(&admin).await == 1).await;
        let (moving, _) = acme.begin_move(TenantLayout::Shared).unwrap();
        let moving = change(&other, &acme, Change::Update(moving)).await;
        let (arrived, _) = moving.arrive().unwrap();
        let arrived = change(&other, &moving, Change::Update(arrived));
        let let_go = async {
            until("the move waits", async || waits_for_writers(&admin).await).await;
            slow.batch_execute("COMMIT").await.unwrap();
        };
        tokio::join!(arrived, let_go).0
    };
    let (refreshed, moved) = tokio::join!(refreshed, moved);
    let found = read(&store, &session, &moved).await.unwrap();
    assert_eq!(found.user, ada);
    let expected = session.version + u64::from(refreshed.is_ok());
    assert_eq!(found.session.version, expected);
}

/// Reads the session until the tenant is one of those that come often, and once more.
async fn often(store: &PostgresStore, session: &Session, tenant: &Tenant) -> SessionHolder {
    let first = read(store, session, tenant).await.unwrap();
    for _ in 0..3 {
        assert_eq!(read(store, session, tenant).await.as_ref(), Some(&first));
    }
    first
}

async fn read(store: &PostgresStore, session: &Session, tenant: &Tenant) -> Option<SessionHolder> {
    let read = store.session(&tenant.schema, session.id).await;
    read.unwrap()
}

/// What a refresh commits.
async fn refresh(
    store: &PostgresStore,
    tenant: &Tenant,
    session: &Session,
) -> Result<(), tessera_app::CommitError> {
    let changes = Changes {
        sessions: vec![Change::Update(session.clone())],
        epochs: vec![(session.user, Epoch::new(session.epoch.number()))],
        ..Changes::default()
    };
    store.commit(tenant, changes).await
}

async fn change(store: &PostgresStore, of: &Tenant, change: Change<Tenant>) -> Tenant {
    let changes = Changes {
        tenants: vec![change],
        ..Changes::default()
    };
    store.commit(of, changes).await.unwrap();
    let read = store.tenant(&TenantKey::Id(of.id)).await.unwrap();
    read.unwrap()
}

/// The version of the only session.
async fn written(admin: &Client) -> i64 {
    let version = "SELECT version FROM acme.sessions";
    admin.query_one(version, &[]).await.unwrap().get(0)
}

async fn blocked(admin: &Client) -> i64 {
    let blocked = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    admin.query_one(blocked, &[]).await.unwrap().get(0)
}

/// Whether a move waits for whoever writes, or for the tables.
async fn waits_for_writers(admin: &Client) -> bool {
    let waits = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid() \
            AND (query LIKE '%await_writers%' AND wait_event = 'PgSleep' \
                OR query LIKE '%move_rows%' AND wait_event_type = 'Lock')";
    let waits: i64 = admin.query_one(waits, &[]).await.unwrap().get(0);
    waits == 1
}
