//! The key ring and the installation: their rows, and how these are read and written.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_app::Unavailable;
use tessera_domain::{Change, Id, Installation, Key, KeyId, KeyOrigin, KeyPurpose, Timestamp};
use uuid::Uuid;

use crate::error::unknown;
use crate::pipeline::Pipeline;
use crate::schema::{installation, keys};
use crate::statement::Statement;
use crate::value::{count, number, of_micros, to_micros};

/// A row of `tessera.keys`.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = keys, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct KeyRow {
    id: Uuid,
    kid: String,
    purpose: String,
    algorithm: String,
    origin: String,
    public: Option<String>,
    sealed: Vec<u8>,
    created_at: i64,
    signs_from: i64,
    verifies_until: Option<i64>,
    events: i64,
    version: i64,
}

impl KeyRow {
    fn new(key: &Key) -> Self {
        Self {
            id: key.id.uuid(),
            kid: key.kid.as_str().to_owned(),
            purpose: purpose_text(key.purpose).to_owned(),
            algorithm: key.algorithm.as_str().to_owned(),
            origin: origin_text(key.origin).to_owned(),
            public: key.public.clone(),
            sealed: key.sealed.clone(),
            created_at: key.created_at.as_micros(),
            signs_from: key.signs_from.as_micros(),
            verifies_until: to_micros(key.verifies_until),
            events: number(key.events),
            version: number(key.version.saturating_add(1)),
        }
    }
}

impl TryFrom<KeyRow> for Key {
    type Error = Unavailable;

    fn try_from(row: KeyRow) -> Result<Self, Unavailable> {
        Ok(Self {
            id: Id::from(row.id),
            kid: KeyId::new(row.kid),
            purpose: purpose(&row.purpose)?,
            algorithm: row
                .algorithm
                .parse()
                .map_err(|_| unknown("keys.algorithm"))?,
            origin: origin(&row.origin)?,
            public: row.public,
            sealed: row.sealed,
            created_at: Timestamp::from_micros(row.created_at),
            signs_from: Timestamp::from_micros(row.signs_from),
            verifies_until: of_micros(row.verifies_until),
            events: count(row.events),
            version: count(row.version),
        })
    }
}

/// The key ring, in the order of creation.
pub(crate) async fn all(mut connection: &AsyncPgConnection) -> QueryResult<Vec<KeyRow>> {
    keys::table
        .order((keys::created_at, keys::id))
        .select(KeyRow::as_select())
        .load(&mut connection)
        .await
}

/// What the installation settled.
pub(crate) async fn settled(
    mut connection: &AsyncPgConnection,
) -> QueryResult<Option<Installation>> {
    let public_url: Option<String> = installation::table
        .select(installation::public_url)
        .first(&mut connection)
        .await
        .optional()?;
    Ok(public_url.map(|public_url| Installation { public_url }))
}

/// Adds what the installation settles.
pub(crate) fn settle(pipeline: &mut Pipeline<'_>, settled: &Installation) {
    pipeline.push(diesel::insert_into(installation::table).values((
        installation::singleton.eq(true),
        installation::public_url.eq(settled.public_url.clone()),
    )));
}

/// Adds what happens to a key.
pub(crate) fn write(pipeline: &mut Pipeline<'_>, change: &Change<Key>) {
    match change {
        Change::Insert(key) => {
            pipeline.push(diesel::insert_into(keys::table).values(KeyRow::new(key)));
        }
        Change::Remove(key) => {
            pipeline.push(diesel::delete(keys::table.filter(keys::id.eq(key.uuid()))));
        }
        Change::Update(key) => pipeline.push(update(KeyRow::new(key), key.version)),
    }
}

fn update(row: KeyRow, read_at: u64) -> Statement<'static> {
    Statement::new(UPDATE)
        .bind::<Text, _>(row.kid)
        .bind::<Text, _>(row.purpose)
        .bind::<Text, _>(row.algorithm)
        .bind::<Text, _>(row.origin)
        .bind::<Nullable<Text>, _>(row.public)
        .bind::<Binary, _>(row.sealed)
        .bind::<BigInt, _>(row.created_at)
        .bind::<BigInt, _>(row.signs_from)
        .bind::<Nullable<BigInt>, _>(row.verifies_until)
        .bind::<BigInt, _>(row.events)
        .bind::<BigInt, _>(row.version)
        .bind::<SqlUuid, _>(row.id)
        .bind::<BigInt, _>(number(read_at))
}

fn purpose_text(purpose: KeyPurpose) -> &'static str {
    match purpose {
        KeyPurpose::Access => "access",
        KeyPurpose::Refresh => "refresh",
    }
}

fn purpose(text: &str) -> Result<KeyPurpose, Unavailable> {
    match text {
        "access" => Ok(KeyPurpose::Access),
        "refresh" => Ok(KeyPurpose::Refresh),
        _ => Err(unknown("keys.purpose")),
    }
}

fn origin_text(origin: KeyOrigin) -> &'static str {
    match origin {
        KeyOrigin::Configured => "configured",
        KeyOrigin::Generated => "generated",
    }
}

fn origin(text: &str) -> Result<KeyOrigin, Unavailable> {
    match text {
        "configured" => Ok(KeyOrigin::Configured),
        "generated" => Ok(KeyOrigin::Generated),
        _ => Err(unknown("keys.origin")),
    }
}

const UPDATE: &str = "\
    WITH found AS (\
        UPDATE tessera.keys SET kid = $, purpose = $, algorithm = $, origin = $, public = $, \
            sealed = $, created_at = $, signs_from = $, verifies_until = $, events = $, \
            version = $ \
        WHERE id = $ AND version = $ RETURNING 1\
    ) SELECT CASE WHEN count(*) = 1 THEN true ELSE tessera.stale() END FROM found";
