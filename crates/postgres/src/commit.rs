//! One commit: all of its writes in one transaction.

use core::time::Duration;
use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::AsyncPgConnection;
use tessera_domain::{Change, Changes, Id, MailedToken, SchemaName, Tenant, User};

use crate::erasure::Erasure;
use crate::migration::{self, TENANT};
use crate::pipeline::{Ended, Pipeline, place, quoted};
use crate::schema::migrations;
use crate::statement::Statement;
use crate::store::WRITE;
use crate::{key, mail, mailed_token, session, tenant, trail, user};

/// Writes all of `changes` or nothing: in one round trip, unless a tenant comes or goes, a user
/// goes, or there are very many changes.
///
/// Rows are locked in the same order by every commit, kind by kind and by their ids, so that two
/// commits wait for each other only one way.
pub(crate) async fn commit(
    connection: &AsyncPgConnection,
    of: &Tenant,
    mut changes: Changes,
) -> Ended {
    sort(&mut changes);
    let mut pipeline = Pipeline::begin(connection);
    match write(connection, &mut pipeline, of, &changes).await {
        Ok(()) => pipeline.commit().await,
        Err(error) => pipeline.roll_back(error).await,
    }
}

/// How long a commit may take: with the events of a whole tenant, longer than the server lets any
/// other statement take.
pub(crate) fn limit(changes: &Changes) -> Duration {
    let removal = |change: &Change<Tenant>| matches!(change, Change::Remove(_));
    if changes.tenants.iter().any(removal) {
        Duration::from_mins(1)
    } else {
        WRITE
    }
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
                build(pipeline, &new.schema).await?;
            }
            Change::Remove(old) => {
                demolish(connection, pipeline, *old, &mut erasure).await?;
            }
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
        return Ok(());
    }
    pipeline.enter(&of.schema);
    if tokens.is_empty()
        && let ([(held, epoch)], [], [Change::Update(session)]) =
            (&*changes.epochs, &*changes.users, &*changes.sessions)
        && session.user == *held
    {
        session::update_in_epoch(pipeline, of, session, *epoch);
        return Ok(());
    }
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
async fn build(pipeline: &mut Pipeline<'_>, schema: &SchemaName) -> QueryResult<()> {
    let schema_name = place(schema);
    pipeline.push(Statement::new(VACANT).bind::<Text, _>(schema_name.to_owned()));
    let create = format!("CREATE SCHEMA {}", quoted(schema_name));
    pipeline.batch(&create).await?;
    pipeline.enter(schema);
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
    pipeline.settle().await?;
    let Some(schema) = tenant::hold_schema_of(connection, old).await? else {
        return Ok(());
    };
    erasure.tenant(old);
    let schema = SchemaName::restore(schema);
    let schema_name = place(&schema);
    tenant::remove(pipeline, old);
    let applied = migrations::table.filter(migrations::schema.eq(schema_name.to_owned()));
    pipeline.push(diesel::delete(applied));
    let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(schema_name));
    pipeline.batch(&drop).await
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

const VACANT: &str = "\
    SELECT CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = $) \
        THEN tessera.taken() ELSE true END";
