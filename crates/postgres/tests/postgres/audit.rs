//! Nobody changes the audit trail, whoever has the password of the database.

use core::time::Duration;

use tessera_app::{AuditQuery, AuditTrail, Store};
use tessera_contract::values;
use tessera_domain::{Change, Changes};

use crate::relay::{NOW, happen};
use crate::server::{Database, populated};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_neither_changed_nor_removed_before_it_expires() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let (acme, _, _) = populated(&store, "Acme").await;
    happen(&store, &acme, [11, 12]).await;
    let all = AuditQuery {
        limit: 10,
        ..AuditQuery::default()
    };
    let before = store.entries(&all).await.unwrap();
    assert_eq!(before.len(), 2);
    for (statement, refusal) in [
        (
            "UPDATE tessera.audit SET actor = 'service'",
            "never changed",
        ),
        ("TRUNCATE tessera.audit", "never changed"),
        ("DELETE FROM tessera.audit", "until it expires"),
        ("DELETE FROM tessera.audit_expiry", "never becomes more"),
        ("TRUNCATE tessera.audit_expiry", "never becomes more"),
        (
            "DELETE FROM tessera.audit WHERE time <= 9e15",
            "until it expires",
        ),
    ] {
        let refused = admin.batch_execute(statement).await.unwrap_err();
        let said = refused.as_db_error().unwrap().message();
        assert!(said.contains(refusal), "{statement}: {said}");
    }
    assert_eq!(store.entries(&all).await.unwrap(), before);

    let later = NOW + Duration::from_secs(1);
    assert_eq!(store.expire_audit(later, 1).await.unwrap(), 1);
    let back = "UPDATE tessera.audit_expiry SET before = before - 1";
    let refused = admin.batch_execute(back).await.unwrap_err();
    let said = refused.as_db_error().unwrap().message();
    assert!(said.contains("never becomes more"), "{said}");
    admin
        .batch_execute("DELETE FROM tessera.audit")
        .await
        .unwrap();
    assert!(store.entries(&all).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_tenant_an_entry_goes_although_it_is_young() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    let (other, _, _) = populated(&store, "Other").await;
    happen(&store, &acme, [11, 12]).await;
    happen(&store, &other, [13]).await;
    let removed = Changes {
        tenants: vec![Change::Remove(acme.id)],
        ..Changes::default()
    };
    store.commit(&acme, removed).await.unwrap();
    let all = AuditQuery {
        limit: 10,
        ..AuditQuery::default()
    };
    let left = store.entries(&all).await.unwrap();
    let left: Vec<_> = left.iter().map(|entry| entry.id).collect();
    assert_eq!(left, [values::id(13)]);
}
