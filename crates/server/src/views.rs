//! What commands show: of users and sessions the same as the API, of the rest this.

use serde::Serialize;
use tessera_app::{Progress, Replayed, StoredEvent};
use tessera_domain::{Event, Id, Key, KeyOrigin, KeyPurpose, Tenant, TenantStatus, Timestamp};
use tessera_http::rfc3339;

/// What a table shows of a user.
pub(crate) const USER_COLUMNS: [&str; 6] = [
    "id",
    "email",
    "username",
    "roles",
    "is_active",
    "last_login",
];

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

/// How far a publisher is.
#[derive(Serialize)]
pub(crate) struct ProgressView<'a> {
    publisher: &'a str,
    pending: u64,
    oldest_seconds: Option<u64>,
    sent: u64,
    parked: u64,
}

impl<'a> ProgressView<'a> {
    pub(crate) const COLUMNS: [&'static str; 5] =
        ["publisher", "pending", "oldest_seconds", "sent", "parked"];

    pub(crate) fn new(progress: &'a Progress, now: Timestamp) -> Self {
        Self {
            publisher: &progress.publisher,
            pending: progress.pending,
            oldest_seconds: progress.oldest.map(|oldest| now.since(oldest).as_secs()),
            sent: progress.sent,
            parked: progress.parked,
        }
    }
}

/// What a table shows of an event; a program gets the event itself.
#[derive(Serialize)]
pub(crate) struct EventView<'a> {
    position: u64,
    time: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    subject: &'a str,
    id: String,
    tenant: String,
}

impl EventView<'_> {
    pub(crate) const COLUMNS: [&'static str; 6] =
        ["position", "time", "type", "subject", "id", "tenant"];

    /// One line, for who follows.
    pub(crate) fn line(&self) -> String {
        let Self {
            position,
            time,
            event_type,
            subject,
            id,
            tenant,
        } = self;
        format!("{position:>8}  {time}  {event_type:<18}  {subject}  {id}  {tenant}\n")
    }
}

impl<'a> From<&'a StoredEvent> for EventView<'a> {
    fn from(event: &'a StoredEvent) -> Self {
        Self {
            position: event.position,
            time: rfc3339(event.at),
            event_type: &event.event_type,
            subject: &event.subject,
            id: event.id.to_string(),
            tenant: event.tenant.to_string(),
        }
    }
}

/// What came of a replay to one publisher.
#[derive(Serialize)]
pub(crate) struct ReplayView {
    publisher: &'static str,
    sent: usize,
    refused: usize,
}

impl ReplayView {
    pub(crate) const COLUMNS: [&'static str; 3] = ["publisher", "sent", "refused"];

    pub(crate) fn new(publisher: &'static str) -> Self {
        Self {
            publisher,
            sent: 0,
            refused: 0,
        }
    }

    pub(crate) fn add(&mut self, replayed: &Replayed) {
        self.sent += replayed.sent;
        self.refused += replayed.refused;
    }
}

/// At how many publishers a parked event is tried again.
#[derive(Serialize)]
pub(crate) struct RetryView {
    id: String,
    publishers: usize,
}

impl RetryView {
    pub(crate) fn new(event: Id<Event>, publishers: usize) -> Self {
        Self {
            id: event.to_string(),
            publishers,
        }
    }
}
