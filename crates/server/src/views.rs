//! What commands show: of users and sessions the same as the API, of the rest this.

use serde::Serialize;
use tessera_app::{Link, Replayed};
use tessera_domain::{Key, KeyOrigin, KeyPurpose, Tenant, Timestamp, User};
use tessera_http::{TenantSettingsView, UserView, rfc3339};

/// What a table shows of a user.
pub(crate) const USER_COLUMNS: [&str; 6] = [
    "id",
    "email",
    "username",
    "roles",
    "is_active",
    "last_login",
];

/// A user who was made, with the link that is told this once, where it is not mailed.
#[derive(Serialize)]
pub(crate) struct CreatedUserView {
    #[serde(flatten)]
    user: UserView,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_password_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_password_until: Option<String>,
}

impl CreatedUserView {
    pub(crate) fn new(user: UserView, link: Option<Link>) -> Self {
        let until = link.as_ref().map(|link| rfc3339(link.expires_at));
        Self {
            user,
            set_password_url: link.map(|link| link.url),
            set_password_until: until,
        }
    }
}

/// That a user is no more.
#[derive(Serialize)]
pub(crate) struct DeletedView {
    deleted: String,
}

impl DeletedView {
    pub(crate) fn new(user: &User) -> Self {
        Self {
            deleted: user.shown_id(),
        }
    }
}

/// What a table shows of a session.
pub(crate) const SESSION_COLUMNS: [&str; 6] = [
    "id",
    "created_at",
    "last_used_at",
    "expires_at",
    "ip",
    "user_agent",
];

/// A tenant.
#[derive(Serialize)]
pub(crate) struct TenantView {
    id: String,
    name: String,
    schema: String,
    domains: Vec<String>,
    primary_domain: Option<String>,
    status: &'static str,
    settings: TenantSettingsView,
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
            status: tenant.status.as_str(),
            settings: (&tenant.settings).into(),
            created_at: rfc3339(tenant.created_at),
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

/// What a table shows of a publisher.
pub(crate) const PUBLISHER_COLUMNS: [&str; 5] =
    ["name", "pending", "oldest_seconds", "sent", "parked"];

/// What a table shows of an event.
pub(crate) const EVENT_COLUMNS: [&str; 6] =
    ["position", "time", "type", "subject", "id", "tenant_id"];

/// What a table shows of an entry of the audit trail.
pub(crate) const AUDIT_COLUMNS: [&str; 7] =
    ["time", "type", "subject", "actor", "actor_id", "ip", "data"];

/// What a table shows of an event that waits.
pub(crate) const WAITING_COLUMNS: [&str; 8] = [
    "publisher",
    "position",
    "type",
    "subject",
    "id",
    "status",
    "rejections",
    "reason",
];

/// What came of a replay to one publisher.
#[derive(Serialize)]
pub(crate) struct ReplayView {
    publisher: &'static str,
    sent: usize,
    refused: usize,
    /// Why it did not come to its end.
    failure: Option<String>,
    /// From where the rest is to be sent, to this publisher and of the same tenant.
    next: Option<u64>,
}

impl ReplayView {
    pub(crate) const COLUMNS: [&'static str; 5] =
        ["publisher", "sent", "refused", "next", "failure"];

    pub(crate) fn new(publisher: &'static str) -> Self {
        Self {
            publisher,
            sent: 0,
            refused: 0,
            failure: None,
            next: None,
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.refused == 0 && self.failure.is_none()
    }

    pub(crate) fn fail(mut self, failure: String, next: u64) -> Self {
        self.failure = Some(failure);
        self.next = Some(next);
        self
    }

    pub(crate) fn add(&mut self, replayed: &Replayed) {
        self.sent += replayed.sent;
        self.refused += replayed.refused;
    }
}

/// A publisher that is no more.
#[derive(Serialize)]
pub(crate) struct ForgottenView<'a> {
    forgotten: &'a str,
}

impl<'a> ForgottenView<'a> {
    pub(crate) fn new(publisher: &'a str) -> Self {
        Self {
            forgotten: publisher,
        }
    }
}
