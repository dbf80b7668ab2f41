//! Mailed tokens, as they are written, found and removed.

use diesel::prelude::*;
use diesel::{delete, insert_into};
use tessera_domain::{Id, MailedDigest, MailedToken, Tenant, Timestamp, User};

use crate::columns::{Digest, Moment, Uid};
use crate::log::bound;
use crate::mail_rows::MailedTokenRow;
use crate::schema::mailed_tokens;

/// Removes what is spent, then keeps what is new.
pub(crate) fn write(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    kept: Vec<MailedToken>,
    spent: &[Id<MailedToken>],
) -> QueryResult<()> {
    for id in spent {
        let stored = mailed_tokens::table.find((Uid::from(tenant), Uid::from(*id)));
        delete(stored).execute(conn)?;
    }
    for token in kept {
        let row = MailedTokenRow::new(tenant, token);
        insert_into(mailed_tokens::table)
            .values(&row)
            .on_conflict((mailed_tokens::tenant_id, mailed_tokens::id))
            .do_update()
            .set(&row)
            .execute(conn)?;
    }
    Ok(())
}

pub(crate) fn find(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    digest: MailedDigest,
) -> QueryResult<Option<MailedToken>> {
    let row = mailed_tokens::table
        .filter(mailed_tokens::tenant_id.eq(Uid::from(tenant)))
        .filter(mailed_tokens::digest.eq(Digest(digest)))
        .select(MailedTokenRow::as_select())
        .get_result(conn)
        .optional()?;
    Ok(row.map(MailedToken::from))
}

pub(crate) fn of_user(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    user: Id<User>,
) -> QueryResult<Vec<MailedToken>> {
    let rows: Vec<MailedTokenRow> = mailed_tokens::table
        .filter(mailed_tokens::tenant_id.eq(Uid::from(tenant)))
        .filter(mailed_tokens::user_id.eq(Uid::from(user)))
        .order(mailed_tokens::id)
        .select(MailedTokenRow::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(MailedToken::from).collect())
}

/// Mailed tokens that are over.
pub(crate) fn over(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    now: Timestamp,
    limit: usize,
) -> QueryResult<Vec<Uid>> {
    mailed_tokens::table
        .filter(mailed_tokens::tenant_id.eq(Uid::from(tenant)))
        .filter(mailed_tokens::expires_at.le(Moment(now)))
        .limit(bound(limit))
        .select(mailed_tokens::id)
        .load(conn)
}

/// Removes those of `over` that still are; answers how many.
pub(crate) fn remove_over(
    conn: &mut SqliteConnection,
    tenant: Id<Tenant>,
    now: Timestamp,
    over: Vec<Uid>,
) -> QueryResult<usize> {
    let mut removed = 0;
    for id in over {
        let stored = mailed_tokens::table.find((Uid::from(tenant), id));
        let still = mailed_tokens::expires_at.le(Moment(now));
        removed += delete(stored.filter(still)).execute(conn)?;
    }
    Ok(removed)
}
