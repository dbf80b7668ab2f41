//! Sends the mails that were ordered, and makes the tokens that some of them carry.

use core::time::Duration;
use std::sync::Arc;

use tessera_domain::{
    Addressee, Change, Changes, EmailAddress, Id, Mail, MailKind, MailedToken, MailedTokenPurpose,
    RetryPolicy, Tenant, TenantStatus, Timestamp, User, UserStatus,
};

use crate::link::Errand;
use crate::mail_queue::{Letter, Link, MailError, Mailer, QueuedMail};
use crate::mailed_token::token_of;
use crate::ports::{CommitError, TenantKey, Unavailable, UserKey};
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
    /// The mail server is away, for the reason given: nothing is tried before that moment.
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
        let mut away = None;
        for queued in taken {
            if let Some((_, until)) = &away {
                queue.defer_mail(queued.mail.id, *until).await?;
                continue;
            }
            match self.send(&queued).await? {
                Ok(true) => tally.sent += 1,
                Ok(false) => tally.unneeded += 1,
                Err(MailError::Rejected(why)) => tally.failed.push((queued.mail.id, why)),
                Err(MailError::Unavailable(why)) => {
                    let now = self.tessera.now();
                    if queued.mail.at + GIVEN_UP < now {
                        tally.failed.push((queued.mail.id, why));
                    } else {
                        let until = now + self.retry.wait(queued.tries, self.jitter());
                        queue.defer_mail(queued.mail.id, until).await?;
                        away = Some((why, until));
                        continue;
                    }
                }
            }
            queue.drop_mail(queued.mail.id).await?;
        }
        Ok(match away {
            Some((why, until)) => MailStep::Paused(tally, why, until),
            None => MailStep::Progress(tally),
        })
    }

    /// Whether the mailer took it; false when nobody needs it.
    async fn send(&self, queued: &QueuedMail) -> Result<Result<bool, MailError>, Unavailable> {
        match self.letter(&queued.mail).await? {
            Some(letter) => Ok(self.mailer.send(&letter).await.map(|()| true)),
            None => Ok(Ok(false)),
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
        let found = store.tenant(&TenantKey::Id(mail.tenant)).await?;
        let Some(tenant) = found.filter(|tenant| tenant.status == TenantStatus::Active) else {
            return Ok(None);
        };
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
        let (now, id) = (tessera.now(), token_of(mail.id));
        let kept = store.mailed_tokens(tenant, user.id).await?;
        let live = |one: &&MailedToken| one.works(errand.purpose, user, now);
        if errand.purpose == MailedTokenPurpose::ChangeEmail {
            let key = UserKey::Email(to.key().to_owned());
            let owner = store.user(tenant, &key).await?;
            let of_other = owner.is_some_and(|owner| owner.id != user.id);
            if of_other || !kept.iter().filter(live).any(|one| one.id == id) {
                return Ok(None);
            }
        } else {
            let others = kept.iter().filter(live).filter(|one| one.id != id);
            if others.count() >= tessera.settings.mailed_tokens.most {
                return Ok(None);
            }
        }
        let base = self.base().unwrap_or_default();
        let (stored, link) = tessera.new_token(errand, &base, id, tenant, user, to.clone());
        let first_try = !kept.iter().any(|one| one.id == id);
        let (told, fact) = if mail.kind == MailKind::ResetPassword && first_try {
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

/// How many mails are taken at a time.
const BATCH: usize = 8;

/// How long they are nobody else's: longer than sending all of them may take.
const HELD: Duration = Duration::from_mins(3);

/// How long a mail is tried to be sent.
const GIVEN_UP: Duration = Duration::from_hours(24);
