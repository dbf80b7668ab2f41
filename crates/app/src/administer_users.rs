//! What administrators do with users: find them, invite, change, disable, unlock, end sessions,
//! delete. Nobody sets or learns a password here, and nobody logs in as somebody else.

use std::sync::Arc;

use tessera_domain::{
    Actor, EmailAddress, Id, NamePrefix, Profile, Role, SessionEnd, Tenant, User, UserStatus,
    Username,
};

use crate::ports::{Unavailable, UserKey};
use crate::purview::{NotPermitted, Purview};
use crate::resolve_tenant::{exists, stays};
use crate::users::{ChangeUserError, CreateUser, CreateUserError, FirstPassword, UserChange};
use crate::validate::Caller;
use crate::{ATTEMPTS, Contended, Tessera};

/// The users of one tenant, for somebody who may administer them.
#[derive(Clone, Debug)]
pub struct UserAdministration {
    by: Actor,
    purview: Purview,
    tenant: Arc<Tenant>,
}

/// Which users are asked for: those of whom all that is named is true.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UserFilter {
    /// Address or username begin so, by their keys.
    pub search: Option<NamePrefix>,
    /// They have this role.
    pub role: Option<Role>,
    /// They may log in, or not.
    pub status: Option<UserStatus>,
    /// The address is proved, or not.
    pub email_verified: Option<bool>,
}

/// A request to make a user who sets the password.
#[derive(Clone, Debug)]
pub struct InviteUser {
    /// The address, which the link that is mailed there proves.
    pub email: EmailAddress,
    /// The other name.
    pub username: Option<Username>,
    /// What the user is called and does.
    pub profile: Profile,
    /// The roles, in the order in which tokens show them.
    pub roles: Vec<Role>,
    /// Carried for clients; the platform's administrators alone say so.
    pub is_superuser: bool,
}

/// Some of the users of a tenant, in the order of their ids.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserPage {
    /// The users.
    pub users: Vec<User>,
    /// The user after whom the next page begins, while there are more.
    pub next: Option<Id<User>>,
}

/// What becomes of a user; what is not named stays. Whether the address is proved is for its owner
/// to show.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AmendUser {
    /// The roles.
    pub roles: Option<Roles>,
    /// Whether the user may log in; who may not any more has no session left.
    pub is_active: Option<bool>,
    /// Carried for clients; the platform's administrators alone say so.
    pub is_superuser: Option<bool>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// What the user does there.
    pub job_role: Option<String>,
}

/// Which roles a user is to have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Roles {
    /// Those that the user has, without some, and then some more.
    Adjusted {
        /// These come at the end, unless the user has them.
        add: Vec<Role>,
        /// These go.
        remove: Vec<Role>,
    },
    /// These, in this order.
    These(Vec<Role>),
}

/// Why there are no users to administer.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// The caller administers nothing, or not that tenant.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
}

/// Why a user was not invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteUserError {
    /// No user can be made like that.
    #[error(transparent)]
    Create(#[from] CreateUserError),
    /// It would be more than the caller's own.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
}

/// Why nothing becomes of a user.
#[derive(Debug, thiserror::Error)]
pub enum AdministerUserError {
    /// It cannot be done with any user.
    #[error(transparent)]
    Change(#[from] ChangeUserError),
    /// It would be more than the caller's own, or with somebody who has more.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The caller would be locked out.
    #[error("nobody disables or deletes themselves, or gives up the role that this takes")]
    Oneself,
    /// `platform-admin` is a role of the default tenant.
    #[error("the role `platform-admin` exists in the default tenant only")]
    PlatformRole,
}

impl Tessera {
    /// The users that the caller administers: those of the own tenant; for an administrator of the
    /// platform those of the tenant that is named, by name, schema name or id, else of the own one.
    ///
    /// Whoever administers one tenant is told alike of another one and of one that does not exist.
    pub async fn administer_users(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
    ) -> Result<UserAdministration, AdministrationError> {
        let purview = Purview::of(caller)?;
        let named = match tenant {
            Some(named) => Some(self.tenant(named).await?),
            None => None,
        };
        let tenant = match (purview, named) {
            (Purview::Installation, Some(named)) => named
                .filter(|tenant| exists(tenant))
                .ok_or(AdministrationError::UnknownTenant)?,
            (Purview::Tenant(own), Some(named)) if named.as_ref().map(|it| it.id) != Some(own) => {
                return Err(NotPermitted.into());
            }
            (Purview::Installation, None) | (Purview::Tenant(_), _) => {
                Arc::new(caller.tenant.clone())
            }
        };
        stays(&tenant)?;
        Ok(UserAdministration {
            by: caller.actor(),
            purview,
            tenant,
        })
    }

    /// The users that the filter lets through, after the user `after`; at most `limit`.
    pub async fn user_page(
        &self,
        of: &UserAdministration,
        filter: &UserFilter,
        after: Option<Id<User>>,
        limit: usize,
    ) -> Result<UserPage, Unavailable> {
        let (store, one_more) = (&self.ports.store, limit.saturating_add(1));
        let mut users = store.users(&of.tenant, filter, after, one_more).await?;
        let more = users.len() > limit;
        users.truncate(limit);
        let last = users.last().map(|user| user.id);
        let next = last.filter(|_| more);
        Ok(UserPage { users, next })
    }

    /// The user of that id, where there is one among them.
    pub async fn administered_user(
        &self,
        of: &UserAdministration,
        id: Id<User>,
    ) -> Result<Option<User>, Unavailable> {
        let key = UserKey::Id(id);
        self.ports.store.user(&of.tenant, &key).await
    }

    /// Makes a user, who is sent a link to set a password.
    pub async fn invite_user(
        &self,
        of: &UserAdministration,
        command: InviteUser,
    ) -> Result<User, InviteUserError> {
        of.check_grant(&[], &command.roles)?;
        of.check_above(command.is_superuser)?;
        let command = CreateUser {
            email: command.email,
            email_verified: false,
            username: command.username,
            profile: command.profile,
            roles: command.roles,
            is_superuser: command.is_superuser,
            password: FirstPassword::Mailed,
        };
        Ok(self.create_user(&of.by, &of.tenant, command).await?)
    }

    /// Changes a user; all of it, or nothing.
    pub async fn amend_user(
        &self,
        of: &UserAdministration,
        id: Id<User>,
        command: AmendUser,
    ) -> Result<User, AdministerUserError> {
        let decide = |user: &User| of.amend(user, &command);
        self.change_user_if(&of.by, &of.tenant, id, decide).await
    }

    /// Ends the lock that wrong passwords caused.
    pub async fn lift_lock(
        &self,
        of: &UserAdministration,
        id: Id<User>,
    ) -> Result<User, AdministerUserError> {
        let decide = |user: &User| {
            of.check_target(user)?;
            Ok(UserChange::unlock(user))
        };
        self.change_user_if(&of.by, &of.tenant, id, decide).await
    }

    /// Ends all sessions of a user.
    pub async fn end_sessions_of(
        &self,
        of: &UserAdministration,
        id: Id<User>,
    ) -> Result<User, AdministerUserError> {
        let decide = |user: &User| {
            of.check_target(user)?;
            Ok(Some(UserChange::end_sessions(user)))
        };
        self.change_user_if(&of.by, &of.tenant, id, decide).await
    }

    /// Deletes a user, with all sessions and the events of before.
    pub async fn delete_user(
        &self,
        of: &UserAdministration,
        id: Id<User>,
    ) -> Result<(), AdministerUserError> {
        for _ in 0..ATTEMPTS {
            let user = self.user_to_change(&of.tenant, id).await?;
            of.check_target(&user)?;
            if of.is_by(&user) {
                return Err(AdministerUserError::Oneself);
            }
            // What a user becomes meanwhile is another version, with which this commit is stale.
            let removed = self.remove_user(&of.tenant, &user, of.by.clone()).await;
            match removed {
                Ok(()) => return Ok(()),
                Err(error) => error.unless_stale().map_err(ChangeUserError::from)?,
            }
        }
        Err(ChangeUserError::from(Unavailable::new(Contended)).into())
    }
}

impl UserAdministration {
    /// The users of the tenant, for whoever runs the installation.
    pub fn of_operator(tenant: impl Into<Arc<Tenant>>) -> Self {
        Self {
            by: Actor::Operator,
            purview: Purview::Installation,
            tenant: tenant.into(),
        }
    }

    /// Whose users they are.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What becomes of the user, if that may be; none when nothing changes.
    fn amend(
        &self,
        user: &User,
        command: &AmendUser,
    ) -> Result<Option<UserChange>, AdministerUserError> {
        self.check_target(user)?;
        let mut change = UserChange {
            user: user.clone(),
            facts: Vec::new(),
            ends: None,
        };
        let profile = command.profile(&user.profile);
        change.add(change.user.change_profile(profile));
        let roles = match &command.roles {
            Some(roles) => roles.of(user),
            None => user.roles.clone(),
        };
        self.check_roles(user, &roles)?;
        let is_superuser = command.is_superuser.unwrap_or(user.is_superuser);
        self.check_above(is_superuser != user.is_superuser)?;
        change.add(change.user.change_roles(roles, is_superuser));
        match command.is_active {
            Some(true) => change.add(change.user.enable()),
            Some(false) if self.is_by(user) => return Err(AdministerUserError::Oneself),
            Some(false) => {
                change.add(change.user.disable());
                let ended = user.status == UserStatus::Active;
                change.ends = ended.then_some(SessionEnd::Disabled);
            }
            None => {}
        }
        Ok(Some(change).filter(|change| !change.facts.is_empty()))
    }

    /// Whether the caller may have the user go from the roles of now to those.
    fn check_roles(&self, user: &User, roles: &[Role]) -> Result<(), AdministerUserError> {
        self.check_grant(&user.roles, roles)?;
        let has = |roles: &[Role], name: &str| roles.iter().any(|role| role.as_str() == name);
        let new = |role: &&Role| !user.roles.contains(role);
        let platform = |role: &Role| role.reads_as(Role::PLATFORM_ADMIN);
        if !self.tenant.is_default() && roles.iter().filter(new).any(platform) {
            return Err(AdministerUserError::PlatformRole);
        }
        let needed = match self.purview {
            Purview::Installation => Role::PLATFORM_ADMIN,
            Purview::Tenant(_) => Role::TENANT_ADMIN,
        };
        if self.is_by(user) && !has(roles, needed) {
            return Err(AdministerUserError::Oneself);
        }
        Ok(())
    }

    /// Whether the caller may give and take the roles in which these two differ: nobody who
    /// administers one tenant those that read like one above it.
    fn check_grant(&self, before: &[Role], after: &[Role]) -> Result<(), NotPermitted> {
        let given = after.iter().filter(|role| !before.contains(role));
        let taken = before.iter().filter(|role| !after.contains(role));
        let above = given
            .chain(taken)
            .any(|role| role.reads_as(Role::PLATFORM_ADMIN));
        self.check_above(above)
    }

    /// Whether the caller may do anything with the user: not with one who administers more.
    fn check_target(&self, user: &User) -> Result<(), NotPermitted> {
        self.check_above(self.tenant.is_default() && user.has_role(Role::PLATFORM_ADMIN))
    }

    /// Whether the caller may do what is, or is not, for administrators of the platform alone.
    fn check_above(&self, above: bool) -> Result<(), NotPermitted> {
        match self.purview {
            Purview::Tenant(_) if above => Err(NotPermitted),
            Purview::Installation | Purview::Tenant(_) => Ok(()),
        }
    }

    /// Whether the user is who calls.
    fn is_by(&self, user: &User) -> bool {
        match &self.by {
            Actor::User { id, tenant, .. } => *id == user.id && *tenant == self.tenant.id,
            Actor::Anybody { .. } | Actor::Operator | Actor::Service => false,
        }
    }
}

impl AmendUser {
    fn profile(&self, so_far: &Profile) -> Profile {
        let or = |new: &Option<String>, old: &String| new.as_ref().unwrap_or(old).clone();
        Profile {
            first_name: or(&self.first_name, &so_far.first_name),
            last_name: or(&self.last_name, &so_far.last_name),
            job_role: or(&self.job_role, &so_far.job_role),
        }
    }
}

impl Roles {
    /// The roles that the user then has.
    fn of(&self, user: &User) -> Vec<Role> {
        match self {
            Self::Adjusted { add, remove } => {
                let mut roles = user.roles.clone();
                roles.retain(|role| !remove.contains(role));
                roles.extend(add.iter().cloned());
                roles
            }
            Self::These(roles) => roles.clone(),
        }
    }
}
