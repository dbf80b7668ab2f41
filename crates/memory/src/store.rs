//! The store in memory: the whole contract, and switches for what seldom happens.

mod data;
mod log;
mod mails;
mod trail;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tessera_app::{
    AuditEntry, AuditQuery, AuditTrail, Backlog, Claim, Claimed, CommitError, EventLog, Lease,
    MailQueue, News, Progress, QueuedMail, SessionHolder, Settlement, Store, StoredEvent,
    TenantKey, Unavailable, Unready, UserFilter, UserKey, WaitingEvent,
};
use tessera_domain::{
    Changes, Event, Id, Installation, Key, Mail, MailedDigest, MailedToken, SchemaName, Session,
    Tenant, Timestamp, User,
};
use tessera_wire::EncodedEvent;

use tokio::sync::watch;

use crate::store::data::Data;

/// A store that lives as long as its last handle.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    news: watch::Sender<()>,
    mail_news: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    data: Data,
    faults: Faults,
    commits: usize,
}

#[derive(Debug, Default)]
struct Faults {
    next: Option<CommitError>,
    stale: usize,
    unavailable: bool,
}

impl MemoryStore {
    /// Refuses the next commit with `error`; nothing of it is written.
    pub fn fail_next_commit(&self, error: CommitError) {
        self.state().faults.next = Some(error);
    }

    /// Refuses the next `count` commits as stale.
    pub fn stale_next_commits(&self, count: usize) {
        self.state().faults.stale = count;
    }

    /// Whether everything answers that the store cannot be reached.
    pub fn unavailable(&self, unavailable: bool) {
        self.state().faults.unavailable = unavailable;
    }

    /// How many commits went through.
    pub fn commits(&self) -> usize {
        self.state().commits
    }

    /// The event log, in the order of its positions.
    pub fn events(&self) -> Vec<LoggedEvent> {
        self.state().data.log.logged().cloned().collect()
    }

    /// The mails that wait, by id.
    pub fn mails(&self) -> Vec<Mail> {
        self.state().data.mails.all().cloned().collect()
    }

    fn read<T>(&self, read: impl FnOnce(&Data) -> T) -> Result<T, Unavailable> {
        self.reachable().map(|state| read(&state.data))
    }

    fn reachable(&self) -> Result<MutexGuard<'_, State>, Unavailable> {
        let state = self.state();
        if state.faults.unavailable {
            return Err(Unavailable::new("switched off by a test"));
        }
        Ok(state)
    }

    /// No method leaves the state half-changed, so one that panicked does not poison it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, tenant: &Tenant, changes: Changes) -> Result<(), CommitError> {
        let mut state = self.reachable()?;
        state.faults.strike()?;
        let has_events = !changes.events.is_empty();
        let has_mails = !changes.mails.is_empty();
        state.data.commit(tenant, changes)?;
        state.commits += 1;
        if has_events {
            self.news.send_replace(());
        }
        if has_mails {
            self.mail_news.send_replace(());
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), Unready> {
        self.read(|_| ())?;
        Ok(())
    }

    async fn installation(&self) -> Result<Option<Installation>, Unavailable> {
        self.read(Data::installation)
    }

    async fn keys(&self) -> Result<Vec<Key>, Unavailable> {
        self.read(Data::keys)
    }

    async fn mailed_token(
        &self,
        tenant: &Tenant,
        digest: &MailedDigest,
    ) -> Result<Option<MailedToken>, Unavailable> {
        self.read(|data| data.mailed_token(tenant, digest))
    }

    async fn mailed_tokens(
        &self,
        tenant: &Tenant,
        user: Id<User>,
    ) -> Result<Vec<MailedToken>, Unavailable> {
        self.read(|data| data.mailed_tokens(tenant, user))
    }

    async fn prune(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        let mut state = self.reachable()?;
        Ok(state.data.prune(tenant, now, limit))
    }

    async fn empty(&self, tenant: &Tenant, limit: usize) -> Result<usize, Unavailable> {
        Ok(self.reachable()?.data.empty(tenant.id, limit))
    }

    async fn session(
        &self,
        schema: &SchemaName,
        id: Id<Session>,
    ) -> Result<Option<SessionHolder>, Unavailable> {
        self.read(|data| data.session(schema, id))
    }

    async fn sessions(&self, tenant: &Tenant, user: Id<User>) -> Result<Vec<Session>, Unavailable> {
        self.read(|data| data.sessions(tenant, user))
    }

    async fn tenant(&self, by: &TenantKey) -> Result<Option<Tenant>, Unavailable> {
        self.read(|data| data.tenant(by))
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        self.read(Data::tenants)
    }

    async fn unfinished_tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        self.read(Data::unfinished_tenants)
    }

    async fn user(&self, tenant: &Tenant, by: &UserKey) -> Result<Option<User>, Unavailable> {
        self.read(|data| data.user(tenant, by))
    }

    async fn users(
        &self,
        tenant: &Tenant,
        filter: &UserFilter,
        after: Option<Id<User>>,
        limit: usize,
    ) -> Result<Vec<User>, Unavailable> {
        self.read(|data| data.users(tenant, filter, after, limit))
    }
}

#[async_trait]
impl EventLog for MemoryStore {
    async fn events(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        self.read(|data| data.log.page(tenant, after, limit))
    }

    async fn last_events(
        &self,
        tenant: Option<Id<Tenant>>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        self.read(|data| data.log.last_page(tenant, limit))
    }

    async fn sent(
        &self,
        publisher: &str,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        self.read(|data| data.log.sent_page(publisher, tenant, after, limit))
    }

    async fn enrol(&self, publisher: &str) -> Result<(), Unavailable> {
        self.reachable()?.data.log.enrol(publisher);
        Ok(())
    }

    async fn forget(&self, publisher: &str) -> Result<bool, Unavailable> {
        Ok(self.reachable()?.data.log.forget(publisher))
    }

    async fn claim(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: usize,
    ) -> Result<Claimed, Unavailable> {
        Ok(self.reachable()?.data.log.claim(lease, now, limit))
    }

    async fn settle(
        &self,
        lease: &Lease,
        now: Timestamp,
        claim: Claim,
        settlement: Settlement,
    ) -> Result<bool, Unavailable> {
        let mut state = self.reachable()?;
        Ok(state.data.log.settle(lease, now, &claim, settlement))
    }

    async fn release(&self, lease: &Lease) -> Result<(), Unavailable> {
        self.reachable()?.data.log.release(lease);
        Ok(())
    }

    async fn progress(&self) -> Result<Vec<Progress>, Unavailable> {
        self.read(|data| data.log.progress())
    }

    async fn waiting(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingEvent>, Unavailable> {
        self.read(|data| data.log.waiting(tenant, after, limit))
    }

    async fn retry(
        &self,
        tenant: Option<Id<Tenant>>,
        event: Id<Event>,
        now: Timestamp,
    ) -> Result<usize, Unavailable> {
        let retried = self.reachable()?.data.log.retry(tenant, event, now);
        self.news.send_replace(());
        Ok(retried)
    }

    async fn expire(&self, before: Timestamp) -> Result<bool, Unavailable> {
        self.reachable()?.data.log.expire(before);
        Ok(false)
    }

    fn news(&self) -> News {
        self.news.subscribe()
    }
}

#[async_trait]
impl AuditTrail for MemoryStore {
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, Unavailable> {
        self.read(|data| data.trail.entries(query))
    }

    async fn expire_audit(&self, before: Timestamp, limit: usize) -> Result<usize, Unavailable> {
        Ok(self.reachable()?.data.trail.expire(before, limit))
    }
}

#[async_trait]
impl MailQueue for MemoryStore {
    async fn take_mails(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<QueuedMail>, Unavailable> {
        Ok(self.reachable()?.data.mails.take(now, until, limit))
    }

    async fn defer_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable> {
        self.reachable()?.data.mails.defer(id, due);
        Ok(())
    }

    async fn give_back_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable> {
        self.reachable()?.data.mails.give_back(id, due);
        Ok(())
    }

    async fn drop_mail(&self, id: Id<Mail>) -> Result<(), Unavailable> {
        self.reachable()?.data.mails.drop(id);
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, Unavailable> {
        self.read(|data| data.mails.backlog())
    }

    fn mail_news(&self) -> News {
        self.mail_news.subscribe()
    }
}

/// An event in the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoggedEvent {
    /// Its place, from 1.
    pub position: u64,
    /// The event.
    pub event: Event,
    /// As it is written down.
    pub encoded: EncodedEvent,
}

impl Faults {
    /// Fails as often as a test asked for.
    fn strike(&mut self) -> Result<(), CommitError> {
        if let Some(error) = self.next.take() {
            return Err(error);
        }
        if let Some(left) = self.stale.checked_sub(1) {
            self.stale = left;
            return Err(CommitError::Stale);
        }
        Ok(())
    }
}
