//! Users: their rows, and how these are read and written.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_app::{Unavailable, UserFilter, UserKey};
use tessera_domain::{
    Change, EmailAddress, Epoch, Id, Lockout, PasswordRecord, Profile, Role, Tenant, User,
    UserStatus, Username,
};
use uuid::Uuid;

use crate::error::unknown;
use crate::pipeline::Pipeline;
use crate::schema::users;
use crate::statement::Statement;
use crate::value::{count, number, of_micros, to_micros};

/// A row of `users`; `tessera.session` answers its fields in this order, too.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
// Else the text of an insert depends on its values, and is prepared again on every use.
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct UserRow {
    tenant_id: Uuid,
    id: Uuid,
    external_id: Option<String>,
    email: Option<String>,
    email_key: Option<String>,
    email_verified: bool,
    username: Option<String>,
    username_key: Option<String>,
    first_name: String,
    last_name: String,
    job_role: String,
    roles: Vec<String>,
    is_superuser: bool,
    status: String,
    password: Option<String>,
    failures: i64,
    last_failure: Option<i64>,
    locked_until: Option<i64>,
    epoch: i64,
    joined_at: i64,
    last_login: Option<i64>,
    events: i64,
    version: i64,
}

impl UserRow {
    fn new(tenant: &Tenant, user: &User) -> Self {
        let email = user.email.as_ref();
        let username = user.username.as_ref();
        Self {
            tenant_id: tenant.id.uuid(),
            id: user.id.uuid(),
            external_id: user.external_id.clone(),
            email: email.map(|email| email.as_str().to_owned()),
            email_key: email.map(|email| email.key().to_owned()),
            email_verified: user.email_verified,
            username: username.map(|name| name.as_str().to_owned()),
            username_key: username.map(|name| name.key().to_owned()),
            first_name: user.profile.first_name.clone(),
            last_name: user.profile.last_name.clone(),
            job_role: user.profile.job_role.clone(),
            roles: user.role_names(),
            is_superuser: user.is_superuser,
            status: status_text(user.status).to_owned(),
            password: user.password.as_ref().map(|it| it.as_str().to_owned()),
            failures: i64::from(user.lockout.failures),
            last_failure: to_micros(user.lockout.last_failure),
            locked_until: to_micros(user.lockout.until),
            epoch: number(user.epoch.number()),
            joined_at: user.joined_at.as_micros(),
            last_login: to_micros(user.last_login),
            events: number(user.events),
            version: number(user.version.saturating_add(1)),
        }
    }
}

impl TryFrom<UserRow> for User {
    type Error = Unavailable;

    fn try_from(row: UserRow) -> Result<Self, Unavailable> {
        let email = row.email.zip(row.email_key);
        let username = row.username.zip(row.username_key);
        Ok(Self {
            id: Id::from(row.id),
            external_id: row.external_id,
            email: email.map(|(address, key)| EmailAddress::restore(address, key)),
            email_verified: row.email_verified,
            username: username.map(|(name, key)| Username::restore(name, key)),
            profile: Profile {
                first_name: row.first_name,
                last_name: row.last_name,
                job_role: row.job_role,
            },
            roles: row.roles.into_iter().map(Role::restore).collect(),
            is_superuser: row.is_superuser,
            status: status(&row.status)?,
            password: row.password.map(PasswordRecord::new),
            lockout: Lockout {
                failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
                last_failure: of_micros(row.last_failure),
                until: of_micros(row.locked_until),
            },
            epoch: Epoch::new(count(row.epoch)),
            joined_at: tessera_domain::Timestamp::from_micros(row.joined_at),
            last_login: of_micros(row.last_login),
            events: count(row.events),
            version: count(row.version),
        })
    }
}

/// The user of the tenant that `by` identifies.
pub(crate) async fn find(
    mut connection: &AsyncPgConnection,
    tenant: Uuid,
    by: UserKey,
) -> QueryResult<Option<UserRow>> {
    let users = users::table
        .filter(users::tenant_id.eq(tenant))
        .select(UserRow::as_select());
    match by {
        UserKey::Email(key) => {
            let by_email = users.filter(users::email_key.eq(key));
            by_email.first(&mut connection).await.optional()
        }
        UserKey::Id(id) => {
            let by_id = users.filter(users::id.eq(id.uuid()));
            by_id.first(&mut connection).await.optional()
        }
        UserKey::Username(key) => {
            let by_username = users.filter(users::username_key.eq(key));
            by_username.first(&mut connection).await.optional()
        }
    }
}

/// At most `limit` users of the tenant that `filter` lets through, by id, from the one after
/// `after`.
pub(crate) async fn page(
    mut connection: &AsyncPgConnection,
    tenant: Uuid,
    filter: UserFilter,
    after: Option<Id<User>>,
    limit: i64,
) -> QueryResult<Vec<UserRow>> {
    // No user has the nil id, and all others come after it.
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let mut page = users::table
        .filter(users::tenant_id.eq(tenant))
        .filter(users::id.gt(after))
        .order(users::id)
        .limit(limit)
        .select(UserRow::as_select())
        .into_boxed();
    if let Some(prefix) = filter.search {
        // The keys are in the order of their bytes (COLLATE "C"): a range of an index each.
        let (from, end) = (prefix.as_str().to_owned(), prefix.end());
        let by_email = users::email_key
            .ge(from.clone())
            .and(users::email_key.lt(end.clone()));
        let by_username = users::username_key
            .ge(from)
            .and(users::username_key.lt(end));
        page = page.filter(by_email.or(by_username));
    }
    if let Some(role) = filter.role {
        page = page.filter(users::roles.contains(vec![role.as_str().to_owned()]));
    }
    if let Some(status) = filter.status {
        page = page.filter(users::status.eq(status_text(status)));
    }
    if let Some(email_verified) = filter.email_verified {
        page = page.filter(users::email_verified.eq(email_verified));
    }
    page.load(&mut connection).await
}

/// Adds what happens to a user.
pub(crate) fn write(pipeline: &mut Pipeline<'_>, tenant: &Tenant, change: &Change<User>) {
    match change {
        Change::Insert(user) => {
            let row = UserRow::new(tenant, user);
            pipeline.push(diesel::insert_into(users::table).values(row));
        }
        Change::Remove(user) => {
            let it = users::table
                .filter(users::tenant_id.eq(tenant.id.uuid()))
                .filter(users::id.eq(user.uuid()));
            pipeline.push(diesel::delete(it));
        }
        Change::Update(user) => pipeline.push(update(UserRow::new(tenant, user), user.version)),
    }
}

/// Adds that `user` must still be of `epoch`, until the commit is over.
///
/// The lock makes those wait who would raise the epoch meanwhile; where the commit itself changes
/// the user it is the lock of that change, for two that hold the weaker one could not both go on.
pub(crate) fn hold_epoch(
    pipeline: &mut Pipeline<'_>,
    tenant: &Tenant,
    user: Id<User>,
    epoch: Epoch,
    changes_user: bool,
) {
    let guard = if changes_user { HOLD_TO_CHANGE } else { HOLD };
    pipeline.push(
        Statement::new(guard)
            .bind::<SqlUuid, _>(tenant.id.uuid())
            .bind::<SqlUuid, _>(user.uuid())
            .bind::<BigInt, _>(number(epoch.number())),
    );
}

/// Whether `user` is there to be removed, by nobody else until the commit is over.
pub(crate) async fn hold_to_remove(
    mut connection: &AsyncPgConnection,
    tenant: Uuid,
    user: Id<User>,
) -> QueryResult<bool> {
    let found: Option<Uuid> = users::table
        .filter(users::tenant_id.eq(tenant))
        .filter(users::id.eq(user.uuid()))
        .select(users::id)
        .for_update()
        .first(&mut connection)
        .await
        .optional()?;
    Ok(found.is_some())
}

fn update(row: UserRow, read_at: u64) -> Statement<'static> {
    Statement::new(UPDATE)
        .bind::<Nullable<Text>, _>(row.external_id)
        .bind::<Nullable<Text>, _>(row.email)
        .bind::<Nullable<Text>, _>(row.email_key)
        .bind::<Bool, _>(row.email_verified)
        .bind::<Nullable<Text>, _>(row.username)
        .bind::<Nullable<Text>, _>(row.username_key)
        .bind::<Text, _>(row.first_name)
        .bind::<Text, _>(row.last_name)
        .bind::<Text, _>(row.job_role)
        .bind::<Array<Text>, _>(row.roles)
        .bind::<Bool, _>(row.is_superuser)
        .bind::<Text, _>(row.status)
        .bind::<Nullable<Text>, _>(row.password)
        .bind::<BigInt, _>(row.failures)
        .bind::<Nullable<BigInt>, _>(row.last_failure)
        .bind::<Nullable<BigInt>, _>(row.locked_until)
        .bind::<BigInt, _>(row.epoch)
        .bind::<BigInt, _>(row.joined_at)
        .bind::<Nullable<BigInt>, _>(row.last_login)
        .bind::<BigInt, _>(row.events)
        .bind::<BigInt, _>(row.version)
        .bind::<SqlUuid, _>(row.tenant_id)
        .bind::<SqlUuid, _>(row.id)
        .bind::<BigInt, _>(number(read_at))
}

fn status_text(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Disabled => "disabled",
    }
}

fn status(text: &str) -> Result<UserStatus, Unavailable> {
    match text {
        "active" => Ok(UserStatus::Active),
        "disabled" => Ok(UserStatus::Disabled),
        _ => Err(unknown("users.status")),
    }
}

const UPDATE: &str = "\
    WITH found AS (\
        UPDATE users SET external_id = $, email = $, email_key = $, email_verified = $, \
            username = $, username_key = $, first_name = $, last_name = $, job_role = $, \
            roles = $, is_superuser = $, status = $, password = $, failures = $, \
            last_failure = $, locked_until = $, epoch = $, joined_at = $, last_login = $, \
            events = $, version = $ \
        WHERE tenant_id = $ AND id = $ AND version = $ RETURNING 1\
    ) SELECT CASE WHEN count(*) = 1 THEN true ELSE tessera.stale() END FROM found";

const HOLD: &str = "\
    WITH found AS (\
        SELECT 1 FROM users WHERE tenant_id = $ AND id = $ AND epoch = $ FOR SHARE\
    ) SELECT CASE WHEN count(*) = 1 THEN true ELSE tessera.stale() END FROM found";

const HOLD_TO_CHANGE: &str = "\
    WITH found AS (\
        SELECT 1 FROM users WHERE tenant_id = $ AND id = $ AND epoch = $ FOR NO KEY UPDATE\
    ) SELECT CASE WHEN count(*) = 1 THEN true ELSE tessera.stale() END FROM found";
