//! Nobody changes the audit trail, whoever can open the file.

use core::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tessera_app::{AuditQuery, AuditTrail, Store};
use tessera_contract::values;
use tessera_domain::{Change, Changes};
use tessera_sqlite::{SqliteSettings, SqliteStore};

#[tokio::test]
async fn an_entry_is_neither_changed_nor_removed_before_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let store = SqliteStore::open(SqliteSettings::new(&file)).unwrap();
    store.migrate().await.unwrap();
    let acme = values::tenant("Acme");
    let event = |number| values::event(number, &acme, values::created(number));
    let changes = Changes {
        tenants: vec![Change::Insert(acme.clone())],
        events: vec![event(1), event(2)],
        ..Changes::default()
    };
    store.commit(&acme, changes).await.unwrap();
    let all = AuditQuery {
        limit: 10,
        ..AuditQuery::default()
    };
    let before = store.entries(&all).await.unwrap();
    assert_eq!(before.len(), 2);
    let mut direct = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    for (statement, refusal) in [
        ("UPDATE audit SET actor = 'service'", "never changed"),
        ("DELETE FROM audit", "until it expires"),
        ("UPDATE audit_expiry SET before = -1", "never becomes more"),
        ("DELETE FROM audit_expiry", "never becomes more"),
        (
            "REPLACE INTO audit_expiry VALUES (1, -1)",
            "never becomes more",
        ),
        ("REPLACE INTO audit SELECT * FROM audit", "never changed"),
    ] {
        let refused = direct.batch_execute(statement).unwrap_err().to_string();
        assert!(refused.contains(refusal), "{statement}: {refused}");
    }
    assert_eq!(store.entries(&all).await.unwrap(), before);

    let later = values::NOW + Duration::from_secs(1);
    assert_eq!(store.expire_audit(later, 1).await.unwrap(), 1);
    direct.batch_execute("DELETE FROM audit").unwrap();
    assert!(store.entries(&all).await.unwrap().is_empty());
}
