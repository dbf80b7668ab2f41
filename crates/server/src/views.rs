//! What commands show of users, tenants, sessions and keys: the same as the API.

use jiff::Timestamp as Moment;
use serde::Serialize;
use tessera_domain::{
    Key, KeyOrigin, KeyPurpose, Session, Tenant, TenantStatus, Timestamp, User, UserStatus,
};

/// A user.
#[derive(Serialize)]
pub(crate) struct UserView {
    id: String,
    username: Option<String>,
    email: Option<String>,
    first_name: String,
    last_name: String,
    job_role: String,
    role: Option<String>,
    roles: Vec<String>,
    is_active: bool,
    is_superuser: bool,
    email_verified: bool,
    tenant: String,
    date_joined: String,
    last_login: Option<String>,
}

impl UserView {
    pub(crate) const COLUMNS: [&str; 6] = [
        "id",
        "email",
        "username",
        "roles",
        "is_active",
        "last_login",
    ];

    pub(crate) fn new(user: &User, tenant: &Tenant) -> Self {
        let roles = user.role_names();
        Self {
            id: user.shown_id(),
            username: user.username.as_ref().map(|name| name.as_str().to_owned()),
            email: user.email.as_ref().map(|email| email.as_str().to_owned()),
            first_name: user.profile.first_name.clone(),
            last_name: user.profile.last_name.clone(),
            job_role: user.profile.job_role.clone(),
            role: roles.first().cloned(),
            roles,
            is_active: user.status == UserStatus::Active,
            is_superuser: user.is_superuser,
            email_verified: user.email_verified,
            tenant: tenant.name.as_str().to_owned(),
            date_joined: rfc3339(user.joined_at),
            last_login: user.last_login.map(rfc3339),
        }
    }
}

/// A tenant.
#[derive(Serialize)]
pub(crate) struct TenantView {
    id: String,
    name: String,
    schema: String,
    domains: Vec<String>,
    primary_domain: Option<String>,
    status: &'static str,
    created_at: String,
}

impl TenantView {
    pub(crate) const COLUMNS: [&str; 5] = ["id", "name", "schema", "domains", "status"];
}

impl From<&Tenant> for TenantView {
    fn from(tenant: &Tenant) -> Self {
        let domains = tenant.domains.iter();
        let primary = domains.clone().find(|domain| domain.primary);
        Self {
            id: tenant.shown_id(),
            name: tenant.name.as_str().to_owned(),
            schema: tenant.schema.as_str().to_owned(),
            domains: domains
                .map(|domain| domain.host.as_str().to_owned())
                .collect(),
            primary_domain: primary.map(|domain| domain.host.as_str().to_owned()),
            status: match tenant.status {
                TenantStatus::Active => "active",
                TenantStatus::Suspended => "suspended",
            },
            created_at: rfc3339(tenant.created_at),
        }
    }
}

/// A session.
#[derive(Serialize)]
pub(crate) struct SessionView {
    id: String,
    created_at: String,
    last_used_at: String,
    expires_at: String,
    ip: Option<String>,
    user_agent: Option<String>,
    /// The one that asks; a command has none.
    current: bool,
}

impl SessionView {
    pub(crate) const COLUMNS: [&str; 6] = [
        "id",
        "created_at",
        "last_used_at",
        "expires_at",
        "ip",
        "user_agent",
    ];
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.to_string(),
            created_at: rfc3339(session.created_at),
            last_used_at: rfc3339(session.refreshed_at),
            expires_at: rfc3339(session.idle_end),
            ip: session.device.ip.clone(),
            user_agent: session.device.user_agent.clone(),
            current: false,
        }
    }
}

/// A key that signs or verifies access tokens, or did.
#[derive(Serialize)]
pub(crate) struct KeyView {
    kid: String,
    alg: &'static str,
    status: &'static str,
    origin: &'static str,
    created_at: String,
    signs_from: String,
    verifies_until: Option<String>,
}

impl KeyView {
    pub(crate) const COLUMNS: [&str; 6] = [
        "kid",
        "alg",
        "status",
        "origin",
        "signs_from",
        "verifies_until",
    ];

    /// The key as it is in its `ring` at the moment.
    pub(crate) fn new(key: &Key, ring: &[Key], now: Timestamp) -> Self {
        let signing = Key::signing(ring, KeyPurpose::Access, now);
        Self {
            kid: key.kid.as_str().to_owned(),
            alg: key.algorithm.as_str(),
            status: if !key.verifies(now) {
                "retired"
            } else if signing.is_some_and(|signing| signing.id == key.id) {
                "signs"
            } else if now < key.signs_from {
                "announced"
            } else {
                "verifies"
            },
            origin: match key.origin {
                KeyOrigin::Configured => "configured",
                KeyOrigin::Generated => "generated",
            },
            created_at: rfc3339(key.created_at),
            signs_from: rfc3339(key.signs_from),
            verifies_until: key.verifies_until.map(rfc3339),
        }
    }
}

/// The moment as RFC 3339 writes it, UTC.
pub(crate) fn rfc3339(moment: Timestamp) -> String {
    Moment::from_microsecond(moment.as_micros()).map_or_else(
        |_| Moment::UNIX_EPOCH.to_string(),
        |moment| moment.to_string(),
    )
}
