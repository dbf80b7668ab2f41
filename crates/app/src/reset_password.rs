//! Set another password with a token from a mail.

use tessera_domain::{
    Change, MailKind, MailedTokenPurpose, Password, PasswordRecord, PasswordWeakness, SessionEnd,
};

use crate::mailed_token::{MailedTokenError, ShowToken, Shown};
use crate::ports::{CommitError, Overloaded, Unavailable};
use crate::{ATTEMPTS, Contended, Tessera};

/// A request to set another password.
#[derive(Clone, Debug)]
pub struct ResetPassword {
    /// The token.
    pub shown: ShowToken,
    /// The password from now on, as typed.
    pub password: Password,
}

/// Why the password is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordError {
    /// The token does not work, or no longer.
    #[error("the token does not work, or no longer")]
    Invalid,
    /// Too many passwords wait to be hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The password is not accepted.
    #[error(transparent)]
    WeakPassword(#[from] PasswordWeakness),
}

impl Tessera {
    /// Sets another password: all sessions and all mailed tokens are dead, a lock is over, and the
    /// address is proved. Nobody is logged in by it.
    ///
    /// A password that is not accepted leaves the token as it is.
    pub async fn reset_password(&self, command: ResetPassword) -> Result<(), ResetPasswordError> {
        let purpose = MailedTokenPurpose::ResetPassword;
        let mut hashed: Option<PasswordRecord> = None;
        for _ in 0..ATTEMPTS {
            let shown = self.shown(&command.shown, purpose).await?;
            self.accept_password(&shown.tenant, &shown.user, &command.password)?;
            let record = match hashed.take() {
                Some(record) => record,
                None => self.ports.passwords.hash(command.password.clone()).await?,
            };
            hashed = Some(record.clone());
            match self.replace_by_mail(&shown, &command.shown, record).await {
                Ok(()) => return Ok(()),
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    async fn replace_by_mail(
        &self,
        shown: &Shown,
        command: &ShowToken,
        record: PasswordRecord,
    ) -> Result<(), CommitError> {
        let (now, tenant) = (self.now(), &shown.tenant);
        let sessions = self.ports.store.sessions(tenant, shown.user.id).await?;
        let (user, facts) = shown.user.reset_password(record);
        let why = SessionEnd::PasswordChange;
        let ended = shown.user.ended_facts(&sessions, None, why, now);
        let notice = self.notice(tenant, MailKind::PasswordChanged, &user);
        let mut changes = shown.spend(command);
        changes.users = vec![Change::Update(user)];
        changes.mails = notice.into_iter().collect();
        changes.events = self.events(tenant, now, facts.into_iter().chain(ended));
        self.commit(tenant, changes).await
    }
}

impl From<MailedTokenError> for ResetPasswordError {
    fn from(error: MailedTokenError) -> Self {
        match error {
            MailedTokenError::Invalid => Self::Invalid,
            MailedTokenError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
