//! Sessions: their rows, and how these are read and written.

use diesel::dsl::{AsSelect, SqlTypeOf};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_app::Unavailable;
use tessera_domain::{
    Change, Device, Epoch, Generation, Id, KeyId, SchemaName, Session, SessionEnd, SessionEnded,
    Tenant, Timestamp, User,
};
use uuid::Uuid;

use crate::error::unknown;
use crate::pipeline::{Pipeline, place};
use crate::schema::sessions;
use crate::statement::Statement;
use crate::tenant::{self, TenantRead};
use crate::user::UserRow;
use crate::value::{count, number};

/// A row of `sessions`; `tessera.session_where_it_is` and `FIND_OF` answer its fields in this order, too.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct SessionRow {
    tenant_id: Uuid,
    id: Uuid,
    user_id: Uuid,
    epoch: i64,
    generation: i64,
    refreshed_at: i64,
    idle_end: i64,
    absolute_end: i64,
    key: String,
    created_at: i64,
    ip: Option<String>,
    user_agent: Option<String>,
    wrong_passwords: i64,
    ended_at: Option<i64>,
    ended_why: Option<String>,
    version: i64,
}

impl SessionRow {
    fn new(tenant: &Tenant, session: &Session) -> Self {
        let ended = session.ended.as_ref();
        Self {
            tenant_id: tenant.id.uuid(),
            id: session.id.uuid(),
            user_id: session.user.uuid(),
            epoch: number(session.epoch.number()),
            generation: number(session.generation.number()),
            refreshed_at: session.refreshed_at.as_micros(),
            idle_end: session.idle_end.as_micros(),
            absolute_end: session.absolute_end.as_micros(),
            key: session.key.as_str().to_owned(),
            created_at: session.created_at.as_micros(),
            ip: session.device.ip.clone(),
            user_agent: session.device.user_agent.clone(),
            wrong_passwords: session.wrong_passwords.into(),
            ended_at: ended.map(|ended| ended.at.as_micros()),
            ended_why: ended.map(|ended| why_text(ended.why).to_owned()),
            version: number(session.version.saturating_add(1)),
        }
    }
}

impl TryFrom<SessionRow> for Session {
    type Error = Unavailable;

    fn try_from(row: SessionRow) -> Result<Self, Unavailable> {
        let ended = match row.ended_at.zip(row.ended_why) {
            Some((at, why)) => Some(SessionEnded {
                at: Timestamp::from_micros(at),
                why: why_of(&why)?,
            }),
            None => None,
        };
        Ok(Self {
            id: Id::from(row.id),
            user: Id::from(row.user_id),
            epoch: Epoch::new(count(row.epoch)),
            generation: Generation::new(count(row.generation)),
            refreshed_at: Timestamp::from_micros(row.refreshed_at),
            idle_end: Timestamp::from_micros(row.idle_end),
            absolute_end: Timestamp::from_micros(row.absolute_end),
            key: KeyId::new(row.key),
            created_at: Timestamp::from_micros(row.created_at),
            device: Device {
                ip: row.ip,
                user_agent: row.user_agent,
            },
            wrong_passwords: u32::try_from(row.wrong_passwords).unwrap_or(u32::MAX),
            ended,
            version: count(row.version),
        })
    }
}

/// A session with its user and its tenant, as they were read.
pub(crate) type HolderRead = (SessionRow, UserRow, TenantRead);

type HolderColumns = (
    SqlTypeOf<AsSelect<SessionRow, Pg>>,
    SqlTypeOf<AsSelect<UserRow, Pg>>,
    SqlTypeOf<tenant::Columns>,
);

type SessionColumns = (
    SqlTypeOf<AsSelect<SessionRow, Pg>>,
    SqlTypeOf<AsSelect<UserRow, Pg>>,
);

/// The session of the tenant that shows `schema`, with its user and its tenant.
pub(crate) async fn find(
    mut connection: &AsyncPgConnection,
    schema: SchemaName,
    id: Id<Session>,
) -> QueryResult<Option<HolderRead>> {
    let found: Vec<HolderRead> = Statement::new("SELECT * FROM tessera.session_where_it_is($, $)")
        .bind::<Text, _>(schema.as_str().to_owned())
        .bind::<SqlUuid, _>(id.uuid())
        .rows::<HolderColumns>()
        .load(&mut connection)
        .await?;
    Ok(found.into_iter().next())
}

/// The session, with its user, of a tenant whose data is in a schema of its own; none also if the tenant
/// changed since it was read.
pub(crate) async fn find_of(
    mut connection: &AsyncPgConnection,
    tenant: &Tenant,
    id: Id<Session>,
) -> QueryResult<Option<(SessionRow, UserRow)>> {
    let found: Vec<(SessionRow, UserRow)> = Statement::new(FIND_OF)
        .in_schema(place(tenant.layout, &tenant.schema))
        .bind::<SqlUuid, _>(id.uuid())
        .bind::<SqlUuid, _>(tenant.id.uuid())
        .bind::<BigInt, _>(number(tenant.version))
        .rows::<SessionColumns>()
        .load(&mut connection)
        .await?;
    Ok(found.into_iter().next())
}

/// The sessions of a user of the tenant, oldest first.
pub(crate) async fn of_user(
    mut connection: &AsyncPgConnection,
    tenant: Uuid,
    user: Id<User>,
) -> QueryResult<Vec<SessionRow>> {
    sessions::table
        .filter(sessions::tenant_id.eq(tenant))
        .filter(sessions::user_id.eq(user.uuid()))
        .order((sessions::created_at, sessions::id))
        .select(SessionRow::as_select())
        .load(&mut connection)
        .await
}

/// The ids of the sessions of a user of the tenant.
pub(crate) async fn ids_of_user(
    mut connection: &AsyncPgConnection,
    tenant: Uuid,
    user: Id<User>,
) -> QueryResult<Vec<Uuid>> {
    sessions::table
        .filter(sessions::tenant_id.eq(tenant))
        .filter(sessions::user_id.eq(user.uuid()))
        .select(sessions::id)
        .load(&mut connection)
        .await
}

/// A statement that removes at most `limit` sessions of the tenant that give nothing any more.
pub(crate) fn prune(tenant: &Tenant, now: Timestamp, limit: i64) -> Statement<'static> {
    Statement::new(PRUNE)
        .bind::<SqlUuid, _>(tenant.id.uuid())
        .bind::<BigInt, _>(now.as_micros())
        .bind::<BigInt, _>(now.as_micros())
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(now.as_micros())
        .bind::<BigInt, _>(now.as_micros())
}

/// Adds what happens to a session.
pub(crate) fn write(pipeline: &mut Pipeline<'_>, tenant: &Tenant, change: &Change<Session>) {
    match change {
        Change::Insert(session) => {
            let row = SessionRow::new(tenant, session);
            pipeline.push(diesel::insert_into(sessions::table).values(row));
        }
        Change::Remove(session) => {
            let it = sessions::table
                .filter(sessions::tenant_id.eq(tenant.id.uuid()))
                .filter(sessions::id.eq(session.uuid()));
            pipeline.push(diesel::delete(it));
        }
        Change::Update(session) => {
            let row = SessionRow::new(tenant, session);
            pipeline.push(update(row, session.version));
        }
    }
}

/// Changes a session while its user is still of `epoch`, in a transaction of its own: what a refresh
/// writes.
pub(crate) async fn update_in_epoch(
    mut connection: &AsyncPgConnection,
    tenant: &Tenant,
    session: &Session,
    epoch: Epoch,
) -> QueryResult<()> {
    let row = SessionRow::new(tenant, session);
    let (of, id, holder) = (row.tenant_id, row.id, row.user_id);
    let statement = Statement::new(UPDATE_IN_EPOCH)
        .bind::<SqlUuid, _>(of)
        .bind::<SqlUuid, _>(id)
        .bind::<BigInt, _>(number(session.version))
        .bind::<SqlUuid, _>(holder)
        .bind::<BigInt, _>(number(epoch.number()));
    with_state(statement, row)
        .execute(&mut connection)
        .await
        .map(drop)
}

/// The same for a tenant whose data is in a schema of its own, while it is as it was read.
///
/// Postgres locks the tables before it looks at rows, and who moves or removes a tenant locks them, too,
/// in the same order. So one waits for the other, and what was waited for shows here in the version of
/// the tenant, or in tables that are gone.
pub(crate) async fn update_in_epoch_of(
    mut connection: &AsyncPgConnection,
    tenant: &Tenant,
    session: &Session,
    epoch: Epoch,
) -> QueryResult<()> {
    let row = SessionRow::new(tenant, session);
    let (of, id, holder) = (row.tenant_id, row.id, row.user_id);
    let statement = Statement::new(UPDATE_IN_EPOCH_OF)
        .in_schema(place(tenant.layout, &tenant.schema))
        .bind::<SqlUuid, _>(of)
        .bind::<BigInt, _>(number(tenant.version))
        .bind::<SqlUuid, _>(holder)
        .bind::<BigInt, _>(number(epoch.number()));
    with_state(statement, row)
        .bind::<SqlUuid, _>(of)
        .bind::<SqlUuid, _>(id)
        .bind::<BigInt, _>(number(session.version))
        .execute(&mut connection)
        .await
        .map(drop)
}

fn update(row: SessionRow, read_at: u64) -> Statement<'static> {
    let (of, id) = (row.tenant_id, row.id);
    let statement = Statement::new(UPDATE).bind::<SqlUuid, _>(row.user_id);
    with_state(statement, row)
        .bind::<SqlUuid, _>(of)
        .bind::<SqlUuid, _>(id)
        .bind::<BigInt, _>(number(read_at))
}

/// Gives the next places what of a session may change, in the order of both statements.
fn with_state(statement: Statement<'_>, row: SessionRow) -> Statement<'_> {
    statement
        .bind::<BigInt, _>(row.epoch)
        .bind::<BigInt, _>(row.generation)
        .bind::<BigInt, _>(row.refreshed_at)
        .bind::<BigInt, _>(row.idle_end)
        .bind::<BigInt, _>(row.absolute_end)
        .bind::<Text, _>(row.key)
        .bind::<BigInt, _>(row.created_at)
        .bind::<Nullable<Text>, _>(row.ip)
        .bind::<Nullable<Text>, _>(row.user_agent)
        .bind::<BigInt, _>(row.wrong_passwords)
        .bind::<Nullable<BigInt>, _>(row.ended_at)
        .bind::<Nullable<Text>, _>(row.ended_why)
        .bind::<BigInt, _>(row.version)
}

fn why_text(why: SessionEnd) -> &'static str {
    match why {
        // It goes with its user: no row has this.
        SessionEnd::Deleted => "deleted",
        SessionEnd::Disabled => "disabled",
        SessionEnd::Guessing => "guessing",
        SessionEnd::Limit => "limit",
        SessionEnd::LogOut => "log_out",
        SessionEnd::LogOutEverywhere => "log_out_everywhere",
        SessionEnd::Operator => "operator",
        SessionEnd::PasswordChange => "password_change",
        SessionEnd::Reuse => "reuse",
        SessionEnd::Revoked => "revoked",
    }
}

fn why_of(text: &str) -> Result<SessionEnd, Unavailable> {
    Ok(match text {
        "deleted" => SessionEnd::Deleted,
        "disabled" => SessionEnd::Disabled,
        "guessing" => SessionEnd::Guessing,
        "limit" => SessionEnd::Limit,
        "log_out" => SessionEnd::LogOut,
        "log_out_everywhere" => SessionEnd::LogOutEverywhere,
        "operator" => SessionEnd::Operator,
        "password_change" => SessionEnd::PasswordChange,
        "reuse" => SessionEnd::Reuse,
        "revoked" => SessionEnd::Revoked,
        _ => return Err(unknown("sessions.ended_why")),
    })
}

// The tables are in the order in which they are locked everywhere.
const FIND_OF: &str = "\
    SELECT s.tenant_id, s.id, s.user_id, s.epoch, s.generation, s.refreshed_at, s.idle_end, \
        s.absolute_end, s.key, s.created_at, s.ip, s.user_agent, s.wrong_passwords, s.ended_at, \
        s.ended_why, s.version, u.tenant_id, u.id, u.external_id, u.email, u.email_key, \
        u.email_verified, u.username, u.username_key, u.first_name, u.last_name, u.job_role, \
        u.roles, u.is_superuser, u.status, u.password, u.failures, u.last_failure, \
        u.locked_until, u.epoch, u.joined_at, u.last_login, u.events, u.version \
    FROM @.users u JOIN @.sessions s ON s.tenant_id = u.tenant_id AND s.user_id = u.id \
    WHERE s.id = $ AND s.tenant_id = (\
        SELECT t.id FROM tessera.tenants t WHERE t.id = $ AND t.version = $)";

const UPDATE: &str = "\
    WITH found AS (\
        UPDATE sessions SET user_id = $, epoch = $, generation = $, refreshed_at = $, \
            idle_end = $, absolute_end = $, key = $, created_at = $, ip = $, user_agent = $, \
            wrong_passwords = $, ended_at = $, ended_why = $, version = $ \
        WHERE tenant_id = $ AND id = $ AND version = $ RETURNING 1\
    ) SELECT CASE WHEN count(*) = 1 THEN true ELSE tessera.stale() END FROM found";

const UPDATE_IN_EPOCH: &str = "\
    SELECT CASE WHEN tessera.update_session_in_epoch(\
            $, $, $, $, $, $, $, $, $, $, $, $, $, $, $, $, $, $) = 1 \
        THEN true ELSE tessera.stale() END";

const UPDATE_IN_EPOCH_OF: &str = "\
    WITH held AS (\
        SELECT u.tenant_id, u.id FROM @.users u \
        WHERE u.tenant_id = (SELECT t.id FROM tessera.tenants t WHERE t.id = $ AND t.version = $) \
            AND u.id = $ AND u.epoch = $ FOR SHARE OF u\
    ), written AS (\
        UPDATE @.sessions s SET user_id = held.id, epoch = $, generation = $, refreshed_at = $, \
            idle_end = $, absolute_end = $, key = $, created_at = $, ip = $, user_agent = $, \
            wrong_passwords = $, ended_at = $, ended_why = $, version = $ \
        FROM held WHERE s.tenant_id = $ AND s.id = $ AND s.version = $ RETURNING 1\
    ) SELECT CASE WHEN count(*) = 1 THEN true ELSE tessera.stale() END FROM written";

// What makes a session dead is said twice: for the choice, and for the row as it is once its lock
// is held, lest a session that was refreshed meanwhile be removed.
const PRUNE: &str = "\
    WITH dead AS (\
        SELECT sessions.tenant_id, sessions.id, users.epoch FROM sessions \
        JOIN users ON users.tenant_id = sessions.tenant_id AND users.id = sessions.user_id \
        WHERE sessions.tenant_id = $ AND (sessions.ended_at IS NOT NULL \
            OR sessions.idle_end <= $ OR sessions.absolute_end <= $ \
            OR sessions.epoch <> users.epoch) \
        LIMIT $\
    ) DELETE FROM sessions USING dead \
    WHERE sessions.tenant_id = dead.tenant_id AND sessions.id = dead.id \
        AND (sessions.ended_at IS NOT NULL OR sessions.idle_end <= $ \
            OR sessions.absolute_end <= $ OR sessions.epoch <> dead.epoch)";
