//! Removes bit by bit what is of a tenant that is being deleted.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::{delete, select};
use tessera_domain::{Id, Tenant};
use tessera_wire::DELETION_STARTED;

use crate::columns::{Count, Moment, Uid};
use crate::log::{self, bound};
use crate::schema::{audit, events, mails, tenants, users, waiting};

/// Removes at most `limit` users with what is theirs, and as many events, entries of the audit trail
/// and mails; answers how much.
pub(crate) fn empty(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    limit: usize,
) -> QueryResult<usize> {
    let (tenant, limit) = (Uid::from(tenant), bound(limit));
    let stored = tenants::table.find(tenant);
    let deleting = stored.filter(tenants::is_deleting.eq(true));
    if !select(exists(deleting)).get_result::<bool>(conn)? {
        return Ok(0);
    }
    let mut removed = 0;
    let of_tenant = users::table.filter(users::tenant_id.eq(tenant));
    let some: Vec<Uid> = of_tenant.select(users::id).limit(limit).load(conn)?;
    for id in some {
        removed += delete(users::table.find((tenant, id))).execute(conn)?;
    }
    let of_tenant = events::table.filter(events::tenant_id.eq(tenant));
    let oldest = of_tenant.order(events::position).limit(limit);
    let some: Vec<Count> = oldest.select(events::position).load(conn)?;
    removed += some.len();
    for position in &some {
        delete(waiting::table.filter(waiting::position.eq(position))).execute(conn)?;
    }
    log::remove(conn, some)?;
    let of_tenant = audit::table
        .filter(audit::tenant_id.eq(tenant))
        .filter(audit::event_type.ne(DELETION_STARTED));
    let oldest = of_tenant.order(audit::time).limit(limit);
    let some: Vec<(Moment, Uid)> = oldest.select((audit::time, audit::id)).load(conn)?;
    for place in some {
        removed += delete(audit::table.find(place)).execute(conn)?;
    }
    let of_tenant = mails::table.filter(mails::tenant_id.eq(tenant));
    let some: Vec<Uid> = of_tenant.select(mails::id).limit(limit).load(conn)?;
    for id in some {
        removed += delete(mails::table.find(id)).execute(conn)?;
    }
    Ok(removed)
}
