//! What happened, told to the rest of the system once it is committed.

use crate::session::Generation;
use crate::{Algorithm, Key};
use crate::{Id, KeyId, Session, Tenant, TenantLayout, TenantSettings, Timestamp, User};

/// Something that happened, as it is stored with the change that it is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its id, by which a consumer knows a repeat.
    pub id: Id<Event>,
    /// When it happened.
    pub at: Timestamp,
    /// In which tenant.
    pub tenant: Id<Tenant>,
    /// To what, as which of its events, and what it was.
    pub fact: Fact,
}

/// An event before it has an id, a moment and a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fact {
    /// What it happened to.
    pub subject: Subject,
    /// The subject's own count of events, from 1, without gaps.
    pub sequence: u64,
    /// What happened.
    pub kind: EventKind,
}

impl Fact {
    /// That a log in failed: an aggregate of its own, so that a stranger cannot make an account's
    /// events wait for each other.
    pub fn login_failed(
        attempt: Id<Attempted>,
        user: Option<Id<User>>,
        why: LoginFailure,
        ip: Option<String>,
    ) -> Self {
        Self {
            subject: Subject::Attempt(attempt),
            sequence: 1,
            kind: EventKind::LoginFailed { user, why, ip },
        }
    }

    /// That somebody signed up with the address of an account: an aggregate of its own, likewise.
    pub fn registration_repeated(
        attempt: Id<Attempted>,
        user: Id<User>,
        ip: Option<String>,
    ) -> Self {
        Self {
            subject: Subject::Attempt(attempt),
            sequence: 1,
            kind: EventKind::RegistrationRepeated { user, ip },
        }
    }

    /// The user whom it concerns: its subject, or whose its subject is.
    pub fn user(&self) -> Option<Id<User>> {
        if let Subject::User(id) = self.subject {
            return Some(id);
        }
        match &self.kind {
            EventKind::LoginFailed { user, .. } => *user,
            EventKind::RefreshReused { user, .. }
            | EventKind::RegistrationRepeated { user, .. }
            | EventKind::SessionEnded { user, .. } => Some(*user),
            EventKind::PasswordChanged
            | EventKind::PasswordResetRequested
            | EventKind::RolesChanged { .. }
            | EventKind::SigningKeyRetired { .. }
            | EventKind::SigningKeyRotated { .. }
            | EventKind::TenantCreated { .. }
            | EventKind::TenantDeleted
            | EventKind::TenantDeletionStarted
            | EventKind::TenantDomainAdded { .. }
            | EventKind::TenantDomainRemoved { .. }
            | EventKind::TenantMoveStarted { .. }
            | EventKind::TenantMoved { .. }
            | EventKind::TenantPrimaryDomainChanged { .. }
            | EventKind::TenantRenamed { .. }
            | EventKind::TenantResumed
            | EventKind::TenantSettingsChanged(_)
            | EventKind::TenantSuspended
            | EventKind::UserCreated { .. }
            | EventKind::UserDeleted
            | EventKind::UserDisabled
            | EventKind::UserEmailChanged { .. }
            | EventKind::UserEmailVerified
            | EventKind::UserEnabled
            | EventKind::UserLocked { .. }
            | EventKind::UserLoggedIn { .. }
            | EventKind::UserProfileChanged { .. }
            | EventKind::UserUnlocked => None,
        }
    }
}

/// A log in that was tried, or a sign up, as the subject of its failure.
#[derive(Debug)]
pub enum Attempted {}

/// The aggregate that an event is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// A failed log in, or a sign up for an address that has an account.
    Attempt(Id<Attempted>),
    /// A key of the key ring.
    Key(Id<Key>),
    /// A session.
    Session(Id<Session>),
    /// A tenant.
    Tenant(Id<Tenant>),
    /// A user.
    User(Id<User>),
}

/// What happened. Never holds a password, a hash, a token or a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// A log in was refused.
    LoginFailed {
        /// The account, where there is one.
        user: Option<Id<User>>,
        /// Why; told to no client.
        why: LoginFailure,
        /// The client's address.
        ip: Option<String>,
    },
    /// A password was changed or set.
    PasswordChanged,
    /// A mail with a token to set another password goes out.
    PasswordResetRequested,
    /// A refresh token that had been replaced was used again.
    RefreshReused {
        /// Whose it was.
        user: Id<User>,
        /// The generation that came.
        presented: Generation,
        /// The generation that was live.
        current: Generation,
    },
    /// Somebody signed up with the address of an account, which changes nothing of it.
    RegistrationRepeated {
        /// Whose address it is.
        user: Id<User>,
        /// The client's address.
        ip: Option<String>,
    },
    /// A user has other roles, or another flag that is carried beside them.
    RolesChanged {
        /// All that the user now has.
        roles: Vec<String>,
        /// The flag; grants nothing here.
        is_superuser: bool,
    },
    /// A session ended before its time.
    SessionEnded {
        /// Whose it was.
        user: Id<User>,
        /// Why.
        why: SessionEnd,
    },
    /// A signing key stopped verifying.
    SigningKeyRetired {
        /// Its `kid`.
        key: KeyId,
    },
    /// A new signing key was made.
    SigningKeyRotated {
        /// Its `kid`.
        key: KeyId,
        /// Its algorithm.
        algorithm: Algorithm,
        /// From when on it signs.
        signs_from: Timestamp,
    },
    /// A tenant was made.
    TenantCreated {
        /// Its name.
        name: String,
        /// Where it lives.
        schema: String,
    },
    /// A tenant is no more, nor is anything that was its own.
    TenantDeleted,
    /// A tenant is closed for good, and what is its own is being removed.
    TenantDeletionStarted,
    /// A tenant got a domain.
    TenantDomainAdded {
        /// The domain.
        domain: String,
    },
    /// A domain is no longer a tenant's own.
    TenantDomainRemoved {
        /// The domain.
        domain: String,
    },
    /// A tenant is on the way to another layout, and answers nobody meanwhile.
    TenantMoveStarted {
        /// The layout.
        to: TenantLayout,
    },
    /// A tenant is kept in another layout.
    TenantMoved {
        /// The layout.
        layout: TenantLayout,
    },
    /// Another one of a tenant's domains is the one that clients show and build links with.
    TenantPrimaryDomainChanged {
        /// The domain.
        domain: String,
    },
    /// A tenant is called otherwise.
    TenantRenamed {
        /// Its name.
        name: String,
    },
    /// A tenant is open again.
    TenantResumed,
    /// Other settings hold for the accounts of a tenant.
    TenantSettingsChanged(TenantSettings),
    /// A tenant is closed to everybody.
    TenantSuspended,
    /// An account was made.
    UserCreated {
        /// The address.
        email: Option<String>,
        /// The other name.
        username: Option<String>,
        /// Given name.
        first_name: String,
        /// Family name.
        last_name: String,
        /// The roles.
        roles: Vec<String>,
    },
    /// An account is no more.
    UserDeleted,
    /// An account can no longer log in.
    UserDisabled,
    /// An account has another address, which its owner proved.
    UserEmailChanged {
        /// The new address.
        email: String,
    },
    /// The owner of the address proved it.
    UserEmailVerified,
    /// An account can log in again.
    UserEnabled,
    /// An account was locked against guessing.
    UserLocked {
        /// When the lock ends.
        until: Timestamp,
        /// How many wrong passwords led to it.
        failures: u32,
    },
    /// A user logged in.
    UserLoggedIn {
        /// The session that began.
        session: Id<Session>,
        /// The client's address.
        ip: Option<String>,
        /// The `User-Agent`.
        user_agent: Option<String>,
    },
    /// A user is called otherwise, or does something else.
    UserProfileChanged {
        /// Given name.
        first_name: String,
        /// Family name.
        last_name: String,
        /// What the user does in the tenant's organisation.
        job_role: String,
    },
    /// An operator ended the lock of an account.
    UserUnlocked,
}

/// Why a log in was refused. Only events and the operator's log may tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoginFailure {
    /// The account is disabled.
    Disabled,
    /// The account is locked against guessing.
    Locked,
    /// The tenant is suspended.
    SuspendedTenant,
    /// There is no tenant of that name.
    UnknownTenant,
    /// There is no account of that name.
    UnknownUser,
    /// The address was not verified, which this installation asks for.
    Unverified,
    /// The password is not the one.
    WrongPassword,
}

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionEnd {
    /// The account was deleted.
    Deleted,
    /// The account was disabled.
    Disabled,
    /// Too many wrong passwords were given in it.
    Guessing,
    /// The user had too many.
    Limit,
    /// The user logged out.
    LogOut,
    /// The user logged out everywhere.
    LogOutEverywhere,
    /// An operator ended it.
    Operator,
    /// The password was changed.
    PasswordChange,
    /// A replaced refresh token came again.
    Reuse,
    /// The user ended it from another session.
    Revoked,
}
