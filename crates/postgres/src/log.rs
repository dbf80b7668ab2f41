//! The event log, and how far each publisher came with it.

use async_trait::async_trait;
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use tessera_app::{
    Claim, Claimed, CommitError, EventLog, Lease, News, Progress, Settlement, StoredEvent,
    Unavailable, WaitingEvent,
};
use tessera_domain::{Event, Id, Tenant, Timestamp};

use crate::PostgresStore;
use crate::statement::Statement;
use crate::store::{WRITE, at_most, in_time};
use crate::turns::Line;
use crate::value::of_micros;
use crate::{claim, event, expire, progress, settle};

#[async_trait]
impl EventLog for PostgresStore {
    async fn events(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        let limit = at_most(limit);
        let rows = self
            .read(&Line::Anybody, |connection| {
                event::page(connection, tenant, after, limit).boxed()
            })
            .await?;
        Ok(rows.into_iter().map(StoredEvent::from).collect())
    }

    async fn last_events(
        &self,
        tenant: Option<Id<Tenant>>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        let limit = at_most(limit);
        let rows = self
            .read(&Line::Anybody, |connection| {
                event::last_page(connection, tenant, limit).boxed()
            })
            .await?;
        Ok(rows.into_iter().rev().map(StoredEvent::from).collect())
    }

    async fn sent(
        &self,
        publisher: &str,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable> {
        self.sent_page(publisher, tenant, after, limit).await
    }

    async fn enrol(&self, publisher: &str) -> Result<(), Unavailable> {
        let publisher = publisher.to_owned();
        self.read(&Line::Service, |connection| {
            claim::enrol(connection, publisher).boxed()
        })
        .await?;
        Ok(())
    }

    async fn forget(&self, publisher: &str) -> Result<bool, Unavailable> {
        let lease = self.pool.lease(&Line::Service).await?;
        in_time(WRITE, async {
            let forget = Statement::new(FORGET).bind::<Text, _>(publisher);
            let answer = forget.execute(&mut lease.connection()).await;
            lease.answer(answer.map(|forgotten| forgotten > 0))
        })
        .await
    }

    async fn claim(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: usize,
    ) -> Result<Claimed, Unavailable> {
        if let Some(claim) = self.try_claim(lease, now, limit).await? {
            return Ok(Claimed::Ours(claim));
        }
        let publisher = lease.publisher.to_owned();
        let end = self
            .read(&Line::Service, |connection| {
                claim::lease_end(connection, publisher).boxed()
            })
            .await?;
        if end.is_none() {
            self.enrol(lease.publisher).await?;
            if let Some(claim) = self.try_claim(lease, now, limit).await? {
                return Ok(Claimed::Ours(claim));
            }
        }
        // One that was given back in between is to be had at once.
        let until = of_micros(end.flatten()).unwrap_or(now);
        Ok(Claimed::Elsewhere(until))
    }

    async fn settle(
        &self,
        lease: &Lease,
        now: Timestamp,
        claim: Claim,
        settlement: Settlement,
    ) -> Result<bool, Unavailable> {
        let mut connection = self.pool.lease(&Line::Service).await?;
        let settled = in_time(WRITE, async {
            let transaction = connection.transaction();
            let ended = settle::settle(transaction, lease, now, &claim, settlement).await;
            Ok(connection.end_write(ended))
        })
        .await?;
        match settled {
            Ok(()) => Ok(true),
            Err(CommitError::Stale) => Ok(false),
            Err(CommitError::Duplicate(unique)) => Err(Unavailable::new(format!(
                "a settlement was refused as a duplicate: {unique:?}"
            ))),
            Err(CommitError::Unavailable(unavailable)) => Err(unavailable),
        }
    }

    async fn release(&self, lease: &Lease) -> Result<(), Unavailable> {
        let (publisher, holder) = (lease.publisher, lease.holder.uuid());
        self.read(&Line::Service, |mut connection| {
            async move {
                Statement::new(RELEASE)
                    .bind::<Text, _>(publisher)
                    .bind::<SqlUuid, _>(holder)
                    .execute(&mut connection)
                    .await
            }
            .boxed()
        })
        .await?;
        Ok(())
    }

    async fn progress(&self) -> Result<Vec<Progress>, Unavailable> {
        self.read(&Line::Service, |connection| {
            progress::of_all(connection).boxed()
        })
        .await
    }

    async fn waiting(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingEvent>, Unavailable> {
        let limit = at_most(limit);
        self.read(&Line::Anybody, |connection| {
            progress::waiting(connection, tenant, after, limit).boxed()
        })
        .await
    }

    async fn retry(
        &self,
        tenant: Option<Id<Tenant>>,
        event: Id<Event>,
        now: Timestamp,
    ) -> Result<usize, Unavailable> {
        let retried = self
            .read(&Line::Anybody, |connection| {
                progress::retry(connection, tenant, event, now).boxed()
            })
            .await?;
        if retried > 0 {
            self.herald.tell();
        }
        Ok(retried)
    }

    async fn expire(&self, before: Timestamp) -> Result<bool, Unavailable> {
        let lease = self.pool.lease(&Line::Service).await?;
        in_time(WRITE, async {
            let answer = expire::expire(lease.connection(), before).await;
            lease.answer(answer)
        })
        .await
    }

    fn news(&self) -> News {
        self.herald.news()
    }
}

impl PostgresStore {
    async fn try_claim(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: usize,
    ) -> Result<Option<Claim>, Unavailable> {
        let mut connection = self.pool.lease(&Line::Service).await?;
        in_time(WRITE, async {
            let ended = claim::claim(connection.transaction(), lease, now, limit).await;
            connection.end_read(ended)
        })
        .await
    }
}

const FORGET: &str = "DELETE FROM tessera.publishers WHERE name = $";
const RELEASE: &str = "\
    UPDATE tessera.publishers SET holder = NULL, lease_until = NULL \
    WHERE name = $ AND holder = $";
