//! What the service can do, one use case a file, and the ports it needs.
//!
//! A use case is a method of [`Tessera`]: it reads through the ports, lets a pure function of
//! `tessera-domain` decide, and hands the store one [`Changes`] to
//! commit. When something changed since it was read, the commit is refused as stale and the use
//! case starts again on fresh data, a bounded number of times. No use case holds a transaction or
//! a lock while it waits, so a caller may drop its future at any await.

#![warn(missing_docs)]

use core::fmt;

use tessera_domain::{
    Changes, Event, Fact, Id, LockoutPolicy, MailedTokenPolicy, PasswordPolicy, Registration,
    Tenant, TenantLayout, TenantOrder, Timestamp, TokenPolicy,
};
use tokio::sync::Notify;

mod account;
mod administer_audit;
mod administer_events;
mod administer_settings;
mod administer_tenants;
mod administer_users;
mod allowed_origin;
mod audit_trail;
mod awaited;
mod change_email;
mod change_password;
mod delete_tenant;
mod event_log;
mod fresh_log_in;
mod grant;
mod invite;
mod keys;
mod link;
mod log_in;
mod log_out;
mod mail_queue;
mod mail_relay;
mod mailed_token;
mod move_tenant;
mod own_issuer;
mod ports;
mod prepare;
mod prune;
mod purview;
mod ready;
mod refresh;
mod register;
mod registry;
mod relay;
mod replay;
mod reset_password;
mod resolve_tenant;
mod sessions;
mod tenants;
mod unfinished;
mod users;
mod validate;
mod verify_email;

pub use account::{ChangeProfile, DeleteAccountError};
pub use administer_audit::{AuditError, AuditPage};
pub use administer_events::{EventPage, PublishersError, RetryEventError};
pub use administer_settings::{ChangeSettingsError, PlatformSetting, SettingsAdministration};
pub use administer_tenants::{
    AdministerTenantError, DomainAdded, TenantAdministration, TenantPage,
};
pub use administer_users::{
    AdministerUserError, AdministrationError, AmendUser, InviteUser, InviteUserError, Roles,
    UserAdministration, UserFilter, UserPage,
};
pub use audit_trail::{AuditEntry, AuditPlace, AuditQuery, AuditTrail, UnknownPlace};
pub use awaited::{Awaited, Waiter};
pub use change_email::ChangeEmailError;
pub use change_password::{ChangePassword, ChangePasswordError};
pub use event_log::{
    Aggregate, Claim, Claimed, ClaimedEvent, EventLog, Lease, News, Occasion, Progress, Publisher,
    Receipt, Settlement, StoredEvent, WaitingEvent,
};
pub use fresh_log_in::NotFresh;
pub use grant::Grant;
pub use invite::InviteLinkError;
pub use keys::{KeysError, RotateKeys};
pub use log_in::{LogIn, LogInError};
pub use log_out::{LogOut, LogOutError};
pub use mail_queue::{Backlog, Letter, Link, MailError, MailQueue, Mailer, QueuedMail};
pub use mail_relay::{MailRelay, MailStep, MailTally};
pub use mailed_token::{AskForMail, AskForMailError, MailedTokenError, ShowToken};
pub use move_tenant::Layouts;
pub use own_issuer::{OwnIssuer, OwnIssuerError};
pub use ports::{
    Clock, CommitError, Entropy, Expiry, KeyError, KeyRing, Overloaded, Passwords, Ports,
    PublicKey, PublicKeys, SessionHolder, Store, TenantKey, TokenError, Tokens, Unavailable,
    Unique, Unready, UserKey,
};
pub use prepare::PrepareError;
pub use purview::{NotPermitted, Purview};
pub use ready::NotReady;
pub use refresh::{RefreshError, RefreshTokens};
pub use register::{Register, RegisterError, Registered};
pub use relay::{Relay, RelaySettings, Step, Tally};
pub use replay::{Replay, ReplayError, Replayed};
pub use reset_password::{ResetPassword, ResetPasswordError};
pub use resolve_tenant::TenantHints;
pub use sessions::EndSessionError;
pub use tenants::{CreateTenant, CreateTenantError};
pub use users::{ChangeUserError, CreateUser, CreateUserError, FirstPassword};
pub use validate::{Caller, ValidateError};

/// The service: its use cases as methods, over the ports.
pub struct Tessera {
    ports: Ports,
    settings: Settings,
    registry: registry::Registry,
    reloads: keys::Reloads,
    begun: Notify,
}

impl Tessera {
    /// The service over these ports.
    pub fn new(ports: Ports, settings: Settings) -> Self {
        Self {
            ports,
            settings,
            registry: registry::Registry::default(),
            reloads: keys::Reloads::default(),
            begun: Notify::new(),
        }
    }

    /// The ports it stands on, for what has no decision to make.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The policies it follows.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    fn new_id<T>(&self) -> Id<T> {
        let mut entropy = [0; 10];
        self.ports.entropy.fill(&mut entropy);
        Id::new(self.now(), entropy)
    }

    fn event(&self, tenant: &Tenant, now: Timestamp, fact: Fact) -> Event {
        Event {
            id: self.new_id(),
            at: now,
            tenant: tenant.id,
            fact,
        }
    }

    fn events(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        facts: impl IntoIterator<Item = Fact>,
    ) -> Vec<Event> {
        facts
            .into_iter()
            .map(|fact| self.event(tenant, now, fact))
            .collect()
    }

    async fn commit(&self, tenant: &Tenant, changes: Changes) -> Result<(), CommitError> {
        self.ports.store.commit(tenant, changes).await
    }
}

impl fmt::Debug for Tessera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tessera")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The policies that the use cases follow.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long tokens and sessions live.
    pub tokens: TokenPolicy,
    /// How guessing is slowed down.
    pub lockout: LockoutPolicy,
    /// Which new passwords are accepted.
    pub passwords: PasswordPolicy,
    /// In which order a request's hints at its tenant count.
    pub tenant_order: TenantOrder,
    /// How the data of new tenants is kept apart.
    pub tenant_layout: TenantLayout,
    /// Whether the store can do that in more ways than one.
    pub layouts: Layouts,
    /// Who may sign up, in tenants that do not say it.
    pub registration: Registration,
    /// Whether somebody logs in whose address is not proved.
    pub unverified_log_in: UnverifiedLogIn,
    /// How long tokens in mails live.
    pub mailed_tokens: MailedTokenPolicy,
    /// The page that links in mails point at; without one they point at the issuer.
    pub web_page_url: Option<String>,
    /// The issuer.
    pub public_url: PublicUrl,
}

/// Whether somebody logs in whose address is not proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnverifiedLogIn {
    /// As everybody does; tokens and answers say that it is not.
    Allowed,
    /// Not before it is; users without an address are not meant.
    Refused,
}

/// Where the issuer's URL comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PublicUrl {
    /// The configuration says it.
    Configured(String),
    /// Nothing says it: the one of the first start counts, this if there was none.
    FirstStart(String),
}

/// How often a use case starts again when something changed meanwhile, before it gives up.
const ATTEMPTS: usize = 32;

/// Every attempt met a change that another one had made.
#[derive(Debug, thiserror::Error)]
#[error("changed by others on each of {ATTEMPTS} attempts")]
struct Contended;
