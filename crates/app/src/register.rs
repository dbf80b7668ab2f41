//! Sign up: somebody makes an account for the address they say is theirs.

use std::sync::Arc;

use tessera_domain::{
    Actor, Addressee, Change, Changes, Contradiction, EmailAddress, Fact, MailKind, NewUser,
    Password, PasswordWeakness, Profile, Registration, Tenant, TenantStatus, User, Username,
};

use crate::ports::{CommitError, Overloaded, Unavailable, Unique, UserKey};
use crate::resolve_tenant::{ResolveTenantError, TenantHints};
use crate::{ATTEMPTS, Contended, Tessera};

/// A request to sign up.
#[derive(Clone, Debug)]
pub struct Register {
    /// What it says of its tenant.
    pub hints: TenantHints,
    /// The address.
    pub email: EmailAddress,
    /// The other name.
    pub username: Option<Username>,
    /// Given and family name; what a user does there is for others to say.
    pub profile: Profile,
    /// The password, as typed.
    pub password: Password,
    /// The client's address.
    pub ip: Option<String>,
}

/// What is answered, whether the account is new or somebody has it already.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The account as it was asked for; of an address that is taken, one that exists nowhere.
    pub user: User,
}

/// Why nobody was signed up.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The hints at the tenant contradict each other.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// Accounts are made by operators alone.
    #[error("nobody may sign up here")]
    Closed,
    /// Accounts come by invitation.
    #[error("accounts come by invitation here")]
    InvitationOnly,
    /// Too many passwords wait to be hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no such tenant, or it is suspended.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// The username belongs to another user of the tenant.
    #[error("the username is taken")]
    UsernameTaken,
    /// The password is not accepted.
    #[error(transparent)]
    WeakPassword(#[from] PasswordWeakness),
}

impl Tessera {
    /// Signs somebody up, or tells the owner of the account that has this address already.
    ///
    /// Both cost one password hash and one commit, and are answered alike; what tells them apart is
    /// in the mail alone. A username that is taken is told, whatever there is of the address.
    pub async fn register(&self, command: Register) -> Result<Registered, RegisterError> {
        let domain = Some(command.email.domain());
        let resolved = self.resolve_tenant(&command.hints, domain).await?;
        let tenant = resolved
            .tenant
            .filter(|tenant| tenant.status == TenantStatus::Active)
            .ok_or(RegisterError::UnknownTenant)?;
        let settings = &tenant.settings;
        match settings.registration.unwrap_or(self.settings.registration) {
            Registration::Closed => return Err(RegisterError::Closed),
            Registration::Invite => return Err(RegisterError::InvitationOnly),
            Registration::Open => {}
        }
        let now = self.now();
        let new = NewUser {
            email: Some(command.email.clone()),
            username: command.username.clone(),
            profile: command.profile,
            ..NewUser::default()
        };
        let (mut user, fact) = User::create(new, self.new_id(), now);
        self.accept_password(&tenant, &user, &command.password)?;
        if let Some(username) = &command.username {
            self.check_username(&tenant, username).await?;
        }
        user.password = Some(self.ports.passwords.hash(command.password).await?);
        let actor = Actor::Anybody {
            ip: command.ip.clone(),
        };
        let account = Addressee::Account(command.email.key().to_owned());
        for _ in 0..ATTEMPTS {
            // As many rows of each kind either way, so that the time does not tell: a user who is
            // there is written as it was.
            let owner = self.owner(&tenant, &command.email).await?;
            let (kind, change, fact) = if let Some(owner) = owner {
                let (attempt, ip) = (self.new_id(), command.ip.clone());
                let fact = Fact::registration_repeated(attempt, owner.id, ip);
                (MailKind::AlreadyRegistered, Change::Update(owner), fact)
            } else {
                let new = Change::Insert(user.clone());
                (MailKind::VerifyEmail, new, fact.clone())
            };
            let changes = Changes {
                users: vec![change],
                mails: vec![self.mail(&tenant, kind, account.clone())],
                actor: actor.clone(),
                events: vec![self.event(&tenant, now, fact)],
                ..Changes::default()
            };
            match self.commit(&tenant, changes).await {
                Ok(()) => return Ok(Registered { tenant, user }),
                Err(CommitError::Duplicate(Unique::Email)) => {}
                Err(CommitError::Duplicate(Unique::Username)) => {
                    return Err(RegisterError::UsernameTaken);
                }
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    async fn check_username(
        &self,
        tenant: &Tenant,
        username: &Username,
    ) -> Result<(), RegisterError> {
        let key = UserKey::Username(username.key().to_owned());
        let found = self.ports.store.user(tenant, &key).await?;
        found.map_or(Ok(()), |_| Err(RegisterError::UsernameTaken))
    }

    async fn owner(
        &self,
        tenant: &Tenant,
        email: &EmailAddress,
    ) -> Result<Option<User>, Unavailable> {
        let key = UserKey::Email(email.key().to_owned());
        self.ports.store.user(tenant, &key).await
    }
}

impl From<ResolveTenantError> for RegisterError {
    fn from(error: ResolveTenantError) -> Self {
        match error {
            ResolveTenantError::Contradiction(contradiction) => contradiction.into(),
            ResolveTenantError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
