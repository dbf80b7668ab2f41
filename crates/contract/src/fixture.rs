//! The store that a case tries, and what cases do with it again and again.

use core::any::Any;
use std::sync::Arc;

use tessera_app::{
    AuditTrail, CommitError, EventLog, MailQueue, QueuedMail, Store, StoredEvent, Unique, UserKey,
};
use tessera_domain::{
    Change, Changes, Event, Id, Key, Mail, MailedToken, Session, Tenant, Timestamp, User,
};

use crate::values;

/// A store made for one case: migrated, without a tenant, gone when this is dropped.
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Its audit trail.
    pub audit: Arc<dyn AuditTrail>,
    /// Its event log.
    pub log: Arc<dyn EventLog>,
    /// Its mails.
    pub mails: Arc<dyn MailQueue>,
    _kept: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    /// A fixture of a fresh `store`; `kept` is what has to live as long (a folder, a database to
    /// drop).
    pub fn new(
        store: impl Store + EventLog + AuditTrail + MailQueue + 'static,
        kept: impl Any + Send + Sync,
    ) -> Self {
        let store = Arc::new(store);
        Self {
            store: store.clone(),
            audit: store.clone(),
            log: store.clone(),
            mails: store,
            _kept: Box::new(kept),
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
        // A store may go another way for a tenant that comes often.
        for _ in 0..3 {
            let again = self.store.session(&tenant.schema, id).await.unwrap();
            assert_eq!(again, holder);
        }
        holder.map(|holder| holder.session)
    }

    /// The whole event log.
    pub(crate) async fn events(&self) -> Vec<StoredEvent> {
        self.log.events(None, 0, usize::MAX).await.unwrap()
    }

    /// Takes all mails that are due at `now`, until `until`.
    pub(crate) async fn take_mails(&self, now: Timestamp, until: Timestamp) -> Vec<QueuedMail> {
        let taken = self.mails.take_mails(now, until, usize::MAX);
        taken.await.unwrap()
    }

    /// The mailed tokens of a user.
    pub(crate) async fn mailed_tokens(&self, tenant: &Tenant, user: Id<User>) -> Vec<MailedToken> {
        self.store.mailed_tokens(tenant, user).await.unwrap()
    }
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

pub(crate) fn mails(mails: impl Into<Vec<Mail>>) -> Changes {
    Changes {
        mails: mails.into(),
        ..Changes::default()
    }
}

pub(crate) fn mailed_tokens(tokens: impl Into<Vec<MailedToken>>) -> Changes {
    Changes {
        mailed_tokens: tokens.into(),
        ..Changes::default()
    }
}
