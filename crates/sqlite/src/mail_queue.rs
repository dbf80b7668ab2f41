//! The mails of the store, as those who send them take them.

use async_trait::async_trait;
use tessera_app::{Backlog, MailQueue, News, QueuedMail, Unavailable};
use tessera_domain::{Id, Mail, Timestamp};

use crate::{SqliteStore, mail};

#[async_trait]
impl MailQueue for SqliteStore {
    async fn take_mails(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<QueuedMail>, Unavailable> {
        self.write(move |conn| mail::take(conn, now, until, limit))
            .await
    }

    async fn defer_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable> {
        self.write(move |conn| mail::defer(conn, id, due)).await
    }

    async fn give_back_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable> {
        self.write(move |conn| mail::give_back(conn, id, due)).await
    }

    async fn drop_mail(&self, id: Id<Mail>) -> Result<(), Unavailable> {
        self.write(move |conn| mail::remove(conn, id)).await
    }

    async fn backlog(&self) -> Result<Backlog, Unavailable> {
        self.read(mail::backlog).await
    }

    fn mail_news(&self) -> News {
        self.mail_news.subscribe()
    }
}
