//! A store that others use at the same time.

use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tessera_app::{
    Backlog, CommitError, MailQueue, News, QueuedMail, SessionHolder, Store, TenantKey,
    Unavailable, Unready, UserFilter, UserKey,
};
use tessera_domain::{
    Changes, Id, Installation, Key, Mail, MailedDigest, MailedToken, SchemaName, Session, Tenant,
    Timestamp, User,
};
use tessera_memory::MemoryStore;
use tokio::task::yield_now;

/// The store in memory, letting other tasks go first at each call, so that tasks that race meet at
/// their worst; and something may happen right before a commit.
#[derive(Clone)]
pub(crate) struct BusyStore {
    memory: MemoryStore,
    key_reads: Arc<AtomicUsize>,
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
    broken: Arc<Mutex<Option<Id<Tenant>>>>,
}

type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

impl BusyStore {
    pub(crate) fn new(memory: MemoryStore) -> Self {
        Self {
            memory,
            key_reads: Arc::default(),
            meanwhile: Arc::default(),
            broken: Arc::default(),
        }
    }

    /// What is behind, with its switches.
    pub(crate) fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    /// Lets nobody of that tenant be read, and none of its sessions be removed, or all again.
    pub(crate) fn break_tenant(&self, broken: Option<Id<Tenant>>) {
        *self.broken.lock().unwrap() = broken;
    }

    fn whole(&self, tenant: &Tenant) -> Result<(), Unavailable> {
        if *self.broken.lock().unwrap() == Some(tenant.id) {
            return Err(Unavailable::new("a table is missing"));
        }
        Ok(())
    }

    /// How often the key ring was read.
    pub(crate) fn key_reads(&self) -> usize {
        self.key_reads.load(Ordering::SeqCst)
    }

    /// Lets something happen between what the next committer read and its commit.
    pub(crate) fn before_next_commit(&self, meanwhile: impl Future<Output = ()> + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::pin(meanwhile));
    }
}

#[async_trait]
impl Store for BusyStore {
    async fn commit(&self, tenant: &Tenant, changes: Changes) -> Result<(), CommitError> {
        yield_now().await;
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
        self.memory.commit(tenant, changes).await
    }

    async fn check(&self) -> Result<(), Unready> {
        yield_now().await;
        self.memory.check().await
    }

    async fn installation(&self) -> Result<Option<Installation>, Unavailable> {
        yield_now().await;
        self.memory.installation().await
    }

    async fn keys(&self) -> Result<Vec<Key>, Unavailable> {
        yield_now().await;
        self.key_reads.fetch_add(1, Ordering::SeqCst);
        self.memory.keys().await
    }

    async fn mailed_token(
        &self,
        tenant: &Tenant,
        digest: &MailedDigest,
    ) -> Result<Option<MailedToken>, Unavailable> {
        yield_now().await;
        self.memory.mailed_token(tenant, digest).await
    }

    async fn mailed_tokens(
        &self,
        tenant: &Tenant,
        user: Id<User>,
    ) -> Result<Vec<MailedToken>, Unavailable> {
        yield_now().await;
        self.memory.mailed_tokens(tenant, user).await
    }

    async fn prune(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        yield_now().await;
        self.whole(tenant)?;
        self.memory.prune(tenant, now, limit).await
    }

    async fn empty(&self, tenant: &Tenant, limit: usize) -> Result<usize, Unavailable> {
        yield_now().await;
        self.memory.empty(tenant, limit).await
    }

    async fn session(
        &self,
        schema: &SchemaName,
        id: Id<Session>,
    ) -> Result<Option<SessionHolder>, Unavailable> {
        yield_now().await;
        self.memory.session(schema, id).await
    }

    async fn sessions(&self, tenant: &Tenant, user: Id<User>) -> Result<Vec<Session>, Unavailable> {
        yield_now().await;
        self.memory.sessions(tenant, user).await
    }

    async fn tenant(&self, by: &TenantKey) -> Result<Option<Tenant>, Unavailable> {
        yield_now().await;
        let found = self.memory.tenant(by).await;
        yield_now().await;
        found
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        yield_now().await;
        self.memory.tenants().await
    }

    async fn unfinished_tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        yield_now().await;
        self.memory.unfinished_tenants().await
    }

    async fn user(&self, tenant: &Tenant, by: &UserKey) -> Result<Option<User>, Unavailable> {
        yield_now().await;
        self.whole(tenant)?;
        self.memory.user(tenant, by).await
    }

    async fn users(
        &self,
        tenant: &Tenant,
        filter: &UserFilter,
        after: Option<Id<User>>,
        limit: usize,
    ) -> Result<Vec<User>, Unavailable> {
        yield_now().await;
        self.memory.users(tenant, filter, after, limit).await
    }
}

#[async_trait]
impl MailQueue for BusyStore {
    async fn take_mails(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<QueuedMail>, Unavailable> {
        yield_now().await;
        let taken = self.memory.take_mails(now, until, limit).await;
        yield_now().await;
        taken
    }

    async fn defer_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable> {
        yield_now().await;
        self.memory.defer_mail(id, due).await
    }

    async fn give_back_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable> {
        yield_now().await;
        self.memory.give_back_mail(id, due).await
    }

    async fn drop_mail(&self, id: Id<Mail>) -> Result<(), Unavailable> {
        yield_now().await;
        self.memory.drop_mail(id).await
    }

    async fn backlog(&self) -> Result<Backlog, Unavailable> {
        yield_now().await;
        self.memory.backlog().await
    }

    fn mail_news(&self) -> News {
        self.memory.mail_news()
    }
}
