//! Tries that what relays and operators ask for is looked up, however much there is.

use std::sync::{Arc, Mutex};

use diesel::connection::{InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use tessera_app::{AuditPlace, AuditQuery, Claim, Claimed, Lease, Settlement, UserFilter};
use tessera_contract::values;
use tessera_domain::{
    Change, Changes, Id, MailedDigest, NamePrefix, Role, Tenant, Timestamp, UserStatus,
};
use uuid::Uuid;

use crate::commit::Commit;
use crate::erasure::Erasure;
use crate::{claim, log, mail, mailed_token, migrations, progress, read, settle, trail};

#[test]
fn a_claim_beside_much_that_waits_is_a_lookup() {
    let mut conn = filled(MANY);
    let (found, plans) = planned(&mut conn, claimed);
    let events = found.events.iter();
    let found: Vec<_> = events
        .map(|claimed| (claimed.event.position, claimed.blocked))
        .collect();
    assert_eq!(found, [(MANY + 1, false), (MANY + 2, true)]);
    assert_looked_up(&plans);
}

#[test]
fn a_settlement_beside_much_that_waits_is_a_lookup() {
    let mut conn = filled(MANY);
    let claim = claimed(&mut conn);
    let settlement = Settlement {
        sent: claim.events.iter().map(|one| one.event.position).collect(),
        waiting: Vec::new(),
    };
    let ((), plans) = planned(&mut conn, |conn| {
        settle::settle(conn, &lease(), NOW, &claim, settlement).unwrap();
    });
    assert_looked_up(&plans);
}

#[test]
fn what_operators_ask_for_and_what_expires_is_looked_up() {
    let mut conn = filled(1_000);
    let tenant = Id::from(Uuid::nil());
    let (retried, plans) = planned(&mut conn, |conn| {
        log::page(conn, Some(tenant), 7, 10).unwrap();
        log::last_page(conn, Some(tenant), 10).unwrap();
        log::expired(conn, NOW).unwrap();
        progress::waiting(conn, Some(tenant), 7, 10).unwrap();
        settle::retry(conn, Some(tenant), Id::from(Uuid::nil()), NOW).unwrap()
    });
    assert_eq!(retried, 1);
    assert_looked_up(&plans);
}

#[test]
fn what_is_erased_beside_much_that_waits_is_looked_up() {
    let mut conn = filled(1_000);
    let mut erasure = Erasure::default();
    erasure.tenant(Id::from(Uuid::max()));
    let tenant = Id::from(Uuid::nil());
    erasure.user(tenant, Id::from(Uuid::nil()), [Id::from(Uuid::nil())]);
    let ((), plans) = planned(&mut conn, |conn| {
        let end = erasure.end(conn).unwrap().unwrap();
        erasure.write(conn, end).unwrap();
    });
    assert_looked_up(&plans);
    let by_subject = |step: &String| step.contains("(tenant_id=? AND subject=?");
    assert!(plans.iter().any(by_subject), "{plans:#?}");
}

#[test]
fn mails_and_mailed_tokens_are_looked_up_beside_many() {
    let mut conn = with_mails();
    let tenant = Id::from(Uuid::nil());
    let mail = Id::from(Uuid::nil());
    let (due, plans) = planned(&mut conn, |conn| {
        let due = mail::take(conn, NOW, NOW, 10).unwrap();
        mail::defer(conn, mail, NOW).unwrap();
        mail::remove(conn, mail).unwrap();
        mailed_token::find(conn, tenant, MailedDigest::restore([7; 32])).unwrap();
        mailed_token::of_user(conn, tenant, Id::from(Uuid::nil())).unwrap();
        let over = mailed_token::over(conn, tenant, NOW, 10).unwrap();
        mailed_token::remove_over(conn, tenant, NOW, over).unwrap();
        let spent = [Id::from(Uuid::nil())];
        mailed_token::write(conn, tenant, Vec::new(), &spent).unwrap();
        due.len()
    });
    assert_eq!(due, 3);
    let looks = |step: &&String| step.starts_with("SEARCH mail");
    let by = |columns: &str| plans.iter().any(|step| step.ends_with(columns));
    assert_eq!(
        plans.iter().filter(looks).count(),
        plans.len(),
        "{plans:#?}"
    );
    for columns in [
        "(due_at<?)",
        "(tenant_id=? AND digest=?)",
        "(tenant_id=? AND user_id=?)",
        "(tenant_id=? AND expires_at<?)",
    ] {
        assert!(by(columns), "{columns}: {plans:#?}");
    }
}

#[test]
fn the_sessions_of_one_user_are_looked_up_beside_those_of_many() {
    let mut conn = with_mails();
    let nobody = Id::from(Uuid::nil());
    let (_, plans) = planned(&mut conn, |conn| {
        read::sessions(conn, Id::from(Uuid::nil()), nobody).unwrap()
    });
    let by = |columns: &str| plans.iter().any(|step| step.ends_with(columns));
    assert!(by("(tenant_id=? AND user_id=?)"), "{plans:#?}");
    assert!(!by("(tenant_id=?)"), "{plans:#?}");
}

#[test]
fn the_dead_are_found_among_the_sessions_of_one_tenant() {
    let mut conn = with_mails();
    let (_, plans) = planned(&mut conn, |conn| {
        read::dead(conn, Id::from(Uuid::nil()), NOW, 10).unwrap()
    });
    let [sessions, user] = plans.as_slice() else {
        panic!("{plans:#?}");
    };
    assert_eq!(sessions, "SEARCH sessions USING PRIMARY KEY (tenant_id=?)");
    let by_key = "SEARCH users USING PRIMARY KEY (tenant_id=? AND id=?)";
    assert!(user.starts_with(by_key), "{user}");
}

#[test]
fn what_goes_with_a_user_is_looked_up_beside_what_is_of_others() {
    let mut conn = with_mails();
    conn.batch_execute("PRAGMA foreign_keys = ON").unwrap();
    let tenant = Tenant {
        id: Id::from(Uuid::nil()),
        ..values::tenant("Acme")
    };
    let changes = Changes {
        users: vec![Change::Remove(Id::from(Uuid::nil()))],
        ..Changes::default()
    };
    let ((), plans) = planned(&mut conn, |conn| {
        Commit::new(&tenant, changes).write(conn).unwrap();
    });
    for table in ["sessions", "mailed_tokens"] {
        let of_table = format!("SEARCH {table} ");
        let mut steps = plans.iter().filter(|step| step.starts_with(&of_table));
        let by_user = |step: &String| step.ends_with("(tenant_id=? AND user_id=?)");
        assert!(
            steps.clone().count() > 0 && steps.all(by_user),
            "{plans:#?}"
        );
    }
    let walks = plans
        .iter()
        .any(|step| step.starts_with("SCAN sessions") || step.starts_with("SCAN mailed_tokens"));
    assert!(!walks, "{plans:#?}");
}

#[test]
fn users_are_looked_up_by_what_they_are_called_and_not_one_by_one() {
    let mut conn = filled(1);
    let filter = UserFilter {
        search: NamePrefix::parse("ada"),
        role: Role::parse("editor").ok(),
        status: Some(UserStatus::Active),
        email_verified: Some(true),
    };
    let ((), plans) = planned(&mut conn, |conn| {
        read::users(conn, Id::from(Uuid::nil()), &filter, None, 10).unwrap();
    });
    for lookup in [
        "SEARCH users USING PRIMARY KEY (tenant_id=? AND id=?)",
        "(tenant_id=? AND email_key>? AND email_key<?)",
        "(tenant_id=? AND username_key>? AND username_key<?)",
    ] {
        let found = plans.iter().any(|step| step.contains(lookup));
        assert!(found, "{lookup}: {plans:#?}");
    }
    let walks = plans.iter().any(|step| step.contains("SCAN"));
    assert!(!walks, "{plans:#?}");
}

#[test]
fn entries_of_the_audit_trail_are_looked_up_by_what_is_narrowest() {
    let mut conn = with_entries();
    let all = AuditQuery {
        from: Some(Timestamp::from_micros(1)),
        before: Some(AuditPlace {
            at: NOW,
            id: Id::from(Uuid::nil()),
        }),
        limit: 10,
        ..AuditQuery::default()
    };
    let of_type = AuditQuery {
        event_type: Some("UserCreated".to_owned()),
        ..all.clone()
    };
    let of_tenant = AuditQuery {
        tenant: Some(Id::from(Uuid::nil())),
        ..of_type.clone()
    };
    let of_actor = AuditQuery {
        actor: Some(Id::from(Uuid::nil())),
        ..of_tenant.clone()
    };
    let of_user = AuditQuery {
        user: Some(Id::from(Uuid::nil())),
        ..of_actor.clone()
    };
    for (query, looked_up) in [
        (all, "PRIMARY KEY (time>? AND time<?)"),
        (
            of_type,
            "audit_type_time_idx (type=? AND time>? AND time<?)",
        ),
        (
            of_tenant,
            "audit_tenant_id_time_idx (tenant_id=? AND time>? AND time<?)",
        ),
        (
            of_actor,
            "audit_actor_id_time_idx (actor_id=? AND time>? AND time<?)",
        ),
        (
            of_user,
            "audit_user_id_time_idx (user_id=? AND time>? AND time<?)",
        ),
    ] {
        let (page, plans) = planned(&mut conn, |conn| trail::page(conn, &query).unwrap());
        assert_eq!(page.len(), 10);
        let [step] = plans.as_slice() else {
            panic!("{plans:#?}");
        };
        assert!(step.ends_with(looked_up), "{looked_up}: {step}");
    }
    let (expired, plans) = planned(&mut conn, |conn| {
        assert!(trail::expired(conn, NOW).unwrap());
        trail::expire(conn, NOW, 10).unwrap()
    });
    assert_eq!(expired, 10);
    let looks = plans.iter().all(|step| {
        let scan = step == "SCAN audit";
        let first = scan && plans.first() == Some(step);
        (first || !scan) && !step.contains("TEMP B-TREE")
    });
    assert!(looks, "{plans:#?}");
}

/// Many entries of one user.
fn with_entries() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    migrations::up(&mut conn).unwrap();
    conn.batch_execute(
        "INSERT INTO audit
         WITH RECURSIVE numbers (number) AS (
             SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 1000
         )
         SELECT number, randomblob(16), zeroblob(16), 'UserCreated', 'user/1', zeroblob(16),
             'user', zeroblob(16), zeroblob(16), NULL, '{}'
         FROM numbers;",
    )
    .unwrap();
    conn
}

/// What `work` answers, and how each of its statements goes about it.
fn planned<T>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> T,
) -> (T, Vec<String>) {
    let statements = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&statements);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            seen.lock().unwrap().push(query.to_string());
        }
    });
    let answer = work(conn);
    conn.set_instrumentation(|_: InstrumentationEvent<'_>| ());
    let statements = statements.lock().unwrap();
    let plans = statements.iter().flat_map(|statement| {
        let sql = statement.split(" -- binds").next().unwrap();
        let steps: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
            .load(conn)
            .unwrap();
        steps.into_iter().map(|step| step.detail)
    });
    (answer, plans.collect())
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// No step goes through all events, through all that waits, through all of a publisher's that
/// waits, or sorts; going through all that is parked is meant.
fn assert_looked_up(plans: &[String]) {
    let goes_through = |step: &&String| {
        let all = step.starts_with("SCAN events") || step.starts_with("SCAN waiting");
        let of_one = step.starts_with("SEARCH waiting") && step.ends_with("(publisher=?)");
        let sorts = step.contains("TEMP B-TREE");
        (all || of_one || sorts) && !step.contains("waiting_publisher_parked_at_idx")
    };
    let found: Vec<&String> = plans.iter().filter(goes_through).collect();
    assert!(found.is_empty(), "{found:#?}");
    let looks = plans.iter().any(|step| step.starts_with("SEARCH waiting"));
    assert!(looks, "{plans:#?}");
}

/// Many events behind one that is parked, then one that is due, and a new one behind that.
fn filled(many: u64) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    migrations::up(&mut conn).unwrap();
    let sql = format!(
        "INSERT INTO events (id, tenant_id, subject, sequence, type, time, body)
         WITH RECURSIVE numbers (number) AS (
             SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < {many} + 1
         )
         SELECT zeroblob(16), zeroblob(16), iif(number < {many}, 'user/1', 'user/2'),
             number + 1, 'UserCreated', 0, '{{}}'
         FROM numbers;
         INSERT INTO publishers VALUES ('p', {many} + 1, 0, 0, NULL, NULL);
         INSERT INTO waiting
         SELECT 'p', tenant_id, subject, position, 0, 0, iif(position > {many}, 0, NULL),
             iif(position = 1, 0, NULL), NULL
         FROM events WHERE position <= {many} + 1;"
    );
    conn.batch_execute(&sql).unwrap();
    conn
}

/// A user with many mailed tokens, and many mails, three of them due.
fn with_mails() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    migrations::up(&mut conn).unwrap();
    let sql = "
        INSERT INTO tenants (id, name, schema, status, created_at, events, version)
            VALUES (zeroblob(16), 'Acme', 'acme', 'active', 0, 0, 1);
        INSERT INTO users VALUES (zeroblob(16), zeroblob(16), NULL, NULL, NULL, 0, NULL, NULL,
            '', '', '', '', 0, 'active', NULL, 0, NULL, NULL, 0, 0, NULL, 0, 1);
        WITH RECURSIVE numbers (number) AS (
            SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 1000
        )
        INSERT INTO mails SELECT randomblob(16), zeroblob(16), 'reset_password', '', NULL, NULL,
            NULL, 0, iif(number > 3, 9000000, 0), 0
        FROM numbers;
        INSERT INTO mailed_tokens SELECT tenant_id, id, randomblob(32), 'reset_password',
            zeroblob(16), '', '', NULL, 0, due_at
        FROM mails;";
    conn.batch_execute(sql).unwrap();
    conn
}

fn claimed(conn: &mut SqliteConnection) -> Claim {
    claim::take(conn, &lease(), NOW).unwrap();
    match claim::read(conn, "p", 1, NOW, 100).unwrap() {
        Claimed::Elsewhere(until) => panic!("another has it until {until:?}"),
        Claimed::Ours(claim) => claim,
    }
}

fn lease() -> Lease {
    Lease {
        publisher: "p",
        holder: Id::from(Uuid::nil()),
        until: NOW,
    }
}

const MANY: u64 = 100_000;
const NOW: Timestamp = Timestamp::from_secs(1);
