//! What leaves the log and the audit trail with the tenant or the user that it tells of.

use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;
use tessera_domain::{Event, Id, Tenant, TenantLayout, User};
use tessera_wire::DELETION_STARTED;
use uuid::Uuid;

use crate::pipeline::{Ended, Pipeline};
use crate::statement::Statement;

/// The tenants whose events go, and the subjects of the commit's own tenant.
#[derive(Default)]
pub(crate) struct Erasure {
    tenants: Vec<Uuid>,
    subjects: Vec<String>,
}

impl Erasure {
    /// Adds all that is of a tenant.
    pub(crate) fn tenant(&mut self, id: Id<Tenant>) {
        self.tenants.push(id.uuid());
    }

    /// Adds what is about a user and its sessions, as `tessera_wire` writes these down.
    pub(crate) fn user(&mut self, id: Id<User>, sessions: Vec<Uuid>) {
        self.subjects.push(format!("user/{id}"));
        let sessions = sessions.into_iter().map(|id| format!("session/{id}"));
        self.subjects.extend(sessions);
    }

    /// Adds that the events go, but for `kept`, wherever they wait.
    ///
    /// It follows the commit's own events: what is erased guards the sequences until these have
    /// theirs. A settlement that found an event still there has locked its publisher, and one that
    /// locks it later finds the event gone; so what waits is removed with all publishers locked.
    pub(crate) fn write(self, pipeline: &mut Pipeline<'_>, of: &Tenant, kept: &[Event]) {
        let (tenants, subjects) = (self.tenants, self.subjects);
        let [of_tenants, of_subjects] = [!tenants.is_empty(), !subjects.is_empty()];
        let kept: Vec<Uuid> = kept.iter().map(|event| event.id.uuid()).collect();
        if of_tenants {
            let events = Statement::new(EVENTS_OF_TENANTS);
            let events = events.bind::<Array<SqlUuid>, _>(tenants.clone());
            pipeline.push(events.bind::<Array<SqlUuid>, _>(kept.clone()));
            let entries = Statement::new(ENTRIES_OF_TENANTS);
            let entries = entries.bind::<Array<SqlUuid>, _>(tenants.clone());
            let entries = entries.bind::<Text, _>(DELETION_STARTED);
            pipeline.push(entries.bind::<Array<SqlUuid>, _>(kept.clone()));
        }
        if of_subjects {
            let events = Statement::new(EVENTS_OF_SUBJECTS);
            let events = about(events, of, subjects.clone());
            pipeline.push(events.bind::<Array<SqlUuid>, _>(kept));
        }
        if of_tenants || of_subjects {
            pipeline.push(Statement::new(HOLD));
        }
        if of_tenants {
            let waiting = Statement::new(WAITING_OF_TENANTS);
            pipeline.push(waiting.bind::<Array<SqlUuid>, _>(tenants));
        }
        if of_subjects {
            let waiting = Statement::new(WAITING_OF_SUBJECTS);
            pipeline.push(about(waiting, of, subjects));
        }
    }
}

/// Removes at most `limit` of each kind of row of a tenant, if its deletion began and it is there.
///
/// A schema of its own goes with the tenant. It is not entered, as it may be gone. Where two do so at
/// once, each takes what the other has not.
pub(crate) async fn empty(
    connection: &AsyncPgConnection,
    tenant: &Tenant,
    limit: i64,
) -> Ended<usize> {
    let mut pipeline = Pipeline::begin(connection);
    pipeline.push(
        Statement::new("SELECT set_config($, $, $)")
            .bind::<Text, _>("tessera.tenant")
            .bind::<Text, _>(tenant.id.to_string())
            .bind::<Bool, _>(true),
    );
    let some = |statement: &'static str| {
        Statement::new(statement)
            .bind::<SqlUuid, _>(tenant.id.uuid())
            .bind::<BigInt, _>(limit)
    };
    let users = match tenant.layout {
        TenantLayout::Schema => None,
        TenantLayout::Shared => Some(
            Statement::new(SOME_USERS)
                .bind::<SqlUuid, _>(tenant.id.uuid())
                .bind::<SqlUuid, _>(tenant.id.uuid())
                .bind::<BigInt, _>(limit),
        ),
    };
    let entries = Statement::new(SOME_ENTRIES)
        .bind::<SqlUuid, _>(tenant.id.uuid())
        .bind::<Text, _>(DELETION_STARTED)
        .bind::<BigInt, _>(limit);
    let waiting = Statement::new(WAITING_FOR_NOTHING).bind::<SqlUuid, _>(tenant.id.uuid());
    let of_all = [some(SOME_EVENTS), entries, some(SOME_MAILS), waiting];
    let removals = users.into_iter().chain(of_all);
    pipeline.write(removals).await
}

fn about<'q>(statement: Statement<'q>, of: &Tenant, subjects: Vec<String>) -> Statement<'q> {
    statement
        .bind::<SqlUuid, _>(of.id.uuid())
        .bind::<Array<Text>, _>(subjects)
}

// What is chosen is chosen once, here and below: as an `IN`, it might be chosen anew for each row.
// Users are chosen in an array: a join, with the table's own policy around it, is planned badly before
// Postgres knows how large the table is.
const SOME_USERS: &str = "\
    DELETE FROM tessera_shared.users WHERE tenant_id = $ AND id = ANY (ARRAY(\
        SELECT id FROM tessera_shared.users WHERE tenant_id = (\
            SELECT id FROM tessera.tenants WHERE id = $ AND is_deleting) \
        ORDER BY id LIMIT $ FOR UPDATE SKIP LOCKED))";

const SOME_EVENTS: &str = "\
    WITH few AS MATERIALIZED (\
        SELECT position FROM tessera.events WHERE tenant_id = (\
            SELECT id FROM tessera.tenants WHERE id = $ AND is_deleting) \
        ORDER BY position LIMIT $ FOR UPDATE SKIP LOCKED\
    ) DELETE FROM tessera.events USING few WHERE events.position = few.position";

const SOME_ENTRIES: &str = "\
    WITH few AS MATERIALIZED (\
        SELECT time, id FROM tessera.audit WHERE tenant_id = (\
            SELECT id FROM tessera.tenants WHERE id = $ AND is_deleting) AND type <> $ \
        ORDER BY time, id LIMIT $ FOR UPDATE SKIP LOCKED\
    ) DELETE FROM tessera.audit USING few WHERE audit.time = few.time AND audit.id = few.id";

const SOME_MAILS: &str = "\
    WITH few AS MATERIALIZED (\
        SELECT id FROM tessera.mails WHERE tenant_id = (\
            SELECT id FROM tessera.tenants WHERE id = $ AND is_deleting) \
        ORDER BY id LIMIT $ FOR UPDATE SKIP LOCKED\
    ) DELETE FROM tessera.mails USING few WHERE mails.id = few.id";

// It is in the way of what others wait for. What a settlement adds meanwhile is found the next time.
const WAITING_FOR_NOTHING: &str = "\
    WITH held AS MATERIALIZED (\
        SELECT name FROM tessera.publishers ORDER BY name FOR UPDATE\
    ) DELETE FROM tessera.waiting USING held \
    WHERE waiting.publisher = held.name AND waiting.tenant_id = $ \
        AND NOT EXISTS (SELECT FROM tessera.events WHERE events.position = waiting.position)";

const EVENTS_OF_TENANTS: &str = "\
    DELETE FROM tessera.events WHERE tenant_id = ANY ($) AND id <> ALL ($)";

// Once the tenants are gone: the entries of one that is there are kept.
const ENTRIES_OF_TENANTS: &str = "\
    DELETE FROM tessera.audit WHERE tenant_id = ANY ($) AND type <> $ AND id <> ALL ($)";

const EVENTS_OF_SUBJECTS: &str = "\
    DELETE FROM tessera.events WHERE tenant_id = $ AND subject = ANY ($) AND id <> ALL ($)";

const HOLD: &str = "SELECT name FROM tessera.publishers ORDER BY name FOR UPDATE";

// The names are read first: joined, the planner might read all that waits.
const WAITING_OF_TENANTS: &str = "\
    DELETE FROM tessera.waiting \
    WHERE publisher = ANY (ARRAY(SELECT name FROM tessera.publishers)) AND tenant_id = ANY ($)";

const WAITING_OF_SUBJECTS: &str = "\
    DELETE FROM tessera.waiting \
    WHERE publisher = ANY (ARRAY(SELECT name FROM tessera.publishers)) AND tenant_id = $ \
        AND subject = ANY ($)";
