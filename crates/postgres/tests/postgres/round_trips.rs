//! What is said to take one round trip does: nothing is answered before all of it was sent.

use tessera_app::{MailQueue, Store, UserKey};
use tessera_contract::values;
use tessera_domain::{Change, Changes, Session, Timestamp};
use tessera_postgres::PostgresStore;

use crate::proxy::Proxy;
use crate::relay::{claim, relay, settle};
use crate::server::{Database, populated, reread as reread_user};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_reads_in_one_round_trip_and_writes_in_another() {
    let database = Database::migrated().await;
    let (proxy, url) = Proxy::of(&database.url()).await;
    let store = crate::server::store(url, 1);
    let (tenant, ada, mut session) = populated(&store, "Acme").await;
    for cold in [true, false] {
        let (reading, writing) = if cold { (0, 0) } else { (1, 1) };
        proxy.hold(reading);
        let read = store.session(&tenant.schema, session.id).await.unwrap();
        let sent = proxy.release();
        assert!(cold || sent == reading, "{sent} statements");
        assert_eq!(read.unwrap().session, session);

        let changes = Changes {
            sessions: vec![Change::Update(rotated(&session))],
            epochs: vec![(ada.id, ada.epoch)],
            ..Changes::default()
        };
        proxy.hold(writing);
        store.commit(&tenant, changes).await.unwrap();
        let sent = proxy.release();
        assert!(cold || sent == writing, "{sent} statements");
        let version = session.version + 1;
        session = reread(&store, &tenant.schema, &session).await;
        assert_eq!(session.version, version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_read_in_one_round_trip() {
    let database = Database::migrated().await;
    let (proxy, url) = Proxy::of(&database.url()).await;
    let store = crate::server::store(url, 1);
    let (tenant, ada, _) = populated(&store, "Acme").await;
    for by in [
        UserKey::Id(ada.id),
        UserKey::Email(ada.email.as_ref().unwrap().key().to_owned()),
    ] {
        store.user(&tenant, &by).await.unwrap();
        // BEGIN, the search path, the select, COMMIT.
        proxy.hold(4);
        let read = store.user(&tenant, &by).await.unwrap();
        assert_eq!((proxy.release(), read.as_ref()), (4, Some(&ada)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_writes_in_one_round_trip() {
    let database = Database::migrated().await;
    let (proxy, url) = Proxy::of(&database.url()).await;
    let store = crate::server::store(url, 1);
    let (tenant, mut ada, session) = populated(&store, "Acme").await;
    for number in [2, 3] {
        let new = values::session(&ada, number);
        let fact = ada.logged_in(new.id, &new.device);
        let changes = Changes {
            users: vec![Change::Update(ada.clone())],
            sessions: vec![Change::Insert(new)],
            events: vec![values::event(number, &tenant, fact)],
            ..Changes::default()
        };
        // BEGIN, the search path, three writes, COMMIT.
        let cold = number == 2;
        proxy.hold(if cold { 0 } else { 6 });
        store.commit(&tenant, changes).await.unwrap();
        let sent = proxy.release();
        assert!(cold || sent == 6, "{sent} statements");
        ada.version += 1;
    }
    let kept = store.sessions(&tenant, session.user).await.unwrap();
    assert_eq!(kept.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_with_mails_and_mailed_tokens_writes_in_one_round_trip() {
    let database = Database::migrated().await;
    let (proxy, url) = Proxy::of(&database.url()).await;
    let store = crate::server::store(url, 1);
    let (tenant, mut ada, _) = populated(&store, "Acme").await;
    for number in [2, 3] {
        let (user, fact) = ada.password_reset_requested();
        let changes = Changes {
            users: vec![Change::Update(user)],
            mails: vec![values::mail(number, &tenant)],
            mailed_tokens: vec![values::mailed_token(number, &ada)],
            spent_tokens: vec![values::id(2)],
            events: vec![values::event(number, &tenant, fact)],
            ..Changes::default()
        };
        // BEGIN, the mail, the search path, two tokens, the user, the event, COMMIT.
        let cold = number == 2;
        proxy.hold(if cold { 0 } else { 8 });
        store.commit(&tenant, changes).await.unwrap();
        let sent = proxy.release();
        assert!(cold || sent == 8, "{sent} statements");
        ada = reread_user(&store, &tenant, &ada).await;
    }
    let kept = store.mailed_tokens(&tenant, ada.id).await.unwrap();
    assert_eq!(kept, [values::mailed_token(3, &ada)]);
    let all = store.take_mails(values::NOW, values::NOW, 9).await.unwrap();
    assert_eq!(all.len(), 2);
    // One statement that is a transaction of its own.
    proxy.hold(1);
    let taken = store.take_mails(values::NOW, values::NOW, 9).await.unwrap();
    assert_eq!((proxy.release(), taken), (1, all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_takes_one_round_trip_and_its_settlement_another_however_many_events() {
    let database = Database::migrated().await;
    let (proxy, url) = Proxy::of(&database.url()).await;
    let store = crate::server::store(url, 1);
    let admin = database.admin().await;
    relay(&store).await;
    for cold in [true, false] {
        let many = "INSERT INTO tessera.events \
                        (id, tenant_id, subject, sequence, type, time, body) \
                    SELECT gen_random_uuid(), gen_random_uuid(), 'user/raw', 1, 'UserCreated', 0, \
                        '{}' FROM generate_series(1, 4096)";
        admin.batch_execute(many).await.unwrap();
        // BEGIN, the lease, what is due, what is new, what came late, COMMIT.
        proxy.hold(if cold { 0 } else { 6 });
        let claimed = claim(&store, 4_096).await;
        let sent = proxy.release();
        assert!(cold || sent == 6, "{sent} statements");
        assert_eq!(claimed.events.len(), 4_096);
        // BEGIN, the cursor, COMMIT.
        proxy.hold(if cold { 0 } else { 3 });
        settle(&store, claimed).await;
        let sent = proxy.release();
        assert!(cold || sent == 3, "{sent} statements");
        assert!(claim(&store, 1).await.events.is_empty());
    }
}

fn rotated(session: &Session) -> Session {
    Session {
        generation: session.generation.next(),
        refreshed_at: Timestamp::from_micros(session.refreshed_at.as_micros() + 1),
        ..session.clone()
    }
}

async fn reread(
    store: &PostgresStore,
    schema: &tessera_domain::SchemaName,
    session: &Session,
) -> Session {
    let read = store.session(schema, session.id).await.unwrap();
    read.unwrap().session
}
