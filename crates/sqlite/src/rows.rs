//! How tenants, users, sessions, keys and events are kept in rows.

use diesel::prelude::*;
use tessera_domain::{
    Algorithm, Device, EmailAddress, Epoch, Event, Generation, HostName, Id, JobRoleBy, Key, KeyId,
    KeyOrigin, KeyPurpose, Lockout, MailSender, PasswordChars, PasswordRecord, Profile,
    Registration, SchemaName, Session, SessionEnd, SessionEnded, Tenant, TenantDomain,
    TenantLayout, TenantName, TenantSettings, TenantStatus, Timestamp, TokenIssuer, User,
    UserStatus, Username,
};

use crate::columns::{Count, Moment, Named, Origins, Roles, Seconds, Uid};
use crate::schema::{events, keys, sessions, tenant_domains, tenants, users};

/// A tenant without its domains.
#[derive(AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = tenants, treat_none_as_null = true)]
pub(crate) struct TenantRow {
    pub(crate) id: Uid,
    external_id: Option<String>,
    name: String,
    schema: String,
    status: Named<TenantStatus>,
    created_at: Moment,
    events: Count,
    version: Count,
    registration: Option<Named<Registration>>,
    password_chars: Option<i64>,
    job_role_by: Named<JobRoleBy>,
    is_deleting: bool,
    layout: Named<TenantLayout>,
    moving_to: Option<Named<TenantLayout>>,
    access_seconds: Option<Seconds>,
    refresh_seconds: Option<Seconds>,
    allowed_origins: Origins,
    mail_from: Option<String>,
    issuer: Named<TokenIssuer>,
}

impl TenantRow {
    /// The row of `tenant`, at the version after the one it was read at.
    pub(crate) fn next(tenant: &Tenant) -> Self {
        let settings = &tenant.settings;
        Self {
            id: tenant.id.into(),
            external_id: tenant.external_id.clone(),
            name: tenant.name.as_str().to_owned(),
            schema: tenant.schema.as_str().to_owned(),
            status: Named(tenant.status),
            created_at: Moment(tenant.created_at),
            events: Count(tenant.events),
            version: after(tenant.version),
            registration: settings.registration.map(Named),
            password_chars: settings.password_chars.map(|chars| chars.number().into()),
            job_role_by: Named(settings.job_role),
            is_deleting: tenant.status == TenantStatus::Deleting,
            layout: Named(tenant.layout),
            moving_to: tenant.moving_to.map(Named),
            access_seconds: settings.access_lifetime.map(Seconds),
            refresh_seconds: settings.refresh_lifetime.map(Seconds),
            allowed_origins: Origins(settings.allowed_origins.clone()),
            mail_from: settings.mail_from.as_ref().map(ToString::to_string),
            issuer: Named(settings.issuer),
        }
    }
}

impl From<TenantRow> for Tenant {
    fn from(row: TenantRow) -> Self {
        Self {
            id: row.id.id(),
            external_id: row.external_id,
            name: TenantName::restore(row.name),
            schema: SchemaName::restore(row.schema),
            layout: row.layout.0,
            moving_to: row.moving_to.map(|named| named.0),
            domains: Vec::new(),
            status: if row.is_deleting {
                TenantStatus::Deleting
            } else {
                row.status.0
            },
            settings: TenantSettings {
                registration: row.registration.map(|named| named.0),
                password_chars: row
                    .password_chars
                    .and_then(|chars| PasswordChars::new(u8::try_from(chars).ok()?)),
                job_role: row.job_role_by.0,
                access_lifetime: row.access_seconds.map(|seconds| seconds.0),
                refresh_lifetime: row.refresh_seconds.map(|seconds| seconds.0),
                allowed_origins: row.allowed_origins.0,
                mail_from: row
                    .mail_from
                    .and_then(|sender| MailSender::parse(&sender).ok()),
                issuer: row.issuer.0,
            },
            created_at: row.created_at.0,
            events: row.events.0,
            version: row.version.0,
        }
    }
}

/// A domain of a tenant.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tenant_domains)]
pub(crate) struct DomainRow {
    host: String,
    is_primary: bool,
}

impl From<DomainRow> for TenantDomain {
    fn from(row: DomainRow) -> Self {
        Self {
            host: HostName::restore(row.host),
            primary: row.is_primary,
        }
    }
}

/// A user.
#[derive(AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = users, primary_key(tenant_id, id), treat_none_as_null = true)]
pub(crate) struct UserRow {
    tenant_id: Uid,
    id: Uid,
    external_id: Option<String>,
    email: Option<String>,
    email_key: Option<String>,
    email_verified: bool,
    username: Option<String>,
    username_key: Option<String>,
    first_name: String,
    last_name: String,
    job_role: String,
    roles: Roles,
    is_superuser: bool,
    status: Named<UserStatus>,
    password: Option<String>,
    failures: i64,
    last_failure: Option<Moment>,
    locked_until: Option<Moment>,
    epoch: Count,
    joined_at: Moment,
    last_login: Option<Moment>,
    events: Count,
    version: Count,
}

impl UserRow {
    /// The row of `user`, at the version after the one it was read at.
    pub(crate) fn next(tenant: Id<Tenant>, user: User) -> Self {
        let email = user.email.as_ref();
        let username = user.username.as_ref();
        Self {
            tenant_id: tenant.into(),
            id: user.id.into(),
            email: email.map(|email| email.as_str().to_owned()),
            email_key: email.map(|email| email.key().to_owned()),
            email_verified: user.email_verified,
            username: username.map(|name| name.as_str().to_owned()),
            username_key: username.map(|name| name.key().to_owned()),
            external_id: user.external_id,
            first_name: user.profile.first_name,
            last_name: user.profile.last_name,
            job_role: user.profile.job_role,
            roles: Roles(user.roles),
            is_superuser: user.is_superuser,
            status: Named(user.status),
            password: user.password.map(|record| record.as_str().to_owned()),
            failures: user.lockout.failures.into(),
            last_failure: user.lockout.last_failure.map(Moment),
            locked_until: user.lockout.until.map(Moment),
            epoch: Count(user.epoch.number()),
            joined_at: Moment(user.joined_at),
            last_login: user.last_login.map(Moment),
            events: Count(user.events),
            version: after(user.version),
        }
    }
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let email = row.email.zip(row.email_key);
        let username = row.username.zip(row.username_key);
        Self {
            id: row.id.id(),
            external_id: row.external_id,
            email: email.map(|(address, key)| EmailAddress::restore(address, key)),
            email_verified: row.email_verified,
            username: username.map(|(name, key)| Username::restore(name, key)),
            profile: Profile {
                first_name: row.first_name,
                last_name: row.last_name,
                job_role: row.job_role,
            },
            roles: row.roles.0,
            is_superuser: row.is_superuser,
            status: row.status.0,
            password: row.password.map(PasswordRecord::new),
            lockout: Lockout {
                failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
                last_failure: row.last_failure.map(moment),
                until: row.locked_until.map(moment),
            },
            epoch: Epoch::new(row.epoch.0),
            joined_at: row.joined_at.0,
            last_login: row.last_login.map(moment),
            events: row.events.0,
            version: row.version.0,
        }
    }
}

/// A session.
#[derive(AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = sessions, primary_key(tenant_id, id), treat_none_as_null = true)]
pub(crate) struct SessionRow {
    tenant_id: Uid,
    id: Uid,
    user_id: Uid,
    epoch: Count,
    generation: Count,
    refreshed_at: Moment,
    idle_end: Moment,
    absolute_end: Moment,
    key: String,
    created_at: Moment,
    ip: Option<String>,
    user_agent: Option<String>,
    wrong_passwords: Count,
    ended_at: Option<Moment>,
    ended_why: Option<Named<SessionEnd>>,
    version: Count,
}

impl SessionRow {
    /// The row of `session`, at the version after the one it was read at.
    pub(crate) fn next(tenant: Id<Tenant>, session: Session) -> Self {
        Self {
            tenant_id: tenant.into(),
            id: session.id.into(),
            user_id: session.user.into(),
            epoch: Count(session.epoch.number()),
            generation: Count(session.generation.number()),
            refreshed_at: Moment(session.refreshed_at),
            idle_end: Moment(session.idle_end),
            absolute_end: Moment(session.absolute_end),
            key: session.key.as_str().to_owned(),
            created_at: Moment(session.created_at),
            ip: session.device.ip,
            user_agent: session.device.user_agent,
            wrong_passwords: Count(session.wrong_passwords.into()),
            ended_at: session.ended.map(|ended| Moment(ended.at)),
            ended_why: session.ended.map(|ended| Named(ended.why)),
            version: after(session.version),
        }
    }
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        let ended = row.ended_at.zip(row.ended_why);
        Self {
            id: row.id.id(),
            user: row.user_id.id(),
            epoch: Epoch::new(row.epoch.0),
            generation: Generation::new(row.generation.0),
            refreshed_at: row.refreshed_at.0,
            idle_end: row.idle_end.0,
            absolute_end: row.absolute_end.0,
            key: KeyId::new(row.key),
            created_at: row.created_at.0,
            device: Device {
                ip: row.ip,
                user_agent: row.user_agent,
            },
            wrong_passwords: u32::try_from(row.wrong_passwords.0).unwrap_or(u32::MAX),
            ended: ended.map(|(at, why)| SessionEnded {
                at: at.0,
                why: why.0,
            }),
            version: row.version.0,
        }
    }
}

/// A key of the key ring.
#[derive(AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = keys, treat_none_as_null = true)]
pub(crate) struct KeyRow {
    id: Uid,
    kid: String,
    purpose: Named<KeyPurpose>,
    algorithm: Named<Algorithm>,
    origin: Named<KeyOrigin>,
    public: Option<String>,
    sealed: Vec<u8>,
    created_at: Moment,
    signs_from: Moment,
    verifies_until: Option<Moment>,
    events: Count,
    version: Count,
}

impl KeyRow {
    /// The row of `key`, at the version after the one it was read at.
    pub(crate) fn next(key: Key) -> Self {
        Self {
            id: key.id.into(),
            kid: key.kid.as_str().to_owned(),
            purpose: Named(key.purpose),
            algorithm: Named(key.algorithm),
            origin: Named(key.origin),
            public: key.public,
            sealed: key.sealed,
            created_at: Moment(key.created_at),
            signs_from: Moment(key.signs_from),
            verifies_until: key.verifies_until.map(Moment),
            events: Count(key.events),
            version: after(key.version),
        }
    }
}

impl From<KeyRow> for Key {
    fn from(row: KeyRow) -> Self {
        Self {
            id: row.id.id(),
            kid: KeyId::new(row.kid),
            purpose: row.purpose.0,
            algorithm: row.algorithm.0,
            origin: row.origin.0,
            public: row.public,
            sealed: row.sealed,
            created_at: row.created_at.0,
            signs_from: row.signs_from.0,
            verifies_until: row.verifies_until.map(moment),
            events: row.events.0,
            version: row.version.0,
        }
    }
}

/// An event as it is written down for others; its position the log gives.
#[derive(Insertable)]
#[diesel(table_name = events)]
pub(crate) struct EventRow {
    id: Uid,
    tenant_id: Uid,
    pub(crate) subject: String,
    sequence: Count,
    pub(crate) event_type: &'static str,
    time: Moment,
    body: String,
}

impl From<&Event> for EventRow {
    fn from(event: &Event) -> Self {
        let encoded = tessera_wire::encode(event);
        Self {
            id: event.id.into(),
            tenant_id: event.tenant.into(),
            subject: encoded.subject,
            sequence: Count(event.fact.sequence),
            event_type: encoded.event_type,
            time: Moment(event.at),
            body: encoded.body,
        }
    }
}

fn after(version: u64) -> Count {
    Count(version.saturating_add(1))
}

fn moment(at: Moment) -> Timestamp {
    at.0
}
