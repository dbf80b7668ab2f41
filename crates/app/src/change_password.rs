//! Change one's password: every other session ends, this one goes on.

use tessera_domain::{
    Attempt, Change, Changes, LoginFailure, Password, PasswordRecord, PasswordWeakness, SessionEnd,
    Verdict,
};

use crate::ports::{CommitError, Overloaded, SessionHolder, Unavailable};
use crate::validate::Caller;
use crate::{ATTEMPTS, Contended, Tessera};

/// A request to change one's password.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// The password so far, as typed.
    pub old: Password,
    /// The password from now on, as typed.
    pub new: Password,
}

/// Why the password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The session ended meanwhile.
    #[error("the token is not valid")]
    Invalid,
    /// Too many passwords wait to be hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The new password is not accepted.
    #[error(transparent)]
    WeakPassword(#[from] PasswordWeakness),
    /// The old password is not the one.
    #[error("the old password is wrong")]
    WrongPassword,
}

impl Tessera {
    /// Changes the caller's password and ends every other session.
    ///
    /// A wrong old password counts as a wrong one at log in does. A lock does not keep the owner
    /// out of this; but a wrong password given while the account is locked ends the session, so
    /// that a stolen access token gives no more guesses than a stranger has.
    pub async fn change_password(
        &self,
        caller: &Caller,
        command: ChangePassword,
    ) -> Result<(), ChangePasswordError> {
        self.accept_password(&caller.tenant, &caller.user, &command.new)?;
        let mut record = caller.user.password.clone();
        let mut verdict = self.verify_old(record.as_ref(), &command.old).await?;
        let mut hashed = None;
        for _ in 0..ATTEMPTS {
            let holder = self.live_holder(caller).await?;
            if holder.user.password != record {
                record = holder.user.password.clone();
                verdict = self.verify_old(record.as_ref(), &command.old).await?;
            }
            let committed = match verdict {
                Verdict::Mismatch => self.count_wrong(holder).await,
                Verdict::Match => {
                    let new = match &hashed {
                        Some(new) => Clone::clone(new),
                        None => self.ports.passwords.hash(command.new.clone()).await?,
                    };
                    hashed = Some(new.clone());
                    self.replace(holder, new).await
                }
            };
            match (committed, verdict) {
                (Ok(()), Verdict::Match) => return Ok(()),
                (Ok(()), Verdict::Mismatch) => return Err(ChangePasswordError::WrongPassword),
                (Err(CommitError::Stale), _) => {}
                (Err(CommitError::Duplicate(what)), _) => {
                    return Err(Unavailable::new(CommitError::Duplicate(what)).into());
                }
                (Err(CommitError::Unavailable(unavailable)), _) => return Err(unavailable.into()),
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    async fn verify_old(
        &self,
        record: Option<&PasswordRecord>,
        old: &Password,
    ) -> Result<Verdict, Overloaded> {
        let passwords = &self.ports.passwords;
        passwords.verify(record.cloned(), old.clone()).await
    }

    async fn live_holder(&self, caller: &Caller) -> Result<SessionHolder, ChangePasswordError> {
        let schema = &caller.tenant.schema;
        self.ports
            .store
            .session(schema, caller.session.id)
            .await?
            .filter(|holder| holder.is_live(self.now()))
            .ok_or(ChangePasswordError::Invalid)
    }

    async fn replace(&self, holder: SessionHolder, new: PasswordRecord) -> Result<(), CommitError> {
        let now = self.now();
        let (tenant, spared) = (&holder.tenant, holder.session.id);
        let sessions = self.ports.store.sessions(tenant, holder.user.id).await?;
        let (user, fact) = holder.user.set_password(new);
        let why = SessionEnd::PasswordChange;
        let ended = holder.user.ended_facts(&sessions, Some(spared), why, now);
        let changes = Changes {
            sessions: vec![Change::Update(holder.session.carried_into(user.epoch))],
            users: vec![Change::Update(user)],
            events: self.events(tenant, now, [fact].into_iter().chain(ended)),
            ..Changes::default()
        };
        self.commit(tenant, changes).await
    }

    async fn count_wrong(&self, holder: SessionHolder) -> Result<(), CommitError> {
        let now = self.now();
        let policy = &self.settings.lockout;
        match holder.user.attempt(Verdict::Mismatch, now, policy) {
            Attempt::Failed { user, locked } => {
                let changes = Changes {
                    events: self.events(&holder.tenant, now, locked),
                    users: vec![Change::Update(*user)],
                    ..Changes::default()
                };
                self.commit(&holder.tenant, changes).await
            }
            Attempt::Refused(LoginFailure::Locked) => {
                Ok(self.end_session_of(holder, SessionEnd::Guessing).await?)
            }
            Attempt::Admitted(_) | Attempt::Refused(_) => Ok(()),
        }
    }
}
