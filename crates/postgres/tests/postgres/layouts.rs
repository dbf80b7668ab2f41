//! Tenants that share tables are kept apart by Postgres itself, and a tenant moves with all it has.

use tessera_app::{Store, TenantKey, Unready, UserFilter, UserKey};
use tessera_contract::values;
use tessera_domain::{Change, Changes, Tenant, TenantLayout, User};
use tessera_postgres::PostgresStore;
use tokio_postgres::Client;

use crate::server::{Database, migrate, populated, store_as, touch, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_forgets_its_tenant_sees_and_writes_no_shared_row() {
    let database = Database::shared().await;
    let store = database.store(1);
    let (acme, ..) = populated(&store, "Acme").await;
    populated(&store, "Other").await;
    let owner = database.owner().await;
    for table in tables(&owner).await {
        let rows = count(
            &owner,
            &format!("SELECT count(*) FROM tessera_shared.{table}"),
        )
        .await;
        assert_eq!(rows, 0, "{table}");
    }
    let forgetful = "UPDATE tessera_shared.users SET first_name = 'x'";
    assert_eq!(owner.execute(forgetful, &[]).await.unwrap(), 0);
    let forgetful = "DELETE FROM tessera_shared.sessions";
    assert_eq!(owner.execute(forgetful, &[]).await.unwrap(), 0);

    let enter = format!("BEGIN; SELECT tessera.enter('{}')", acme.id);
    owner.batch_execute(&enter).await.unwrap();
    assert_eq!(count(&owner, "SELECT count(*) FROM users").await, 1);
    let smuggled = "UPDATE users SET tenant_id = gen_random_uuid()";
    assert!(owner.batch_execute(smuggled).await.is_err());
    owner.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(setting(&owner, "tessera.tenant").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shared_table_is_protected_also_from_its_owner() {
    let database = Database::shared().await;
    let owner = database.owner().await;
    let all = tables(&owner).await;
    assert!(!all.is_empty());
    let unprotected = "SELECT relname::text FROM pg_class \
        WHERE relnamespace = 'tessera_shared'::regnamespace AND relkind IN ('r', 'p') \
            AND NOT (relrowsecurity AND relforcerowsecurity \
                AND EXISTS (SELECT FROM pg_policies WHERE schemaname = 'tessera_shared' \
                    AND tablename = relname AND cmd = 'ALL' AND permissive = 'PERMISSIVE' \
                    AND qual LIKE '%tenant_id = (NULLIF(current_setting(''tessera.tenant''%'))";
    let unprotected = owner.query(unprotected, &[]).await.unwrap();
    assert!(unprotected.is_empty(), "{unprotected:?}");
    for table in all {
        let policies = format!(
            "SELECT count(*) FROM pg_policies \
             WHERE schemaname = 'tessera_shared' AND tablename = '{table}'"
        );
        assert_eq!(count(&owner, &policies).await, 1, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_setting_of_a_tenant_outlives_its_transaction() {
    let database = Database::shared().await;
    // One connection, so that it is the one that served the tenants.
    let store = database.store(1);
    let (acme, ada, session) = populated(&store, "Acme").await;
    let alone = alone(&store, "Alone").await;
    store.commit(&acme, touch(&ada)).await.unwrap();
    store.session(&acme.schema, session.id).await.unwrap();
    assert_eq!(everybody(&store, &alone).await.len(), 1);
    assert!(store.commit(&acme, touch(&ada)).await.is_err());
    let admin = database.admin().await;
    let idle = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    assert_eq!(count(&admin, idle).await, 0);
    let last = "SELECT query FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid() \
            AND backend_type = 'client backend'";
    let last = admin.query(last, &[]).await.unwrap();
    let last: Vec<String> = last.iter().map(|row| row.get(0)).collect();
    assert!(
        last.iter()
            .all(|query| query.starts_with("COMMIT") || query.starts_with("ROLLBACK"))
    );
    // What a connection of the pool is left with, a transaction of the next borrower would show.
    assert!(store.tenants().await.unwrap().len() == 2);
    assert!(
        everybody(&store, &acme)
            .await
            .iter()
            .all(|user| user.id == ada.id)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_whom_row_level_security_does_not_bind_serves_tenants_that_share_tables() {
    let database = Database::shared().await;
    let (acme, ada, session) = populated(&database.store(1), "Acme").await;
    let superuser = store_as(database.url(), 1, TenantLayout::Schema);
    assert!(matches!(superuser.check().await, Err(Unready::Unbound)));
    let by = UserKey::Id(ada.id);
    assert!(superuser.user(&acme, &by).await.is_err());
    assert!(superuser.session(&acme.schema, session.id).await.is_err());
    assert!(superuser.commit(&acme, touch(&ada)).await.is_err());
    let insert = Changes {
        tenants: vec![Change::Insert(values::tenant("Other"))],
        ..Changes::default()
    };
    let other = values::tenant("Other");
    assert!(superuser.commit(&other, insert).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_to_make_tenants_that_share_tables_is_bound_by_row_level_security() {
    let database = Database::migrated().await;
    let (name, admin) = (database.name(), database.admin().await);
    let role = format!(
        "CREATE ROLE {name} LOGIN PASSWORD 'bypass' BYPASSRLS; \
         GRANT USAGE ON SCHEMA tessera TO {name}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA tessera TO {name}"
    );
    admin.batch_execute(&role).await.unwrap();
    let url = database.url();
    let (_, address) = url.rsplit_once('@').unwrap();
    for url in [url.clone(), format!("postgres://{name}:bypass@{address}")] {
        let shared = store_as(url.clone(), 1, TenantLayout::Shared);
        assert!(matches!(shared.check().await, Err(Unready::Unbound)));
        let schema = store_as(url, 1, TenantLayout::Schema);
        schema.check().await.unwrap();
    }
    let gone = format!("DROP OWNED BY {name}; DROP ROLE {name}");
    admin.batch_execute(&gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_moves_with_all_it_has_and_back_again() {
    let database = Database::shared().await;
    let store = database.store(2);
    let (other, ..) = populated(&store, "Other").await;
    let (acme, ada, session) = populated(&store, "Acme").await;
    let token = values::mailed_token(1, &ada);
    let keep = Changes {
        users: (10..200).map(|n| Change::Insert(values::user(n))).collect(),
        mailed_tokens: vec![token.clone()],
        ..Changes::default()
    };
    store.commit(&acme, keep).await.unwrap();
    let users = everybody(&store, &acme).await;
    let owner = database.owner().await;
    for to in [
        TenantLayout::Schema,
        TenantLayout::Shared,
        TenantLayout::Schema,
    ] {
        let moving = begin(&store, &acme, to).await;
        assert!(store.user(&moving, &UserKey::Id(ada.id)).await.is_err());
        assert!(store.session(&acme.schema, session.id).await.is_err());
        assert!(store.commit(&moving, touch(&ada)).await.is_err());
        let moved = arrive(&store, &moving).await;
        assert_eq!(moved.layout, to);
        assert_eq!(everybody(&store, &moved).await, users);
        let holder = store.session(&acme.schema, session.id).await.unwrap();
        assert_eq!(holder.unwrap().tenant, moved);
        let kept = store.mailed_tokens(&moved, ada.id).await.unwrap();
        assert_eq!(kept, core::slice::from_ref(&token));
        // Whoever saw it in the other layout a moment ago is served all the same.
        let known = store.user(&acme, &UserKey::Id(ada.id)).await.unwrap();
        assert!(known.is_some());
        let schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'acme'";
        let exists = i64::from(to == TenantLayout::Schema);
        assert_eq!(count(&owner, schema).await, exists);
        assert_eq!(everybody(&store, &other).await.len(), 1);
    }
    assert_eq!(shared_rows(&owner, &acme).await, 0);
    assert_eq!(shared_rows(&owner, &other).await, 1);
    assert_eq!(migrate(&store).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_while_a_tenant_began_to_move_comes_along() {
    let database = Database::shared().await;
    let store = database.store(4);
    let (acme, ..) = populated(&store, "Acme").await;
    // It has looked where the tenant is, and has not written yet.
    let slow = database.owner().await;
    let enter = format!("BEGIN; SELECT tessera.enter_to_write('{}')", acme.id);
    slow.batch_execute(&enter).await.unwrap();
    let moving = begin(&store, &acme, TenantLayout::Schema).await;
    let moved = arrive(&store, &moving);
    let write = async {
        let admin = database.admin().await;
        until("the move waits", async || waits(&admin).await).await;
        let insert = format!("{INSERT_LATE}; COMMIT");
        slow.batch_execute(&insert).await.unwrap();
    };
    let (moved, ()) = tokio::join!(moved, write);
    let users = everybody(&store, &moved).await;
    assert!(users.iter().any(|user| user.profile.first_name == "late"));
    assert_eq!(users.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_writes_to_a_tenant_as_it_is_deleted_leaves_nothing_behind() {
    let database = Database::shared().await;
    let store = database.store(4);
    let (acme, ..) = populated(&store, "Acme").await;
    let slow = database.owner().await;
    let enter = format!("BEGIN; SELECT tessera.enter_to_write('{}')", acme.id);
    slow.batch_execute(&enter).await.unwrap();
    let (deleting, _) = acme.begin_deletion().unwrap();
    let begin = Changes {
        tenants: vec![Change::Update(deleting.clone())],
        ..Changes::default()
    };
    store.commit(&acme, begin).await.unwrap();
    assert!(store.commit(&acme, touch_new()).await.is_err());
    let remove = Changes {
        tenants: vec![Change::Remove(acme.id)],
        ..Changes::default()
    };
    let write = async {
        let admin = database.admin().await;
        until("the removal waits", async || waits(&admin).await).await;
        let insert = format!("{INSERT_LATE}; COMMIT");
        slow.batch_execute(&insert).await.unwrap();
    };
    let (removed, ()) = tokio::join!(store.commit(&deleting, remove), write);
    removed.unwrap();
    assert_eq!(shared_rows(&database.owner().await, &acme).await, 0);
    let told = Changes {
        events: vec![values::event(7, &acme, values::created(7))],
        ..Changes::default()
    };
    assert!(store.commit(&acme, told).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_of_the_version_before_writes_is_moved_or_refused() {
    let database = Database::shared().await;
    let store = database.store(2);
    let acme = alone(&store, "Acme").await;
    let [holder, old] = [database.owner().await, database.owner().await];
    let hold = "BEGIN; LOCK TABLE tessera_shared.sessions IN EXCLUSIVE MODE";
    holder.batch_execute(hold).await.unwrap();
    let moving = begin(&store, &acme, TenantLayout::Shared).await;
    let admin = database.admin().await;
    let write = async {
        until("the copy waits", async || {
            let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted \
                AND relation = 'tessera_shared.sessions'::regclass";
            count(&admin, waits).await == 1
        })
        .await;
        // It asks nobody where the tenant is.
        let insert =
            format!("SET search_path = acme; SET statement_timeout = '10s'; {INSERT_LATE}");
        let (written, released) = tokio::join!(old.batch_execute(&insert), async {
            until("the write waits", async || {
                let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted \
                    AND mode = 'RowExclusiveLock'";
                count(&admin, waits).await == 1
            })
            .await;
            holder.batch_execute("COMMIT").await
        });
        released.unwrap();
        written.is_ok()
    };
    let (moved, written) = tokio::join!(arrive(&store, &moving), write);
    let late = everybody(&store, &moved).await.len() == 2;
    assert_eq!(late, written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_destroys_nothing_that_is_not_ours() {
    let database = Database::shared().await;
    let store = database.store(2);
    let acme = alone(&store, "Acme").await;
    let admin = database.admin().await;
    let view = "CREATE VIEW acme.report AS SELECT count(*) FROM acme.users";
    admin.batch_execute(view).await.unwrap();
    let moving = begin(&store, &acme, TenantLayout::Shared).await;
    let refused = try_to_arrive(&store, &moving).await.unwrap_err();
    let said = format!("{:?}", core::error::Error::source(&refused));
    assert!(said.contains("report"), "{said}");
    admin.batch_execute("DROP VIEW acme.report").await.unwrap();
    arrive(&store, &moving).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_finds_something_amiss_leaves_everything_where_it_was() {
    let database = Database::shared().await;
    let store = database.store(2);
    let acme = alone(&store, "Acme").await;
    let admin = database.admin().await;
    let foreign = "INSERT INTO acme.users SELECT gen_random_uuid(), id, external_id, email, \
        email_key, email_verified, username, username_key, first_name, last_name, job_role, roles, \
        is_superuser, status, password, failures, last_failure, locked_until, epoch, joined_at, \
        last_login, events, version FROM acme.users";
    admin.batch_execute(foreign).await.unwrap();
    let moving = begin(&store, &acme, TenantLayout::Shared).await;
    assert!(try_to_arrive(&store, &moving).await.is_err());
    let read = store
        .tenant(&TenantKey::Id(acme.id))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.moving_to, Some(TenantLayout::Shared));
    assert_eq!(shared_rows(&database.owner().await, &acme).await, 0);
    assert_eq!(count(&admin, "SELECT count(*) FROM acme.users").await, 2);

    let mend = format!("DELETE FROM acme.users WHERE tenant_id <> '{}'", acme.id);
    admin.batch_execute(&mend).await.unwrap();
    let moved = arrive(&store, &read).await;
    assert_eq!(everybody(&store, &moved).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_called_back_ends_where_it_began() {
    let database = Database::shared().await;
    let store = database.store(2);
    let (acme, ada, _) = populated(&store, "Acme").await;
    let moving = begin(&store, &acme, TenantLayout::Schema).await;
    let back = begin(&store, &moving, TenantLayout::Shared).await;
    let back = arrive(&store, &back).await;
    assert_eq!((back.layout, back.moving_to), (TenantLayout::Shared, None));
    store.commit(&back, touch(&ada)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_meets_a_tenant_on_its_way_leaves_the_connection_whole() {
    let database = Database::shared().await;
    let store = database.store(1);
    let (acme, ada, session) = populated(&store, "Acme").await;
    let moving = begin(&store, &acme, TenantLayout::Schema).await;
    let admin = database.admin().await;
    let backend = "SELECT pid::bigint FROM pg_stat_activity \
        WHERE datname = current_database() AND usename = 'tessera_test_bound' \
            AND query NOT LIKE 'LISTEN%'";
    let backends = format!("SELECT count(*) FROM ({backend}) AS found");
    until("the store that migrated has left", async || {
        count(&admin, &backends).await == 1
    })
    .await;
    let before = count(&admin, backend).await;
    for _ in 0..3 {
        assert!(store.user(&moving, &UserKey::Id(ada.id)).await.is_err());
        assert!(store.session(&acme.schema, session.id).await.is_err());
        assert!(store.commit(&moving, touch(&ada)).await.is_err());
    }
    assert_eq!(count(&admin, backend).await, before);
}

/// A tenant in tables of its own, with a user.
async fn alone(store: &PostgresStore, name: &str) -> Tenant {
    let tenant = Tenant {
        layout: TenantLayout::Schema,
        ..values::tenant(name)
    };
    let changes = Changes {
        tenants: vec![Change::Insert(tenant.clone())],
        users: vec![Change::Insert(values::named_user(7, "eve"))],
        ..Changes::default()
    };
    store.commit(&tenant, changes).await.unwrap();
    Tenant {
        version: 1,
        ..tenant
    }
}

async fn begin(store: &PostgresStore, tenant: &Tenant, to: TenantLayout) -> Tenant {
    let read = store.tenant(&TenantKey::Id(tenant.id)).await.unwrap();
    let read = read.unwrap();
    let (moving, _) = read.begin_move(to).unwrap();
    let changes = Changes {
        tenants: vec![Change::Update(moving)],
        ..Changes::default()
    };
    store.commit(&read, changes).await.unwrap();
    let read = store.tenant(&TenantKey::Id(tenant.id)).await.unwrap();
    read.unwrap()
}

async fn arrive(store: &PostgresStore, moving: &Tenant) -> Tenant {
    try_to_arrive(store, moving).await.unwrap();
    let read = store.tenant(&TenantKey::Id(moving.id)).await.unwrap();
    read.unwrap()
}

async fn try_to_arrive(
    store: &PostgresStore,
    moving: &Tenant,
) -> Result<(), tessera_app::CommitError> {
    let (arrived, _) = moving.arrive().unwrap();
    let changes = Changes {
        tenants: vec![Change::Update(arrived)],
        ..Changes::default()
    };
    store.commit(moving, changes).await
}

async fn everybody(store: &PostgresStore, tenant: &Tenant) -> Vec<User> {
    let all = UserFilter::default();
    store.users(tenant, &all, None, 999).await.unwrap()
}

async fn shared_rows(owner: &Client, tenant: &Tenant) -> i64 {
    let set = format!(
        "SELECT set_config('tessera.tenant', '{}', false)",
        tenant.id
    );
    owner.batch_execute(&set).await.unwrap();
    count(owner, "SELECT count(*) FROM tessera_shared.users").await
}

async fn tables(client: &Client) -> Vec<String> {
    let tables = "SELECT called FROM tessera.tables('tessera_shared')";
    let rows = client.query(tables, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn setting(client: &Client, name: &str) -> String {
    let setting = format!("SELECT coalesce(current_setting('{name}', true), '')");
    client.query_one(&setting, &[]).await.unwrap().get(0)
}

async fn count(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// Whether somebody waits for those who write.
async fn waits(admin: &Client) -> bool {
    let waits = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND query LIKE '%await_writers%' \
            AND state = 'active' AND pid <> pg_backend_pid()";
    count(admin, waits).await == 1
}

fn touch_new() -> Changes {
    Changes {
        users: vec![Change::Insert(values::user(99))],
        ..Changes::default()
    }
}

/// A user like the one that is there.
const INSERT_LATE: &str = "\
    INSERT INTO users (tenant_id, id, email_verified, first_name, last_name, job_role, roles, \
        is_superuser, status, failures, epoch, joined_at, events, version) \
    SELECT tenant_id, gen_random_uuid(), email_verified, 'late', last_name, job_role, roles, \
        is_superuser, status, failures, epoch, joined_at, events, version FROM users";
