//! Tries migrations that are yet to come, on many tenants.

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tessera_app::{Store, UserFilter};
use tessera_domain::{Change, Changes, Session, Tenant, User};
use tokio::sync::watch;
use tokio_postgres::Client;

use super::{Damage, Migrate, Milestone, Step};
use crate::PostgresStore;
use crate::migration::{Lists, Migration, SHARED, TENANT};
use crate::queue::{Job, Queue, Way};
use crate::runner::Runner;
use crate::server::{Database, migrate, populated, touch};
use crate::transaction::Place;
use crate::worker::Worker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_killed_again_and_again_is_ended_by_the_next_one() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let admin = database.admin().await;
    register(&admin, MANY).await;
    assert_eq!(migrate(&store).await, MANY * TENANT.len());
    let drop = "DROP SCHEMA tenant_500 CASCADE";
    admin.batch_execute(drop).await.unwrap();
    let later = later();
    for round in 1..=KILLS {
        let taken = AtomicUsize::new(0);
        let (enough, mut reached) = watch::channel(());
        let told = |milestone: Milestone<'_>| {
            if let Milestone::Ended = milestone
                && taken.fetch_add(1, Ordering::Relaxed) > MANY / (KILLS + 1)
            {
                enough.send_replace(());
            }
        };
        tokio::select! {
            done = run(&store, later, &told) => panic!("it ended: {done:?}"),
            changed = reached.changed() => changed.unwrap(),
        }
        let (noted, there) = progress(&admin).await;
        assert_eq!(noted, there);
        assert!(
            noted > round * MANY / (KILLS + 1) && noted < MANY,
            "{noted}"
        );
    }
    let (before, _) = progress(&admin).await;
    let done = run(&store, later, &|_| {}).await;
    // What was under way as it was killed may be done by now.
    assert!(done.steps.len() <= (MANY - before) * NEW.len());
    let [damaged] = &*done.set_aside else {
        panic!("one is damaged: {:?}", done.set_aside);
    };
    assert_eq!(damaged.schema, "tenant_500");
    assert!(matches!(damaged.damage, Damage::NoSchema));
    // The shared tables, and all tenants but that one.
    assert_eq!(progress(&admin).await, (MANY, MANY));
    let again = run(&store, later, &|_| {}).await;
    assert_eq!((again.steps.len(), again.set_aside.len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_back_is_gone_on_with_as_well() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let admin = database.admin().await;
    register(&admin, FEW).await;
    migrate(&store).await;
    let (enough, mut reached) = watch::channel(());
    let ended = AtomicUsize::new(0);
    let told = |milestone: Milestone<'_>| {
        if let Milestone::Ended = milestone
            && ended.fetch_add(1, Ordering::Relaxed) == FEW / 2
        {
            enough.send_replace(());
        }
    };
    tokio::select! {
        done = store.migrate_down(1, TWO, &told) => panic!("it ended: {done:?}"),
        changed = reached.changed() => changed.unwrap(),
    }
    let rest = store.migrate_down(1, TWO, &|_| {}).await.unwrap();
    assert!(rest.steps.len() < FEW / 2 && rest.set_aside.is_empty());
    let standings = store.standings(None).await.unwrap();
    let last = TENANT[TENANT.len() - 2].version;
    assert!(standings.iter().skip(1).all(|it| it.version == last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_upgrade_brought_goes_back_before_what_was_there() {
    let database = Database::migrated().await;
    let store = database.store(2);
    populated(&store, "Acme").await;
    let upgraded = Lists {
        shared: and(SHARED, &NEW_SHARED),
        tenant: TENANT,
    };
    run_lists(&store, upgraded, &|_| {}).await;
    // Its tables are newer than the shared ones.
    populated(&store, "Other").await;
    let runner = runner(&store, upgraded);
    let planned = runner.steps_down(3).await.unwrap();
    let of_tenants = ["acme", "other", "tessera_shared"].map(|schema| (schema, 2));
    let shared = [("tessera", 102), ("tessera", 101)];
    assert_eq!(brief(&planned), [&shared[..], &of_tenants].concat());
    for step in shared {
        let done = runner.down(1, TWO, &|_| {}).await.unwrap();
        assert_eq!(brief(&done.steps), [step]);
        assert_eq!(store.laggards(0).await.unwrap().count, 0);
    }
    let done = runner.down(1, TWO, &|_| {}).await.unwrap();
    assert_eq!(brief(&done.steps), of_tenants);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_step_stays_where_a_tenant_keeps_a_later_one() {
    let database = Database::migrated().await;
    let store = database.store(2);
    populated(&store, "Acme").await;
    let (one, both) = (and(SHARED, &NEW_SHARED[..1]), and(SHARED, &NEW_SHARED));
    let mut lists = Lists::CARRIED;
    for (shared, tenant) in [(one, TENANT), (one, later()), (both, later())] {
        lists = Lists { shared, tenant };
        run_lists(&store, lists, &|_| {}).await;
    }
    let admin = database.admin().await;
    let damage = "DROP TABLE acme.badges";
    admin.batch_execute(damage).await.unwrap();
    let runner = runner(&store, lists);
    let done = runner.down(5, TWO, &|_| {}).await.unwrap();
    let taken_back = [
        ("tessera", 102),
        ("acme", 102),
        ("tessera_shared", 102),
        ("tessera_shared", 101),
    ];
    assert_eq!(brief(&done.steps), taken_back);
    let [fault] = &*done.set_aside else {
        panic!("one is damaged: {:?}", done.set_aside);
    };
    assert_eq!((&*fault.schema, fault.version), ("acme", 101));
    let mend = "CREATE TABLE acme.badges ()";
    admin.batch_execute(mend).await.unwrap();
    let done = runner.down(2, TWO, &|_| {}).await.unwrap();
    assert_eq!(brief(&done.steps), [("acme", 101), ("tessera", 101)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_loses_its_connections_goes_on_with_others() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let admin = database.admin().await;
    register(&admin, FEW).await;
    let (enough, mut reached) = watch::channel(());
    let ended = AtomicUsize::new(0);
    let told = |milestone: Milestone<'_>| {
        if let Milestone::Ended = milestone
            && ended.fetch_add(1, Ordering::Relaxed) == FEW / 3
        {
            enough.send_replace(());
        }
    };
    let kill = async {
        reached.changed().await.unwrap();
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND query LIKE 'BEGIN%pg_advisory_xact_lock%' \
            AND pid <> pg_backend_pid()";
        admin.query(kill, &[]).await.unwrap().len()
    };
    let (done, killed) = tokio::join!(run(&store, TENANT, &told), kill);
    assert!(killed > 0);
    assert!(done.set_aside.is_empty(), "{:?}", done.set_aside);
    assert_eq!(store.laggards(0).await.unwrap().count, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_by_now_or_needed_no_more_is_left() {
    let database = Database::migrated().await;
    let store = database.store(1);
    populated(&store, "Taken").await;
    let connector = store.pool.connector();
    let mut worker = Worker::start(connector).await.unwrap();
    let way = Way::Up(worker.checksums(TENANT).await.unwrap());
    let jobs = ["taken", "removed"].map(|schema| {
        let (schema, shown) = (schema.to_owned(), Some(schema.to_owned()));
        Job::new(Place { schema, shown }, TENANT.iter().collect())
    });
    let queue = Queue::new(connector, &way, jobs.into(), &|_| {});
    let done = queue.work(TWO).await.unwrap();
    assert!(
        done.steps.is_empty() && done.set_aside.is_empty(),
        "{done:?}"
    );
    let made = "SELECT FROM pg_namespace WHERE nspname = 'removed'";
    let admin = database.admin().await;
    assert!(admin.query(made, &[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_version_serves_while_the_migrations_of_the_next_one_run() {
    let database = Database::migrated().await;
    let store = database.store(4);
    let mut tenants = Vec::new();
    for number in 0..SERVED {
        tenants.push(populated(&store, &format!("Tenant {number}")).await);
    }
    let (over, ended) = watch::channel(false);
    let rounds: Vec<AtomicUsize> = tenants.iter().map(|_| AtomicUsize::new(0)).collect();
    let each = tenants.iter().zip(&rounds);
    let serving = each.map(|(it, rounds)| serve(&store, it, rounds, ended.clone()));
    let of_next = Lists {
        shared: SHARED,
        tenant: later(),
    };
    let migrating = async {
        let done = run(&store, later(), &|_| {}).await;
        // As long as it takes to serve each tenant again and again meanwhile.
        while rounds.iter().any(|it| it.load(Ordering::Relaxed) < 2) {
            let back = runner(&store, of_next);
            back.down(NEW.len(), TWO, &|_| {}).await.unwrap();
            let again = run(&store, later(), &|_| {}).await;
            assert!(again.set_aside.is_empty(), "{:?}", again.set_aside);
        }
        let new = populated(&store, "New").await;
        over.send_replace(true);
        (done, new)
    };
    let (_, (done, _)) = tokio::join!(join_all(serving), migrating);
    assert!(done.set_aside.is_empty(), "{:?}", done.set_aside);
    // Those of all tenants, and the shared ones.
    assert_eq!(done.steps.len(), (SERVED + 1) * NEW.len());
    store.check().await.unwrap();
    assert_eq!(store.laggards(0).await.unwrap().count, 0);
    let after = run(&store, later(), &|_| {}).await;
    let of_new: Vec<&str> = after.steps.iter().map(|step| &*step.schema).collect();
    assert_eq!(of_new, ["new"; NEW.len()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_tenants_those_that_lag_are_told_at_once() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    register(&admin, 10_000).await;
    let book = "INSERT INTO tessera.migrations (schema, version, name, checksum) \
        SELECT schema, step, '', '' FROM tessera.tenants, (VALUES (1), (2)) AS list (step)";
    admin.batch_execute(book).await.unwrap();
    // Within the time that the server gives a statement.
    let laggards = store.laggards(2).await.unwrap();
    assert_eq!(laggards.count, 10_000);
    assert_eq!(laggards.first, ["tenant_1", "tenant_10"]);
}

/// Reads and commits of one tenant until somebody says that it is enough; counts how often.
async fn serve(
    store: &PostgresStore,
    (tenant, ada, session): &(Tenant, User, Session),
    rounds: &AtomicUsize,
    ended: watch::Receiver<bool>,
) {
    let mut ada = ada.clone();
    while !*ended.borrow() {
        let read = store.session(&tenant.schema, session.id).await.unwrap();
        assert_eq!(read.unwrap().user, ada);
        store.commit(tenant, touch(&ada)).await.unwrap();
        ada.version += 1;
        let changes = Changes {
            sessions: vec![Change::Update(session.clone())],
            ..Changes::default()
        };
        if rounds.load(Ordering::Relaxed) == 0 {
            store.commit(tenant, changes).await.unwrap();
        }
        let filter = UserFilter::default();
        let users = store.users(tenant, &filter, None, 2).await.unwrap();
        assert_eq!(users, [ada.clone()]);
        assert_eq!(store.sessions(tenant, ada.id).await.unwrap().len(), 1);
        rounds.fetch_add(1, Ordering::Relaxed);
    }
}

/// A run on two connections.
async fn run(
    store: &PostgresStore,
    tenant: &'static [Migration],
    told: super::Told<'_>,
) -> super::Migrated {
    let shared = SHARED;
    run_lists(store, Lists { shared, tenant }, told).await
}

async fn run_lists(store: &PostgresStore, lists: Lists, told: super::Told<'_>) -> super::Migrated {
    let run = Migrate {
        tenant: None,
        jobs: TWO,
        told,
    };
    runner(store, lists).up(&run).await.unwrap()
}

fn runner(store: &PostgresStore, lists: Lists) -> Runner<'_> {
    Runner {
        connector: store.pool.connector(),
        lists,
    }
}

/// The migrations of tenants, and those that a later version might have.
fn later() -> &'static [Migration] {
    and(TENANT, &NEW)
}

fn and(list: &[Migration], new: &[Migration]) -> &'static [Migration] {
    Vec::leak([list, new].concat())
}

/// The schema and the version of each.
fn brief(steps: &[Step]) -> Vec<(&str, i32)> {
    let brief = steps.iter().map(|step| (&*step.schema, step.version));
    brief.collect()
}

/// Tenants that have no schema yet.
async fn register(admin: &Client, count: usize) {
    let insert = format!(
        "INSERT INTO tessera.tenants (id, name, schema, status, created_at, events, version) \
         SELECT gen_random_uuid(), 'Tenant ' || number, 'tenant_' || number, 'active', 0, 1, 1 \
         FROM generate_series(1, {count}) AS numbers (number)"
    );
    admin.batch_execute(&insert).await.unwrap();
}

/// Of how many tenants the last step is noted, and how many have what it makes.
async fn progress(admin: &Client) -> (usize, usize) {
    let last = NEW.last().unwrap().version;
    let sql = "SELECT (SELECT count(*) FROM tessera.migrations \
            WHERE version = $1 AND schema <> 'tessera'), \
        (SELECT count(*) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
            WHERE attname = 'nickname' AND relname = 'users' AND NOT attisdropped)";
    let row = admin.query_one(sql, &[&last]).await.unwrap();
    let count = |column: usize| usize::try_from(row.get::<_, i64>(column)).unwrap();
    (count(0), count(1))
}

/// What only adds, as the version before goes on.
const NEW: [Migration; 2] = [
    Migration {
        version: 101,
        name: "badges",
        tables: &["badges"],
        up: "CREATE TABLE badges (tenant_id uuid NOT NULL, user_id uuid NOT NULL, \
                CONSTRAINT badges_user_fkey FOREIGN KEY (tenant_id, user_id) \
                REFERENCES users (tenant_id, id) ON DELETE CASCADE)",
        down: "DROP TABLE badges",
    },
    Migration {
        version: 102,
        name: "nicknames",
        tables: &[],
        up: "ALTER TABLE users ADD COLUMN nickname text NOT NULL DEFAULT ''; \
             ALTER TABLE sessions ADD COLUMN place text",
        down: "ALTER TABLE sessions DROP COLUMN place; ALTER TABLE users DROP COLUMN nickname",
    },
];
const NEW_SHARED: [Migration; 2] = [
    Migration {
        version: 101,
        name: "notices",
        tables: &[],
        up: "CREATE TABLE tessera.notices (id uuid NOT NULL)",
        down: "DROP TABLE tessera.notices",
    },
    Migration {
        version: 102,
        name: "texts",
        tables: &[],
        up: "ALTER TABLE tessera.notices ADD COLUMN text text",
        down: "ALTER TABLE tessera.notices DROP COLUMN text",
    },
];
const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();
const FEW: usize = 60;
const MANY: usize = 1_000;
const KILLS: usize = 5;
const SERVED: usize = 25;
