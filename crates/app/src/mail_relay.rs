//! Sends the mails that were ordered, and makes the tokens that some of them carry.

use core::time::Duration;
use std::sync::Arc;

use tessera_domain::{
    Addressee, Change, Changes, EmailAddress, Id, Mail, MailKind, MailedToken, MailedTokenPurpose,
    RetryPolicy, Tenant, TenantStatus, Timestamp, User, UserStatus,
};

use crate::link::Errand;
use crate::mail_queue::{Letter, Link, MailError, Mailer, QueuedMail};
use crate::ports::{CommitError, TenantKey, Unavailable, UserKey};
use crate::resolve_tenant::stays;
use crate::{ATTEMPTS, Contended, Tessera};

/// Brings mails from the queue to a mailer. Any number may run at the same time, anywhere.
pub struct MailRelay {
    tessera: Arc<Tessera>,
    mailer: Arc<dyn Mailer>,
    retry: RetryPolicy,
}

/// What one step came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MailStep {
    /// The mail server is away, for the reason given: nothing of what was taken is tried before that
    /// moment.
    Paused(MailTally, String, Timestamp),
    /// There may be more.
    Progress(MailTally),
    /// Nothing is due before that moment, if then.
    Quiet(Option<Timestamp>),
}

/// How many mails came to what.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MailTally {
    /// The mail server took them.
    pub sent: u64,
    /// There was nobody, or nothing, to send them to.
    pub unneeded: u64,
    /// They were given up: which, and what was said.
    pub failed: Vec<(Id<Mail>, String)>,
    /// They come again later, each by itself: which, and why.
    pub held: Vec<(Id<Mail>, String)>,
}

impl MailRelay {
    /// A relay between that queue and that mailer.
    pub fn new(tessera: Arc<Tessera>, mailer: Arc<dyn Mailer>) -> Self {
        Self {
            tessera,
            mailer,
            retry: RetryPolicy {
                longest: Duration::from_mins(5),
                ..RetryPolicy::default()
            },
        }
    }

    /// Takes a few mails that are due, and sends each, unless nobody needs it any more.
    ///
    /// What fails with one mail defers that mail alone. Where the server is away, those that were not
    /// tried are given back, and come before the one that was: none ever shields the others.
    ///
    /// Dropped at any await, it leaves mails that come again once their time is over.
    pub async fn step(&self) -> Result<MailStep, Unavailable> {
        let queue = &self.tessera.ports.mails;
        // Nothing is prepared yet that a link could point at.
        if self.base().is_none() {
            return Ok(MailStep::Quiet(None));
        }
        let now = self.tessera.now();
        let taken = queue.take_mails(now, now + HELD, BATCH).await?;
        if taken.is_empty() {
            return Ok(MailStep::Quiet(queue.backlog().await?.next_due));
        }
        let mut tally = MailTally::default();
        let mut taken = taken.into_iter();
        while let Some(queued) = taken.next() {
            let id = queued.mail.id;
            match self.send(&queued.mail).await {
                Ok(true) => tally.sent += 1,
                Ok(false) => tally.unneeded += 1,
                Err(MailError::Rejected(why)) => {
                    // One that stays counts until it is over; that is no reason to try again.
                    let _forgotten = self.forget(&queued.mail).await;
                    tally.failed.push((id, why));
                }
                Err(MailError::Held(why)) => {
                    if self.defer(&queued).await?.is_some() {
                        tally.held.push((id, why));
                        continue;
                    }
                    tally.failed.push((id, why));
                }
                Err(MailError::Unavailable(why)) => {
                    if let Some(wait) = self.defer(&queued).await? {
                        let until = self.give_back(taken, wait).await?;
                        return Ok(MailStep::Paused(tally, why, until));
                    }
                    tally.failed.push((id, why));
                }
            }
            queue.drop_mail(id).await?;
        }
        Ok(MailStep::Progress(tally))
    }

    /// Removes what is kept of the tokens of a mail that reached nobody.
    async fn forget(&self, mail: &Mail) -> Result<(), CommitError> {
        let key = TenantKey::Id(mail.tenant);
        let changes = Changes {
            spent_tokens: MailedToken::places(mail.id).into(),
            ..Changes::default()
        };
        match self.tessera.ports.store.tenant(&key).await? {
            Some(tenant) if Errand::of(mail.kind).is_some() => {
                self.tessera.commit(&tenant, changes).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Has a mail come again, and says after how long; not when it was tried for long enough.
    async fn defer(&self, queued: &QueuedMail) -> Result<Option<Duration>, Unavailable> {
        let now = self.tessera.now();
        if queued.mail.at + GIVEN_UP < now {
            return Ok(None);
        }
        let wait = self.retry.wait(queued.tries, self.jitter());
        let queue = &self.tessera.ports.mails;
        queue.defer_mail(queued.mail.id, now + wait).await?;
        Ok(Some(wait))
    }

    /// Has those that were not tried come before one that comes after `wait`, and soon, as it may be
    /// that one which is to blame; answers when to go on.
    async fn give_back(
        &self,
        untried: impl Iterator<Item = QueuedMail> + Send,
        wait: Duration,
    ) -> Result<Timestamp, Unavailable> {
        let now = self.tessera.now();
        let (mut until, due) = (now + wait, now + (wait / 2).min(PAUSE));
        for queued in untried {
            until = due;
            let queue = &self.tessera.ports.mails;
            queue.give_back_mail(queued.mail.id, due).await?;
        }
        Ok(until)
    }

    /// Whether the mailer took it; false when nobody needs it.
    async fn send(&self, mail: &Mail) -> Result<bool, MailError> {
        match self.letter(mail).await {
            Ok(Some(letter)) => self.mailer.send(&letter).await.map(|()| true),
            Ok(None) => Ok(false),
            // That of its tenant may be all that fails.
            Err(Unavailable(why)) => {
                Err(MailError::Held(format!("the mail cannot be made: {why}")))
            }
        }
    }

    /// The mail as it goes out now, its token made and kept; none when nobody needs it any more.
    async fn letter(&self, mail: &Mail) -> Result<Option<Letter>, Unavailable> {
        for _ in 0..ATTEMPTS {
            let Some((tenant, user, to)) = self.addressee(mail).await? else {
                return Ok(None);
            };
            let link = match Errand::of(mail.kind) {
                Some(errand) => {
                    let Some(user) = &user else {
                        return Ok(None);
                    };
                    match self.issue(mail, errand, &tenant, user, &to).await {
                        Ok(Some(link)) => Some(link),
                        Ok(None) => return Ok(None),
                        Err(error) => {
                            error.unless_stale()?;
                            continue;
                        }
                    }
                }
                None => None,
            };
            let account = user.as_ref().and_then(|user| user.email.clone());
            return Ok(Some(Letter {
                id: mail.id,
                copy: match link {
                    Some(_) => self.tessera.new_id(),
                    None => Id::from(mail.id.uuid()),
                },
                at: mail.at,
                kind: mail.kind,
                new_email: match mail.kind {
                    MailKind::ChangeEmail => Some(to.clone()),
                    MailKind::EmailChanged => account,
                    MailKind::AccountDeleted
                    | MailKind::AlreadyRegistered
                    | MailKind::ChangeEmailRequested
                    | MailKind::Invitation
                    | MailKind::PasswordChanged
                    | MailKind::ResetPassword
                    | MailKind::VerifyEmail => None,
                },
                to,
                profile: user.map(|user| user.profile).unwrap_or_default(),
                tenant: tenant.name.as_str().to_owned(),
                schema: tenant.schema,
                from: tenant.settings.mail_from,
                link,
            }));
        }
        Err(Unavailable::new(Contended))
    }

    /// Where it goes and whom it is about, as both are now.
    async fn addressee(
        &self,
        mail: &Mail,
    ) -> Result<Option<(Tenant, Option<User>, EmailAddress)>, Unavailable> {
        let store = &self.tessera.ports.store;
        let Some(tenant) = store.tenant(&TenantKey::Id(mail.tenant)).await? else {
            return Ok(None);
        };
        match tenant.status {
            TenantStatus::Active => {}
            TenantStatus::Deleting | TenantStatus::Suspended => {
                return Err(Unavailable::new(Suspended));
            }
        }
        stays(&tenant)?;
        let key = match &mail.to {
            Addressee::Account(key) => UserKey::Email(key.clone()),
            Addressee::Address { user, .. } | Addressee::User(user) => UserKey::Id(*user),
        };
        let user = store.user(&tenant, &key).await?;
        let stored = user.as_ref().and_then(|user| user.email.clone());
        let to = match &mail.to {
            Addressee::Address { email, .. } => Some(email.clone()),
            Addressee::Account(_) | Addressee::User(_) => stored,
        };
        let unneeded = user.as_ref().is_some_and(|user| {
            let disabled = user.status == UserStatus::Disabled && Errand::of(mail.kind).is_some();
            disabled || (mail.kind == MailKind::VerifyEmail && user.email_verified)
        });
        Ok(to.filter(|_| !unneeded).map(|to| (tenant, user, to)))
    }

    /// Makes the token of a mail; none when the user has enough of them, the address is somebody
    /// else's by now, or whoever asked for it may not any more.
    async fn issue(
        &self,
        mail: &Mail,
        errand: Errand,
        tenant: &Tenant,
        user: &User,
        to: &EmailAddress,
    ) -> Result<Option<Link>, CommitError> {
        let tessera = &*self.tessera;
        let store = &tessera.ports.store;
        let now = tessera.now();
        let kept = store.mailed_tokens(tenant, user.id).await?;
        let places = MailedToken::places(mail.id);
        let of_mail = |one: &MailedToken| places.contains(&one.id);
        let (own, others): (Vec<_>, Vec<_>) = kept.into_iter().partition(of_mail);
        let live = |one: &MailedToken| one.works(errand.purpose, user, now);
        if errand.purpose == MailedTokenPurpose::ChangeEmail {
            let key = UserKey::Email(to.key().to_owned());
            let owner = store.user(tenant, &key).await?;
            let of_other = owner.is_some_and(|owner| owner.id != user.id);
            if of_other || !own.iter().any(live) {
                return Ok(None);
            }
        } else {
            let most = tessera.settings.mailed_tokens.most;
            if tessera.live_mails(&others, errand.purpose, user) >= most {
                return Ok(None);
            }
        }
        // The copies before may have arrived: where there is no place left, the last one makes room.
        let [.., last] = places;
        let taken = |id: &Id<_>| own.iter().any(|one| one.id == *id && live(one));
        let id = places.into_iter().find(|id| !taken(id)).unwrap_or(last);
        let base = self.base().unwrap_or_default();
        let (stored, link) = tessera.new_token(errand, &base, id, tenant, user, to.clone());
        let (told, fact) = if mail.kind == MailKind::ResetPassword && own.is_empty() {
            let (told, fact) = user.password_reset_requested();
            (told, Some(fact))
        } else {
            (user.clone(), None)
        };
        let changes = Changes {
            // Also when nothing is told: so of two relays one counts the token of the other, and a
            // token is bound to nothing that changed meanwhile.
            users: vec![Change::Update(told)],
            mailed_tokens: vec![stored],
            events: tessera.events(tenant, now, fact),
            ..Changes::default()
        };
        tessera.commit(tenant, changes).await?;
        Ok(Some(link))
    }

    fn base(&self) -> Option<String> {
        let issuer = self.tessera.ports.tokens.issuer();
        self.tessera.link_base(issuer.as_deref())
    }

    fn jitter(&self) -> u8 {
        let mut byte = [0];
        self.tessera.ports.entropy.fill(&mut byte);
        let [byte] = byte;
        byte
    }
}

/// What is of a suspended tenant waits: it may be active again in time.
#[derive(Debug, thiserror::Error)]
#[error("the tenant is suspended")]
struct Suspended;

/// How many mails are taken at a time.
const BATCH: usize = 8;

/// How long they are nobody else's: longer than sending all of them may take.
const HELD: Duration = Duration::from_mins(3);

/// How long those wait at most that were not tried because the server was away.
const PAUSE: Duration = Duration::from_secs(10);

/// How long a mail is tried to be sent.
const GIVEN_UP: Duration = Duration::from_hours(24);
