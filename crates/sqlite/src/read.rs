//! The reads.
//!
//! A tenant comes with one row a domain, so that a read is one statement and sees one state.

use diesel::alias;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use tessera_app::{SessionHolder, TenantKey, UserFilter, UserKey};
use tessera_domain::{
    Id, Installation, Key, SchemaName, Session, Tenant, TenantDomain, Timestamp, User,
};

use crate::columns::{Count, Moment, Named, Uid};
use crate::rows::{DomainRow, KeyRow, SessionRow, TenantRow, UserRow};
use crate::schema::{installation, keys, sessions, tenant_domains, tenant_names, tenants, users};

pub(crate) fn installation(conn: &mut SqliteConnection) -> QueryResult<Option<Installation>> {
    let public_url = installation::table
        .select(installation::public_url)
        .get_result(conn)
        .optional()?;
    Ok(public_url.map(|public_url| Installation { public_url }))
}

pub(crate) fn keys(conn: &mut SqliteConnection) -> QueryResult<Vec<Key>> {
    let rows: Vec<KeyRow> = keys::table
        .order((keys::created_at, keys::id))
        .select(KeyRow::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(Key::from).collect())
}

pub(crate) fn session(
    conn: &mut SqliteConnection,
    schema: &SchemaName,
    id: Id<Session>,
) -> QueryResult<Option<SessionHolder>> {
    type Row = (SessionRow, UserRow, TenantRow, Option<DomainRow>);
    let owner = users::tenant_id
        .eq(sessions::tenant_id)
        .and(users::id.eq(sessions::user_id));
    let rows: Vec<Row> = sessions::table
        .inner_join(users::table.on(owner))
        .inner_join(tenants::table.on(tenants::id.eq(sessions::tenant_id)))
        .left_join(tenant_domains::table.on(tenant_domains::tenant_id.eq(tenants::id)))
        .filter(tenants::schema.eq(schema.as_str()))
        .filter(sessions::id.eq(Uid::from(id)))
        .order(tenant_domains::position)
        .select((
            SessionRow::as_select(),
            UserRow::as_select(),
            TenantRow::as_select(),
            Option::<DomainRow>::as_select(),
        ))
        .load(conn)?;
    let mut rows = rows.into_iter();
    let Some((session, user, tenant, first)) = rows.next() else {
        return Ok(None);
    };
    let others = rows.filter_map(|(.., domain)| domain);
    let mut tenant = Tenant::from(tenant);
    tenant.domains = first
        .into_iter()
        .chain(others)
        .map(TenantDomain::from)
        .collect();
    Ok(Some(SessionHolder {
        tenant,
        user: user.into(),
        session: session.into(),
    }))
}

pub(crate) fn sessions(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    user: Id<User>,
) -> QueryResult<Vec<Session>> {
    // By two columns at once the planner would go through all sessions of the tenant.
    let of_user = diesel::alias!(sessions as of_user);
    let ids = of_user
        .filter(of_user.field(sessions::tenant_id).eq(Uid::from(tenant)))
        .filter(of_user.field(sessions::user_id).eq(Uid::from(user)))
        .select(of_user.field(sessions::id));
    let rows: Vec<SessionRow> = sessions::table
        .filter(sessions::tenant_id.eq(Uid::from(tenant)))
        .filter(sessions::id.eq_any(ids))
        .order((sessions::created_at, sessions::id))
        .select(SessionRow::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// Sessions that give nothing any more, each with the version it was seen at.
pub(crate) fn dead(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    now: Timestamp,
    limit: usize,
) -> QueryResult<Vec<(Uid, Count)>> {
    let owner = users::tenant_id
        .eq(sessions::tenant_id)
        .and(users::id.eq(sessions::user_id));
    // Each has a user; this join keeps the planner from going through users that have no session.
    sessions::table
        .left_join(users::table.on(owner))
        .filter(sessions::tenant_id.eq(Uid::from(tenant)))
        .filter(
            sessions::ended_at
                .is_not_null()
                .or(sessions::idle_end.le(Moment(now)))
                .or(sessions::absolute_end.le(Moment(now)))
                .or(sessions::epoch.nullable().ne(users::epoch.nullable())),
        )
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select((sessions::id, sessions::version))
        .load(conn)
}

pub(crate) fn tenant(conn: &mut SqliteConnection, by: &TenantKey) -> QueryResult<Option<Tenant>> {
    let all = tenants::table
        .left_join(tenant_domains::table.on(tenant_domains::tenant_id.eq(tenants::id)))
        .order(tenant_domains::position)
        .select((TenantRow::as_select(), Option::<DomainRow>::as_select()));
    let rows = match by {
        TenantKey::Host(host) => {
            let named = alias!(tenant_domains as named);
            let owner = named
                .filter(named.field(tenant_domains::host).eq(host.as_str()))
                .select(named.field(tenant_domains::tenant_id));
            all.filter(tenants::id.eq_any(owner)).load(conn)?
        }
        TenantKey::Id(id) => all.filter(tenants::id.eq(Uid::from(*id))).load(conn)?,
        TenantKey::Name(key) => {
            let owner = tenant_names::table
                .find(key)
                .select(tenant_names::tenant_id);
            all.filter(tenants::id.eq_any(owner)).load(conn)?
        }
    };
    Ok(gather(rows).pop())
}

pub(crate) fn tenants(conn: &mut SqliteConnection) -> QueryResult<Vec<Tenant>> {
    let rows: Vec<(TenantRow, Option<DomainRow>)> = tenants::table
        .left_join(tenant_domains::table.on(tenant_domains::tenant_id.eq(tenants::id)))
        .order((tenants::schema, tenant_domains::position))
        .select((TenantRow::as_select(), Option::<DomainRow>::as_select()))
        .load(conn)?;
    Ok(gather(rows))
}

pub(crate) fn unfinished_tenants(conn: &mut SqliteConnection) -> QueryResult<Vec<Tenant>> {
    let begun = tenants::is_deleting.or(tenants::moving_to.is_not_null());
    let rows: Vec<(TenantRow, Option<DomainRow>)> = tenants::table
        .left_join(tenant_domains::table.on(tenant_domains::tenant_id.eq(tenants::id)))
        .filter(begun)
        .order((tenants::schema, tenant_domains::position))
        .select((TenantRow::as_select(), Option::<DomainRow>::as_select()))
        .load(conn)?;
    Ok(gather(rows))
}

pub(crate) fn user(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    by: &UserKey,
) -> QueryResult<Option<User>> {
    let tenant = Uid::from(tenant);
    let row = match by {
        UserKey::Email(key) => users::table
            .filter(users::tenant_id.eq(tenant).and(users::email_key.eq(key)))
            .select(UserRow::as_select())
            .get_result(conn),
        UserKey::Id(id) => users::table
            .find((tenant, Uid::from(*id)))
            .select(UserRow::as_select())
            .get_result(conn),
        UserKey::Username(key) => users::table
            .filter(users::tenant_id.eq(tenant).and(users::username_key.eq(key)))
            .select(UserRow::as_select())
            .get_result(conn),
    };
    Ok(row.optional()?.map(User::from))
}

pub(crate) fn users(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    filter: &UserFilter,
    after: Option<Id<User>>,
    limit: usize,
) -> QueryResult<Vec<User>> {
    let tenant = Uid::from(tenant);
    let after = after.map_or(Vec::new(), |id| id.uuid().as_bytes().to_vec());
    let mut page = users::table
        .filter(users::tenant_id.eq(tenant))
        .filter(users::id.gt(after))
        .order(users::id)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(UserRow::as_select())
        .into_boxed();
    if let Some(prefix) = &filter.search {
        // A range of an index each, not a look at every user.
        let (named, from, end) = (alias!(users as named), prefix.as_str(), prefix.end());
        let email_key = named.field(users::email_key);
        let username_key = named.field(users::username_key);
        let ids = named
            .filter(named.field(users::tenant_id).eq(tenant))
            .select(named.field(users::id));
        let by_email = ids.filter(email_key.ge(from).and(email_key.lt(end.clone())));
        let by_username = ids.filter(username_key.ge(from).and(username_key.lt(end)));
        page = page.filter(users::id.eq_any(by_email.union(by_username)));
    }
    if let Some(role) = &filter.role {
        let name = format!(",{},", role.as_str());
        page = page.filter(instr(sql::<Text>("',' || users.roles || ','"), name).gt(0));
    }
    if let Some(status) = filter.status {
        page = page.filter(users::status.eq(Named(status)));
    }
    if let Some(email_verified) = filter.email_verified {
        page = page.filter(users::email_verified.eq(email_verified));
    }
    let rows: Vec<UserRow> = page.load(conn)?;
    Ok(rows.into_iter().map(User::from).collect())
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// Where the second text begins in the first, from 1; 0 where it does not.
    fn instr(text: Text, part: Text) -> Integer;
}

/// Tenants from rows that come tenant by tenant.
fn gather(rows: Vec<(TenantRow, Option<DomainRow>)>) -> Vec<Tenant> {
    let mut tenants: Vec<Tenant> = Vec::new();
    for (tenant, domain) in rows {
        if tenants.last().map(|last| last.id) != Some(tenant.id.id()) {
            tenants.push(tenant.into());
        }
        if let Some(last) = tenants.last_mut() {
            last.domains.extend(domain.map(TenantDomain::from));
        }
    }
    tenants
}
