//! A file that others use too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tessera_app::{CommitError, Store, UserFilter};
use tessera_contract::values;
use tessera_domain::{Change, Changes, Tenant};
use tessera_sqlite::{SqliteSettings, SqliteStore};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_write_at_once_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let acme = values::tenant("Acme");
    let stores = [Arc::new(open(&file)), Arc::new(open(&file))];
    stores[0].migrate().await.unwrap();
    stores[0].commit(&acme, inserted(&acme)).await.unwrap();

    let mut tasks = JoinSet::new();
    for number in 1..=200 {
        let store = Arc::clone(if number % 2 == 0 {
            &stores[0]
        } else {
            &stores[1]
        });
        let acme = acme.clone();
        tasks.spawn(async move {
            let changes = Changes {
                users: vec![Change::Insert(values::user(number))],
                events: vec![values::event(number, &acme, values::created(number))],
                ..Changes::default()
            };
            store.commit(&acme, changes).await.unwrap();
        });
    }
    tasks.join_all().await;
    for store in &stores {
        let users = store
            .users(&acme, &UserFilter::default(), None, usize::MAX)
            .await
            .unwrap();
        assert_eq!(users.len(), 200);
    }
}

#[tokio::test]
async fn each_sees_what_the_other_committed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let [one, other] = [open(&file), open(&file)];
    one.migrate().await.unwrap();
    let acme = values::tenant("Acme");
    one.commit(&acme, inserted(&acme)).await.unwrap();
    assert_eq!(other.tenants().await.unwrap().len(), 1);
    drop(one);
    let beta = values::tenant("Beta");
    other.commit(&beta, inserted(&beta)).await.unwrap();
    assert_eq!(open(&file).tenants().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_commit_waits_for_a_lock_and_goes_through() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let store = open(&file);
    store.migrate().await.unwrap();
    let mut holder = direct(&file);
    holder.batch_execute("BEGIN IMMEDIATE").unwrap();
    let acme = values::tenant("Acme");
    let (commit, ()) = tokio::join!(store.commit(&acme, inserted(&acme)), async {
        // A read is not held up, and is answered after the commit was queued.
        assert!(store.tenants().await.unwrap().is_empty());
        holder.batch_execute("ROLLBACK").unwrap();
    });
    commit.unwrap();
}

#[tokio::test]
async fn a_lock_that_is_never_let_go_makes_the_store_unavailable_for_writes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    open(&file).migrate().await.unwrap();
    let store = SqliteStore::open(SqliteSettings {
        patience: Duration::from_millis(20),
        ..SqliteSettings::new(&file)
    })
    .unwrap();
    let mut holder = direct(&file);
    holder.batch_execute("BEGIN IMMEDIATE").unwrap();
    let acme = values::tenant("Acme");
    let answer = store.commit(&acme, inserted(&acme)).await;
    assert!(matches!(answer, Err(CommitError::Unavailable(_))));
    assert!(store.check().await.is_err());
    assert!(store.tenants().await.unwrap().is_empty());

    holder.batch_execute("ROLLBACK").unwrap();
    store.commit(&acme, inserted(&acme)).await.unwrap();
    assert!(store.check().await.is_ok());
}

#[test]
fn many_that_start_at_once_make_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let file = file.clone();
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.unwrap().block_on(open(&file).migrate()).unwrap()
            })
        })
        .collect();
    let applied = starts.into_iter().map(|start| start.join().unwrap());
    assert_eq!(applied.filter(|names| !names.is_empty()).count(), 1);
}

fn open(file: &Path) -> SqliteStore {
    SqliteStore::open(SqliteSettings::new(file)).unwrap()
}

fn direct(file: &Path) -> SqliteConnection {
    SqliteConnection::establish(file.to_str().unwrap()).unwrap()
}

fn inserted(tenant: &Tenant) -> Changes {
    Changes {
        tenants: vec![Change::Insert(tenant.clone())],
        ..Changes::default()
    }
}
