//! How events leave that are old and sent.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_domain::Timestamp;

use crate::statement::Statement;

/// Removes the first events from before `before` that no publisher has yet to send; answers whether
/// more may be left.
pub(crate) async fn expire(
    mut connection: &AsyncPgConnection,
    before: Timestamp,
) -> QueryResult<bool> {
    let removed = Statement::new(EXPIRE)
        .bind::<BigInt, _>(before.as_micros())
        .bind::<BigInt, _>(SOME)
        .execute(&mut connection)
        .await?;
    Ok(i64::try_from(removed).is_ok_and(|removed| removed == SOME))
}

const EXPIRE: &str = "\
    DELETE FROM tessera.events WHERE position IN (\
        SELECT position FROM tessera.events AS event \
        WHERE time < $ AND NOT EXISTS (\
            SELECT FROM tessera.publishers WHERE cursor < event.position) \
        AND NOT EXISTS (SELECT FROM tessera.waiting WHERE waiting.position = event.position) \
        ORDER BY position LIMIT $)";
const SOME: i64 = 1_000;
