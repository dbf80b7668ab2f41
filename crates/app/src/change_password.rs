//! Change one's password: every other session ends, this one goes on.

use tessera_domain::{
    Change, Changes, MailKind, Password, PasswordRecord, PasswordWeakness, SessionEnd, Verdict,
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
    /// A wrong old password counts in the session, which the fifth in a row ends: a stolen access
    /// token gives few guesses, and what strangers do at log in has no part in it.
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
                Verdict::Mismatch => self.count_wrong(caller, holder).await.map(|lives| {
                    Err(if lives {
                        ChangePasswordError::WrongPassword
                    } else {
                        ChangePasswordError::Invalid
                    })
                }),
                Verdict::Match => {
                    let new = match &hashed {
                        Some(new) => PasswordRecord::clone(new),
                        None => self.ports.passwords.hash(command.new.clone()).await?,
                    };
                    hashed = Some(new.clone());
                    self.replace(caller, holder, new).await.map(Ok)
                }
            };
            match committed {
                Ok(answer) => return answer,
                Err(error) => error.unless_stale()?,
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

    async fn replace(
        &self,
        caller: &Caller,
        holder: SessionHolder,
        new: PasswordRecord,
    ) -> Result<(), CommitError> {
        let now = self.now();
        let (tenant, spared) = (&holder.tenant, holder.session.id);
        let sessions = self.ports.store.sessions(tenant, holder.user.id).await?;
        let (user, fact) = holder.user.set_password(new);
        let notice = self.notice(tenant, MailKind::PasswordChanged, &user);
        let why = SessionEnd::PasswordChange;
        let ended = holder.user.ended_facts(&sessions, Some(spared), why, now);
        let changes = Changes {
            sessions: vec![Change::Update(holder.session.carried_into(user.epoch))],
            users: vec![Change::Update(user)],
            mails: notice.into_iter().collect(),
            actor: caller.actor(),
            events: self.events(tenant, now, [fact].into_iter().chain(ended)),
            ..Changes::default()
        };
        self.commit(tenant, changes).await
    }

    /// Counts a wrong password in the session; whether it still lives.
    async fn count_wrong(
        &self,
        caller: &Caller,
        holder: SessionHolder,
    ) -> Result<bool, CommitError> {
        let now = self.now();
        let counted = holder.session.with_wrong_password(now);
        let fact = counted.ended.map(|ended| counted.ended_fact(ended.why));
        let lives = fact.is_none();
        let changes = Changes {
            sessions: vec![Change::Update(counted)],
            actor: caller.actor(),
            events: self.events(&holder.tenant, now, fact),
            ..Changes::default()
        };
        self.commit(&holder.tenant, changes).await?;
        Ok(lives)
    }
}
