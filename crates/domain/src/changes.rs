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
    /// Users of the tenant; what happens to the same one, in this order.
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

impl Changes {
    /// Whether something is told of the tenant, and nothing is changed that says whether it is there:
    /// of one that is gone by now, or about to be, nothing is told any more.
    pub fn is_told_alone(&self) -> bool {
        let [tenants, keys] = [!self.tenants.is_empty(), !self.keys.is_empty()];
        !self.events.is_empty() && !tenants && !keys && self.installation.is_none()
    }
}

/// Who changes something.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Actor {
    /// Somebody who is not known: whose log in fails, who signs up or asks for a mail.
    Anybody {
        /// The client's address.
        ip: Option<String>,
    },
    /// Whoever runs the installation, at the command line.
    Operator,
    /// The service, by itself.
    #[default]
    Service,
    /// A user: with a session, who just logged in, or who shows a mailed token.
    User {
        /// Who.
        id: Id<User>,
        /// The tenant of that user.
        tenant: Id<Tenant>,
        /// The client's address.
        ip: Option<String>,
    },
}

impl Actor {
    /// What kind of actor it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Anybody { .. } => ANYBODY,
            Self::Operator => OPERATOR,
            Self::Service => SERVICE,
            Self::User { .. } => USER,
        }
    }

    /// Which user of which tenant, where it is one.
    pub fn user(&self) -> Option<(Id<User>, Id<Tenant>)> {
        match self {
            Self::Anybody { .. } | Self::Operator | Self::Service => None,
            Self::User { id, tenant, .. } => Some((*id, *tenant)),
        }
    }

    /// The client's address.
    pub fn ip(&self) -> Option<&str> {
        match self {
            Self::Anybody { ip } | Self::User { ip, .. } => ip.as_deref(),
            Self::Operator | Self::Service => None,
        }
    }

    /// An actor as a store has kept it, in the parts above; none when they fit no kind.
    pub fn restore(
        kind: &str,
        user: Option<(Id<User>, Id<Tenant>)>,
        ip: Option<String>,
    ) -> Option<Self> {
        match (kind, user) {
            (ANYBODY, None) => Some(Self::Anybody { ip }),
            (OPERATOR, None) => Some(Self::Operator),
            (SERVICE, None) => Some(Self::Service),
            (USER, Some((id, tenant))) => Some(Self::User { id, tenant, ip }),
            _ => None,
        }
    }
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

const ANYBODY: &str = "anybody";
const OPERATOR: &str = "operator";
const SERVICE: &str = "service";
const USER: &str = "user";

#[cfg(test)]
mod tests {
    use crate::{EventKind, Fact, Subject, Timestamp};

    use super::*;

    #[test]
    fn an_event_is_told_alone_unless_tenants_keys_or_the_installation_change_along() {
        let now = Timestamp::from_secs(1);
        let tenant = Id::new(now, [1; 10]);
        let told = || Changes {
            events: vec![Event {
                id: Id::new(now, [2; 10]),
                at: now,
                tenant,
                fact: Fact {
                    subject: Subject::Tenant(tenant),
                    sequence: 1,
                    kind: EventKind::TenantSuspended,
                },
            }],
            ..Changes::default()
        };
        assert!(told().is_told_alone());
        assert!(!Changes::default().is_told_alone());
        let users = vec![Change::Remove(Id::new(now, [3; 10]))];
        assert!(Changes { users, ..told() }.is_told_alone());

        let tenants = vec![Change::Remove(tenant)];
        assert!(!Changes { tenants, ..told() }.is_told_alone());
        let keys = vec![Change::Remove(Id::new(now, [4; 10]))];
        assert!(!Changes { keys, ..told() }.is_told_alone());
        let public_url = "https://id.example.com".to_owned();
        let installation = Some(Installation { public_url });
        let settled = Changes {
            installation,
            ..told()
        };
        assert!(!settled.is_told_alone());
    }

    #[test]
    fn an_actor_is_restored_from_its_parts_and_from_no_others() {
        let ip = || Some("192.0.2.7".to_owned());
        let user = || Actor::User {
            id: Id::new(Timestamp::from_secs(1), [1; 10]),
            tenant: Id::new(Timestamp::from_secs(1), [2; 10]),
            ip: ip(),
        };
        let stranger = Actor::Anybody { ip: ip() };
        for actor in [stranger, Actor::Operator, Actor::Service, user()] {
            let address = actor.ip().map(str::to_owned);
            let restored = Actor::restore(actor.kind(), actor.user(), address);
            assert_eq!(restored, Some(actor));
        }
        assert_eq!(Actor::restore("user", None, None), None);
        assert_eq!(Actor::restore("operator", user().user(), None), None);
        assert_eq!(Actor::restore("nobody", None, None), None);
    }
}
