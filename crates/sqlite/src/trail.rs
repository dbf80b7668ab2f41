//! The audit trail: how an entry is kept, pages of them, and what may leave.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::Binary;
use diesel::{delete, update};
use tessera_app::{AuditEntry, AuditQuery, AuditTrail, Unavailable};
use tessera_domain::{Actor, Event, Timestamp};

use crate::SqliteStore;
use crate::columns::{Moment, Uid};
use crate::log::bound;
use crate::rows::EventRow;
use crate::schema::{audit, audit_expiry};

#[async_trait]
impl AuditTrail for SqliteStore {
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, Unavailable> {
        let query = query.clone();
        let rows = self.read(move |conn| page(conn, &query)).await?;
        rows.into_iter().map(AuditEntry::try_from).collect()
    }

    async fn expire_audit(&self, before: Timestamp, limit: usize) -> Result<usize, Unavailable> {
        // A trail without anything old is not written to.
        let old = self.read(move |conn| expired(conn, before)).await?;
        if !old {
            return Ok(0);
        }
        self.write(move |conn| expire(conn, before, limit)).await
    }
}

/// An entry of the audit trail.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = audit, treat_none_as_default_value = false)]
pub(crate) struct AuditRow {
    time: Moment,
    id: Uid,
    tenant_id: Uid,
    event_type: String,
    subject: String,
    user_id: Option<Uid>,
    actor: String,
    actor_id: Option<Uid>,
    actor_tenant_id: Option<Uid>,
    ip: Option<String>,
    data: String,
}

impl AuditRow {
    /// The entry of an event that is kept as `row`.
    pub(crate) fn new(event: &Event, row: &EventRow, actor: &Actor) -> Self {
        let (actor_id, actor_tenant_id) = actor.user().unzip();
        Self {
            time: Moment(event.at),
            id: event.id.into(),
            tenant_id: event.tenant.into(),
            event_type: row.event_type.to_owned(),
            subject: row.subject.clone(),
            user_id: event.fact.user().map(Uid::from),
            actor: actor.kind().to_owned(),
            actor_id: actor_id.map(Uid::from),
            actor_tenant_id: actor_tenant_id.map(Uid::from),
            ip: actor.ip().map(str::to_owned),
            data: tessera_wire::audit_data(&event.fact.kind),
        }
    }
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = Unavailable;

    fn try_from(row: AuditRow) -> Result<Self, Unavailable> {
        let who = row.actor_id.zip(row.actor_tenant_id);
        let who = who.map(|(user, tenant)| (user.id(), tenant.id()));
        let actor = Actor::restore(&row.actor, who, row.ip);
        Ok(Self {
            id: row.id.id(),
            at: row.time.0,
            tenant: row.tenant_id.id(),
            event_type: row.event_type,
            subject: row.subject,
            user: row.user_id.map(Uid::id),
            actor: actor.ok_or_else(|| Unavailable::new("audit.actor holds an unknown value"))?,
            data: row.data,
        })
    }
}

/// The page that `query` asks for.
///
/// Of what it names the narrowest is looked up, and the rest is compared: a `+` keeps the planner
/// from it, which has no figures to choose by.
pub(crate) fn page(conn: &mut SqliteConnection, query: &AuditQuery) -> QueryResult<Vec<AuditRow>> {
    use diesel::dsl::sql;

    let AuditQuery {
        tenant,
        user,
        actor,
        event_type,
        from,
        to,
        before,
        limit,
    } = query;
    let mut page = audit::table
        .order((audit::time.desc(), audit::id.desc()))
        .limit(bound(*limit))
        .select(AuditRow::as_select())
        .into_boxed();
    if let Some(user) = user {
        page = page.filter(audit::user_id.eq(Uid::from(*user)));
    }
    if let Some(actor) = actor.map(Uid::from) {
        page = match user {
            Some(_) => page.filter(sql::<Binary>("+actor_id").eq(actor)),
            None => page.filter(audit::actor_id.eq(actor)),
        };
    }
    if let Some(tenant) = tenant.map(Uid::from) {
        page = if user.is_some() || actor.is_some() {
            page.filter(sql::<Binary>("+tenant_id").eq(tenant))
        } else {
            page.filter(audit::tenant_id.eq(tenant))
        };
    }
    if let Some(event_type) = event_type {
        page = if user.is_some() || actor.is_some() || tenant.is_some() {
            page.filter(sql::<diesel::sql_types::Text>("+type").eq(event_type))
        } else {
            page.filter(audit::event_type.eq(event_type))
        };
    }
    if let Some(from) = from {
        page = page.filter(audit::time.ge(Moment(*from)));
    }
    if let Some(to) = to {
        page = page.filter(audit::time.lt(Moment(*to)));
    }
    if let Some(before) = before {
        let (at, id) = (Moment(before.at), Uid::from(before.id));
        let earlier = audit::time.lt(at).or(audit::id.lt(id));
        page = page.filter(audit::time.le(at)).filter(earlier);
    }
    page.load(conn)
}

/// Whether anything is from before `before`.
pub(crate) fn expired(conn: &mut SqliteConnection, before: Timestamp) -> QueryResult<bool> {
    let old = audit::table
        .order(audit::time)
        .select(audit::time)
        .first::<Moment>(conn)
        .optional()?;
    Ok(old.is_some_and(|old| old.0 < before))
}

pub(crate) fn expire(
    conn: &mut SqliteConnection,
    before: Timestamp,
    limit: usize,
) -> QueryResult<usize> {
    let earlier = audit_expiry::table.filter(audit_expiry::before.lt(Moment(before)));
    update(earlier)
        .set(audit_expiry::before.eq(Moment(before)))
        .execute(conn)?;
    let old: Vec<(Moment, Uid)> = audit::table
        .filter(audit::time.lt(Moment(before)))
        .order((audit::time, audit::id))
        .limit(bound(limit))
        .select((audit::time, audit::id))
        .load(conn)?;
    for place in &old {
        delete(audit::table.find(*place)).execute(conn)?;
    }
    Ok(old.len())
}
