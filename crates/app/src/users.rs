//! What operators do with users: create, list, disable, enable, unlock, set a password, end
//! sessions.

use std::sync::Arc;

use tessera_domain::{
    Actor, Addressee, Change, Changes, EmailAddress, Fact, Id, MailKind, NewUser, Password,
    PasswordPolicy, PasswordWeakness, Profile, Role, Session, SessionEnd, Tenant, User, Username,
};

use crate::administer_tenants::key_of;
use crate::ports::{CommitError, Overloaded, Unavailable, Unique, UserKey};
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
    /// How the user comes by a password.
    pub password: FirstPassword,
}

/// How a new user comes by a password.
#[derive(Clone, Debug)]
pub enum FirstPassword {
    /// It is this one.
    Given(Password),
    /// The user sets one, by a link that goes out in a mail.
    Mailed,
    /// The user sets one, by a link that is asked for afterwards: `Tessera::invite_link`.
    Postponed,
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
        let platform = |role: &Role| role.reads_as(Role::PLATFORM_ADMIN);
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
        let mut mails = Vec::new();
        match command.password {
            FirstPassword::Given(password) => {
                self.accept_password(tenant, &user, &password)?;
                user.password = Some(self.ports.passwords.hash(password).await?);
            }
            FirstPassword::Mailed => {
                let to = Addressee::User(user.id);
                mails.push(self.mail(tenant, MailKind::Invitation, to));
            }
            FirstPassword::Postponed => {}
        }
        let changes = Changes {
            users: vec![Change::Insert(user.clone())],
            mails,
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
        self.change_user(&Actor::Operator, tenant, id, UserChange::disable)
            .await
    }

    /// Lets the user log in again; no session revives.
    pub async fn enable_user(
        &self,
        tenant: &Tenant,
        id: Id<User>,
    ) -> Result<User, ChangeUserError> {
        self.change_user(&Actor::Operator, tenant, id, UserChange::enable)
            .await
    }

    /// Ends the lock that wrong passwords caused.
    pub async fn unlock_user(
        &self,
        tenant: &Tenant,
        id: Id<User>,
    ) -> Result<User, ChangeUserError> {
        self.change_user(&Actor::Operator, tenant, id, UserChange::unlock)
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
                facts: vec![fact],
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
        let decide = |user: &User| Some(UserChange::end_sessions(user));
        self.change_user(&Actor::Operator, tenant, id, decide).await
    }

    /// The tenant of that id, name or schema name, as it was less than a second ago.
    pub async fn tenant(&self, named: &str) -> Result<Option<Arc<Tenant>>, Unavailable> {
        match key_of(named) {
            Some(key) => self.tenant_by(key).await,
            None => Ok(None),
        }
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
        self.change_user_if(by, tenant, id, |user| Ok(decide(user)))
            .await
    }

    /// The same with a `decide` that may refuse.
    pub(crate) async fn change_user_if<E: From<ChangeUserError>>(
        &self,
        by: &Actor,
        tenant: &Tenant,
        id: Id<User>,
        decide: impl Fn(&User) -> Result<Option<UserChange>, E> + Send + Sync,
    ) -> Result<User, E> {
        for _ in 0..ATTEMPTS {
            let user = self.user_to_change(tenant, id).await?;
            let Some(change) = decide(&user)? else {
                return Ok(user);
            };
            match self.commit_change(by, tenant, &user, &change).await {
                Ok(()) => {
                    return Ok(User {
                        version: change.user.version + 1,
                        ..change.user
                    });
                }
                Err(error) => error.unless_stale().map_err(ChangeUserError::from)?,
            }
        }
        Err(ChangeUserError::from(Unavailable::new(Contended)).into())
    }

    pub(crate) async fn user_to_change(
        &self,
        tenant: &Tenant,
        id: Id<User>,
    ) -> Result<User, ChangeUserError> {
        let found = self.ports.store.user(tenant, &UserKey::Id(id)).await?;
        found.ok_or(ChangeUserError::NotFound)
    }

    async fn commit_change(
        &self,
        by: &Actor,
        tenant: &Tenant,
        before: &User,
        change: &UserChange,
    ) -> Result<(), CommitError> {
        let now = self.now();
        let mut facts = change.facts.clone();
        if let Some(why) = change.ends {
            let sessions = self.ports.store.sessions(tenant, before.id).await?;
            facts.extend(before.ended_facts(&sessions, None, why, now));
        }
        let changes = Changes {
            users: vec![Change::Update(change.user.clone())],
            actor: by.clone(),
            events: self.events(tenant, now, facts),
            ..Changes::default()
        };
        self.commit(tenant, changes).await
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
    pub(crate) facts: Vec<Fact>,
    /// Why all live sessions ended, where they did.
    pub(crate) ends: Option<SessionEnd>,
}

impl UserChange {
    pub(crate) fn of(changed: Option<(User, Fact)>) -> Option<Self> {
        changed.map(|(user, fact)| Self {
            user,
            facts: vec![fact],
            ends: None,
        })
    }

    /// The same with one more change, of the user as this one leaves it.
    pub(crate) fn add(&mut self, changed: Option<(User, Fact)>) {
        if let Some((user, fact)) = changed {
            self.user = user;
            self.facts.push(fact);
        }
    }

    pub(crate) fn disable(user: &User) -> Option<Self> {
        Self::of(user.disable()).map(|change| Self {
            ends: Some(SessionEnd::Disabled),
            ..change
        })
    }

    pub(crate) fn enable(user: &User) -> Option<Self> {
        Self::of(user.enable())
    }

    pub(crate) fn end_sessions(user: &User) -> Self {
        Self {
            user: user.in_next_epoch(),
            facts: Vec::new(),
            ends: Some(SessionEnd::Operator),
        }
    }

    pub(crate) fn unlock(user: &User) -> Option<Self> {
        Self::of(user.unlock())
    }
}

const PRODUCT: &str = "tessera";
