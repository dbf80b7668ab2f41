//! Migrations go up, down and up again, whoever else runs them.

use core::num::NonZeroUsize;
use std::fs;
use std::sync::Mutex;

use tessera_app::{EventLog, Store, Unready, UserKey};
use tessera_contract::values;
use tessera_domain::{Change, Changes, SchemaName};
use tessera_postgres::{
    Damage, Fault, Laggards, Migrate, MigrateError, Migrated, Milestone, PostgresStore, Step,
};
use tokio::sync::oneshot;
use tokio_postgres::Client;

use crate::relay::insert;
use crate::server::{Database, migrate, migrate_down, populated, touch, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_down_and_up_again_ends_where_up_does() {
    let database = Database::empty().await;
    let store = database.store(2);
    let admin = database.admin().await;
    let (shared, tenant) = (steps("shared"), steps("tenant"));
    assert!(matches!(store.check().await, Err(Unready::NotMigrated)));
    assert_eq!(migrate(&store).await, shared + tenant);
    store.check().await.unwrap();
    let fresh = catalogue(&admin).await;
    assert_eq!(migrate_down(&store, tenant).await.len(), tenant);
    let bare = catalogue(&admin).await;
    assert_eq!(migrate(&store).await, tenant);
    assert_eq!(catalogue(&admin).await, fresh);

    populated(&store, "Acme").await;
    populated(&store, "Other").await;
    let with_tenants = catalogue(&admin).await;
    let down = migrate_down(&store, tenant).await;
    assert_eq!(down.len(), 3 * tenant, "{down:?}");
    assert_eq!(catalogue(&admin).await, bare);
    assert_eq!(migrate(&store).await, 3 * tenant);
    assert_eq!(catalogue(&admin).await, with_tenants);

    let planned = store.steps_down(99).await.unwrap();
    assert_eq!(planned.len(), shared + 3 * tenant, "{planned:?}");
    assert!(planned.iter().all(|step| step.applied));
    let down = migrate_down(&store, 99).await;
    let taken_back = planned.into_iter().map(|step| Step {
        applied: false,
        ..step
    });
    assert_eq!(down, taken_back.collect::<Vec<_>>());
    assert!(matches!(store.check().await, Err(Unready::NotMigrated)));
    assert_eq!(migrate(&store).await, shared + tenant);
    assert_eq!(catalogue(&admin).await, fresh);
    populated(&store, "Acme").await;
    store.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_upgrade_of_the_shared_tables_alone_these_go_back_and_what_tenants_have_stays() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let admin = database.admin().await;
    populated(&store, "Acme").await;
    let last = last_of_shared();
    let upgrade = "UPDATE tessera.migrations SET applied_at = applied_at - interval '1 day' \
        WHERE schema <> 'tessera' OR version < $1";
    admin.execute(upgrade, &[&(last - 1)]).await.unwrap();
    // It has what tenants have since later than the shared tables have theirs.
    populated(&store, "Other").await;
    let whole = catalogue(&admin).await;
    let [down] = migrate_down(&store, 1).await.try_into().unwrap();
    assert_eq!((&*down.schema, down.version), ("tessera", last));
    let [down] = migrate_down(&store, 1).await.try_into().unwrap();
    assert_eq!((&*down.schema, down.version), ("tessera", last - 1));
    let before = catalogue(&admin).await;
    let of_tenant = |all: &[String]| {
        let lines = all.iter().filter(|line| line.starts_with("acme "));
        lines.cloned().collect::<Vec<_>>()
    };
    assert_eq!(of_tenant(&before), of_tenant(&whole));
    assert_eq!(migrate(&store).await, 2);
    assert_eq!(catalogue(&admin).await, whole);
    let down = migrate_down(&store, 99).await;
    assert_eq!(down.len(), steps("shared") + 3 * steps("tenant"));
    assert!(matches!(store.check().await, Err(Unready::NotMigrated)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_tenant_shares_tables_what_knows_of_that_stays() {
    let database = Database::shared().await;
    let store = database.store(1);
    let admin = database.admin().await;
    populated(&store, "Acme").await;
    let upgrade = "UPDATE tessera.migrations SET applied_at = applied_at - interval '1 day' \
        WHERE schema <> 'tessera' OR version < 7";
    admin.batch_execute(upgrade).await.unwrap();
    let later = steps("shared") - 7;
    let down = store
        .migrate_down(later + 1, NonZeroUsize::MIN, &|_| {})
        .await;
    let why = format!("{:?}", down.unwrap_err());
    assert!(why.contains("a tenant shares tables with others"), "{why}");
    assert_eq!(migrate(&store).await, later);
    let users = "SELECT FROM tessera_shared.users";
    assert_eq!(admin.query(users, &[]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_at_once_goes_back_with_the_shared_tables_last() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let last_of_tenants = i32::try_from(steps("tenant")).unwrap();
    let of_tenants = (1..=last_of_tenants).map(|version| ("tessera_shared".to_owned(), version));
    let of_shared = (1..=last_of_shared()).map(|version| ("tessera".to_owned(), version));
    let expected: Vec<_> = of_tenants.rev().chain(of_shared.rev()).collect();
    let planned = async || {
        let steps = store.steps_down(99).await.unwrap().into_iter();
        steps.map(|it| (it.schema, it.version)).collect::<Vec<_>>()
    };
    assert_eq!(planned().await, expected);
    let same = "UPDATE tessera.migrations SET applied_at = now()";
    admin.batch_execute(same).await.unwrap();
    assert_eq!(planned().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_done_is_told_and_nothing_is_done() {
    let database = Database::empty().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let before = catalogue(&admin).await;
    let (shared, tenant) = (steps("shared"), steps("tenant"));
    let expected = [
        told("tessera", 0, shared),
        told("tessera_shared", 0, tenant),
    ];
    assert_eq!(standings(&store).await, expected);
    assert_eq!(catalogue(&admin).await, before);

    migrate(&store).await;
    populated(&store, "Acme").await;
    populated(&store, "Other").await;
    migrate_down(&store, 1).await;
    let lags = "INSERT INTO tessera.tenants (id, name, schema, status, created_at, events, version) \
        VALUES (gen_random_uuid(), 'New', 'new', 'active', 0, 1, 1)";
    admin.batch_execute(lags).await.unwrap();
    let before = catalogue(&admin).await;
    let expected = [
        told("tessera", shared, 0),
        told("tessera_shared", tenant - 1, 1),
        told("acme", tenant - 1, 1),
        told("new", 0, tenant),
        told("other", tenant - 1, 1),
    ];
    assert_eq!(standings(&store).await, expected);
    let acme = store.standings(Some("acme")).await.unwrap();
    let schemas = acme.iter().map(|standing| standing.schema.as_str());
    assert_eq!(
        schemas.collect::<Vec<_>>(),
        ["tessera", "tessera_shared", "acme"]
    );
    let nobody = store.standings(Some("nobody")).await;
    assert!(matches!(nobody, Err(MigrateError::NoTenant)));
    assert_eq!(catalogue(&admin).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_runs_each_step_is_taken_once() {
    let database = Database::migrated().await;
    let store = database.store(4);
    for number in 0..6 {
        populated(&store, &format!("Tenant {number}")).await;
    }
    migrate_down(&store, 1).await;
    let taken = Mutex::new(Vec::new());
    let run = async || {
        let run = Migrate {
            tenant: None,
            jobs: NonZeroUsize::new(3).unwrap(),
            told: &|milestone| {
                if let Milestone::Taken(step) = milestone {
                    taken.lock().unwrap().push(step.schema.clone());
                }
            },
        };
        store.migrate(&run).await.unwrap().steps.len()
    };
    let (one, other, third) = futures_util::future::join3(run(), run(), run()).await;
    // The shared tables are migrated as those of a tenant are.
    assert_eq!(one + other + third, 7);
    let mut taken = taken.into_inner().unwrap();
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_waits_for_the_one_that_goes_on_and_says_so() {
    let database = Database::migrated().await;
    let store = database.store(2);
    populated(&store, "Acme").await;
    migrate_down(&store, 1).await;
    let [holder, admin] = [database.admin().await, database.admin().await];
    let hold = "BEGIN; LOCK TABLE tessera.migrations IN ACCESS EXCLUSIVE MODE";
    holder.batch_execute(hold).await.unwrap();
    let first = async { run(&store, None).await.0.unwrap() };
    let second = async {
        until("the first run waits for the book", async || {
            let waits = "SELECT FROM pg_locks WHERE NOT granted \
                AND relation = 'tessera.migrations'::regclass";
            !admin.query(waits, &[]).await.unwrap().is_empty()
        })
        .await;
        let (second, release) = tokio::join!(run(&store, None), async {
            until("the second run waits for the first", async || {
                let waits = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'";
                !admin.query(waits, &[]).await.unwrap().is_empty()
            })
            .await;
            holder.batch_execute("COMMIT").await
        });
        release.unwrap();
        second
    };
    let (first, (second, said)) = tokio::join!(first, second);
    assert_eq!((first.steps.len(), second.unwrap().steps.len()), (2, 0));
    assert_eq!(said, ["waiting"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenant_may_be_migrated_alone() {
    let database = Database::migrated().await;
    let store = database.store(2);
    populated(&store, "Acme").await;
    populated(&store, "Other").await;
    migrate_down(&store, 1).await;
    let (done, said) = run(&store, Some("other")).await;
    let steps = done.unwrap().steps;
    let schemas = steps.iter().map(|step| step.schema.as_str());
    assert_eq!(schemas.collect::<Vec<_>>(), ["other", "tessera_shared"]);
    assert_eq!(said, ["2 begun", "taken", "ended", "taken", "ended"]);
    let (missing, _) = run(&store, Some("nobody")).await;
    assert!(matches!(missing, Err(MigrateError::NoTenant)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_tenants_are_named_and_set_aside_while_the_others_go_on() {
    let database = Database::migrated().await;
    let store = database.store(2);
    for name in ["Acme", "Blocked", "Changed", "Gone", "Half", "Other"] {
        populated(&store, name).await;
    }
    migrate_down(&store, 1).await;
    let last = i32::try_from(steps("tenant")).unwrap();
    let damage = "CREATE VIEW blocked.mailed_tokens AS SELECT 1; \
        UPDATE tessera.migrations SET checksum = 'another' WHERE schema = 'changed'; \
        DROP SCHEMA gone CASCADE; \
        DROP TABLE half.sessions";
    let admin = database.admin().await;
    admin.batch_execute(damage).await.unwrap();
    for _ in 0..2 {
        let (done, _) = run(&store, None).await;
        let [blocked, changed, gone, half] = done.unwrap().set_aside.try_into().unwrap();
        assert_eq!((&*blocked.schema, blocked.version), ("blocked", last));
        assert_eq!((&*changed.schema, changed.version), ("changed", 1));
        assert_eq!((&*gone.schema, gone.version), ("gone", last - 1));
        assert_eq!((&*half.schema, half.version), ("half", 1));
        assert!(
            matches!(blocked.damage, Damage::Failed(said) if said.to_string().contains("mailed_tokens"))
        );
        assert!(matches!(changed.damage, Damage::Changed));
        assert!(matches!(gone.damage, Damage::NoSchema));
        assert!(matches!(half.damage, Damage::NoTable(table) if table == "sessions"));
    }
    let laggards = store.laggards(2).await.unwrap();
    let first = ["blocked", "changed"].map(str::to_owned).to_vec();
    assert_eq!(laggards, Laggards { count: 4, first });
    let down = store
        .migrate_down(99, NonZeroUsize::MIN, &|_| {})
        .await
        .unwrap();
    let stay = down.set_aside.iter().map(|fault| fault.schema.as_str());
    assert_eq!(stay.collect::<Vec<_>>(), ["blocked", "gone", "half"]);
    // What all share stays, too.
    store.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_complete_and_lost_its_schema_is_damaged_and_not_made_again() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let (acme, ..) = populated(&store, "Acme").await;
    let admin = database.admin().await;
    let drop = "DROP SCHEMA acme CASCADE";
    admin.batch_execute(drop).await.unwrap();
    let (done, said) = run(&store, None).await;
    let Migrated { steps, set_aside } = done.unwrap();
    assert!(steps.is_empty(), "{steps:?}");
    assert!(matches!(
        &*set_aside,
        [Fault { schema, damage: Damage::NoSchema, .. }] if schema == acme.schema.as_str()
    ));
    assert_eq!(said, ["set aside"]);
    let standings = store.standings(Some("acme")).await.unwrap();
    let of_acme = standings.last().unwrap();
    assert!(of_acme.fault.is_some() && of_acme.missing.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_in_use_holds_up_no_other_tenant() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let (acme, ada, _) = populated(&store, "Acme").await;
    populated(&store, "Other").await;
    migrate_down(&store, 1).await;
    let holder = database.admin().await;
    let hold = "BEGIN; LOCK TABLE acme.users IN ROW EXCLUSIVE MODE";
    holder.batch_execute(hold).await.unwrap();
    let taken = Mutex::new(Vec::new());
    let (tell, first) = oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let migrate = Migrate {
        tenant: None,
        jobs: NonZeroUsize::MIN,
        told: &|milestone| {
            if let Milestone::Taken(step) = milestone {
                taken.lock().unwrap().push(step.schema.clone());
                if step.schema == "other"
                    && let Some(tell) = tell.lock().unwrap().take()
                {
                    tell.send(()).unwrap();
                }
            }
        },
    };
    let release = async {
        first.await.unwrap();
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (done, ()) = tokio::join!(store.migrate(&migrate), release);
    assert!(done.unwrap().set_aside.is_empty());
    let taken = taken.into_inner().unwrap();
    assert_eq!(taken, ["tessera_shared", "other", "acme"]);
    store.commit(&acme, touch(&ada)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_is_called_what_the_tenant_says_to_the_letter() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let beginning = "Straight-On_UNTIL-the_Morning-".repeat(2);
    let names = ["-Ab", "-cD"].map(|end| format!("{beginning}{end}"));
    let mut tenants = Vec::new();
    for (number, name) in names.iter().enumerate() {
        assert_eq!(name.len(), 63);
        let schema = SchemaName::parse(name).unwrap();
        let tenant = values::tenant_in(&format!("Tenant {number}"), schema);
        let changes = Changes {
            tenants: vec![Change::Insert(tenant.clone())],
            users: vec![Change::Insert(values::named_user(1, "ada"))],
            ..Changes::default()
        };
        store.commit(&tenant, changes).await.unwrap();
        tenants.push(tenant);
    }
    let quoted = SchemaName::restore("it's \"quoted\" \\ $1".to_owned());
    let odd = values::tenant_in("Odd", quoted);
    let changes = Changes {
        tenants: vec![Change::Insert(odd.clone())],
        ..Changes::default()
    };
    store.commit(&odd, changes).await.unwrap();
    let admin = database.admin().await;
    let schemas = async || {
        let sql = "SELECT nspname::text FROM pg_namespace \
            WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', 'tessera', \
                'tessera_shared') \
            ORDER BY nspname COLLATE \"C\"";
        let rows = admin.query(sql, &[]).await.unwrap();
        let names = rows.iter().map(|row| row.get(0));
        names.collect::<Vec<String>>()
    };
    let mut expected = names.to_vec();
    expected.push(odd.schema.as_str().to_owned());
    expected.sort();
    assert_eq!(schemas().await, expected);
    assert_eq!(store.laggards(9).await.unwrap(), Laggards::default());
    let all = (expected.len() + 1) * steps("tenant");
    assert_eq!(migrate_down(&store, steps("tenant")).await.len(), all);
    assert_eq!(schemas().await, Vec::<String>::new());
    assert_eq!(migrate(&store).await, all);
    assert_eq!(schemas().await, expected);
    assert_eq!(store.laggards(9).await.unwrap(), Laggards::default());
    for tenant in &tenants {
        let key = UserKey::Username("ada".to_owned());
        assert_eq!(store.user(tenant, &key).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_from_before_there_were_mailed_tokens_serves_all_else_and_keeps_them_once_migrated()
 {
    let database = Database::migrated().await;
    let store = database.store(2);
    let (acme, ada, session) = populated(&store, "Acme").await;
    let since = steps("tenant") - 1;
    migrate_down(&store, since).await;
    store.check().await.unwrap();
    // The tenant, and those that share tables.
    assert_eq!(store.laggards(0).await.unwrap().count, 2);
    assert!(store.mailed_tokens(&acme, ada.id).await.is_err());
    let keep = || Changes {
        mailed_tokens: vec![values::mailed_token(1, &ada)],
        ..touch(&ada)
    };
    assert!(store.commit(&acme, keep()).await.is_err());
    let read = store.session(&acme.schema, session.id).await.unwrap();
    assert_eq!(read.unwrap().user, ada);

    populated(&store, "Other").await;
    assert_eq!(store.laggards(0).await.unwrap().count, 2);
    assert_eq!(migrate(&store).await, 2 * since);
    assert_eq!(store.laggards(0).await.unwrap().count, 0);
    store.commit(&acme, keep()).await.unwrap();
    let kept = store.mailed_tokens(&acme, ada.id).await.unwrap();
    assert_eq!(kept, [values::mailed_token(1, &ada)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_a_table_goes_first_while_a_migration_waits_for_it() {
    let database = Database::migrated().await;
    let store = database.store(1);
    // From the one on that changes the tenants.
    let since = steps("shared") - 5 + steps("tenant");
    migrate_down(&store, since).await;
    let [holder, reader, admin] = [
        database.admin().await,
        database.admin().await,
        database.admin().await,
    ];
    let hold = "BEGIN; LOCK TABLE tessera.tenants IN ACCESS SHARE MODE";
    holder.batch_execute(hold).await.unwrap();
    let read = async {
        until("the migration waits", async || {
            let waits = "SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' \
                AND relation = 'tessera.tenants'::regclass";
            !admin.query(waits, &[]).await.unwrap().is_empty()
        })
        .await;
        let read = "SET statement_timeout = '5s'; SELECT FROM tessera.tenants";
        reader.batch_execute(read).await.unwrap();
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (taken, ()) = tokio::join!(migrate(&store), read);
    assert_eq!(taken, since);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_was_another_one_is_not_believed() {
    let database = Database::migrated().await;
    let store = database.store(2);
    let admin = database.admin().await;
    admin
        .batch_execute("UPDATE tessera.migrations SET checksum = 'another'")
        .await
        .unwrap();
    let (changed, _) = run(&store, Some("nobody")).await;
    let Err(MigrateError::Fault(fault)) = changed else {
        panic!("it is believed: {changed:?}");
    };
    assert_eq!((&*fault.schema, fault.version), ("tessera", 1));
    assert!(matches!(fault.damage, Damage::Changed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_from_before_there_were_partitions_stay_and_so_they_do_on_the_way_back() {
    let database = Database::migrated().await;
    let store = database.store(1);
    let admin = database.admin().await;
    let parted = catalogue(&admin).await;
    let since = steps("shared") - 2 + steps("tenant");
    migrate_down(&store, since).await;
    let whole = catalogue(&admin).await;
    for last in [999_999_i64, 2_500_001] {
        let setval = "SELECT setval('tessera.events_position_seq', $1)";
        admin.query(setval, &[&last]).await.unwrap();
        let before = insert(&admin).await;
        assert_eq!(before, last.unsigned_abs() + 1);
        migrate(&store).await;
        assert_eq!(insert(&admin).await, before + 1);
        let kept = store.events(None, before - 1, 9).await.unwrap();
        assert_eq!(kept.len(), 2);
        while store.expire(kept[0].at).await.unwrap() {}
        migrate_down(&store, since).await;
        assert_eq!(store.events(None, before - 1, 9).await.unwrap(), kept);
        assert_eq!(insert(&admin).await, before + 2);
    }
    assert_eq!(catalogue(&admin).await, whole);
    let empty = "TRUNCATE tessera.events RESTART IDENTITY";
    admin.batch_execute(empty).await.unwrap();
    migrate(&store).await;
    assert_eq!(catalogue(&admin).await, parted);
}

/// A run on two connections, and what it said.
async fn run(
    store: &PostgresStore,
    tenant: Option<&str>,
) -> (Result<Migrated, MigrateError>, Vec<String>) {
    let said = Mutex::new(Vec::new());
    let run = Migrate {
        tenant,
        jobs: NonZeroUsize::new(2).unwrap(),
        told: &|milestone| {
            said.lock().unwrap().push(match milestone {
                Milestone::Begun(schemas) => format!("{schemas} begun"),
                Milestone::Ended => "ended".to_owned(),
                Milestone::SetAside(_) => "set aside".to_owned(),
                Milestone::Taken(_) => "taken".to_owned(),
                Milestone::Waiting => "waiting".to_owned(),
            });
        },
    };
    let done = store.migrate(&run).await;
    (done, said.into_inner().unwrap())
}

/// Each schema, its last migration, and how many it lacks.
async fn standings(store: &PostgresStore) -> Vec<(String, i32, usize)> {
    let all = store.standings(None).await.unwrap();
    let told = all.into_iter().map(|standing| {
        assert!(standing.fault.is_none(), "{standing:?}");
        (standing.schema, standing.version, standing.missing.len())
    });
    told.collect()
}

fn told(schema: &str, version: usize, missing: usize) -> (String, i32, usize) {
    (schema.to_owned(), i32::try_from(version).unwrap(), missing)
}

/// How many migrations there are of a kind.
fn steps(kind: &str) -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres");
    fs::read_dir(format!("{folder}/{kind}")).unwrap().count()
}

fn last_of_shared() -> i32 {
    i32::try_from(steps("shared")).unwrap()
}

/// Every schema, column, constraint, index, trigger and function that is not Postgres' own.
async fn catalogue(admin: &Client) -> Vec<String> {
    let rows = admin
        .query(
            "WITH ours AS (SELECT oid, nspname FROM pg_namespace \
                 WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')) \
             SELECT nspname::text FROM ours \
             UNION ALL SELECT format('%s %s %s %s %s', nspname, relname, attname, \
                 format_type(atttypid, atttypmod), attnotnull) \
                 FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
                 JOIN ours ON ours.oid = relnamespace WHERE attnum > 0 AND NOT attisdropped AND relname <> 'migrations' \
             UNION ALL SELECT format('%s %s %s', nspname, conname, pg_get_constraintdef(c.oid)) \
                 FROM pg_constraint c JOIN ours ON ours.oid = connamespace \
             UNION ALL SELECT indexdef FROM pg_indexes JOIN ours ON nspname = schemaname \
             UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t \
                 JOIN pg_class c ON c.oid = tgrelid JOIN ours ON ours.oid = relnamespace \
                 WHERE NOT tgisinternal \
             UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p \
                 JOIN ours ON ours.oid = pronamespace \
             ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let kept = rows.iter().map(|row| row.get::<_, String>(0));
    // It is made by the first run, and stays.
    let book = |line: &String| line == "tessera" || line.contains("migrations");
    kept.filter(|line| !book(line)).collect()
}
