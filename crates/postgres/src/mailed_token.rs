//! Mailed tokens: their rows, and how these are read and written.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_app::Unavailable;
use tessera_domain::{EmailAddress, Epoch, Id, MailedDigest, MailedToken, Tenant, Timestamp, User};
use uuid::Uuid;

use crate::error::unknown;
use crate::pipeline::Pipeline;
use crate::schema::mailed_tokens;
use crate::statement::Statement;
use crate::value::{count, number};

/// A row of `mailed_tokens`.
#[derive(Queryable, Selectable)]
#[diesel(table_name = mailed_tokens, check_for_backend(diesel::pg::Pg))]
pub(crate) struct MailedTokenRow {
    id: Uuid,
    digest: Vec<u8>,
    purpose: String,
    user_id: Uuid,
    email: String,
    email_key: String,
    account_key: Option<String>,
    epoch: i64,
    expires_at: i64,
}

impl TryFrom<MailedTokenRow> for MailedToken {
    type Error = Unavailable;

    fn try_from(row: MailedTokenRow) -> Result<Self, Unavailable> {
        let digest = row.digest.try_into();
        let purpose = row.purpose.parse();
        Ok(Self {
            id: Id::from(row.id),
            digest: digest
                .map(MailedDigest::restore)
                .map_err(|_| unknown("mailed_tokens.digest"))?,
            purpose: purpose.map_err(|_| unknown("mailed_tokens.purpose"))?,
            user: Id::from(row.user_id),
            email: EmailAddress::restore(row.email, row.email_key),
            account_key: row.account_key,
            epoch: Epoch::new(count(row.epoch)),
            expires_at: Timestamp::from_micros(row.expires_at),
        })
    }
}

/// The mailed token of the tenant with this digest.
pub(crate) async fn find(
    mut connection: &AsyncPgConnection,
    tenant: Uuid,
    digest: MailedDigest,
) -> QueryResult<Option<MailedTokenRow>> {
    mailed_tokens::table
        .filter(mailed_tokens::tenant_id.eq(tenant))
        .filter(mailed_tokens::digest.eq(digest.as_bytes().to_vec()))
        .select(MailedTokenRow::as_select())
        .first(&mut connection)
        .await
        .optional()
}

/// The mailed tokens of a user of the tenant, by their ids.
pub(crate) async fn of_user(
    mut connection: &AsyncPgConnection,
    tenant: Uuid,
    user: Id<User>,
) -> QueryResult<Vec<MailedTokenRow>> {
    mailed_tokens::table
        .filter(mailed_tokens::tenant_id.eq(tenant))
        .filter(mailed_tokens::user_id.eq(user.uuid()))
        .order(mailed_tokens::id)
        .select(MailedTokenRow::as_select())
        .load(&mut connection)
        .await
}

/// Adds that a token is kept, in place of one with the same id.
pub(crate) fn keep(pipeline: &mut Pipeline<'_>, tenant: &Tenant, token: &MailedToken) {
    pipeline.push(
        Statement::new(KEEP)
            .bind::<SqlUuid, _>(tenant.id.uuid())
            .bind::<SqlUuid, _>(token.id.uuid())
            .bind::<Binary, _>(token.digest.as_bytes().to_vec())
            .bind::<Text, _>(token.purpose.as_str())
            .bind::<SqlUuid, _>(token.user.uuid())
            .bind::<Text, _>(token.email.as_str())
            .bind::<Text, _>(token.email.key())
            .bind::<Nullable<Text>, _>(token.account_key.as_deref())
            .bind::<BigInt, _>(number(token.epoch.number()))
            .bind::<BigInt, _>(token.expires_at.as_micros()),
    );
}

/// Adds that a token goes.
pub(crate) fn spend(pipeline: &mut Pipeline<'_>, tenant: &Tenant, token: Id<MailedToken>) {
    let it = mailed_tokens::table
        .filter(mailed_tokens::tenant_id.eq(tenant.id.uuid()))
        .filter(mailed_tokens::id.eq(token.uuid()));
    pipeline.push(diesel::delete(it));
}

/// A statement that removes at most `limit` mailed tokens of the tenant that are over.
pub(crate) fn prune(tenant: &Tenant, now: Timestamp, limit: i64) -> Statement<'static> {
    let (tenant, now) = (tenant.id.uuid(), now.as_micros());
    Statement::new(PRUNE)
        .bind::<SqlUuid, _>(tenant)
        .bind::<SqlUuid, _>(tenant)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(now)
}

const KEEP: &str = "\
    INSERT INTO mailed_tokens (tenant_id, id, digest, purpose, user_id, email, email_key, \
        account_key, epoch, expires_at) \
    VALUES ($, $, $, $, $, $, $, $, $, $) \
    ON CONFLICT ON CONSTRAINT mailed_tokens_pkey DO UPDATE SET digest = excluded.digest, \
        purpose = excluded.purpose, user_id = excluded.user_id, email = excluded.email, \
        email_key = excluded.email_key, account_key = excluded.account_key, \
        epoch = excluded.epoch, expires_at = excluded.expires_at";

// That it is over is said twice: for the choice, and for the row as it is once its lock is held, lest
// one that took its place meanwhile be removed.
const PRUNE: &str = "\
    DELETE FROM mailed_tokens WHERE tenant_id = $ AND id = ANY (ARRAY(\
        SELECT id FROM mailed_tokens WHERE tenant_id = $ AND expires_at <= $ LIMIT $\
    )) AND expires_at <= $";
