//! A statement of one tenant never meets another's rows, whatever is missing.

use tessera_app::{CommitError, Store, Unique, UserFilter, UserKey};
use tessera_contract::values;
use tessera_domain::{Change, Changes, SchemaName, Timestamp};

use crate::server::{Database, connect, migrate, populated, server_url, store, touch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_without_its_schema_is_an_error_and_nobody_elses_rows() {
    let database = Database::migrated().await;
    // One connection, so that every statement is prepared for the tenant before.
    let store = database.store(1);
    let (acme, ada, session) = populated(&store, "Acme").await;
    let (other, _, _) = populated(&store, "Other").await;
    let admin = database.admin().await;
    admin
        .batch_execute(
            "CREATE SCHEMA IF NOT EXISTS public; \
             CREATE TABLE public.users (LIKE acme.users); \
             INSERT INTO public.users SELECT * FROM acme.users; \
             DROP SCHEMA other CASCADE",
        )
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(
            store
                .users(&acme, &UserFilter::default(), None, 9)
                .await
                .unwrap()
                .len(),
            1
        );
        assert!(
            store
                .users(&other, &UserFilter::default(), None, 9)
                .await
                .is_err()
        );
        assert!(store.session(&other.schema, session.id).await.is_err());
        assert!(store.sessions(&other, ada.id).await.is_err());
        assert!(store.commit(&other, touch(&ada)).await.is_err());
        let found = store.session(&acme.schema, session.id).await.unwrap();
        assert_eq!(found.unwrap().tenant, acme);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_half_its_tables_is_an_error() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, session) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    let drop = admin.batch_execute("DROP TABLE acme.sessions");
    drop.await.unwrap();
    assert!(store.session(&acme.schema, session.id).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_no_tenant_shows_has_no_sessions() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (_, _, session) = populated(&store, "Acme").await;
    for schema in [
        "",
        "ACME",
        "tessera",
        "pg_catalog",
        "a\"b",
        "a'b",
        "acme\0",
        "acme, other",
        "tessera_public",
        "public",
    ] {
        let schema = SchemaName::restore(schema.to_owned());
        let found = store.session(&schema, session.id).await.unwrap();
        assert_eq!(found, None, "{schema:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_tenant_does_not_live_in_public() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let public = values::tenant_in("public", SchemaName::of_default_tenant());
    let changes = Changes {
        tenants: vec![Change::Insert(public.clone())],
        users: vec![Change::Insert(values::named_user(1, "ada"))],
        ..Changes::default()
    };
    store.commit(&public, changes).await.unwrap();
    let admin = database.admin().await;
    let counted = admin.query_one("SELECT count(*) FROM tessera_public.users", &[]);
    assert_eq!(counted.await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_not_ours_is_not_taken_over() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    admin.batch_execute("CREATE SCHEMA acme").await.unwrap();
    let acme = values::tenant("Acme");
    let changes = Changes {
        tenants: vec![Change::Insert(acme.clone())],
        ..Changes::default()
    };
    let refused = store.commit(&acme, changes).await;
    assert!(
        matches!(refused, Err(CommitError::Duplicate(Unique::Tenant))),
        "{refused:?}"
    );
    assert!(store.tenants().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_goes_takes_its_schema_along() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let (acme, _, session) = populated(&store, "Acme").await;
    let changes = || Changes {
        tenants: vec![Change::Remove(acme.id)],
        ..Changes::default()
    };
    store.commit(&acme, changes()).await.unwrap();
    store.commit(&acme, changes()).await.unwrap();
    assert!(store.tenants().await.unwrap().is_empty());
    let found = store.session(&acme.schema, session.id).await.unwrap();
    assert_eq!(found, None);
    // Its name is free again, for data of its own.
    let (acme, _, _) = populated(&store, "Acme").await;
    assert_eq!(
        store
            .users(&acme, &UserFilter::default(), None, 9)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_postgres_cannot_hold_finds_nobody() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    let key = UserKey::Username("ada\0".to_owned());
    assert_eq!(store.user(&acme, &key).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_very_many_changes_is_one_transaction() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, ada, _) = populated(&store, "Acme").await;
    let many = |from: u32| (from..from + 200).map(|number| Change::Insert(values::user(number)));
    let mut stale = ada.clone();
    stale.version += 1;
    let refused = Changes {
        users: many(1_000).chain([Change::Update(stale)]).collect(),
        ..Changes::default()
    };
    let answer = store.commit(&acme, refused).await;
    assert!(matches!(answer, Err(CommitError::Stale)), "{answer:?}");
    assert_eq!(
        store
            .users(&acme, &UserFilter::default(), None, 999)
            .await
            .unwrap()
            .len(),
        1
    );
    let changes = Changes {
        users: many(1_000).collect(),
        ..Changes::default()
    };
    store.commit(&acme, changes).await.unwrap();
    assert_eq!(
        store
            .users(&acme, &UserFilter::default(), None, 999)
            .await
            .unwrap()
            .len(),
        201
    );
    let latest = Timestamp::from_micros(i64::MAX);
    assert_eq!(store.prune(&acme, latest, usize::MAX).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_owns_the_database_and_nothing_else_is_enough() {
    let database = Database::empty().await;
    let server = connect(&server_url()).await;
    let name = database.name().to_owned();
    let grant = format!(
        "CREATE ROLE {name} LOGIN PASSWORD 'ordinary'; ALTER DATABASE {name} OWNER TO {name}"
    );
    server.batch_execute(&grant).await.unwrap();
    let url = database.url();
    let (_, address) = url.rsplit_once('@').unwrap();
    let store = store(format!("postgres://{name}:ordinary@{address}"), 2);
    migrate(&store).await;
    let (acme, ada, _) = populated(&store, "Acme").await;
    store.commit(&acme, touch(&ada)).await.unwrap();
    store.check().await.unwrap();
    drop(database);
    let drop = format!("DROP ROLE {name}");
    server.batch_execute(&drop).await.unwrap();
}
