//! Writes one use case's changes, within the writer's transaction.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::{delete, insert_into, select, update};
use tessera_app::{CommitError, Unavailable, Unique};
use tessera_domain::{
    Change, Changes, Epoch, HostName, Id, Installation, Key, Session, Tenant, User,
};

use crate::columns::{Count, Uid};
use crate::erasure::Erasure;
use crate::rows::{EventRow, KeyRow, SessionRow, TenantRow, UserRow};
use crate::schema::{
    audit, events, installation, keys, sessions, tenant_domains, tenant_names, tenants, users,
};
use crate::trail::AuditRow;
use crate::{mail, mailed_token};

/// Changes that are ready to be written.
pub(crate) struct Commit {
    tenant: Id<Tenant>,
    told_alone: bool,
    changes: Changes,
    events: Vec<EventRow>,
    entries: Vec<AuditRow>,
}

impl Commit {
    /// Encodes what there is to encode, so that the writer need not.
    pub(crate) fn new(tenant: &Tenant, mut changes: Changes) -> Self {
        let told_alone = changes.is_told_alone();
        let events = std::mem::take(&mut changes.events);
        let rows: Vec<EventRow> = events.iter().map(EventRow::from).collect();
        let entry = |(event, row)| AuditRow::new(event, row, &changes.actor);
        Self {
            entries: events.iter().zip(&rows).map(entry).collect(),
            tenant: tenant.id,
            told_alone,
            changes,
            events: rows,
        }
    }

    /// Writes everything, or says why not; then the caller rolls back.
    pub(crate) fn write(self, conn: &mut SqliteConnection) -> Result<(), Refusal> {
        if self.told_alone {
            check_tenant(conn, self.tenant)?;
        }
        for (user, epoch) in self.changes.epochs {
            check_epoch(conn, self.tenant, user, epoch)?;
        }
        if let Some(settled) = self.changes.installation {
            write_installation(conn, &settled)?;
        }
        let mut erasure = Erasure::default();
        for change in self.changes.tenants {
            write_tenant(conn, change, &mut erasure)?;
        }
        for change in self.changes.users {
            write_user(conn, self.tenant, change, &mut erasure)?;
        }
        for change in self.changes.sessions {
            write_session(conn, self.tenant, change)?;
        }
        mailed_token::write(
            conn,
            self.tenant,
            self.changes.mailed_tokens,
            &self.changes.spent_tokens,
        )?;
        mail::write(conn, self.changes.mails)?;
        for change in self.changes.keys {
            write_key(conn, change)?;
        }
        // What is erased guards the sequences until the new events have theirs.
        let end = erasure.end(conn)?;
        for event in &self.events {
            insert_into(events::table).values(event).execute(conn)?;
        }
        if let Some(end) = end {
            erasure.write(conn, end)?;
        }
        for entry in &self.entries {
            insert_into(audit::table).values(entry).execute(conn)?;
        }
        Ok(())
    }
}

/// Of one that is gone by now, or about to be, nothing is told any more.
fn check_tenant(conn: &mut SqliteConnection, tenant: Id<Tenant>) -> Result<(), Refusal> {
    let stored = tenants::table.find(Uid::from(tenant));
    let lives = stored.filter(tenants::is_deleting.eq(false));
    if select(exists(lives)).get_result::<bool>(conn)? {
        return Ok(());
    }
    Err(Refusal::Stale)
}

/// Why changes cannot be written.
#[derive(Debug)]
pub(crate) enum Refusal {
    Duplicate(Unique),
    Failed(Error),
    Stale,
}

impl From<Refusal> for CommitError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Duplicate(unique) => Self::Duplicate(unique),
            Refusal::Failed(error) => Self::Unavailable(Unavailable::new(error)),
            Refusal::Stale => Self::Stale,
        }
    }
}

impl From<Error> for Refusal {
    /// `SQLite` names the columns of a key that is taken, and nothing of a reference that is broken:
    /// what it referred to is gone.
    fn from(error: Error) -> Self {
        let Error::DatabaseError(kind, ref said) = error else {
            return Self::Failed(error);
        };
        if matches!(kind, DatabaseErrorKind::ForeignKeyViolation) {
            return Self::Stale;
        }
        if !matches!(kind, DatabaseErrorKind::UniqueViolation) {
            return Self::Failed(error);
        }
        let columns = said.message().rsplit(": ").next().unwrap_or_default();
        match columns {
            "installation.id" => Self::Duplicate(Unique::Installation),
            "keys.kid" => Self::Duplicate(Unique::Key),
            "tenant_domains.host" => Self::Duplicate(Unique::Domain),
            "tenant_names.key" | "tenants.schema" => Self::Duplicate(Unique::Tenant),
            "users.tenant_id, users.email_key" => Self::Duplicate(Unique::Email),
            "users.tenant_id, users.username_key" => Self::Duplicate(Unique::Username),
            _ => Self::Stale,
        }
    }
}

fn check_epoch(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    user: Id<User>,
    epoch: Epoch,
) -> Result<(), Refusal> {
    let stored = users::table
        .find((Uid::from(tenant), Uid::from(user)))
        .select(users::epoch)
        .get_result::<Count>(conn)
        .optional()?;
    (stored == Some(Count(epoch.number())))
        .then_some(())
        .ok_or(Refusal::Stale)
}

fn write_installation(conn: &mut SqliteConnection, settled: &Installation) -> Result<(), Refusal> {
    insert_into(installation::table)
        .values((
            installation::id.eq(1_i64),
            installation::public_url.eq(&settled.public_url),
        ))
        .execute(conn)?;
    Ok(())
}

fn write_tenant(
    conn: &mut SqliteConnection,
    change: Change<Tenant>,
    erasure: &mut Erasure,
) -> Result<(), Refusal> {
    match change {
        Change::Insert(tenant) => {
            insert_into(tenants::table)
                .values(TenantRow::next(&tenant))
                .execute(conn)?;
            write_names(conn, &tenant)
        }
        Change::Remove(id) => {
            if delete(tenants::table.find(Uid::from(id))).execute(conn)? > 0 {
                erasure.tenant(id);
            }
            Ok(())
        }
        Change::Update(tenant) => {
            let id = Uid::from(tenant.id);
            let stored = tenants::table.find(id);
            let same = tenants::version.eq(Count(tenant.version));
            one(update(stored.filter(same))
                .set(TenantRow::next(&tenant))
                .execute(conn)?)?;
            delete(tenant_names::table.filter(tenant_names::tenant_id.eq(id))).execute(conn)?;
            delete(tenant_domains::table.filter(tenant_domains::tenant_id.eq(id))).execute(conn)?;
            write_names(conn, &tenant)
        }
    }
}

fn write_names(conn: &mut SqliteConnection, tenant: &Tenant) -> Result<(), Refusal> {
    let id = Uid::from(tenant.id);
    let (name, schema) = (tenant.name.key(), tenant.schema.key());
    let second = (schema != name).then_some(&schema);
    for key in [Some(&name), second].into_iter().flatten() {
        insert_into(tenant_names::table)
            .values((tenant_names::key.eq(key), tenant_names::tenant_id.eq(id)))
            .execute(conn)?;
    }
    for (position, domain) in (0_i64..).zip(&tenant.domains) {
        insert_into(tenant_domains::table)
            .values((
                tenant_domains::host.eq(HostName::as_str(&domain.host)),
                tenant_domains::tenant_id.eq(id),
                tenant_domains::position.eq(position),
                tenant_domains::is_primary.eq(domain.primary),
            ))
            .execute(conn)?;
    }
    Ok(())
}

fn write_user(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    change: Change<User>,
    erasure: &mut Erasure,
) -> Result<(), Refusal> {
    let stored = |id: Id<User>| users::table.find((Uid::from(tenant), Uid::from(id)));
    match change {
        Change::Insert(user) => {
            insert_into(users::table)
                .values(UserRow::next(tenant, user))
                .execute(conn)?;
            Ok(())
        }
        Change::Remove(id) => {
            // They go with the user.
            let sessions: Vec<Uid> = sessions::table
                .filter(sessions::tenant_id.eq(Uid::from(tenant)))
                .filter(sessions::user_id.eq(Uid::from(id)))
                .select(sessions::id)
                .load(conn)?;
            if delete(stored(id)).execute(conn)? > 0 {
                erasure.user(tenant, id, sessions.into_iter().map(Uid::id));
            }
            Ok(())
        }
        Change::Update(user) => {
            let same = users::version.eq(Count(user.version));
            one(update(stored(user.id).filter(same))
                .set(UserRow::next(tenant, user))
                .execute(conn)?)
        }
    }
}

fn write_session(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    change: Change<Session>,
) -> Result<(), Refusal> {
    let stored = |id: Id<Session>| sessions::table.find((Uid::from(tenant), Uid::from(id)));
    match change {
        Change::Insert(session) => {
            insert_into(sessions::table)
                .values(SessionRow::next(tenant, session))
                .execute(conn)?;
            Ok(())
        }
        Change::Remove(id) => {
            delete(stored(id)).execute(conn)?;
            Ok(())
        }
        Change::Update(session) => {
            let same = sessions::version.eq(Count(session.version));
            one(update(stored(session.id).filter(same))
                .set(SessionRow::next(tenant, session))
                .execute(conn)?)
        }
    }
}

fn write_key(conn: &mut SqliteConnection, change: Change<Key>) -> Result<(), Refusal> {
    match change {
        Change::Insert(key) => {
            insert_into(keys::table)
                .values(KeyRow::next(key))
                .execute(conn)?;
            Ok(())
        }
        Change::Remove(id) => {
            delete(keys::table.find(Uid::from(id))).execute(conn)?;
            Ok(())
        }
        Change::Update(key) => {
            let stored = keys::table.find(Uid::from(key.id));
            let same = keys::version.eq(Count(key.version));
            one(update(stored.filter(same))
                .set(KeyRow::next(key))
                .execute(conn)?)
        }
    }
}

/// A guarded write that met no row was decided on what is there no more.
fn one(rows: usize) -> Result<(), Refusal> {
    (rows == 1).then_some(()).ok_or(Refusal::Stale)
}
