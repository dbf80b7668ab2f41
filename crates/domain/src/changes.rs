//! What one use case changes: all of it is committed, or nothing.

use crate::{Epoch, Event, Id, Key, Session, Tenant, User};

/// Everything that one commit writes.
///
/// A store writes all of it in one transaction, or refuses all of it. An aggregate that is
/// updated carries the version it was read at: when the stored one is another, or one of `epochs`
/// moved on, the whole is refused as stale and the use case starts again.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// What the installation settles once.
    pub installation: Option<Installation>,
    /// Tenants; a new one gets the place where its data lives in the same commit.
    pub tenants: Vec<Change<Tenant>>,
    /// Users of the tenant.
    pub users: Vec<Change<User>>,
    /// Sessions of the tenant.
    pub sessions: Vec<Change<Session>>,
    /// Keys of the key ring.
    pub keys: Vec<Change<Key>>,
    /// Epochs that users of the tenant must still have.
    pub epochs: Vec<(Id<User>, Epoch)>,
    /// What is told of it.
    pub events: Vec<Event>,
}

/// What happens to one aggregate.
#[derive(Clone, Debug)]
pub enum Change<T> {
    /// It is new; its `version` is 0 and becomes 1.
    Insert(T),
    /// It goes, if it is still there.
    Remove(Id<T>),
    /// It changes; its `version` is the one it was read at and grows by 1.
    Update(T),
}

/// What an installation settles when it first starts, and keeps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Installation {
    /// The issuer and the base of links, where the configuration names none.
    pub public_url: String,
}
