//! Users, and what may happen to them.

use crate::event::{EventKind, Fact, LoginFailure, SessionEnd, Subject};
use crate::fold::{fold, invisible};
use crate::{
    Device, EmailAddress, Id, Lockout, LockoutPolicy, PasswordRecord, Session, Timestamp, Username,
};

/// A user of one tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// Its id, `sub` in tokens.
    pub id: Id<User>,
    /// Its id in the service it was imported from: what clients see as `id` then.
    pub external_id: Option<String>,
    /// The address, unique in the tenant by its key; imported users may have none.
    pub email: Option<EmailAddress>,
    /// Whether the owner of the address has proved it.
    pub email_verified: bool,
    /// The other name, unique in the tenant by its key.
    pub username: Option<Username>,
    /// What the user is called and does.
    pub profile: Profile,
    /// The roles, without repetition; the first is the one shown as `role`.
    pub roles: Vec<Role>,
    /// Carried for clients; grants nothing here.
    pub is_superuser: bool,
    /// Whether the user may log in.
    pub status: UserStatus,
    /// What is kept of the password; without one nobody logs in with a password.
    pub password: Option<PasswordRecord>,
    /// The lock against guessing.
    pub lockout: Lockout,
    /// Sessions of an earlier epoch are dead.
    pub epoch: Epoch,
    /// When the account was made.
    pub joined_at: Timestamp,
    /// When the user last logged in.
    pub last_login: Option<Timestamp>,
    /// How many events the user has had.
    pub events: u64,
    /// The version this value was read at; a write of a stale one is refused.
    pub version: u64,
}

impl User {
    /// A new user.
    pub fn create(new: NewUser, id: Id<Self>, now: Timestamp) -> (Self, Fact) {
        let mut user = Self {
            id,
            external_id: None,
            email: new.email,
            email_verified: new.email_verified,
            username: new.username,
            profile: new.profile,
            roles: each_once(new.roles),
            is_superuser: new.is_superuser,
            status: UserStatus::Active,
            password: new.password,
            lockout: Lockout::default(),
            epoch: Epoch::FIRST,
            joined_at: now,
            last_login: None,
            events: 0,
            version: 0,
        };
        let fact = user.record(EventKind::UserCreated {
            email: user.email.as_ref().map(|email| email.as_str().to_owned()),
            username: user.username.as_ref().map(|name| name.as_str().to_owned()),
            first_name: user.profile.first_name.clone(),
            last_name: user.profile.last_name.clone(),
            roles: user.role_names(),
        });
        (user, fact)
    }

    /// What a log in with this `verdict` on the password leads to.
    ///
    /// A verdict may be told only once what this answers is committed.
    pub fn attempt(&self, verdict: Verdict, now: Timestamp, policy: &LockoutPolicy) -> Attempt {
        if self.status == UserStatus::Disabled {
            return Attempt::Refused(LoginFailure::Disabled);
        }
        if self.lockout.is_locked(now) && policy.free.is_some() {
            return Attempt::Refused(LoginFailure::Locked);
        }
        match verdict {
            Verdict::Match => Attempt::Admitted(Box::new(Self {
                lockout: Lockout::default(),
                last_login: Some(now),
                ..self.clone()
            })),
            Verdict::Mismatch => self.count_failure(now, policy),
        }
    }

    /// That the user logged in, beginning `session`.
    pub fn logged_in(&mut self, session: Id<Session>, device: &Device) -> Fact {
        self.record(EventKind::UserLoggedIn {
            session,
            ip: device.ip.clone(),
            user_agent: device.user_agent.clone(),
        })
    }

    /// The user with another password, and all sessions dead.
    pub fn set_password(&self, record: PasswordRecord) -> (Self, Fact) {
        let mut user = self.in_next_epoch();
        user.password = Some(record);
        let fact = user.record(EventKind::PasswordChanged);
        (user, fact)
    }

    /// The user with another password that somebody set who reads the mails of the address: all
    /// sessions are dead, a lock is over, the address is proved.
    pub fn reset_password(&self, record: PasswordRecord) -> (Self, Vec<Fact>) {
        let (mut user, changed) = self.set_password(record);
        user.lockout = Lockout::default();
        let mut facts = vec![changed];
        if let Some((verified, fact)) = user.verify_email() {
            user = verified;
            facts.push(fact);
        }
        (user, facts)
    }

    /// The user whose address is proved; none when it was, or there is none.
    pub fn verify_email(&self) -> Option<(Self, Fact)> {
        (self.email.is_some() && !self.email_verified).then(|| {
            let mut user = self.clone();
            user.email_verified = true;
            let fact = user.record(EventKind::UserEmailVerified);
            (user, fact)
        })
    }

    /// The user with another address, which its owner has proved.
    pub fn change_email(&self, email: EmailAddress) -> (Self, Fact) {
        let mut user = self.clone();
        let kind = EventKind::UserEmailChanged {
            email: email.as_str().to_owned(),
        };
        user.email = Some(email);
        user.email_verified = true;
        let fact = user.record(kind);
        (user, fact)
    }

    /// The user who is called otherwise; none when nothing changes.
    pub fn change_profile(&self, profile: Profile) -> Option<(Self, Fact)> {
        (self.profile != profile).then(|| {
            let mut user = self.clone();
            let fact = user.record(EventKind::UserProfileChanged {
                first_name: profile.first_name.clone(),
                last_name: profile.last_name.clone(),
                job_role: profile.job_role.clone(),
            });
            user.profile = profile;
            (user, fact)
        })
    }

    /// The user with other roles, each once, and that flag; none when nothing changes.
    pub fn change_roles(&self, roles: Vec<Role>, is_superuser: bool) -> Option<(Self, Fact)> {
        let roles = each_once(roles);
        (self.roles != roles || self.is_superuser != is_superuser).then(|| {
            let mut user = self.clone();
            user.roles = roles;
            user.is_superuser = is_superuser;
            let fact = user.record(EventKind::RolesChanged {
                roles: user.role_names(),
                is_superuser,
            });
            (user, fact)
        })
    }

    /// Whether the user has the role of exactly that name.
    pub fn has_role(&self, name: &str) -> bool {
        self.roles.iter().any(|role| role.as_str() == name)
    }

    /// That a mail with a token to set another password goes out.
    pub fn password_reset_requested(&self) -> (Self, Fact) {
        let mut user = self.clone();
        let fact = user.record(EventKind::PasswordResetRequested);
        (user, fact)
    }

    /// That the account is no more.
    pub fn deleted(&self) -> Fact {
        self.clone().record(EventKind::UserDeleted)
    }

    /// The user, no longer able to log in, and all sessions dead for good; none when so already.
    pub fn disable(&self) -> Option<(Self, Fact)> {
        (self.status == UserStatus::Active).then(|| {
            let mut user = self.in_next_epoch();
            user.status = UserStatus::Disabled;
            let fact = user.record(EventKind::UserDisabled);
            (user, fact)
        })
    }

    /// The user, able to log in again; no session revives. None when so already.
    pub fn enable(&self) -> Option<(Self, Fact)> {
        (self.status == UserStatus::Disabled).then(|| {
            let mut user = self.clone();
            user.status = UserStatus::Active;
            let fact = user.record(EventKind::UserEnabled);
            (user, fact)
        })
    }

    /// The user without a lock; none when nothing was counted.
    pub fn unlock(&self) -> Option<(Self, Fact)> {
        (self.lockout != Lockout::default()).then(|| {
            let mut user = self.clone();
            user.lockout = Lockout::default();
            let fact = user.record(EventKind::UserUnlocked);
            (user, fact)
        })
    }

    /// The user with all sessions dead.
    #[must_use]
    pub fn in_next_epoch(&self) -> Self {
        Self {
            epoch: self.epoch.next(),
            ..self.clone()
        }
    }

    /// That each live session of `sessions` but `spared` ended with the user's epoch.
    pub fn ended_facts(
        &self,
        sessions: &[Session],
        spared: Option<Id<Session>>,
        why: SessionEnd,
        now: Timestamp,
    ) -> Vec<Fact> {
        sessions
            .iter()
            .filter(|session| session.is_live(self.epoch, now) && Some(session.id) != spared)
            .map(|session| session.ended_fact(why))
            .collect()
    }

    /// The id that clients see: the imported one where there is one.
    pub fn shown_id(&self) -> String {
        self.external_id
            .clone()
            .unwrap_or_else(|| self.id.to_string())
    }

    /// The roles' names, in their order.
    pub fn role_names(&self) -> Vec<String> {
        self.roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect()
    }

    /// The names a password of this user may not be made of.
    pub fn names(&self) -> Vec<&str> {
        let email = self.email.as_ref().map(EmailAddress::as_str);
        let local = email.and_then(|email| Some(email.rsplit_once('@')?.0));
        let username = self.username.as_ref().map(Username::as_str);
        let profile = [&*self.profile.first_name, &*self.profile.last_name];
        [email, local, username]
            .into_iter()
            .flatten()
            .chain(profile)
            .filter(|name| !name.is_empty())
            .collect()
    }

    fn count_failure(&self, now: Timestamp, policy: &LockoutPolicy) -> Attempt {
        if policy.free.is_none() {
            return Attempt::Refused(LoginFailure::WrongPassword);
        }
        let mut user = self.clone();
        user.lockout = self.lockout.fail(now, policy);
        let locked = user.lockout.until.map(|until| {
            user.record(EventKind::UserLocked {
                until,
                failures: user.lockout.failures,
            })
        });
        Attempt::Failed {
            user: Box::new(user),
            locked,
        }
    }

    fn record(&mut self, kind: EventKind) -> Fact {
        self.events += 1;
        Fact {
            subject: Subject::User(self.id),
            sequence: self.events,
            kind,
        }
    }
}

fn each_once(roles: Vec<Role>) -> Vec<Role> {
    let mut once: Vec<Role> = Vec::with_capacity(roles.len());
    for role in roles {
        if !once.contains(&role) {
            once.push(role);
        }
    }
    once
}

/// What is needed to make a user.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// The address.
    pub email: Option<EmailAddress>,
    /// Whether the owner of the address has proved it.
    pub email_verified: bool,
    /// The other name.
    pub username: Option<Username>,
    /// What the user is called and does.
    pub profile: Profile,
    /// The roles, in the order in which tokens show them.
    pub roles: Vec<Role>,
    /// Carried for clients; grants nothing here.
    pub is_superuser: bool,
    /// What is kept of the password.
    pub password: Option<PasswordRecord>,
}

/// What a user is called and does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Profile {
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// What the user does in the tenant's organisation.
    pub job_role: String,
}

impl Profile {
    /// Reads one of its texts, as a user gives it: kept as it is.
    pub fn text(text: &str) -> Result<String, ProfileError> {
        let fits = text.chars().count() <= PROFILE_CHARS;
        fits.then(|| text.to_owned()).ok_or(ProfileError)
    }
}

/// The text is too long for a profile.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Ensure this field has no more than {PROFILE_CHARS} characters.")]
pub struct ProfileError;

/// As many as the services had that Tessera replaces.
const PROFILE_CHARS: usize = 150;

/// The name of a role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Role(String);

impl Role {
    /// Administers all tenants; means something in the default tenant alone.
    pub const PLATFORM_ADMIN: &str = "platform-admin";
    /// Administers the own tenant.
    pub const TENANT_ADMIN: &str = "tenant-admin";

    /// Reads a role's name.
    pub fn parse(text: &str) -> Result<Self, RoleError> {
        let name = text.trim();
        let fits = !name.is_empty() && name.chars().count() <= 64;
        (fits && !name.contains(invisible) && !name.contains(','))
            .then(|| Self(name.to_owned()))
            .ok_or(RoleError)
    }

    /// A name that a store kept.
    pub fn restore(name: String) -> Self {
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `name`, or reads like it: services that look at tokens may be less exact about
    /// case and form.
    pub fn reads_as(&self, name: &str) -> bool {
        fold(&self.0) == name
    }
}

/// The text is not a role's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a role has 1 to 64 characters, none of them a comma or invisible")]
pub struct RoleError;

/// Whether a user may log in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UserStatus {
    /// May log in.
    Active,
    /// May not.
    Disabled,
}

/// Counts the times that all sessions of a user were ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch of a new user.
    pub const FIRST: Self = Self(1);

    /// The epoch with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, from 1.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Whether a password is the one of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is.
    Match,
    /// It is not, or there is no record.
    Mismatch,
}

/// What a log in leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Attempt {
    /// A session may begin for this user.
    Admitted(Box<User>),
    /// The password was wrong, which counts.
    Failed {
        /// The user with the failure counted.
        user: Box<User>,
        /// That the failure locked the account.
        locked: Option<Fact>,
    },
    /// Nothing of the user changes.
    Refused(LoginFailure),
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn user() -> User {
        let new = NewUser {
            email: EmailAddress::parse("ada@example.com").ok(),
            password: Some(PasswordRecord::new("record".to_owned())),
            ..NewUser::default()
        };
        User::create(new, Id::new(at(0), [1; 10]), at(0)).0
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_locked_account_refuses_the_right_password_until_the_lock_ends() {
        let policy = LockoutPolicy::default();
        let mut ada = user();
        for _ in 0..5 {
            let Attempt::Failed { user, .. } = ada.attempt(Verdict::Mismatch, at(1), &policy)
            else {
                panic!("a wrong password counts");
            };
            ada = *user;
        }
        let right = |secs| ada.attempt(Verdict::Match, at(secs), &policy);
        assert_eq!(right(2), Attempt::Refused(LoginFailure::Locked));
        let Attempt::Admitted(admitted) = right(31) else {
            panic!("the lock is over");
        };
        assert_eq!(admitted.lockout, Lockout::default());
    }

    #[test]
    fn a_lock_touches_no_session() {
        let policy = LockoutPolicy::default();
        let mut ada = user();
        let before = ada.epoch;
        for _ in 0..5 {
            if let Attempt::Failed { user, .. } = ada.attempt(Verdict::Mismatch, at(1), &policy) {
                ada = *user;
            }
        }
        assert!(ada.lockout.is_locked(at(1)));
        assert_eq!(ada.epoch, before);
    }

    #[test]
    fn roles_keep_their_order_and_come_once() {
        let named = |names: &[&str]| -> Vec<Role> {
            names
                .iter()
                .map(|name| Role::parse(name).unwrap())
                .collect()
        };
        let (ada, fact) = user()
            .change_roles(named(&["editor", "admin", "editor"]), true)
            .unwrap();
        assert_eq!(ada.role_names(), ["editor", "admin"]);
        let expected = EventKind::RolesChanged {
            roles: ada.role_names(),
            is_superuser: true,
        };
        assert_eq!(fact.kind, expected);
        assert!(
            ada.change_roles(named(&["editor", "admin"]), true)
                .is_none()
        );
        assert!(
            ada.change_roles(named(&["admin", "editor"]), true)
                .is_some()
        );
        assert!(
            ada.change_roles(named(&["editor", "admin"]), false)
                .is_some()
        );
    }

    #[test]
    fn a_role_in_another_spelling_reads_as_the_same_but_is_another() {
        for spelling in ["Platform-Admin", "PLATFORM-ADMIN", "ｐlatform-admin"] {
            let role = Role::parse(spelling).unwrap();
            assert!(role.reads_as(Role::PLATFORM_ADMIN), "{spelling}");
            let (ada, _) = user().change_roles(vec![role], false).unwrap();
            assert!(!ada.has_role(Role::PLATFORM_ADMIN), "{spelling}");
        }
        for other in ["platform-admins", "tenant-admin", "platform_admin"] {
            assert!(!Role::parse(other).unwrap().reads_as(Role::PLATFORM_ADMIN));
        }
    }

    #[test]
    fn enabling_revives_no_session() {
        let ada = user();
        let (disabled, _) = ada.disable().unwrap();
        let (enabled, _) = disabled.enable().unwrap();
        assert!(enabled.epoch > ada.epoch);
        assert_eq!(
            disabled.attempt(Verdict::Match, at(1), &LockoutPolicy::default()),
            Attempt::Refused(LoginFailure::Disabled)
        );
    }

    proptest! {
        #[test]
        fn a_users_events_are_numbered_without_gaps(steps in prop::collection::vec(0_u8..5, 0..40)) {
            let policy = LockoutPolicy { free: Some(2), ..LockoutPolicy::default() };
            let (mut ada, mut sequence, mut now) = (user(), 1, at(1));
            for step in steps {
                now = now + Duration::from_secs(20);
                let changed = match step {
                    0 => ada.disable(),
                    1 => ada.enable(),
                    2 => ada.unlock(),
                    3 => Some(ada.set_password(PasswordRecord::new("other".to_owned()))),
                    _ => match ada.attempt(Verdict::Mismatch, now, &policy) {
                        Attempt::Failed { user, locked: Some(fact) } => Some((*user, fact)),
                        Attempt::Failed { user, locked: None } => { ada = *user; None }
                        Attempt::Admitted(_) | Attempt::Refused(_) => None,
                    },
                };
                if let Some((user, fact)) = changed {
                    sequence += 1;
                    prop_assert_eq!(fact.sequence, sequence);
                    ada = user;
                }
                prop_assert_eq!(ada.events, sequence);
            }
        }
    }
}
