//! What tenants, users, sessions and tokens are and how they may change.
//!
//! Everything here is a value or a pure, synchronous function: no I/O, no clock, no randomness.
//! A type cannot hold a wrong value: what comes from outside goes through a `parse` that says
//! what is wrong, what comes from a store through a `restore` that trusts it. A function that
//! depends on time takes `now`; one that needs an id takes it.
//!
//! Each decision answers with a new value and with the [`Fact`]s to record; the use case gathers
//! them into one [`Changes`] and commits it: all of it or nothing.

#![warn(missing_docs)]

mod changes;
mod delivery;
mod email;
mod event;
mod fold;
mod id;
mod key;
mod lockout;
mod mail;
mod mailed_token;
mod name_prefix;
mod password;
mod session;
mod tenancy;
mod tenant;
mod time;
mod token;
mod user;
mod username;

pub use changes::{Actor, Change, Changes, Installation};
pub use delivery::{RetryPolicy, Standing, Waiting};
pub use email::{EmailAddress, EmailAddressError};
pub use event::{Attempted, Event, EventKind, Fact, LoginFailure, SessionEnd, Subject};
pub use fold::invisible;
pub use id::{Id, IdError};
pub use key::{Algorithm, Key, KeyId, KeyOrigin, KeyPurpose, KeyRotation, UnknownAlgorithm};
pub use lockout::{Lockout, LockoutPolicy};
pub use mail::{Addressee, Mail, MailKind, UnknownMailKind};
pub use mailed_token::{
    MailedDigest, MailedSecret, MailedToken, MailedTokenPolicy, MailedTokenPurpose, UnknownPurpose,
};
pub use name_prefix::NamePrefix;
pub use password::{Password, PasswordChars, PasswordPolicy, PasswordRecord, PasswordWeakness};
pub use session::{Dead, Device, Generation, Refresh, Room, Session, SessionEnded};
pub use tenancy::{Chosen, Contradiction, Explicit, Hint, Hints, TenantOrder, TenantOrderError};
pub use tenant::{
    HostName, HostNameError, JobRoleBy, MailSender, MailSenderError, Origin, OriginError,
    Registration, SchemaName, Tenant, TenantDomain, TenantLayout, TenantName, TenantNameError,
    TenantSettings, TenantSettingsError, TenantStatus, TokenIssuer, UnknownChoice,
    issuer_of_tenant,
};
pub use time::Timestamp;
pub use token::{AccessClaims, RefreshClaims, Rotation, TokenPolicy};
pub use user::{
    Attempt, Epoch, NewUser, Profile, ProfileError, Role, RoleError, User, UserStatus, Verdict,
};
pub use username::{Username, UsernameError};
