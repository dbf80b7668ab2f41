//! What users do with their own account: change their names, delete it.

use tessera_domain::{
    Actor, Addressee, Change, Changes, JobRoleBy, MailKind, Profile, SessionEnd, Tenant, User,
};

use crate::fresh_log_in::NotFresh;
use crate::ports::{CommitError, Unavailable};
use crate::users::{ChangeUserError, UserChange};
use crate::validate::Caller;
use crate::{ATTEMPTS, Contended, Tessera};

/// What a user is to be called; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct ChangeProfile {
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// What the user does there, where users may say so themselves; else it counts for nothing.
    pub job_role: Option<String>,
}

/// Why an account was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteAccountError {
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
    /// Changes what the caller is called; answers the user as it then is.
    pub async fn change_profile(
        &self,
        caller: &Caller,
        command: ChangeProfile,
    ) -> Result<User, ChangeUserError> {
        let job_role = command
            .job_role
            .filter(|_| caller.tenant.settings.job_role == JobRoleBy::Users);
        let by = caller.actor();
        self.change_user(&by, &caller.tenant, caller.user.id, |user| {
            let so_far = user.profile.clone();
            UserChange::of(user.change_profile(Profile {
                first_name: command.first_name.clone().unwrap_or(so_far.first_name),
                last_name: command.last_name.clone().unwrap_or(so_far.last_name),
                job_role: job_role.clone().unwrap_or(so_far.job_role),
            }))
        })
        .await
    }

    /// Deletes the caller's account, with all its sessions and events of before.
    pub async fn delete_account(&self, caller: &Caller) -> Result<(), DeleteAccountError> {
        self.check_fresh(caller)?;
        let (tenant, id) = (&caller.tenant, caller.session.id);
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let holder = self.ports.store.session(&tenant.schema, id).await?;
            let user = holder
                .filter(|holder| holder.is_live(now))
                .ok_or(DeleteAccountError::Invalid)?
                .user;
            match self.remove_user(tenant, &user, caller.actor()).await {
                Ok(()) => return Ok(()),
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    /// Removes a user as it was read, and tells so the address that it had.
    pub(crate) async fn remove_user(
        &self,
        tenant: &Tenant,
        user: &User,
        actor: Actor,
    ) -> Result<(), CommitError> {
        let now = self.now();
        let sessions = self.ports.store.sessions(tenant, user.id).await?;
        let ended = user.ended_facts(&sessions, None, SessionEnd::Deleted, now);
        let farewell = user.email.clone().map(|email| Addressee::Address {
            email,
            user: user.id,
        });
        let changes = Changes {
            // Changed first, so that it is refused where the user is not what was read any more.
            users: vec![Change::Update(user.clone()), Change::Remove(user.id)],
            mails: farewell
                .map(|to| self.mail(tenant, MailKind::AccountDeleted, to))
                .into_iter()
                .collect(),
            actor,
            events: self.events(tenant, now, [user.deleted()].into_iter().chain(ended)),
            ..Changes::default()
        };
        self.commit(tenant, changes).await
    }
}
