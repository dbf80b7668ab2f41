//! While processes of two versions run, each sends the mails that it knows.

use core::time::Duration;

use tessera_app::{MailQueue, Store};
use tessera_contract::values::{self, NOW};
use tessera_domain::Changes;

use crate::server::{Database, populated};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_of_a_kind_that_is_not_known_wait_and_hold_up_no_other() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let (acme, _, _) = populated(&store, "Acme").await;
    let changes = Changes {
        mails: [1, 2].map(|number| values::mail(number, &acme)).into(),
        ..Changes::default()
    };
    store.commit(&acme, changes).await.unwrap();
    let of_tomorrow = "ALTER TABLE tessera.mails DROP CONSTRAINT mails_kind_check;
        UPDATE tessera.mails SET kind = 'of_tomorrow' WHERE id = (SELECT min(id::text)::uuid \
            FROM tessera.mails)";
    let admin = database.admin().await;
    admin.batch_execute(of_tomorrow).await.unwrap();
    let until = NOW + Duration::from_secs(1);
    assert_eq!(store.take_mails(NOW, until, 9).await.unwrap().len(), 1);
    let waiting = store.backlog().await.unwrap();
    assert_eq!((waiting.mails, waiting.next_due), (2, Some(until)));
}
