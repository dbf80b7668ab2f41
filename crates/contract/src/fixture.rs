//! The store that a case tries, and what cases do with it again and again.

use std::sync::Arc;

use async_trait::async_trait;
use tessera_app::{CommitError, Store, Unique, UserKey};
use tessera_domain::{Change, Changes, Event, Id, Key, Session, Tenant, User};

use crate::values;

/// A store made for one case: migrated, without a tenant, gone when this is dropped.
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn Store>,
    log: Box<dyn EventLog>,
}

impl Fixture {
    /// A fixture of a fresh `store` and of its event log. What has to live as long (a folder, a
    /// database to drop) can live in either.
    pub fn new(store: impl Store + 'static, log: impl EventLog + 'static) -> Self {
        Self {
            store: Arc::new(store),
            log: Box::new(log),
        }
    }

    pub(crate) async fn commit(
        &self,
        tenant: &Tenant,
        changes: Changes,
    ) -> Result<(), CommitError> {
        self.store.commit(tenant, changes).await
    }

    pub(crate) async fn write(&self, tenant: &Tenant, changes: Changes) {
        self.commit(tenant, changes).await.unwrap();
    }

    /// Commits what has to be refused as stale.
    pub(crate) async fn stale(&self, tenant: &Tenant, changes: Changes) {
        let answer = self.commit(tenant, changes).await;
        assert!(matches!(answer, Err(CommitError::Stale)), "{answer:?}");
    }

    /// Commits what has to be refused because `taken` is.
    pub(crate) async fn duplicate(&self, tenant: &Tenant, changes: Changes, taken: Unique) {
        let answer = self.commit(tenant, changes).await;
        let refused = matches!(answer, Err(CommitError::Duplicate(unique)) if unique == taken);
        assert!(refused, "{answer:?} where the {taken} is taken");
    }

    /// A tenant of that name that was inserted and read.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        self.inserted_tenant(values::tenant(name)).await
    }

    pub(crate) async fn inserted_tenant(&self, tenant: Tenant) -> Tenant {
        self.write(&tenant, tenants([Change::Insert(tenant.clone())]))
            .await;
        self.find_tenant(&tenant).await.unwrap()
    }

    pub(crate) async fn inserted_user(&self, tenant: &Tenant, user: User) -> User {
        let id = user.id;
        self.write(tenant, users([Change::Insert(user)])).await;
        self.user(tenant, id).await.unwrap()
    }

    pub(crate) async fn inserted_session(&self, tenant: &Tenant, session: Session) -> Session {
        let id = session.id;
        self.write(tenant, sessions([Change::Insert(session)]))
            .await;
        self.session(tenant, id).await.unwrap()
    }

    pub(crate) async fn find_tenant(&self, tenant: &Tenant) -> Option<Tenant> {
        let all = self.store.tenants().await.unwrap();
        all.into_iter().find(|one| one.id == tenant.id)
    }

    pub(crate) async fn user(&self, tenant: &Tenant, id: Id<User>) -> Option<User> {
        self.store.user(tenant, &UserKey::Id(id)).await.unwrap()
    }

    pub(crate) async fn session(&self, tenant: &Tenant, id: Id<Session>) -> Option<Session> {
        let holder = self.store.session(&tenant.schema, id).await.unwrap();
        holder.map(|holder| holder.session)
    }

    /// The event log by position.
    pub(crate) async fn events(&self) -> Vec<StoredEvent> {
        let mut events = self.log.events().await;
        events.sort_by_key(|event| event.position);
        events
    }
}

/// Reads the event log of a store from behind its back: by a query of its own, say.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// All events of all tenants, in any order.
    async fn events(&self) -> Vec<StoredEvent>;
}

/// An event as a store keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredEvent {
    /// Its place in the log.
    pub position: u64,
    /// In which tenant it happened.
    pub tenant: Id<Tenant>,
    /// What it happened to, as it is written down.
    pub subject: String,
    /// As which of the subject's events.
    pub sequence: u64,
    /// What happened, as it is written down.
    pub event_type: String,
    /// The whole of it, as it is written down.
    pub body: String,
}

pub(crate) fn tenants(tenants: impl Into<Vec<Change<Tenant>>>) -> Changes {
    Changes {
        tenants: tenants.into(),
        ..Changes::default()
    }
}

pub(crate) fn users(users: impl Into<Vec<Change<User>>>) -> Changes {
    Changes {
        users: users.into(),
        ..Changes::default()
    }
}

pub(crate) fn sessions(sessions: impl Into<Vec<Change<Session>>>) -> Changes {
    Changes {
        sessions: sessions.into(),
        ..Changes::default()
    }
}

pub(crate) fn keys(keys: impl Into<Vec<Change<Key>>>) -> Changes {
    Changes {
        keys: keys.into(),
        ..Changes::default()
    }
}

pub(crate) fn events(events: impl Into<Vec<Event>>) -> Changes {
    Changes {
        events: events.into(),
        ..Changes::default()
    }
}
