//! Tenants of which a command is killed while it makes or deletes them.

use std::collections::BTreeMap;
use std::process::Command;

use crate::client::log_in;
use crate::database::{Database, setting};
use crate::service::{Installation, PASSWORD, until};
use crate::tenants::{BOB, Killed, acme};

#[test]
fn a_tenant_whose_making_is_killed_leaves_nothing_on_postgres() {
    killed_in_making(&Database::create());
}

#[test]
fn a_tenant_whose_making_is_killed_leaves_nothing_in_tables_that_tenants_share() {
    killed_in_making(&Database::shared());
}

fn killed_in_making(database: &Database) {
    let installation = Installation::prepared_on(database);
    let before = registered(database);
    // Its event is the last thing that it writes.
    let held = "LOCK TABLE tessera.events IN SHARE MODE";
    let create = ["tenant", "create", "Acme", "--domain", "acme.example"];
    kill_held(database, &installation, held, &create);
    assert_eq!(registered(database), before);
    let made = "SELECT count(*) FROM tessera.events WHERE type = 'TenantCreated'";
    assert_eq!(database.ask(made).as_deref(), Some("1"));
    let (status, said) = installation.refusal(&SHOW, "");
    assert_eq!(status, Some(1), "{said}");

    // The same command.
    acme(&installation);
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    assert_eq!(service.ask(&log_in(BOB, PASSWORD)).status, 200);
}

#[test]
fn a_deletion_that_is_killed_is_finished_when_it_is_run_again_on_sqlite() {
    let installation = Installation::embedded();
    installation.start().kill();
    let made = acme(&installation);
    fill_sqlite(&installation, made["id"].as_str().unwrap());
    let mut deleting = Killed(installation.spawn(&DELETE));
    // A command would wait for its turn to write, and see the end alone.
    until("some of it is gone", || {
        let left = python(&installation, COUNT, &[]);
        left.trim().parse::<u32>().unwrap() < MANY
    });
    deleting.kill();
    is_half_gone(&installation);
    installation.done(&DELETE);
    is_gone(&installation);
}

#[test]
fn a_deletion_that_is_killed_is_finished_when_it_is_run_again_on_postgres() {
    killed_in_deletion(&Database::create());
}

#[test]
fn a_deletion_that_is_killed_is_finished_when_it_is_run_again_where_tenants_share_tables() {
    killed_in_deletion(&Database::shared());
}

fn killed_in_deletion(database: &Database) {
    let installation = Installation::prepared_on(database);
    let before = registered(database);
    let made = acme(&installation);
    let tenant = made["id"].as_str().unwrap();
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    assert_eq!(service.ask(&log_in(BOB, PASSWORD)).status, 200);
    service.kill();
    fill(database, tenant);
    let full = rows(database, tenant);
    let kept = ["audit", "events", "mails", "tenant_domains", "tenant_names"];
    assert!(
        kept.iter()
            .all(|it| full.contains_key(&format!("tessera.{it}")))
    );
    let own = ["sessions", "users"].map(|it| match database.layout() {
        "shared" => format!("tessera_shared.{it}"),
        _ => format!("acme.{it}"),
    });
    assert!(own.iter().all(|it| full.contains_key(it)), "{full:?}");

    let middle = format!(
        "SELECT FROM tessera.events WHERE subject = 'user/x' AND sequence = {} FOR UPDATE",
        FEW / 2
    );
    kill_held(database, &installation, &middle, &DELETE);
    is_half_gone(&installation);
    let left = rows(database, tenant);
    assert!(left[EVENTS] < full[EVENTS], "{left:?}");

    // Its last transaction, in which the tenant itself goes.
    let end = "LOCK TABLE tessera.tenant_names IN SHARE MODE";
    kill_held(database, &installation, end, &DELETE);
    is_half_gone(&installation);
    let left = rows(database, tenant);
    assert!(!left.contains_key(EVENTS), "{left:?}");

    installation.done(&DELETE);
    // That it was deleted stays on record.
    let told = BTreeMap::from([(AUDIT.to_owned(), 2), (EVENTS.to_owned(), 1)]);
    assert_eq!(rows(database, tenant), told);
    for (table, told) in [
        (AUDIT, "TenantDeleted TenantDeletionStarted"),
        (EVENTS, "TenantDeleted"),
    ] {
        let types = format!(
            "SELECT string_agg(type, ' ' ORDER BY type) FROM {table} WHERE tenant_id = '{tenant}'"
        );
        assert_eq!(database.ask(&types).as_deref(), Some(told));
    }
    assert_eq!(registered(database), before);
    is_gone(&installation);
}

/// Kills a command when it waits for what somebody else holds, and sees its transaction ended.
fn kill_held(database: &Database, installation: &Installation, held: &str, command: &[&str]) {
    let held = database.hold(held);
    let mut killed = Killed(installation.spawn(command));
    let connected = |more: &str| {
        let count = format!(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'tessera' {more}"
        );
        database.ask(&count).unwrap()
    };
    until("it waits", || {
        // For a lock, or by looking again and again who else writes.
        connected("AND wait_event_type IN ('Lock', 'Timeout')") == "1"
    });
    killed.kill();
    drop(held);
    until("its transaction is over", || connected("") == "0");
}

fn is_half_gone(installation: &Installation) {
    assert_eq!(installation.json(&SHOW, "")["status"], "deleting");
    let (status, said) = installation.refusal(&["tenant", "create", "Acme"], "");
    assert_eq!(status, Some(1), "its name is taken: {said}");
    let export = [&DELETE[..], &["--export", "late"]].concat();
    let (status, said) = installation.refusal(&export, "");
    assert_eq!(status, Some(1), "{said}");
    assert!(!installation.path("late").exists());
}

fn is_gone(installation: &Installation) {
    let (status, said) = installation.refusal(&SHOW, "");
    assert_eq!(status, Some(1), "{said}");
    installation.done(&["tenant", "create", "Acme"]);
}

/// What is known of tenants, and where their tables are.
fn registered(database: &Database) -> [String; 4] {
    [
        "string_agg(schema, ' ') FROM tessera.tenants",
        "string_agg(key, ' ') FROM tessera.tenant_names",
        "string_agg(DISTINCT schema, ' ') FROM tessera.migrations \
             WHERE schema NOT IN ('tessera', 'tessera_shared')",
        "string_agg(nspname, ' ') FROM pg_namespace \
             WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public', \
                'tessera', 'tessera_shared')",
    ]
    .map(|rows| database.ask(&format!("SELECT {rows}")).unwrap_or_default())
}

/// How many rows of a tenant each table has that has any.
fn rows(database: &Database, tenant: &str) -> BTreeMap<String, u32> {
    let tables = "SELECT string_agg(attrelid::regclass::text, ' ') FROM pg_attribute \
        JOIN pg_class ON pg_class.oid = attrelid \
        WHERE attname = 'tenant_id' AND relkind IN ('r', 'p') AND NOT relispartition";
    let tables = database.ask(tables).unwrap();
    let counted = tables.split(' ').map(|table| {
        let count = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'");
        (
            table.to_owned(),
            database.ask(&count).unwrap().parse().unwrap(),
        )
    });
    counted.filter(|(_, count)| *count > 0).collect()
}

/// So much of a tenant that it takes several transactions until it is gone.
fn fill(database: &Database, tenant: &str) {
    database.run(&format!(
        "INSERT INTO tessera.events (id, tenant_id, subject, sequence, type, time, body) \
         SELECT gen_random_uuid(), '{tenant}', 'user/x', n, 'UserLoggedIn', 0, '{{}}' \
         FROM generate_series(1, {FEW}) AS n; \
         INSERT INTO tessera.audit (time, id, tenant_id, type, subject, actor, data) \
         SELECT n, gen_random_uuid(), '{tenant}', 'UserLoggedIn', 'user/x', 'service', '{{}}' \
         FROM generate_series(1, {FEW}) AS n; \
         INSERT INTO tessera.mails (id, tenant_id, kind, account_key, asked_at, due_at, tries) \
         SELECT gen_random_uuid(), '{tenant}', 'already_registered', 'x', 0, 0, 0 \
         FROM generate_series(1, {FEW}) AS n"
    ));
}

/// So many events of a tenant that it takes a while until they are gone.
fn fill_sqlite(installation: &Installation, tenant: &str) {
    let program = "
import sqlite3, sys, uuid
database = sqlite3.connect(sys.argv[1])
tenant = uuid.UUID(sys.argv[2]).bytes
database.executemany(
    \"INSERT INTO events (id, tenant_id, subject, sequence, type, time, body) VALUES (?, ?, 'user/x', ?, 'UserLoggedIn', 0, '{}')\",
    ((uuid.uuid4().bytes, tenant, number) for number in range(1, int(sys.argv[3]) + 1)))
database.commit()";
    python(installation, program, &[tenant, &MANY.to_string()]);
}

/// What a program prints that is told where the database is.
pub(crate) fn python(installation: &Installation, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(setting("TESSERA_TEST_PYTHON"))
        .args(["-c", program])
        .arg(installation.path("data/tessera.db"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const AUDIT: &str = "tessera.audit";
const COUNT: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(database.execute(\"SELECT count(*) FROM events WHERE subject = 'user/x'\").fetchone()[0])";
const DELETE: [&str; 4] = ["tenant", "delete", "acme", "--yes"];
const EVENTS: &str = "tessera.events";
const FEW: u32 = 5_000;
const MANY: u32 = 100_000;
const SHOW: [&str; 3] = ["tenant", "show", "acme"];
