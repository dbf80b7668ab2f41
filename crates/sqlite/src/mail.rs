//! Mails, as they are written, taken and let go.

use diesel::dsl::{count_star, min};
use diesel::prelude::*;
use diesel::{delete, insert_into, update};
use tessera_app::{Backlog, QueuedMail};
use tessera_domain::{Id, Mail, Timestamp};

use crate::columns::{Count, Moment, Uid};
use crate::log::bound;
use crate::mail_rows::MailRow;
use crate::schema::mails;

pub(crate) fn write(conn: &mut SqliteConnection, ordered: Vec<Mail>) -> QueryResult<()> {
    for mail in ordered {
        insert_into(mails::table)
            .values(MailRow::from(mail))
            .execute(conn)?;
    }
    Ok(())
}

/// Takes at most `limit` mails that are due, and has them due again at `until`.
pub(crate) fn take(
    conn: &mut SqliteConnection,
    now: Timestamp,
    until: Timestamp,
    limit: usize,
) -> QueryResult<Vec<QueuedMail>> {
    let due: Vec<MailRow> = mails::table
        .filter(mails::due_at.le(Moment(now)))
        .order((mails::due_at, mails::id))
        .limit(bound(limit))
        .select(MailRow::as_select())
        .load(conn)?;
    for row in &due {
        update(mails::table.find(row.id))
            .set(mails::due_at.eq(Moment(until)))
            .execute(conn)?;
    }
    due.into_iter().map(QueuedMail::try_from).collect()
}

pub(crate) fn defer(conn: &mut SqliteConnection, id: Id<Mail>, due: Timestamp) -> QueryResult<()> {
    update(mails::table.find(Uid::from(id)))
        .set((
            mails::due_at.eq(Moment(due)),
            mails::tries.eq(mails::tries + 1),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn give_back(
    conn: &mut SqliteConnection,
    id: Id<Mail>,
    due: Timestamp,
) -> QueryResult<()> {
    update(mails::table.find(Uid::from(id)))
        .set(mails::due_at.eq(Moment(due)))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn remove(conn: &mut SqliteConnection, id: Id<Mail>) -> QueryResult<()> {
    delete(mails::table.find(Uid::from(id))).execute(conn)?;
    Ok(())
}

pub(crate) fn backlog(conn: &mut SqliteConnection) -> QueryResult<Backlog> {
    let (waiting, oldest, next_due): (Count, Option<Moment>, Option<Moment>) = mails::table
        .select((count_star(), min(mails::asked_at), min(mails::due_at)))
        .get_result(conn)?;
    Ok(Backlog {
        mails: waiting.0,
        oldest: oldest.map(|oldest| oldest.0),
        next_due: next_due.map(|next_due| next_due.0),
    })
}
