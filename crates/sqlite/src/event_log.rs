//! The event log of the store, as relays and operators use it.

use async_trait::async_trait;
use tessera_app::{
    Claim, Claimed, EventLog, Lease, News, Progress, Settlement, StoredEvent, Unavailable,
    WaitingEvent,
};
use tessera_domain::{Event, Id, Tenant, Timestamp};

use crate::claim::{self, Taken};
use crate::{SqliteStore, log, progress, settle};

#[async_trait]
impl EventLog for SqliteStore {
    async fn events(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        self.read(move |conn| log::page(conn, tenant, after, limit))
            .await
    }

    async fn last_events(
        &self,
        tenant: Option<Id<Tenant>>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        self.read(move |conn| log::last_page(conn, tenant, limit))
            .await
    }

    async fn sent(
        &self,
        publisher: &str,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        let publisher = publisher.to_owned();
        self.read(move |conn| log::sent_page(conn, &publisher, tenant, after, limit))
            .await
    }

    async fn enrol(&self, publisher: &str) -> Result<(), Unavailable> {
        let publisher = publisher.to_owned();
        self.write(move |conn| claim::enrol(conn, &publisher)).await
    }

    async fn forget(&self, publisher: &str) -> Result<bool, Unavailable> {
        let publisher = publisher.to_owned();
        self.write(move |conn| claim::forget(conn, &publisher))
            .await
    }

    async fn claim(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: usize,
    ) -> Result<Claimed, Unavailable> {
        let lease = *lease;
        // A log at rest is not written to.
        let nothing = self
            .read(move |conn| claim::nothing(conn, lease.publisher, now))
            .await?;
        if let Some(nothing) = nothing {
            return Ok(Claimed::Ours(nothing));
        }
        let taken = self
            .write(move |conn| claim::take(conn, &lease, now))
            .await?;
        let number = match taken {
            Taken::Elsewhere(until) => return Ok(Claimed::Elsewhere(until)),
            Taken::Ours(number) => number,
        };
        self.read(move |conn| claim::read(conn, lease.publisher, number, now, limit))
            .await
    }

    async fn settle(
        &self,
        lease: &Lease,
        now: Timestamp,
        claim: Claim,
        settlement: Settlement,
    ) -> Result<bool, Unavailable> {
        let lease = *lease;
        self.write(move |conn| settle::settle(conn, &lease, now, &claim, settlement))
            .await
    }

    async fn release(&self, lease: &Lease) -> Result<(), Unavailable> {
        let lease = *lease;
        self.write(move |conn| settle::release(conn, &lease)).await
    }

    async fn progress(&self) -> Result<Vec<Progress>, Unavailable> {
        self.read(progress::progress).await
    }

    async fn waiting(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingEvent>, Unavailable> {
        self.read(move |conn| progress::waiting(conn, tenant, after, limit))
            .await
    }

    async fn retry(
        &self,
        tenant: Option<Id<Tenant>>,
        event: Id<Event>,
        now: Timestamp,
    ) -> Result<usize, Unavailable> {
        let retried = self
            .write(move |conn| settle::retry(conn, tenant, event, now))
            .await?;
        self.news.send_replace(());
        Ok(retried)
    }

    async fn expire(&self, before: Timestamp) -> Result<bool, Unavailable> {
        let expired = self.read(move |conn| log::expired(conn, before)).await?;
        if !expired.positions.is_empty() {
            self.write(move |conn| log::remove(conn, expired.positions))
                .await?;
        }
        Ok(expired.more)
    }

    fn news(&self) -> News {
        self.news.subscribe()
    }
}
