//! Tries that what operators ask for is looked up, however much there is.

use core::future::poll_fn;
use std::sync::{Arc, Mutex};

use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tessera_app::{AuditPlace, AuditQuery, UserFilter};
use tessera_contract::values;
use tessera_domain::{Id, NamePrefix, Role, Tenant, Timestamp, UserStatus};
use tokio::runtime::Handle;
use tokio_postgres::{AsyncMessage, NoTls};
use uuid::Uuid;

use crate::server::{self, Database};
use crate::{claim, event, mail, mailed_token, progress, relay, sent, trail, user};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_one_tenant_are_looked_up() {
    let database = filled().await;
    let tenant = Some(Id::<Tenant>::from(Uuid::nil()));
    let log = Explained::connect(&database).await;
    let page = event::page(&log.connection, tenant, 7, 10).await;
    assert_eq!(page.unwrap().len(), 5);
    log.assert_looked_up(OF_TENANT, "using events_1_pkey");
    let page = event::last_page(&log.connection, tenant, 10).await;
    assert_eq!(page.unwrap().len(), 5);
    log.assert_looked_up(OF_TENANT, "using events_1_pkey");
    let page = sent::page(&log.connection, "p".to_owned(), tenant, 7, 10).await;
    assert_eq!(page.unwrap().len(), 1);
    log.assert_looked_up(OF_TENANT, "using events_1_pkey");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_all_the_time_is_looked_up_beside_much_that_waits() {
    let database = filled().await;
    let log = Explained::connect(&database).await;
    let page = sent::page(&log.connection, "p".to_owned(), None, 7, 1_000).await;
    assert_eq!(page.unwrap().len(), 1_000);
    log.assert_looked_up("waiting_pkey", "->  Sort  (");
    let progress = progress::of_all(&log.connection).await.unwrap();
    assert_eq!(progress[0].pending, 2);
    log.assert_looked_up("waiting_pending_idx", "waiting_pkey");
    let claim = claim::claim(&log.connection, &relay::lease(), relay::NOW, 10).await;
    let claim = claim.answer.unwrap().unwrap();
    assert!(claim.events.is_empty() && claim.number == 0, "{claim:?}");
    log.assert_looked_up("waiting_due_idx", "waiting_pkey");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_that_are_due_are_looked_up_beside_many_that_are_not() {
    let database = with_mails().await;
    let queue = Explained::connect(&database).await;
    // Often enough for Postgres to settle on one plan for all values.
    for _ in 0..7 {
        let taken = mail::take(&queue.connection, relay::NOW, relay::NOW, 10).await;
        assert_eq!(taken.unwrap().len(), 3);
        queue.assert_looked_up("mails_due_idx", "Seq Scan on mails");
    }
    let mut connection = &queue.connection;
    for write in [
        mail::defer(Id::from(Uuid::nil()), relay::NOW),
        mail::remove(Id::from(Uuid::nil())),
    ] {
        write.execute(&mut connection).await.unwrap();
        queue.assert_looked_up("mails_pkey", "Seq Scan on mails");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailed_tokens_are_looked_up_among_many() {
    let database = with_mails().await;
    let of_tenant = Explained::connect(&database).await;
    let mut connection = &of_tenant.connection;
    let path = "SET search_path = acme";
    connection.batch_execute(path).await.unwrap();
    let acme = values::tenant("Acme");
    let id = acme.id.uuid();
    let walk = "Seq Scan on mailed_tokens";
    let found = mailed_token::find(connection, id, values::digest(1)).await;
    assert!(found.unwrap().is_none());
    of_tenant.assert_looked_up("mailed_tokens_digest_key", walk);
    let tokens = mailed_token::of_user(connection, id, values::id(1)).await;
    assert_eq!(tokens.unwrap().len(), 1);
    of_tenant.assert_looked_up("mailed_tokens_user_idx", walk);
    for _ in 0..7 {
        let prune = mailed_token::prune(&acme, relay::NOW, 10);
        assert_eq!(prune.execute(&mut connection).await.unwrap(), 0);
        of_tenant.assert_looked_up("mailed_tokens_end_idx", walk);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_looked_up_by_what_they_are_called() {
    let database = Database::migrated().await;
    let admin = database.admin().await;
    let tables = include_str!("../../../migrations/postgres/tenant/0001_users_and_sessions/up.sql");
    let users = format!(
        "CREATE SCHEMA acme; SET search_path = acme; {tables}; \
         INSERT INTO users (tenant_id, id, email, email_key, email_verified, username, \
             username_key, first_name, last_name, job_role, roles, is_superuser, status, failures, \
             epoch, joined_at, events, version) \
         SELECT '00000000-0000-0000-0000-000000000000', gen_random_uuid(), name, name, true, name, \
             name, '', '', '', '{{editor}}', false, 'active', 0, 1, 0, 1, 1 \
         FROM generate_series(1, 40000) AS numbers (number) \
         CROSS JOIN LATERAL (SELECT 'user' || number) AS names (name); \
         ANALYZE users"
    );
    admin.batch_execute(&users).await.unwrap();
    let log = Explained::connect(&database).await;
    let mut connection = &log.connection;
    let path = "SET search_path = acme";
    connection.batch_execute(path).await.unwrap();
    let filter = UserFilter {
        search: NamePrefix::parse("user123"),
        role: Role::parse("editor").ok(),
        status: Some(UserStatus::Active),
        email_verified: Some(true),
    };
    // More often than it takes to plan for any value.
    for _ in 0..7 {
        let page = user::page(connection, Uuid::nil(), filter.clone(), None, 100).await;
        assert_eq!(page.unwrap().len(), 100);
        log.assert_looked_up("users_email_key", "Scan using users_pkey");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_the_audit_trail_are_looked_up_among_many() {
    let database = with_entries().await;
    let trail = Explained::connect(&database).await;
    let all = AuditQuery {
        from: Some(Timestamp::from_micros(1)),
        before: Some(AuditPlace {
            at: Timestamp::from_micros(39_999),
            id: Id::from(Uuid::nil()),
        }),
        limit: 10,
        ..AuditQuery::default()
    };
    let of_tenant = AuditQuery {
        tenant: Some(Id::from(Uuid::nil())),
        ..all.clone()
    };
    let of_user = AuditQuery {
        user: Some(Id::from(Uuid::nil())),
        ..of_tenant.clone()
    };
    let of_actor = AuditQuery {
        actor: Some(Id::from(Uuid::nil())),
        ..all.clone()
    };
    let of_type = AuditQuery {
        event_type: Some("UserDisabled".to_owned()),
        ..all.clone()
    };
    for (query, index, found) in [
        (all, "audit_pkey", 10),
        (of_tenant, "audit_tenant_idx", 4),
        (of_user, "audit_user_idx", 2),
        (of_actor, "audit_actor_idx", 2),
        (of_type, "audit_type_idx", 3),
    ] {
        // Often enough for Postgres to settle on one plan for all values.
        for _ in 0..7 {
            let page = trail::page(&trail.connection, query.clone()).await;
            assert_eq!(page.unwrap().len(), found, "{index}");
            trail.assert_looked_up(index, "Seq Scan on audit");
        }
    }
}

/// A connection that tells how each statement was gone about.
struct Explained {
    connection: AsyncPgConnection,
    plans: Arc<Mutex<Vec<String>>>,
}

impl Explained {
    async fn connect(database: &Database) -> Self {
        let url = database.url();
        let (client, mut connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let plans = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&plans);
        Handle::current().spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notice(notice) = message {
                    seen.lock().unwrap().push(notice.message().to_owned());
                }
            }
        });
        // Parallel plans are off as they are for the store.
        let explain = "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; \
                       SET jit = off; SET max_parallel_workers_per_gather = 0; \
                       SET client_min_messages = 'log'";
        client.batch_execute(explain).await.unwrap();
        let connection = AsyncPgConnection::try_from(client).await.unwrap();
        plans.lock().unwrap().clear();
        Self { connection, plans }
    }

    /// What was asked since the last look used `index`, and nothing that goes through all events or
    /// all that waits: not `walk` either.
    fn assert_looked_up(&self, index: &str, walk: &str) {
        let plans = core::mem::take(&mut *self.plans.lock().unwrap());
        let walks = ["Seq Scan on events_1 ", "Seq Scan on waiting", walk];
        let walked = |plan: &String| walks.iter().any(|walk| plan.contains(walk));
        assert!(!plans.iter().any(walked), "{plans:#?}");
        assert!(plans.iter().any(|plan| plan.contains(index)), "{plans:#?}");
    }
}

/// Many events that were sent, some of one tenant among them, and many that wait, all but two of
/// them parked.
async fn filled() -> Database {
    let database = Database::migrated().await;
    let admin = database.admin().await;
    admin
        .batch_execute(
            "INSERT INTO tessera.events (id, tenant_id, subject, sequence, type, time, body) \
             SELECT gen_random_uuid(), \
                 CASE WHEN number % 8000 = 0 THEN uuid_nil ELSE gen_random_uuid() END, \
                 'user/1', number, 'UserCreated', 0, '{}' \
             FROM generate_series(1, 40000) AS numbers (number) \
             CROSS JOIN (SELECT '00000000-0000-0000-0000-000000000000'::uuid) AS nil (uuid_nil); \
             INSERT INTO tessera.publishers VALUES ('p', 40000, 0, 0, NULL, NULL); \
             INSERT INTO tessera.waiting \
             SELECT 'p', position, tenant_id, subject, 0, 0, NULL, \
                 CASE WHEN position <= 39998 THEN 0 END, NULL \
             FROM tessera.events WHERE position > 10000; \
             ANALYZE tessera.events_1; ANALYZE tessera.waiting",
        )
        .await
        .unwrap();
    database
}

/// Many entries, a few of them of one tenant, of one user, by one user or of a rare type.
async fn with_entries() -> Database {
    let database = Database::migrated().await;
    let admin = database.admin().await;
    admin
        .batch_execute(
            "INSERT INTO tessera.audit \
             SELECT number, gen_random_uuid(), \
                 CASE WHEN number % 8000 = 0 THEN nil ELSE gen_random_uuid() END, \
                 CASE WHEN number % 12000 = 0 THEN 'UserDisabled' ELSE 'UserCreated' END, 'user/1', \
                 CASE WHEN number % 16000 = 0 THEN nil ELSE gen_random_uuid() END, 'user', \
                 CASE WHEN number % 16000 = 0 THEN nil ELSE gen_random_uuid() END, nil, NULL, '{}' \
             FROM generate_series(1, 39999) AS numbers (number) \
             CROSS JOIN (SELECT '00000000-0000-0000-0000-000000000000'::uuid) AS nils (nil); \
             ANALYZE tessera.audit",
        )
        .await
        .unwrap();
    database
}

/// A tenant with many users, each with a mailed token, and many mails, three of them due.
async fn with_mails() -> Database {
    let database = Database::migrated().await;
    server::populated(&database.store(1), "Acme").await;
    let admin = database.admin().await;
    admin
        .batch_execute(
            "SET search_path = acme; \
             INSERT INTO users SELECT tenant_id, gen_random_uuid(), NULL, NULL, NULL, false, NULL, \
                 NULL, '', '', '', '{}', false, 'active', NULL, 0, NULL, NULL, 0, 0, NULL, 0, 1 \
             FROM users CROSS JOIN generate_series(1, 20000); \
             INSERT INTO mailed_tokens SELECT tenant_id, gen_random_uuid(), \
                 sha256(uuid_send(id)), 'reset_password', id, '', '', NULL, 0, 9e15 FROM users; \
             INSERT INTO tessera.mails SELECT gen_random_uuid(), id, 'reset_password', '', NULL, \
                 NULL, NULL, 0, CASE WHEN number > 3 THEN 9e15 ELSE 0 END, 0 \
             FROM tessera.tenants CROSS JOIN generate_series(1, 20000) AS numbers (number); \
             ANALYZE users; ANALYZE mailed_tokens; ANALYZE tessera.mails",
        )
        .await
        .unwrap();
    database
}

/// By the index of the tenant or by that of sequences, which begins with it: of a few events both
/// cost as much.
const OF_TENANT: &str = "(tenant_id = '00000000-0000-0000-0000-000000000000'::uuid)";
