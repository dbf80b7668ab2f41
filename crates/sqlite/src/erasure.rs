//! What leaves the log with the tenant or the user that it tells of.

use diesel::delete;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tessera_domain::{Id, Session, Tenant, User};
use tessera_wire::DELETION_STARTED;

use crate::columns::{Count, Uid};
use crate::log::last_position;
use crate::schema::{audit, events, publishers, waiting};

/// The tenants and the aggregates whose events go.
#[derive(Debug, Default)]
pub(crate) struct Erasure {
    tenants: Vec<Uid>,
    aggregates: Vec<(Uid, String)>,
}

impl Erasure {
    /// Adds all that is of a tenant.
    pub(crate) fn tenant(&mut self, id: Id<Tenant>) {
        self.tenants.push(id.into());
    }

    /// Adds what is about a user and its sessions, as `tessera_wire` writes these down.
    pub(crate) fn user(
        &mut self,
        tenant: Id<Tenant>,
        id: Id<User>,
        sessions: impl IntoIterator<Item = Id<Session>>,
    ) {
        let sessions = sessions.into_iter().map(|id| format!("session/{id}"));
        let subjects = sessions.chain([format!("user/{id}")]);
        let aggregates = subjects.map(|subject| (tenant.into(), subject));
        self.aggregates.extend(aggregates);
    }

    /// The last position that is erased, where anything is: what follows is of this commit.
    pub(crate) fn end(&self, conn: &mut SqliteConnection) -> QueryResult<Option<Count>> {
        if self.tenants.is_empty() && self.aggregates.is_empty() {
            return Ok(None);
        }
        last_position(conn).map(Some)
    }

    /// Removes the events up to `end`, wherever they wait, and what the audit trail has of a tenant:
    /// it has nothing of this commit yet.
    pub(crate) fn write(self, conn: &mut SqliteConnection, end: Count) -> QueryResult<()> {
        let publishers: Vec<String> = publishers::table.select(publishers::name).load(conn)?;
        for tenant in self.tenants {
            let gone = audit::table.filter(audit::tenant_id.eq(tenant));
            delete(gone.filter(audit::event_type.ne(DELETION_STARTED))).execute(conn)?;
            let gone = events::table.filter(events::tenant_id.eq(tenant));
            delete(gone.filter(events::position.le(end))).execute(conn)?;
            for publisher in &publishers {
                let gone = waiting::table.filter(waiting::publisher.eq(publisher));
                delete(gone.filter(waiting::tenant_id.eq(tenant))).execute(conn)?;
            }
        }
        for (tenant, subject) in self.aggregates {
            let gone = events::table
                .filter(events::tenant_id.eq(tenant))
                .filter(events::subject.eq(&subject));
            // The `+` keeps the planner from going through all events of the tenant.
            let before = sql::<BigInt>("+position").le(end);
            delete(gone.filter(before)).execute(conn)?;
            for publisher in &publishers {
                let gone = waiting::table
                    .filter(waiting::publisher.eq(publisher))
                    .filter(waiting::tenant_id.eq(tenant));
                delete(gone.filter(waiting::subject.eq(&subject))).execute(conn)?;
            }
        }
        Ok(())
    }
}
