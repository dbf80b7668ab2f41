//! Mails: their rows, and how these are written, taken and let go.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_app::{Backlog, QueuedMail, Unavailable};
use tessera_domain::{Addressee, EmailAddress, Id, Mail, MailKind, Timestamp};
use uuid::Uuid;

use crate::error::unknown;
use crate::pipeline::Pipeline;
use crate::schema::mails;
use crate::statement::Statement;
use crate::value::{count, of_micros};

/// A row of `tessera.mails`, without when it is due.
#[derive(Insertable, Queryable)]
#[diesel(table_name = mails, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct MailRow {
    id: Uuid,
    tenant_id: Uuid,
    kind: String,
    account_key: Option<String>,
    user_id: Option<Uuid>,
    email: Option<String>,
    email_key: Option<String>,
    asked_at: i64,
    tries: i64,
}

/// The columns of a [`MailRow`], in its order.
type MailColumns = (
    SqlUuid,
    SqlUuid,
    Text,
    Nullable<Text>,
    Nullable<SqlUuid>,
    Nullable<Text>,
    Nullable<Text>,
    BigInt,
    BigInt,
);

impl MailRow {
    /// The row of a mail that nobody has tried to send.
    fn new(mail: &Mail) -> Self {
        let (account_key, user, email) = match &mail.to {
            Addressee::Account(key) => (Some(key), None, None),
            Addressee::Address { email, user } => (None, Some(user), Some(email)),
            Addressee::User(user) => (None, Some(user), None),
        };
        Self {
            id: mail.id.uuid(),
            tenant_id: mail.tenant.uuid(),
            kind: mail.kind.as_str().to_owned(),
            account_key: account_key.cloned(),
            user_id: user.map(|user| user.uuid()),
            email: email.map(|email| email.as_str().to_owned()),
            email_key: email.map(|email| email.key().to_owned()),
            asked_at: mail.at.as_micros(),
            tries: 0,
        }
    }
}

impl TryFrom<MailRow> for QueuedMail {
    type Error = Unavailable;

    fn try_from(row: MailRow) -> Result<Self, Unavailable> {
        let user = row.user_id.map(Id::from);
        let to = match (row.account_key, user, row.email.zip(row.email_key)) {
            (Some(key), None, None) => Addressee::Account(key),
            (None, Some(user), Some((address, key))) => Addressee::Address {
                email: EmailAddress::restore(address, key),
                user,
            },
            (None, Some(user), None) => Addressee::User(user),
            _ => return Err(unknown("mails.user_id")),
        };
        Ok(Self {
            mail: Mail {
                id: Id::from(row.id),
                tenant: Id::from(row.tenant_id),
                kind: row.kind.parse().map_err(|_| unknown("mails.kind"))?,
                to,
                at: Timestamp::from_micros(row.asked_at),
            },
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
        })
    }
}

/// Adds a mail, due when it was asked for.
pub(crate) fn order(pipeline: &mut Pipeline<'_>, mail: &Mail) {
    let row = MailRow::new(mail);
    let due = mails::due_at.eq(row.asked_at);
    pipeline.push(diesel::insert_into(mails::table).values((row, due)));
}

/// Takes at most `limit` mails that are due at `now`, and has them due again at `until`.
pub(crate) async fn take(
    mut connection: &AsyncPgConnection,
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> QueryResult<Vec<MailRow>> {
    Statement::new(TAKE)
        .bind::<BigInt, _>(now.as_micros())
        .bind::<Array<Text>, _>(known())
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(until.as_micros())
        .rows::<MailColumns>()
        .load(&mut connection)
        .await
}

/// A statement that has a mail due again, with one more try counted.
pub(crate) fn defer(id: Id<Mail>, due: Timestamp) -> Statement<'static> {
    Statement::new(DEFER)
        .bind::<BigInt, _>(due.as_micros())
        .bind::<SqlUuid, _>(id.uuid())
}

/// A statement that has a mail due again.
pub(crate) fn give_back(id: Id<Mail>, due: Timestamp) -> Statement<'static> {
    Statement::new("UPDATE tessera.mails SET due_at = $ WHERE id = $")
        .bind::<BigInt, _>(due.as_micros())
        .bind::<SqlUuid, _>(id.uuid())
}

/// A statement that removes a mail.
pub(crate) fn remove(id: Id<Mail>) -> Statement<'static> {
    Statement::new("DELETE FROM tessera.mails WHERE id = $").bind::<SqlUuid, _>(id.uuid())
}

/// What waits.
pub(crate) async fn backlog(mut connection: &AsyncPgConnection) -> QueryResult<Backlog> {
    let (waiting, oldest, next_due): (i64, Option<i64>, Option<i64>) = Statement::new(BACKLOG)
        .bind::<Array<Text>, _>(known())
        .rows::<(BigInt, Nullable<BigInt>, Nullable<BigInt>)>()
        .get_result(&mut connection)
        .await?;
    Ok(Backlog {
        mails: count(waiting),
        oldest: of_micros(oldest),
        next_due: of_micros(next_due),
    })
}

/// What is of no known kind is of a later version, and for its processes.
fn known() -> Vec<&'static str> {
    MailKind::ALL.iter().map(|kind| kind.as_str()).collect()
}

// The ids are read first: joined, the planner might read all that waits.
const TAKE: &str = "\
    WITH due AS (\
        SELECT id, due_at FROM tessera.mails WHERE due_at <= $ AND kind = ANY ($) \
        ORDER BY due_at, id LIMIT $ FOR UPDATE SKIP LOCKED\
    ), taken AS (\
        UPDATE tessera.mails SET due_at = $ WHERE id = ANY (ARRAY(SELECT id FROM due)) \
        RETURNING id, tenant_id, kind, account_key, user_id, email, email_key, asked_at, tries\
    ) SELECT taken.* FROM taken JOIN due ON due.id = taken.id ORDER BY due.due_at, taken.id";

const DEFER: &str = "UPDATE tessera.mails SET due_at = $, tries = tries + 1 WHERE id = $";

const BACKLOG: &str = "\
    SELECT count(*), min(asked_at), min(due_at) FILTER (WHERE kind = ANY ($)) FROM tessera.mails";
