//! Mails, as they are written, taken and let go.

use diesel::dsl::{count_star, min};
use diesel::prelude::*;
use diesel::{delete, insert_into, update};
use tessera_app::{Backlog, QueuedMail};
use tessera_domain::{Id, Mail, MailKind, Timestamp};

use crate::columns::{Count, Moment, Named, Uid};
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
        .filter(mails::kind.eq_any(known()))
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
    let (waiting, oldest): (Count, Option<Moment>) = mails::table
        .select((count_star(), min(mails::asked_at)))
        .get_result(conn)?;
    let next_due: Option<Moment> = mails::table
        .filter(mails::kind.eq_any(known()))
        .select(min(mails::due_at))
        .get_result(conn)?;
    Ok(Backlog {
        mails: waiting.0,
        oldest: oldest.map(|oldest| oldest.0),
        next_due: next_due.map(|next_due| next_due.0),
    })
}

/// What is of no known kind is of a later version, and waits for it.
fn known() -> [Named<MailKind>; MailKind::ALL.len()] {
    MailKind::ALL.map(Named)
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::migrations;

    #[test]
    fn mails_of_a_kind_that_is_not_known_wait_and_hold_up_no_other() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        migrations::up(&mut conn).unwrap();
        let sql = "
            PRAGMA ignore_check_constraints = ON;
            INSERT INTO tenants (id, name, schema, status, created_at, events, version)
                VALUES (zeroblob(16), 'Acme', 'acme', 'active', 0, 0, 1);
            INSERT INTO mails VALUES
                (randomblob(16), zeroblob(16), 'of tomorrow', '', NULL, NULL, NULL, 0, 0, 0),
                (randomblob(16), zeroblob(16), 'reset_password', '', NULL, NULL, NULL, 0, 0, 0);";
        conn.batch_execute(sql).unwrap();
        let [now, until] = [1, 2].map(Timestamp::from_secs);
        let taken = take(&mut conn, now, until, 9).unwrap();
        let kinds: Vec<MailKind> = taken.iter().map(|one| one.mail.kind).collect();
        assert_eq!(kinds, [MailKind::ResetPassword]);
        let waiting = backlog(&mut conn).unwrap();
        assert_eq!((waiting.mails, waiting.next_due), (2, Some(until)));
    }
}
