//! What leaves the log and the audit trail with the tenant or the user that it tells of.

use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;
use tessera_domain::{Event, Id, Tenant, TenantLayout, User};
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
/// What waits at publishers, and a schema of its own, go with the tenant. It is not entered, as it
/// may be gone.
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
    let of_layout: &[&'static str] = match tenant.layout {
        TenantLayout::Schema => &[],
        TenantLayout::Shared => &[SOME_USERS],
    };
    let of_all = [SOME_EVENTS, SOME_ENTRIES, SOME_MAILS];
    let statements = of_layout.iter().copied().chain(of_all);
    let removals = statements.map(|statement| {
        Statement::new(statement)
            .bind::<SqlUuid, _>(tenant.id.uuid())
            .bind::<BigInt, _>(limit)
    });
    pipeline.write(removals).await
}

fn about<'q>(statement: Statement<'q>, of: &Tenant, subjects: Vec<String>) -> Statement<'q> {
    statement
        .bind::<SqlUuid, _>(of.id.uuid())
        .bind::<Array<Text>, _>(subjects)
}

const SOME_USERS: &str = "\
    DELETE FROM tessera_shared.users WHERE (tenant_id, id) IN (\
        SELECT tenant_id, id FROM tessera_shared.users WHERE tenant_id = (\
            SELECT id FROM tessera.tenants WHERE id = $ AND is_deleting) LIMIT $)";

const SOME_EVENTS: &str = "\
    DELETE FROM tessera.events WHERE position IN (\
        SELECT position FROM tessera.events WHERE tenant_id = (\
            SELECT id FROM tessera.tenants WHERE id = $ AND is_deleting) \
        ORDER BY position LIMIT $)";

const SOME_ENTRIES: &str = "\
    DELETE FROM tessera.audit WHERE (time, id) IN (\
        SELECT time, id FROM tessera.audit WHERE tenant_id = (\
            SELECT id FROM tessera.tenants WHERE id = $ AND is_deleting) \
        ORDER BY time, id LIMIT $)";

const SOME_MAILS: &str = "\
    DELETE FROM tessera.mails WHERE id IN (\
        SELECT id FROM tessera.mails WHERE tenant_id = (\
            SELECT id FROM tessera.tenants WHERE id = $ AND is_deleting) LIMIT $)";

const EVENTS_OF_TENANTS: &str = "\
    DELETE FROM tessera.events WHERE tenant_id = ANY ($) AND id <> ALL ($)";

// Once the tenants are gone: the entries of one that is there are kept.
const ENTRIES_OF_TENANTS: &str = "\
    DELETE FROM tessera.audit WHERE tenant_id = ANY ($) AND id <> ALL ($)";

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
