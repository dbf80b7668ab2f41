//! A tenant that a connection serves often is served as it is now, by plans of its own.

use tessera_app::{CommitError, SessionHolder, Store, TenantKey};
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

    // By hand, too.
    let by_hand = "UPDATE tessera.tenants SET name = 'By hand'";
    let admin = database.admin().await;
    admin.batch_execute(by_hand).await.unwrap();
    let found = read(&store, &session, &changed).await.unwrap();
    assert_eq!(found.tenant.name.as_str(), "By hand");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_is_of_no_use_any_more_is_given_up() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, session) = populated(&store, "Acme").await;
    let holder = often(&store, &session, &acme).await;
    let [admin, watcher] = [database.admin().await, database.admin().await];
    let backend = "SELECT min(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'tessera'";
    let before: i32 = watcher.query_one(backend, &[]).await.unwrap().get(0);
    let retyped = "ALTER TABLE acme.sessions ALTER COLUMN user_agent TYPE varchar";
    admin.batch_execute(retyped).await.unwrap();
    for _ in 0..4 {
        assert_eq!(read(&store, &session, &acme).await.as_ref(), Some(&holder));
    }
    let after: i32 = watcher.query_one(backend, &[]).await.unwrap().get(0);
    assert_ne!(before, after);
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
async fn a_tenant_that_comes_often_is_served_by_plans_of_its_own_and_one_that_shares_tables_is_not()
{
    let database = Database::shared().await;
    let store = database.store(1);
    let (shared, _, of_shared) = populated(&store, "Shared").await;
    values::lay_out(TenantLayout::Schema);
    let (acme, _, session) = populated(&store, "Acme").await;
    often(&store, &session, &acme).await;
    often(&store, &of_shared, &shared).await;
    let admin = database.admin().await;
    let others = "DROP FUNCTION tessera.session_where_it_is, tessera.update_session_in_epoch";
    admin.batch_execute(others).await.unwrap();
    assert!(read(&store, &session, &acme).await.is_some());
    refresh(&store, &acme, &session).await.unwrap();
    let by_another_way = store.session(&shared.schema, of_shared.id).await;
    assert!(by_another_way.is_err());
    assert!(refresh(&store, &shared, &of_shared).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_a_move_waits_for_finds_that_it_began() {
    let database = Database::shared().await;
    values::lay_out(TenantLayout::Schema);
    let (store, other) = (database.store(1), database.store(2));
    let (acme, ada, session) = populated(&store, "Acme").await;
    often(&store, &session, &acme).await;
    // From here on it is prepared, and so is one statement.
    refresh(&store, &acme, &session).await.unwrap();
    let session = often(&store, &session, &acme).await.session;
    let [admin, holder] = [database.admin().await, database.owner().await];
    // The refresh has the first of its tables, and waits for the second.
    let hold = "BEGIN; LOCK TABLE acme.sessions IN SHARE MODE";
    holder.batch_execute(hold).await.unwrap();
    let refreshed = refresh(&store, &acme, &session);
    let moved = async {
        until("the refresh waits", async || blocked(&admin).await == 1).await;
        let (moving, _) = acme.begin_move(TenantLayout::Shared).unwrap();
        let moving = change(&other, &acme, Change::Update(moving)).await;
        let (arrived, _) = moving.arrive().unwrap();
        let arrived = change(&other, &moving, Change::Update(arrived));
        let let_go = async {
            until("the move waits", async || blocked(&admin).await == 2).await;
            holder.batch_execute("COMMIT").await.unwrap();
        };
        tokio::join!(arrived, let_go).0
    };
    let (refreshed, moved) = tokio::join!(refreshed, moved);
    assert!(
        matches!(refreshed, Err(CommitError::Stale)),
        "{refreshed:?}"
    );
    let found = read(&store, &session, &moved).await.unwrap();
    assert_eq!((found.user, found.session), (ada, session));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_waits_for_a_move_is_written_where_the_tenant_arrives() {
    let database = Database::shared().await;
    values::lay_out(TenantLayout::Schema);
    let (store, other) = (database.store(1), database.store(2));
    let (acme, ada, session) = populated(&store, "Acme").await;
    often(&store, &session, &acme).await;
    let [admin, holder] = [database.admin().await, database.owner().await];
    let hold = "BEGIN; LOCK TABLE tessera_shared.sessions IN EXCLUSIVE MODE";
    holder.batch_execute(hold).await.unwrap();
    let (moving, _) = acme.begin_move(TenantLayout::Shared).unwrap();
    let moving = change(&other, &acme, Change::Update(moving)).await;
    let (arrived, _) = moving.arrive().unwrap();
    let moved = change(&other, &moving, Change::Update(arrived));
    let refreshed = async {
        until("the copy waits", async || blocked(&admin).await == 1).await;
        let let_go = async {
            until("the refresh waits", async || blocked(&admin).await == 2).await;
            holder.batch_execute("COMMIT").await.unwrap();
        };
        tokio::join!(refresh(&store, &acme, &session), let_go).0
    };
    let (moved, refreshed) = tokio::join!(moved, refreshed);
    refreshed.unwrap();
    let found = read(&store, &session, &moved).await.unwrap();
    assert_eq!(found.user, ada);
    assert_eq!(found.session.version, session.version + 1);
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
) -> Result<(), CommitError> {
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

/// How many wait for a lock.
async fn blocked(admin: &Client) -> i64 {
    let blocked = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    admin.query_one(blocked, &[]).await.unwrap().get(0)
}
