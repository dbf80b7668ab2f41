//! One commit: all of its writes in one transaction.

use core::time::Duration;
use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;
use tessera_domain::{
    Change, Changes, Epoch, Id, MailedToken, Session, Tenant, TenantLayout, User,
};

use crate::erasure::Erasure;
use crate::error::is_of_a_plan;
use crate::migration::{self, TENANT};
use crate::pipeline::{Ended, Pipeline, place, quoted};
use crate::pool::Lease;
use crate::statement::Statement;
use crate::store::WRITE;
use crate::{key, mail, mailed_token, session, tenant, trail, user};

/// Writes all of `changes` or nothing: in one round trip, unless a tenant comes or goes, a user
/// goes, or there are very many changes. What a refresh writes is one statement.
///
/// Rows are locked in the same order by every commit, kind by kind and by their ids, so that two
/// commits wait for each other only one way.
pub(crate) async fn commit(lease: &mut Lease, of: &Tenant, mut changes: Changes) -> Ended {
    if let Some((session, epoch)) = rotation(&changes) {
        return Ended {
            over: true,
            answer: rotate(lease, of, session, epoch).await,
        };
    }
    sort(&mut changes);
    let connection = lease.transaction();
    let mut pipeline = Pipeline::begin(connection);
    match write(connection, &mut pipeline, of, &changes).await {
        Ok(()) => pipeline.commit().await,
        Err(error) => pipeline.roll_back(error).await,
    }
}

/// What a refresh writes: for a tenant that comes often, as it was known. Where there are no tables, it
/// moved or went meanwhile.
async fn rotate(
    lease: &mut Lease,
    of: &Tenant,
    session: &Session,
    epoch: Epoch,
) -> QueryResult<()> {
    if lease.regulars().has(of) {
        match session::update_in_epoch_of(lease.connection(), of, session, epoch).await {
            Err(error) if is_of_a_plan(&error) => lease.regulars().forget(&of.schema, &error),
            written => return written,
        }
    }
    session::update_in_epoch(lease.connection(), of, session, epoch).await
}

/// How long a commit may take: with a whole tenant, longer than the server lets any other statement
/// take.
pub(crate) fn limit(of: &Tenant, changes: &Changes) -> Duration {
    let tenants = changes.tenants.iter();
    let limits = tenants.map(|change| match change {
        Change::Remove(_) => REMOVAL + BREATH,
        Change::Update(tenant) if moves(of, tenant) => MOVE + BREATH,
        Change::Insert(_) | Change::Update(_) => WRITE,
    });
    limits.max().unwrap_or(WRITE)
}

async fn write(
    connection: &AsyncPgConnection,
    pipeline: &mut Pipeline<'_>,
    of: &Tenant,
    changes: &Changes,
) -> QueryResult<()> {
    if let Some(settled) = &changes.installation {
        key::settle(pipeline, settled);
    }
    let mut erasure = Erasure::default();
    for change in &changes.tenants {
        match change {
            Change::Insert(new) => {
                tenant::insert(pipeline, new);
                if let TenantLayout::Schema = new.layout {
                    build(pipeline, place(new.layout, &new.schema)).await?;
                } else {
                    pipeline.push(Statement::new("SELECT tessera.refuse_unbound()"));
                }
            }
            Change::Remove(old) => {
                demolish(connection, pipeline, *old, &mut erasure).await?;
            }
            Change::Update(tenant) if moves(of, tenant) => relocate(pipeline, of, tenant).await?,
            Change::Update(tenant) => tenant::update(pipeline, tenant),
        }
        pipeline.make_room().await?;
    }
    // A mail holds its tenant, which is locked before its tables by who removes it, too.
    for mail in &changes.mails {
        mail::order(pipeline, mail);
        pipeline.make_room().await?;
    }
    write_of_tenant(connection, pipeline, of, changes, &mut erasure).await?;
    for change in &changes.keys {
        key::write(pipeline, change);
        pipeline.make_room().await?;
    }
    for event in &changes.events {
        pipeline.push(trail::append(event, &changes.actor));
        pipeline.make_room().await?;
    }
    erasure.write(pipeline, of, &changes.events);
    Ok(())
}

async fn write_of_tenant(
    connection: &AsyncPgConnection,
    pipeline: &mut Pipeline<'_>,
    of: &Tenant,
    changes: &Changes,
    erasure: &mut Erasure,
) -> QueryResult<()> {
    let tokens = tokens(changes);
    if changes.epochs.is_empty()
        && changes.users.is_empty()
        && changes.sessions.is_empty()
        && tokens.is_empty()
    {
        if changes.is_told_alone() {
            pipeline.enter(of.id);
        }
        return Ok(());
    }
    pipeline.enter(of.id);
    let users: BTreeSet<Id<User>> = changes.users.iter().map(id_of_user).collect();
    for (held, epoch) in &changes.epochs {
        user::hold_epoch(pipeline, of, *held, *epoch, users.contains(held));
        pipeline.make_room().await?;
    }
    for change in &changes.users {
        if let Change::Remove(old) = change {
            pipeline.settle().await?;
            if user::hold_to_remove(connection, of.id.uuid(), *old).await? {
                let sessions = session::ids_of_user(connection, of.id.uuid(), *old).await?;
                erasure.user(*old, sessions);
            }
        }
        user::write(pipeline, of, change);
        pipeline.make_room().await?;
    }
    for change in &changes.sessions {
        session::write(pipeline, of, change);
        pipeline.make_room().await?;
    }
    for (id, kept) in tokens {
        match kept {
            Some(token) => mailed_token::keep(pipeline, of, token),
            None => mailed_token::spend(pipeline, of, id),
        }
        pipeline.make_room().await?;
    }
    Ok(())
}

/// The session that changes while its user is still of the epoch, if that is all.
fn rotation(changes: &Changes) -> Option<(&Session, Epoch)> {
    let Changes {
        installation: None,
        tenants,
        users,
        sessions,
        keys,
        epochs,
        mails,
        mailed_tokens,
        spent_tokens,
        actor: _,
        events,
    } = changes
    else {
        return None;
    };
    let others = [tenants.len(), users.len(), keys.len(), mails.len()];
    let told = [mailed_tokens.len(), spent_tokens.len(), events.len()];
    let ([Change::Update(session)], [(held, epoch)]) = (&**sessions, &**epochs) else {
        return None;
    };
    let alone = others.into_iter().chain(told).all(|count| count == 0);
    (alone && session.user == *held).then_some((session, *epoch))
}

/// The mailed tokens that go and those that are kept, by their ids; of the same one, the former
/// first.
fn tokens(changes: &Changes) -> Vec<(Id<MailedToken>, Option<&MailedToken>)> {
    let spent = changes.spent_tokens.iter().map(|id| (*id, None));
    let kept = changes.mailed_tokens.iter();
    let mut tokens: Vec<_> = spent
        .chain(kept.map(|token| (token.id, Some(token))))
        .collect();
    tokens.sort_by_key(|(id, _)| *id);
    tokens
}

/// Makes the place where a new tenant's data lives, once its name is known to be free.
async fn build(pipeline: &mut Pipeline<'_>, schema_name: &str) -> QueryResult<()> {
    pipeline.push(Statement::new(VACANT).bind::<Text, _>(schema_name.to_owned()));
    let create = format!("CREATE SCHEMA {}", quoted(schema_name));
    pipeline.batch(&create).await?;
    pipeline.push(
        Statement::new("SELECT set_config($, quote_ident($), $)")
            .bind::<Text, _>("search_path")
            .bind::<Text, _>(schema_name.to_owned())
            .bind::<Bool, _>(true),
    );
    for migration in TENANT {
        pipeline.batch(migration.up).await?;
        pipeline.push(migration::applied(schema_name, migration));
    }
    Ok(())
}

async fn demolish(
    connection: &AsyncPgConnection,
    pipeline: &mut Pipeline<'_>,
    old: Id<Tenant>,
    erasure: &mut Erasure,
) -> QueryResult<()> {
    pipeline.take_time(REMOVAL);
    // Whoever began to write before the deletion did.
    pipeline.push(Statement::new("SELECT tessera.await_writers()"));
    pipeline.settle().await?;
    let Some(place) = tenant::hold_place_of(connection, old).await? else {
        return Ok(());
    };
    erasure.tenant(old);
    tenant::remove(pipeline, old);
    pipeline.push(
        Statement::new("SELECT tessera.empty_place($, $)")
            .bind::<SqlUuid, _>(old.uuid())
            .bind::<Text, _>(place),
    );
    Ok(())
}

/// Whether a tenant is to arrive in another layout than it was read in.
fn moves(from: &Tenant, to: &Tenant) -> bool {
    from.id == to.id && from.layout != to.layout
}

/// Brings what is of a tenant from where it was read to where it arrives.
///
/// Those who began to write before it was on the way are waited for; others are refused. Moves take
/// turns: one that waited for another of the same tenant finds that it is stale.
async fn relocate(pipeline: &mut Pipeline<'_>, from: &Tenant, to: &Tenant) -> QueryResult<()> {
    let [source, target] = [from, to].map(|it| place(it.layout, &it.schema));
    pipeline.take_time(MOVE);
    pipeline.push(Statement::new(MOVER));
    pipeline.push(Statement::new("SELECT tessera.await_writers()"));
    // Nor is it migrated meanwhile.
    pipeline.push(Statement::new(HOLD).bind::<SqlUuid, _>(to.id.uuid()));
    tenant::update(pipeline, to);
    if let TenantLayout::Schema = to.layout {
        build(pipeline, target).await?;
    }
    if let TenantLayout::Schema = from.layout {
        pipeline.push(
            Statement::new("SELECT tessera.hold_tables($, $)")
                .bind::<Text, _>(source.to_owned())
                .bind::<Text, _>("EXCLUSIVE"),
        );
    }
    pipeline.push(
        Statement::new("SELECT tessera.move_rows($, $, $)")
            .bind::<SqlUuid, _>(from.id.uuid())
            .bind::<Text, _>(source.to_owned())
            .bind::<Text, _>(target.to_owned()),
    );
    pipeline.settle().await
}

fn sort(changes: &mut Changes) {
    changes.epochs.sort_by_key(|(user, _)| *user);
    changes.users.sort_by_key(id_of_user);
    changes.sessions.sort_by_key(|change| match change {
        Change::Insert(session) | Change::Update(session) => session.id,
        Change::Remove(id) => *id,
    });
    changes.mails.sort_by_key(|mail| mail.id);
    changes.keys.sort_by_key(|change| match change {
        Change::Insert(key) | Change::Update(key) => key.id,
        Change::Remove(id) => *id,
    });
}

fn id_of_user(change: &Change<User>) -> Id<User> {
    match change {
        Change::Insert(user) | Change::Update(user) => user.id,
        Change::Remove(id) => *id,
    }
}

/// How long the server may take to remove a tenant, and to move one.
const REMOVAL: Duration = Duration::from_secs(50);
const MOVE: Duration = Duration::from_hours(1);
const BREATH: Duration = Duration::from_secs(10);

/// Takes no transaction id, so that whoever has the lock does not wait for who waits for it.
const MOVER: &str = "SELECT pg_advisory_xact_lock(84737, 4)";

const HOLD: &str = "SELECT FROM tessera.tenants WHERE id = $ FOR UPDATE";

const VACANT: &str = "\
    SELECT CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = $) \
        THEN tessera.taken() ELSE true END";
