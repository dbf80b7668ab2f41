//! The audit trail.

use async_trait::async_trait;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use tessera_app::{AuditEntry, AuditQuery, AuditTrail, Unavailable};
use tessera_domain::{Actor, Event, Id, Timestamp};
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::unknown;
use crate::schema::audit;
use crate::statement::Statement;
use crate::store::{WRITE, at_most, in_time};
use crate::turns::Line;
use crate::value::{count, number};

#[async_trait]
impl AuditTrail for PostgresStore {
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, Unavailable> {
        let query = query.clone();
        let rows = self
            .read(&Line::Anybody, |connection| page(connection, query).boxed())
            .await?;
        rows.into_iter().map(AuditEntry::try_from).collect()
    }

    async fn expire_audit(&self, before: Timestamp, limit: usize) -> Result<usize, Unavailable> {
        let lease = self.pool.lease(&Line::Service).await?;
        in_time(WRITE, async {
            let expired = Statement::new("SELECT tessera.expire_audit($, $)")
                .bind::<BigInt, _>(before.as_micros())
                .bind::<BigInt, _>(at_most(limit))
                .rows::<BigInt>()
                .get_result(&mut lease.connection())
                .await;
            lease.answer(expired.map(|expired| usize::try_from(count(expired)).unwrap_or(limit)))
        })
        .await
    }
}

/// A row of `tessera.audit`.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit, check_for_backend(diesel::pg::Pg))]
pub(crate) struct AuditRow {
    time: i64,
    id: Uuid,
    tenant_id: Uuid,
    kind: String,
    subject: String,
    user_id: Option<Uuid>,
    actor: String,
    actor_id: Option<Uuid>,
    actor_tenant_id: Option<Uuid>,
    ip: Option<String>,
    data: String,
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = Unavailable;

    fn try_from(row: AuditRow) -> Result<Self, Unavailable> {
        let who = row.actor_id.zip(row.actor_tenant_id);
        let who = who.map(|(user, tenant)| (Id::from(user), Id::from(tenant)));
        let actor = Actor::restore(&row.actor, who, row.ip);
        Ok(Self {
            id: Id::from(row.id),
            at: Timestamp::from_micros(row.time),
            tenant: Id::from(row.tenant_id),
            event_type: row.kind,
            subject: row.subject,
            user: row.user_id.map(Id::from),
            actor: actor.ok_or_else(|| unknown("audit.actor"))?,
            data: row.data,
        })
    }
}

/// A statement that adds an event to the log and its entry to the trail.
pub(crate) fn append(event: &Event, actor: &Actor) -> Statement<'static> {
    let encoded = tessera_wire::encode(event);
    let (actor_id, actor_tenant_id) = actor.user().unzip();
    Statement::new(APPEND)
        .bind::<SqlUuid, _>(event.id.uuid())
        .bind::<SqlUuid, _>(event.tenant.uuid())
        .bind::<Text, _>(encoded.subject)
        .bind::<BigInt, _>(number(event.fact.sequence))
        .bind::<Text, _>(encoded.event_type)
        .bind::<BigInt, _>(event.at.as_micros())
        .bind::<Text, _>(encoded.body)
        .bind::<Nullable<SqlUuid>, _>(event.fact.user().map(Id::uuid))
        .bind::<Text, _>(actor.kind())
        .bind::<Nullable<SqlUuid>, _>(actor_id.map(Id::uuid))
        .bind::<Nullable<SqlUuid>, _>(actor_tenant_id.map(Id::uuid))
        .bind::<Nullable<Text>, _>(actor.ip().map(str::to_owned))
        .bind::<Text, _>(tessera_wire::audit_data(&event.fact.kind))
}

/// The page that `query` asks for.
pub(crate) async fn page(
    mut connection: &AsyncPgConnection,
    query: AuditQuery,
) -> QueryResult<Vec<AuditRow>> {
    let mut page = audit::table
        .order((audit::time.desc(), audit::id.desc()))
        .limit(at_most(query.limit))
        .select(AuditRow::as_select())
        .into_boxed();
    if let Some(tenant) = query.tenant {
        page = page.filter(audit::tenant_id.eq(tenant.uuid()));
    }
    if let Some(user) = query.user {
        page = page.filter(audit::user_id.eq(user.uuid()));
    }
    if let Some(actor) = query.actor {
        page = page.filter(audit::actor_id.eq(actor.uuid()));
    }
    if let Some(event_type) = query.event_type {
        page = page.filter(audit::kind.eq(event_type));
    }
    if let Some(from) = query.from {
        page = page.filter(audit::time.ge(from.as_micros()));
    }
    if let Some(to) = query.to {
        page = page.filter(audit::time.lt(to.as_micros()));
    }
    if let Some(before) = query.before {
        let earlier = sql::<Bool>("(time, id) < (")
            .bind::<BigInt, _>(before.at.as_micros())
            .sql(", ")
            .bind::<SqlUuid, _>(before.id.uuid())
            .sql(")");
        page = page.filter(earlier);
    }
    page.load(&mut connection).await
}

// One statement, as every log in has one.
const APPEND: &str = "\
    WITH event AS (\
        INSERT INTO tessera.events (id, tenant_id, subject, sequence, type, time, body) \
        VALUES ($, $, $, $, $, $, $) RETURNING time, id, tenant_id, type, subject\
    ) \
    INSERT INTO tessera.audit (time, id, tenant_id, type, subject, \
        user_id, actor, actor_id, actor_tenant_id, ip, data) \
    SELECT time, id, tenant_id, type, subject, $, $, $, $, $, $ FROM event";
