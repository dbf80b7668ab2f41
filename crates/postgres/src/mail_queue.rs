//! The mails of all tenants, as those who send them take them.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use tessera_app::{Backlog, MailQueue, News, QueuedMail, Unavailable};
use tessera_domain::{Id, Mail, Timestamp};

use crate::PostgresStore;
use crate::mail;
use crate::statement::Statement;
use crate::store::{WRITE, at_most, in_time};
use crate::turns::Line;

#[async_trait]
impl MailQueue for PostgresStore {
    async fn take_mails(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<QueuedMail>, Unavailable> {
        let limit = at_most(limit);
        let lease = self.pool.lease(&Line::Service).await?;
        let rows = in_time(WRITE, async {
            let answer = mail::take(lease.connection(), now, until, limit).await;
            lease.answer(answer)
        })
        .await?;
        rows.into_iter().map(QueuedMail::try_from).collect()
    }

    async fn defer_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable> {
        self.write(mail::defer(id, due)).await
    }

    async fn give_back_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable> {
        self.write(mail::give_back(id, due)).await
    }

    async fn drop_mail(&self, id: Id<Mail>) -> Result<(), Unavailable> {
        self.write(mail::remove(id)).await
    }

    async fn backlog(&self) -> Result<Backlog, Unavailable> {
        self.read(&Line::Service, |connection| {
            mail::backlog(connection).boxed()
        })
        .await
    }

    /// Of this process alone: whoever ordered a mail can send it, and others need not race for it.
    fn mail_news(&self) -> News {
        self.mail_news.subscribe()
    }
}

impl PostgresStore {
    async fn write(&self, write: Statement<'_>) -> Result<(), Unavailable> {
        let lease = self.pool.lease(&Line::Service).await?;
        in_time(WRITE, async {
            let answer = write.execute(&mut lease.connection()).await;
            lease.answer(answer.map(drop))
        })
        .await
    }
}
