//! Tenants: their rows, their names and domains, and how these are read and written.

use core::time::Duration;
use std::collections::BTreeSet;

use diesel::dsl::{AsSelect, Eq, Filter, Order, Select, array};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tessera_app::{TenantKey, Unavailable};
use tessera_domain::{
    HostName, Id, JobRoleBy, MailSender, Origin, PasswordChars, Registration, SchemaName, Tenant,
    TenantDomain, TenantLayout, TenantName, TenantSettings, TenantStatus, Timestamp, TokenIssuer,
};
use uuid::Uuid;

use crate::error::unknown;
use crate::pipeline::Pipeline;
use crate::schema::{tenant_domains, tenant_names, tenants};
use crate::statement::Statement;
use crate::value::{count, number};

/// A row of `tessera.tenants`; `tessera.session_where_it_is` answers its fields in this order, too.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = tenants, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct TenantRow {
    id: Uuid,
    external_id: Option<String>,
    name: String,
    schema: String,
    status: String,
    created_at: i64,
    events: i64,
    version: i64,
    registration: Option<String>,
    password_chars: Option<i64>,
    job_role_by: String,
    is_deleting: bool,
    layout: String,
    moving_to: Option<String>,
    access_seconds: Option<i64>,
    refresh_seconds: Option<i64>,
    allowed_origins: Vec<String>,
    mail_from: Option<String>,
    issuer: String,
}

/// A tenant with its hosts, in their order, and with which of these is the primary one.
pub(crate) type TenantRead = (TenantRow, Vec<String>, Vec<bool>);

impl TenantRow {
    fn new(tenant: &Tenant) -> Self {
        let settings = &tenant.settings;
        let seconds = |lifetime: Duration| number(lifetime.as_secs());
        let origins = settings.allowed_origins.iter();
        Self {
            id: tenant.id.uuid(),
            external_id: tenant.external_id.clone(),
            name: tenant.name.as_str().to_owned(),
            schema: tenant.schema.as_str().to_owned(),
            status: status_text(tenant.status).to_owned(),
            created_at: tenant.created_at.as_micros(),
            events: number(tenant.events),
            version: number(tenant.version.saturating_add(1)),
            registration: settings.registration.map(|mode| mode.as_str().to_owned()),
            password_chars: settings.password_chars.map(|chars| chars.number().into()),
            job_role_by: settings.job_role.as_str().to_owned(),
            is_deleting: tenant.status == TenantStatus::Deleting,
            layout: tenant.layout.as_str().to_owned(),
            moving_to: tenant.moving_to.map(|layout| layout.as_str().to_owned()),
            access_seconds: settings.access_lifetime.map(seconds),
            refresh_seconds: settings.refresh_lifetime.map(seconds),
            allowed_origins: origins.map(|origin| origin.as_str().to_owned()).collect(),
            mail_from: settings.mail_from.as_ref().map(ToString::to_string),
            issuer: settings.issuer.as_str().to_owned(),
        }
    }
}

/// The tenant that was read.
pub(crate) fn tenant((row, hosts, primary): TenantRead) -> Result<Tenant, Unavailable> {
    let domains = hosts.into_iter().zip(primary);
    Ok(Tenant {
        id: Id::from(row.id),
        external_id: row.external_id,
        name: TenantName::restore(row.name),
        schema: SchemaName::restore(row.schema),
        layout: layout(&row.layout)?,
        moving_to: row.moving_to.as_deref().map(layout).transpose()?,
        domains: domains
            .map(|(host, primary)| TenantDomain {
                host: HostName::restore(host),
                primary,
            })
            .collect(),
        status: if row.is_deleting {
            TenantStatus::Deleting
        } else {
            status(&row.status)?
        },
        settings: TenantSettings {
            registration: row.registration.as_deref().map(registration).transpose()?,
            password_chars: row
                .password_chars
                .and_then(|chars| PasswordChars::new(u8::try_from(chars).ok()?)),
            job_role: job_role_by(&row.job_role_by)?,
            access_lifetime: row.access_seconds.map(seconds),
            refresh_lifetime: row.refresh_seconds.map(seconds),
            allowed_origins: row
                .allowed_origins
                .into_iter()
                .map(Origin::restore)
                .collect(),
            mail_from: row.mail_from.as_deref().map(sender).transpose()?,
            issuer: issuer(&row.issuer)?,
        },
        created_at: Timestamp::from_micros(row.created_at),
        events: count(row.events),
        version: count(row.version),
    })
}

/// What is selected of a tenant.
pub(crate) fn columns() -> Columns {
    let of_tenant = || {
        tenant_domains::table
            .filter(tenant_domains::tenant_id.eq(tenants::id))
            .order(tenant_domains::place)
    };
    (
        TenantRow::as_select(),
        array(of_tenant().select(tenant_domains::host)),
        array(of_tenant().select(tenant_domains::is_primary)),
    )
}

/// The type of what is selected of a tenant.
pub(crate) type Columns = (
    AsSelect<TenantRow, Pg>,
    array<Text, Select<OfTenant, tenant_domains::host>>,
    array<Bool, Select<OfTenant, tenant_domains::is_primary>>,
);
type OfTenant = Order<
    Filter<tenant_domains::table, Eq<tenant_domains::tenant_id, tenants::id>>,
    tenant_domains::place,
>;

/// The tenant of that name or host.
pub(crate) async fn find(
    mut connection: &AsyncPgConnection,
    by: TenantKey,
) -> QueryResult<Option<TenantRead>> {
    match by {
        TenantKey::Host(host) => {
            let by_host = tenant_domains::table
                .filter(tenant_domains::host.eq(host.as_str().to_owned()))
                .select(tenant_domains::tenant_id);
            tenants::table
                .filter(tenants::id.nullable().eq(by_host.single_value()))
                .select(columns())
                .first(&mut connection)
                .await
                .optional()
        }
        TenantKey::Id(id) => tenants::table
            .filter(tenants::id.eq(id.uuid()))
            .select(columns())
            .first(&mut connection)
            .await
            .optional(),
        TenantKey::Name(key) => {
            let by_name = tenant_names::table
                .filter(tenant_names::key.eq(key))
                .select(tenant_names::tenant_id);
            tenants::table
                .filter(tenants::id.nullable().eq(by_name.single_value()))
                .select(columns())
                .first(&mut connection)
                .await
                .optional()
        }
    }
}

/// All tenants, by schema name.
pub(crate) async fn all(mut connection: &AsyncPgConnection) -> QueryResult<Vec<TenantRead>> {
    tenants::table
        .order(tenants::schema)
        .select(columns())
        .load(&mut connection)
        .await
}

/// The tenants that are being deleted or are on the way to another layout, by schema name.
pub(crate) async fn unfinished(mut connection: &AsyncPgConnection) -> QueryResult<Vec<TenantRead>> {
    tenants::table
        .filter(tenants::is_deleting.or(tenants::moving_to.is_not_null()))
        .order(tenants::schema)
        .select(columns())
        .load(&mut connection)
        .await
}

/// Adds a new tenant.
pub(crate) fn insert(pipeline: &mut Pipeline<'_>, tenant: &Tenant) {
    let row = TenantRow::new(tenant);
    pipeline.push(diesel::insert_into(tenants::table).values(row));
    name(pipeline, tenant);
}

/// Adds that a tenant changes.
pub(crate) fn update(pipeline: &mut Pipeline<'_>, tenant: &Tenant) {
    let row = TenantRow::new(tenant);
    pipeline.push(
        Statement::new(UPDATE)
            .bind::<Nullable<Text>, _>(row.external_id)
            .bind::<Text, _>(row.name)
            .bind::<Text, _>(row.status)
            .bind::<BigInt, _>(row.created_at)
            .bind::<BigInt, _>(row.events)
            .bind::<BigInt, _>(row.version)
            .bind::<Nullable<Text>, _>(row.registration)
            .bind::<Nullable<BigInt>, _>(row.password_chars)
            .bind::<Text, _>(row.job_role_by)
            .bind::<Bool, _>(row.is_deleting)
            .bind::<Text, _>(row.layout)
            .bind::<Nullable<Text>, _>(row.moving_to)
            .bind::<Nullable<BigInt>, _>(row.access_seconds)
            .bind::<Nullable<BigInt>, _>(row.refresh_seconds)
            .bind::<Array<Text>, _>(row.allowed_origins)
            .bind::<Nullable<Text>, _>(row.mail_from)
            .bind::<Text, _>(row.issuer)
            .bind::<SqlUuid, _>(row.id)
            .bind::<BigInt, _>(number(tenant.version)),
    );
    let id = tenant.id.uuid();
    let names = tenant_names::table.filter(tenant_names::tenant_id.eq(id));
    pipeline.push(diesel::delete(names));
    let domains = tenant_domains::table.filter(tenant_domains::tenant_id.eq(id));
    pipeline.push(diesel::delete(domains));
    name(pipeline, tenant);
}

/// Adds that a tenant goes, with its names and domains.
pub(crate) fn remove(pipeline: &mut Pipeline<'_>, tenant: Id<Tenant>) {
    let it = tenants::table.filter(tenants::id.eq(tenant.uuid()));
    pipeline.push(diesel::delete(it));
}

/// Where the data of a tenant is, which nobody else may remove until the commit is over.
pub(crate) async fn hold_place_of(
    mut connection: &AsyncPgConnection,
    tenant: Id<Tenant>,
) -> QueryResult<Option<String>> {
    tenants::table
        .filter(tenants::id.eq(tenant.uuid()))
        .select(place(tenants::layout, tenants::schema))
        .for_update()
        .first(&mut connection)
        .await
        .optional()
}

#[diesel::declare_sql_function]
extern "SQL" {
    #[sql_name = "tessera.place"]
    fn place(layout: Text, schema: Text) -> Text;
}

fn name(pipeline: &mut Pipeline<'_>, tenant: &Tenant) {
    let keys = BTreeSet::from([tenant.name.key(), tenant.schema.key()]);
    for key in keys {
        pipeline.push(diesel::insert_into(tenant_names::table).values((
            tenant_names::key.eq(key),
            tenant_names::tenant_id.eq(tenant.id.uuid()),
        )));
    }
    for (place, domain) in (0_i64..).zip(&tenant.domains) {
        pipeline.push(diesel::insert_into(tenant_domains::table).values((
            tenant_domains::host.eq(domain.host.as_str().to_owned()),
            tenant_domains::tenant_id.eq(tenant.id.uuid()),
            tenant_domains::place.eq(place),
            tenant_domains::is_primary.eq(domain.primary),
        )));
    }
}

fn status_text(status: TenantStatus) -> &'static str {
    match status {
        TenantStatus::Active => "active",
        // Another column says so: the previous version takes it for this.
        TenantStatus::Deleting | TenantStatus::Suspended => "suspended",
    }
}

fn status(text: &str) -> Result<TenantStatus, Unavailable> {
    match text {
        "active" => Ok(TenantStatus::Active),
        "suspended" => Ok(TenantStatus::Suspended),
        _ => Err(unknown("tenants.status")),
    }
}

fn registration(text: &str) -> Result<Registration, Unavailable> {
    text.parse().map_err(|_| unknown("tenants.registration"))
}

fn job_role_by(text: &str) -> Result<JobRoleBy, Unavailable> {
    text.parse().map_err(|_| unknown("tenants.job_role_by"))
}

fn layout(text: &str) -> Result<TenantLayout, Unavailable> {
    text.parse().map_err(|_| unknown("tenants.layout"))
}

fn issuer(text: &str) -> Result<TokenIssuer, Unavailable> {
    text.parse().map_err(|_| unknown("tenants.issuer"))
}

fn sender(text: &str) -> Result<MailSender, Unavailable> {
    MailSender::parse(text).map_err(|_| unknown("tenants.mail_from"))
}

fn seconds(stored: i64) -> Duration {
    Duration::from_secs(count(stored))
}

const UPDATE: &str = "\
    WITH found AS (\
        UPDATE tessera.tenants SET external_id = $, name = $, status = $, created_at = $, \
            events = $, version = $, registration = $, password_chars = $, job_role_by = $, \
            is_deleting = $, layout = $, moving_to = $, access_seconds = $, refresh_seconds = $, \
            allowed_origins = $, mail_from = $, issuer = $ \
        WHERE id = $ AND version = $ RETURNING 1\
    ) SELECT CASE WHEN count(*) = 1 THEN true ELSE tessera.stale() END FROM found";
