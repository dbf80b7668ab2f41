//! The mails that wait to be sent, and what sends them.

use async_trait::async_trait;
use tessera_domain::{
    EmailAddress, Id, Mail, MailKind, MailSender, Profile, SchemaName, Timestamp,
};

use crate::event_log::News;
use crate::ports::Unavailable;

/// The mails of all tenants that were committed and are not sent yet.
///
/// Any number of processes take from it. A mail that was taken is nobody else's until its time is
/// over; then it is given out again, so that none is lost with the process that took it.
#[async_trait]
pub trait MailQueue: Send + Sync {
    /// Takes at most `limit` mails that are due at `now`, those due first first, and has them due
    /// again at `until`. Two calls at the same time never take the same one.
    async fn take_mails(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<QueuedMail>, Unavailable>;

    /// Has a mail due again at `due`, with one more try counted; nothing when it is gone.
    async fn defer_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable>;

    /// Has a mail due again at `due` that nobody tried to send; nothing when it is gone.
    async fn give_back_mail(&self, id: Id<Mail>, due: Timestamp) -> Result<(), Unavailable>;

    /// Drops a mail; nothing when it is gone.
    async fn drop_mail(&self, id: Id<Mail>) -> Result<(), Unavailable>;

    /// What waits.
    async fn backlog(&self) -> Result<Backlog, Unavailable>;

    /// Changes when a commit of this process has mails.
    fn mail_news(&self) -> News;
}

/// A mail in the queue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueuedMail {
    /// The mail.
    pub mail: Mail,
    /// How often sending it has failed.
    pub tries: u32,
}

/// What waits in the queue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Backlog {
    /// How many mails.
    pub mails: u64,
    /// When the oldest was asked for.
    pub oldest: Option<Timestamp>,
    /// When the next is due, where there is one.
    pub next_due: Option<Timestamp>,
}

/// Sends mails: by SMTP, into a folder.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one letter, within a time-out of its own. It may have arrived although this fails: then
    /// the mail comes again.
    async fn send(&self, letter: &Letter) -> Result<(), MailError>;
}

/// What a mail says, for a template to spell out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Letter {
    /// The mail's id.
    pub id: Id<Mail>,
    /// Which copy it is, for its `Message-ID`: another one each time where it leads somewhere, as each
    /// has a link of its own and none is to be hidden behind another.
    pub copy: Id<Letter>,
    /// When it was asked for.
    pub at: Timestamp,
    /// What it is about.
    pub kind: MailKind,
    /// To whom it goes.
    pub to: EmailAddress,
    /// What the addressee is called.
    pub profile: Profile,
    /// What the tenant is called.
    pub tenant: String,
    /// Where the tenant lives.
    pub schema: SchemaName,
    /// Whom it is from, where the tenant says so.
    pub from: Option<MailSender>,
    /// The address that the account is to have, in a mail to that one; or has by now, if it has any, in
    /// a mail to the one before.
    pub new_email: Option<EmailAddress>,
    /// Where it leads, in mails that lead somewhere.
    pub link: Option<Link>,
}

/// Where a mail leads.
#[derive(Clone, Eq, PartialEq)]
pub struct Link {
    /// The whole address of a page, with `uid` and `token` in its query.
    pub url: String,
    /// Whose it is, as Django writes it.
    pub uid: String,
    /// The token alone.
    pub token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Shows nothing of the token.
impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Link(..)")
    }
}

/// Why a mail was not sent. What is said names no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MailError {
    /// This mail has to wait, and the next one may fare better: the server does not take it for now
    /// (greylisting, a mailbox that is full).
    #[error("held: {0}")]
    Held(String),
    /// It will never be taken as it is: the server refused it for good, or a template cannot be
    /// spelt out.
    #[error("rejected: {0}")]
    Rejected(String),
    /// The server is away, or did not answer in time: the next mail would not fare better.
    #[error("unavailable: {0}")]
    Unavailable(String),
}
