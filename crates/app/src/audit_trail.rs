//! The audit trail: who did what, kept longer than the events that tell of it.

use core::fmt;
use core::str::FromStr;

use async_trait::async_trait;
use tessera_domain::{Actor, Event, Id, Tenant, Timestamp, User};

use crate::ports::Unavailable;

/// Keeps an entry for each event that `Store::commit` writes, in the same commit.
///
/// An adapter implements it beside [`Store`](crate::Store), over the same data. Nothing changes an
/// entry. One leaves when it expires, or with its tenant: a tenant that is removed takes its
/// entries along, but for those of the very commit that removes it. What becomes of users, sessions
/// and events leaves the entries about them as they are.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// The entries that `query` asks for, the newest first.
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, Unavailable>;

    /// Removes entries from before `before`, from the oldest on and at most `limit`; answers how
    /// many.
    async fn expire_audit(&self, before: Timestamp, limit: usize) -> Result<usize, Unavailable>;
}

/// Who did what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEntry {
    /// The id of the event.
    pub id: Id<Event>,
    /// When it happened.
    pub at: Timestamp,
    /// In which tenant.
    pub tenant: Id<Tenant>,
    /// What happened, as it is written down.
    pub event_type: String,
    /// What it happened to, as it is written down.
    pub subject: String,
    /// The user whom it concerns.
    pub user: Option<Id<User>>,
    /// Who did it.
    pub actor: Actor,
    /// What else is known of it, as a JSON object without an address or a name.
    pub data: String,
}

/// Which entries are asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditQuery {
    /// Those of this tenant.
    pub tenant: Option<Id<Tenant>>,
    /// Those that concern this user.
    pub user: Option<Id<User>>,
    /// Those of what this user did.
    pub actor: Option<Id<User>>,
    /// Those of this type.
    pub event_type: Option<String>,
    /// Those from this moment on.
    pub from: Option<Timestamp>,
    /// Those from before this moment.
    pub to: Option<Timestamp>,
    /// Those that come after this place.
    pub before: Option<AuditPlace>,
    /// How many at most.
    pub limit: usize,
}

/// The place of an entry among all: newer ones come first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AuditPlace {
    /// When it happened.
    pub at: Timestamp,
    /// The id of the event, by which those of one moment are ordered.
    pub id: Id<Event>,
}

impl AuditEntry {
    /// Where it is.
    pub fn place(&self) -> AuditPlace {
        let Self { at, id, .. } = *self;
        AuditPlace { at, id }
    }
}

/// As a request for the next page names it.
impl fmt::Display for AuditPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_micros(), self.id)
    }
}

impl FromStr for AuditPlace {
    type Err = UnknownPlace;

    fn from_str(text: &str) -> Result<Self, UnknownPlace> {
        let (at, id) = text.split_once('.').ok_or(UnknownPlace)?;
        Ok(Self {
            at: Timestamp::from_micros(at.parse().map_err(|_| UnknownPlace)?),
            id: id.parse().map_err(|_| UnknownPlace)?,
        })
    }
}

/// It names no place in the audit trail.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is no place in the audit trail")]
pub struct UnknownPlace;
