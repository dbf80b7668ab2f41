//! Change the address of one's account: asked for with a fresh log in, confirmed from the new
//! address, told to the old one. Until it is confirmed nothing changes.

use core::iter;

use tessera_domain::{
    Addressee, Change, Changes, EmailAddress, HostName, Mail, MailKind, MailedToken,
    MailedTokenPurpose, Tenant, User,
};

use crate::fresh_log_in::NotFresh;
use crate::mailed_token::{MailedTokenError, ShowToken};
use crate::ports::{CommitError, TenantKey, Unavailable, Unique, UserKey};
use crate::validate::Caller;
use crate::{ATTEMPTS, Contended, Tessera};

/// Why another address was not even asked for.
#[derive(Debug, thiserror::Error)]
pub enum ChangeEmailError {
    /// The domain of the address is another tenant's: a log in with it would go there.
    #[error("the domain of the address is another tenant's")]
    ForeignDomain,
    /// The session ended meanwhile.
    #[error("the token is not valid")]
    Invalid,
    /// The session is too old for this.
    #[error(transparent)]
    NotFresh(#[from] NotFresh),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// Has a mail sent to `email` that makes it the address of the caller's account.
    ///
    /// An address that somebody else has is answered the same; no mail leads anywhere then. Nor is
    /// one sent to who has asked for too many of late.
    pub async fn change_email(
        &self,
        caller: &Caller,
        email: EmailAddress,
    ) -> Result<(), ChangeEmailError> {
        self.check_fresh(caller)?;
        let store = &self.ports.store;
        let tenant = &caller.tenant;
        let domain = TenantKey::Host(HostName::restore(email.domain().to_owned()));
        let owner = self.tenant_by(domain).await?;
        if owner.is_some_and(|owner| owner.id != tenant.id) {
            return Err(ChangeEmailError::ForeignDomain);
        }
        for _ in 0..ATTEMPTS {
            // Read before the tokens, and updated: so of two who ask at the same time one counts the
            // token of the other.
            let user = store.user(tenant, &UserKey::Id(caller.user.id)).await?;
            let user = user
                // Else all sessions were ended meanwhile, this one among them.
                .filter(|user| user.epoch == caller.user.epoch)
                .ok_or(ChangeEmailError::Invalid)?;
            let kept = store.mailed_tokens(tenant, user.id).await?;
            if self.live_mails(&kept, PURPOSE, &user) >= self.settings.mailed_tokens.most {
                return Ok(());
            }
            let changes = self.ask_to_change(caller, user, email.clone());
            match self.commit(tenant, changes).await {
                Ok(()) => return Ok(()),
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    /// Changes that have the new address asked, and the old one told.
    fn ask_to_change(&self, caller: &Caller, user: User, email: EmailAddress) -> Changes {
        let tenant = &caller.tenant;
        let to_new = Addressee::Address {
            email: email.clone(),
            user: user.id,
        };
        let asking = self.mail(tenant, MailKind::ChangeEmail, to_new);
        let pledge = self.pledge(tenant, &user, &asking, email);
        let notice = self.notice(tenant, MailKind::ChangeEmailRequested, &user);
        Changes {
            users: vec![Change::Update(user)],
            mails: iter::once(asking).chain(notice).collect(),
            mailed_tokens: vec![pledge],
            actor: caller.actor(),
            ..Changes::default()
        }
    }

    /// What is kept of the token until the relay makes the one that it mails, beside it: bound to the
    /// account as it is here, so that nothing asked for in a session that ended goes out after.
    fn pledge(
        &self,
        tenant: &Tenant,
        user: &User,
        asking: &Mail,
        email: EmailAddress,
    ) -> MailedToken {
        let [first, ..] = MailedToken::places(asking.id);
        MailedToken::new(
            first,
            self.new_secret(tenant).digest(),
            PURPOSE,
            user,
            email,
            asking.at + self.settings.mailed_tokens.change_email,
        )
    }

    /// Makes the address that the token was sent to that of the account.
    pub async fn confirm_email(&self, command: ShowToken) -> Result<(), MailedTokenError> {
        for _ in 0..ATTEMPTS {
            let shown = self.shown(&command, PURPOSE).await?;
            let tenant = &shown.tenant;
            let (user, fact) = shown.user.change_email(shown.token.email.clone());
            let kept = self.ports.store.mailed_tokens(tenant, user.id).await?;
            // Used up before the account was read, by another one who asked for the address that it has.
            if !kept.iter().any(|token| token.id == shown.token.id) {
                return Err(MailedTokenError::Invalid);
            }
            let mut changes = shown.spend(&command);
            // Bound to the old address, they would revive if it came back.
            changes.spent_tokens = kept.into_iter().map(|token| token.id).collect();
            changes.users = vec![Change::Update(user)];
            changes.events = vec![self.event(tenant, self.now(), fact)];
            let notice = self.notice(tenant, MailKind::EmailChanged, &shown.user);
            changes.mails = notice.into_iter().collect();
            match self.commit(tenant, changes).await {
                Ok(()) => return Ok(()),
                // Somebody else has it by now.
                Err(CommitError::Duplicate(Unique::Email)) => {
                    return Err(MailedTokenError::Invalid);
                }
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }
}

const PURPOSE: MailedTokenPurpose = MailedTokenPurpose::ChangeEmail;
