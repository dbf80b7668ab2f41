//! What one use case changes: all of it is committed, or nothing.

use crate::{Epoch, Event, Id, Key, Mail, MailedToken, Session, Tenant, User};

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
    /// Mails that are to be sent, of the tenant.
    pub mails: Vec<Mail>,
    /// What is kept of tokens that a mail will carry, in place of one with the same id.
    pub mailed_tokens: Vec<MailedToken>,
    /// Mailed tokens that go, if they are still there.
    pub spent_tokens: Vec<Id<MailedToken>>,
    /// Who does it.
    pub actor: Actor,
    /// What is told of it.
    pub events: Vec<Event>,
}

/// Who changes something.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Actor {
    /// Somebody who is not known: who logs in, or shows a mailed token.
    Anybody {
        /// The client's address.
        ip: Option<String>,
    },
    /// Whoever runs the installation, at the command line.
    Operator,
    /// The service, by itself.
    #[default]
    Service,
    /// A user with a session.
    User {
        /// Who.
        id: Id<User>,
        /// The tenant of that user.
        tenant: Id<Tenant>,
        /// The client's address.
        ip: Option<String>,
    },
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
