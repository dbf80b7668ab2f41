//! What operators do with users: create, list, disable, enable, unlock, set a password, end
//! sessions.

use std::sync::Arc;

use tessera_domain::{
    Actor, Change, Changes, EmailAddress, Fact, Id, NewUser, Password, PasswordPolicy,
    PasswordWeakness, Profile, Role, Session, SessionEnd, Tenant, User, Username,
};

use crate::ports::{CommitError, Overloaded, TenantKey, Unavailable, Unique, UserKey};
use crate::{ATTEMPTS, Contended, Tessera};

/// A request to make a user.
#[derive(Clone, Debug)]
pub struct CreateUser {
    /// The address.
    pub email: EmailAddress,
    /// Whether the owner of the address has proved it.
    pub email_verified: bool,
    /// The other name.
    pub username: Option<Username>,
    /// What the user is called and does.
    pub profile: Profile,
    /// The roles, in the order in which tokens show them.
    pub roles: Vec<Role>,
    /// Carried for clients.
    pub is_superuser: bool,
    /// The password.
    pub password: Password,
}

/// Why no user was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// Address or username belong to another user of the tenant.
    #[error("the {0} is taken")]
    Duplicate(Unique),
    /// Too many passwords wait to be hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// `platform-admin` is a role of the default tenant.
    #[error("the role `platform-admin` exists in the default tenant only")]
    PlatformRole,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The password is not accepted.
    #[error(transparent)]
    WeakPassword(#[from] PasswordWeakness),
}

/// Why a user was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeUserError {
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
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
    /// Makes a user of the tenant.
    pub async fn create_user(
        &self,
        by: &Actor,
        tenant: &Tenant,
        command: CreateUser,
    ) -> Result<User, CreateUserError> {
        let platform = |role: &Role| role.as_str() == Role::PLATFORM_ADMIN;
        if !tenant.is_default() && command.roles.iter().any(platform) {
            return Err(CreateUserError::PlatformRole);
        }
        let new = NewUser {
            email: Some(command.email),
            email_verified: command.email_verified,
            username: command.username,
            profile: command.profile,
            roles: command.roles,
            is_superuser: command.is_superuser,
            password: None,
        };
        let now = self.now();
        let (mut user, fact) = User::create(new, self.new_id(), now);
        self.accept_password(tenant, &user, &command.password)?;
        user.password = Some(self.ports.passwords.hash(command.password).await?);
        let changes = Changes {
            users: vec![Change::Insert(user.clone())],
            actor: by.clone(),
            events: vec![self.event(tenant, now, fact)],
            ..Changes::default()
        };
        match self.commit(tenant, changes).await {
            Ok(()) => Ok(User { version: 1, ..user }),
            Err(CommitError::Duplicate(what)) => Err(CreateUserError::Duplicate(what)),
            Err(CommitError::Stale) => Err(Unavailable::new(CommitError::Stale).into()),
            Err(CommitError::Unavailable(unavailable)) => Err(unavailable.into()),
        }
    }

    /// The user of the tenant with this id, address or username.
    pub async fn user(&self, tenant: &Tenant, who: &str) -> Result<Option<User>, Unavailable> {
        let key = if let Ok(id) = who.trim().parse() {
            UserKey::Id(id)
        } else if let Ok(email) = EmailAddress::parse(who) {
            UserKey::Email(email.key().to_owned())
        } else if let Ok(username) = Username::parse(who) {
            UserKey::Username(username.key().to_owned())
        } else {
            return Ok(None);
        };
        self.ports.store.user(tenant, &key).await
    }

    /// Takes away that the user may log in; all sessions end for good.
    pub async fn disable_user(
        &self,
        tenant: &Tenant,
        id: Id<User>,
    ) -> Result<User, ChangeUserError> {
        self.change_user(&Actor::Operator, tenant, id, |user| {
            let (user, fact) = user.disable()?;
            Some(UserChange {
                user,
                fact: Some(fact),
                ends: Some(SessionEnd::Disabled),
            })
        })
        .await
    }

    /// Lets the user log in again; no session revives.
    pub async fn enable_user(
        &self,
        tenant: &Tenant,
        id: Id<User>,
    ) -> Result<User, ChangeUserError> {
        self.change_user(&Actor::Operator, tenant, id, |user| {
            UserChange::of(user.enable())
        })
        .await
    }

    /// Ends the lock that wrong passwords caused.
    pub async fn unlock_user(
        &self,
        tenant: &Tenant,
        id: Id<User>,
    ) -> Result<User, ChangeUserError> {
        self.change_user(&Actor::Operator, tenant, id, |user| {
            UserChange::of(user.unlock())
        })
        .await
    }

    /// Sets the user's password; all sessions end.
    pub async fn set_password(
        &self,
        tenant: &Tenant,
        id: Id<User>,
        password: Password,
    ) -> Result<User, ChangeUserError> {
        let user = self
            .ports
            .store
            .user(tenant, &UserKey::Id(id))
            .await?
            .ok_or(ChangeUserError::NotFound)?;
        self.accept_password(tenant, &user, &password)?;
        let record = self.ports.passwords.hash(password).await?;
        self.change_user(&Actor::Operator, tenant, id, |user| {
            let (user, fact) = user.set_password(record.clone());
            Some(UserChange {
                user,
                fact: Some(fact),
                ends: Some(SessionEnd::PasswordChange),
            })
        })
        .await
    }

    /// The live sessions of the user, oldest first.
    pub async fn user_sessions(
        &self,
        tenant: &Tenant,
        user: &User,
    ) -> Result<Vec<Session>, Unavailable> {
        let now = self.now();
        let mut sessions = self.ports.store.sessions(tenant, user.id).await?;
        sessions.retain(|session| session.is_live(user.epoch, now));
        Ok(sessions)
    }

    /// Ends all sessions of the user.
    pub async fn log_out_user(
        &self,
        tenant: &Tenant,
        id: Id<User>,
    ) -> Result<User, ChangeUserError> {
        self.change_user(&Actor::Operator, tenant, id, |user| {
            Some(UserChange {
                user: user.in_next_epoch(),
                fact: None,
                ends: Some(SessionEnd::Operator),
            })
        })
        .await
    }

    /// The tenant of that name or schema name, for an operator who names it.
    pub async fn tenant(&self, name: &str) -> Result<Option<Arc<Tenant>>, Unavailable> {
        let Ok(name) = tessera_domain::TenantName::parse(name) else {
            return Ok(None);
        };
        self.tenant_by(TenantKey::Name(name.key())).await
    }

    /// Reads the user, lets `decide` change it, commits that with what follows from it as done by
    /// `by`; answers the user as it then is. A `decide` that answers none leaves everything as it was.
    pub(crate) async fn change_user(
        &self,
        by: &Actor,
        tenant: &Tenant,
        id: Id<User>,
        decide: impl Fn(&User) -> Option<UserChange> + Send + Sync,
    ) -> Result<User, ChangeUserError> {
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let user = self
                .ports
                .store
                .user(tenant, &UserKey::Id(id))
                .await?
                .ok_or(ChangeUserError::NotFound)?;
            let Some(change) = decide(&user) else {
                return Ok(user);
            };
            let mut facts: Vec<Fact> = change.fact.into_iter().collect();
            if let Some(why) = change.ends {
                let sessions = self.ports.store.sessions(tenant, id).await?;
                facts.extend(user.ended_facts(&sessions, None, why, now));
            }
            let changes = Changes {
                users: vec![Change::Update(change.user.clone())],
                actor: by.clone(),
                events: self.events(tenant, now, facts),
                ..Changes::default()
            };
            match self.commit(tenant, changes).await {
                Ok(()) => {
                    return Ok(User {
                        version: change.user.version + 1,
                        ..change.user
                    });
                }
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    /// Whether the user of the tenant may have this password; asked of every one that is set.
    pub(crate) fn accept_password(
        &self,
        tenant: &Tenant,
        user: &User,
        password: &Password,
    ) -> Result<(), PasswordWeakness> {
        let mut names = user.names();
        names.extend([tenant.name.as_str(), tenant.schema.as_str(), PRODUCT]);
        names.extend(tenant.domains.iter().map(|domain| domain.host.as_str()));
        let asked = tenant.settings.password_chars;
        let policy = PasswordPolicy {
            min_chars: asked.map_or(self.settings.passwords.min_chars, |chars| {
                chars.number().into()
            }),
            ..self.settings.passwords
        };
        policy.accept(password, &names)
    }
}

/// What becomes of a user.
pub(crate) struct UserChange {
    /// The user, changed.
    pub(crate) user: User,
    /// What is told of it.
    pub(crate) fact: Option<Fact>,
    /// Why all live sessions ended, where they did.
    pub(crate) ends: Option<SessionEnd>,
}

impl UserChange {
    pub(crate) fn of(changed: Option<(User, Fact)>) -> Option<Self> {
        changed.map(|(user, fact)| Self {
            user,
            fact: Some(fact),
            ends: None,
        })
    }
}

const PRODUCT: &str = "tessera";
