//! How events leave that are old and sent.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_domain::Timestamp;

use crate::statement::Statement;

/// Keeps partitions ahead of the log, and removes a whole one, or some of the first events, from
/// before `before` that no publisher has yet to send; answers whether more may be left.
pub(crate) async fn expire(
    mut connection: &AsyncPgConnection,
    before: Timestamp,
) -> QueryResult<bool> {
    Statement::new("SELECT tessera.expire($, $)")
        .bind::<BigInt, _>(before.as_micros())
        .bind::<BigInt, _>(SOME)
        .rows::<Bool>()
        .get_result(&mut connection)
        .await
}

const SOME: i64 = 1_000;
