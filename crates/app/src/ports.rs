//! What the service needs from outside, as small traits, and the one struct that gathers them.
//!
//! To replace one, build [`Ports`] with another value in its field: tests put
//! `tessera_memory::ManualClock` where the binary has the system's clock, and nothing else changes.
//! Every implementation of [`Store`] passes the suite in `tessera-contract`.

use core::error::Error;
use core::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tessera_domain::{
    AccessClaims, Algorithm, Changes, HostName, Id, Installation, Key, KeyId, KeyPurpose,
    MailedDigest, MailedToken, Password, PasswordRecord, RefreshClaims, SchemaName, Session,
    Tenant, Timestamp, User, Verdict,
};

use crate::{AuditTrail, EventLog, MailQueue, UserFilter};

/// Everything outside that a use case may reach.
#[derive(Clone)]
pub struct Ports {
    /// Where tenants, users, sessions, keys and events are kept.
    pub store: Arc<dyn Store>,
    /// The events among that, as they leave.
    pub log: Arc<dyn EventLog>,
    /// Who did what, beside that.
    pub audit: Arc<dyn AuditTrail>,
    /// The mails among that, until they are sent.
    pub mails: Arc<dyn MailQueue>,
    /// Hashes and verifies passwords.
    pub passwords: Arc<dyn Passwords>,
    /// Signs and verifies tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// Keeps everything, each tenant's data apart from every other's.
///
/// A read sees every commit that was answered before it began. Dropping a future of any method, at
/// any await, leaves either all of a commit or nothing, and no trace in later calls.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes all of `changes`, or nothing.
    ///
    /// Refuses with [`CommitError::Stale`] when an updated aggregate is at another version (or is
    /// gone), when a user of `changes.epochs` has another epoch (or is gone), when a subject already
    /// has an event of that sequence, as far as the log remembers, or when a mailed token is of no
    /// user or has the digest of another, or a mail is of no tenant or has the id of another; with
    /// [`CommitError::Duplicate`] when a key that must be unique is taken. What is committed
    /// survives the loss of the process. Users, sessions, epochs and mailed tokens are of `tenant`; a
    /// tenant that `changes` inserts is `tenant` itself, and gets the place where its data lives in
    /// the same commit. Each event is stored as `tessera_wire` encodes it, with the next position of
    /// the log and with its entry in the [`AuditTrail`](crate::AuditTrail), and each mail so that
    /// [`MailQueue`] gives it out, first at the moment it was asked for.
    ///
    /// What is of a tenant that arrives in another layout comes with it: in the same commit it is
    /// brought there, compared with what was, and removed from where it was.
    ///
    /// A tenant that is removed takes along all that is of it, its mails, and all its events out of
    /// the log; a user its sessions and mailed tokens, and the events whose subject is the user or one of these. Whether an
    /// event was sent or waits at a publisher makes no difference, only the events of this very
    /// commit stay, and in the audit trail the entry that says who began its deletion; nothing waits behind what is gone, and no position is used again. What is gone
    /// already takes nothing along. A user's id is left in events that have another subject, and
    /// leave with age: of sessions that were removed before, and of log-ins that failed, which
    /// tell the client's address too.
    async fn commit(&self, tenant: &Tenant, changes: Changes) -> Result<(), CommitError>;

    /// Whether requests can be served: reachable, writable, and migrated.
    async fn check(&self) -> Result<(), Unready>;

    /// What the installation settled when it first started.
    async fn installation(&self) -> Result<Option<Installation>, Unavailable>;

    /// The whole key ring, in the order of creation.
    async fn keys(&self) -> Result<Vec<Key>, Unavailable>;

    /// The mailed token of the tenant with this digest.
    async fn mailed_token(
        &self,
        tenant: &Tenant,
        digest: &MailedDigest,
    ) -> Result<Option<MailedToken>, Unavailable>;

    /// All mailed tokens of a user that are still kept, in the order of their ids.
    async fn mailed_tokens(
        &self,
        tenant: &Tenant,
        user: Id<User>,
    ) -> Result<Vec<MailedToken>, Unavailable>;

    /// Removes at most `limit` sessions of the tenant that give nothing any more (ended, past an
    /// end, or of an epoch that their user left), and as many mailed tokens that are over; answers
    /// how many of either.
    async fn prune(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Unavailable>;

    /// Removes at most `limit` of what there is of a tenant that is being deleted, of each kind, as
    /// far as that is better done before the commit that removes it; answers how much. What is left
    /// goes with that commit. Of a tenant that is not being deleted, as it is stored at that moment,
    /// or is gone by then, it removes nothing: what tells of its end stays.
    async fn empty(&self, tenant: &Tenant, limit: usize) -> Result<usize, Unavailable>;

    /// The session of the tenant that lives in `schema`, with its user and its tenant: one read.
    async fn session(
        &self,
        schema: &SchemaName,
        id: Id<Session>,
    ) -> Result<Option<SessionHolder>, Unavailable>;

    /// All sessions of a user that are still kept, oldest first.
    async fn sessions(&self, tenant: &Tenant, user: Id<User>) -> Result<Vec<Session>, Unavailable>;

    /// The tenant of that name or host.
    async fn tenant(&self, by: &TenantKey) -> Result<Option<Tenant>, Unavailable>;

    /// The tenant of that name or host, as it was at most 300 ms ago, for what is remembered for a
    /// while anyway: a store may ask a copy of itself. What a commit of this process did, or was
    /// refused for, is seen.
    async fn tenant_of_late(&self, by: &TenantKey) -> Result<Option<Tenant>, Unavailable> {
        self.tenant(by).await
    }

    /// All tenants, by schema name.
    async fn tenants(&self) -> Result<Vec<Tenant>, Unavailable>;

    /// The tenants that are being deleted or are on the way to another layout, by schema name. It is
    /// asked all the time, and answers few of many or none.
    async fn unfinished_tenants(&self) -> Result<Vec<Tenant>, Unavailable>;

    /// The user of the tenant that `by` identifies.
    async fn user(&self, tenant: &Tenant, by: &UserKey) -> Result<Option<User>, Unavailable>;

    /// The users of the tenant that `filter` lets through, in the order of their ids, at most
    /// `limit`, those after `after`.
    async fn users(
        &self,
        tenant: &Tenant,
        filter: &UserFilter,
        after: Option<Id<User>>,
        limit: usize,
    ) -> Result<Vec<User>, Unavailable>;
}

/// What identifies a tenant.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum TenantKey {
    /// One of its domains.
    Host(HostName),
    /// Its id.
    Id(Id<Tenant>),
    /// The key of its name or of its schema name: one namespace.
    Name(String),
}

/// What identifies a user within a tenant. `Debug` shows no address and no name.
#[derive(Clone, Eq, PartialEq)]
pub enum UserKey {
    /// The key of the address.
    Email(String),
    /// The id.
    Id(Id<User>),
    /// The key of the username.
    Username(String),
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(_) => f.write_str("Email(..)"),
            Self::Id(user) => write!(f, "Id({user:?})"),
            Self::Username(_) => f.write_str("Username(..)"),
        }
    }
}

/// A session with those it belongs to, as one read saw them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionHolder {
    /// The tenant.
    pub tenant: Tenant,
    /// The user.
    pub user: User,
    /// The session.
    pub session: Session,
}

/// Hashes and verifies passwords, a bounded number at a time.
///
/// Work that was accepted runs to its end and keeps its place meanwhile, also when the future that
/// waits for it is dropped.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// A record of `password`.
    async fn hash(&self, password: Password) -> Result<PasswordRecord, Overloaded>;

    /// Whether `password` is the one of `record`; the same work when there is no record, or one
    /// that cannot be read.
    async fn verify(
        &self,
        record: Option<PasswordRecord>,
        password: Password,
    ) -> Result<Verdict, Overloaded>;
}

/// Too much waits to be hashed already; nothing was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("too many passwords wait to be hashed")]
pub struct Overloaded;

/// Signs and verifies tokens with the key ring it was last given.
///
/// Signing costs CPU time (RSA some 0.3 ms, elliptic curves less) but never waits.
pub trait Tokens: Send + Sync {
    /// Takes over a key ring: opens the secret parts, parses each key once.
    fn load(&self, ring: &KeyRing, now: Timestamp) -> Result<(), KeyError>;

    /// The keys that `ring` lacks to sign what the configuration asks for: the configured key, a
    /// key of the configured algorithm, or the first one. `id` gives a new id at each call.
    fn missing(
        &self,
        ring: &[Key],
        now: Timestamp,
        id: &mut dyn FnMut() -> Id<Key>,
    ) -> Result<Vec<Key>, KeyError>;

    /// A new key of the configured algorithm that signs from `signs_from` on.
    fn generate(
        &self,
        purpose: KeyPurpose,
        id: Id<Key>,
        now: Timestamp,
        signs_from: Timestamp,
    ) -> Result<Key, KeyError>;

    /// The public keys as last loaded.
    fn public_keys(&self) -> Arc<PublicKeys>;

    /// Who issues access tokens (`iss`), as last loaded.
    fn issuer(&self) -> Option<Arc<str>>;

    /// Whether a key of each purpose signs now.
    fn check(&self, now: Timestamp) -> Result<(), TokenError>;

    /// The key that signs refresh tokens now.
    fn refresh_key(&self, now: Timestamp) -> Result<KeyId, TokenError>;

    /// Signs an access token with the key that signs now.
    fn sign_access(&self, claims: &AccessClaims, now: Timestamp) -> Result<String, TokenError>;

    /// Signs a refresh token with the key that `claims` names: the same bytes for the same claims.
    fn sign_refresh(&self, claims: &RefreshClaims) -> Result<String, TokenError>;

    /// What an access token says, if it is genuine in every point of its profile.
    fn read_access(
        &self,
        token: &str,
        now: Timestamp,
        expiry: Expiry,
    ) -> Result<AccessClaims, TokenError>;

    /// What a refresh token says, if it is genuine; whether it is over, its session tells.
    fn read_refresh(&self, token: &str, now: Timestamp) -> Result<RefreshClaims, TokenError>;
}

/// What [`Tokens`] works with.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// Who issues access tokens (`iss`).
    pub issuer: String,
    /// The keys.
    pub keys: Vec<Key>,
}

/// Whether a token that is over still counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expiry {
    /// It does not.
    Enforced,
    /// It does, to end what it began.
    Ignored,
}

/// What others verify access tokens with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PublicKeys {
    /// The JWK Set (RFC 7517) as JSON.
    pub jwks: String,
    /// A strong entity tag of `jwks`, quoted (RFC 9110).
    pub etag: String,
    /// Each key.
    pub keys: Vec<PublicKey>,
}

/// The public part of one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    /// Its `kid`.
    pub kid: KeyId,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The key as a JWK, as JSON.
    pub jwk: String,
    /// The key as a PEM `SubjectPublicKeyInfo`.
    pub pem: String,
}

/// Why a token is not accepted, or none can be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenError {
    /// It was genuine and is over.
    #[error("the token is expired")]
    Expired,
    /// It is not genuine, or not of the kind that is asked for.
    #[error("the token is not genuine")]
    Invalid,
    /// No key ring was loaded, or no key of it signs now.
    #[error("no signing key is loaded")]
    NoKey,
    /// It names a key that is not in the ring (yet).
    #[error("the token names an unknown key")]
    UnknownKey,
}

/// Why a key cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The configuration names the key, so it is changed there.
    #[error("the signing key is set by the configuration ({0}); change it there")]
    Configured(&'static str),
    /// The key encryption key is not the one that the ring was sealed with.
    #[error(
        "the key ring cannot be opened: TESSERA_KEY_ENCRYPTION_KEY is not the one it was sealed with"
    )]
    Sealed,
    /// A key could not be read or made.
    #[error("{0}")]
    Unusable(String),
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The moment it is.
    fn now(&self) -> Timestamp;
}

/// Gives bytes that nobody can guess.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Something outside cannot be reached, or does not answer in time; trying again may help.
#[derive(Debug, thiserror::Error)]
#[error("unavailable")]
pub struct Unavailable(#[source] pub Box<dyn Error + Send + Sync>);

impl Unavailable {
    /// It is unavailable because of `source`.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A key that must be unique is taken.
    #[error("the {0} is taken")]
    Duplicate(Unique),
    /// Something changed since it was read: read again, decide again.
    #[error("changed since it was read")]
    Stale,
    /// The store cannot be reached. Whether the commit took place may be unknown.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl CommitError {
    /// Whether to start again: nothing when changed meanwhile, else why that does not help. For a
    /// commit in which nothing new can be taken.
    pub(crate) fn unless_stale(self) -> Result<(), Unavailable> {
        match self {
            Self::Stale => Ok(()),
            taken @ Self::Duplicate(_) => Err(Unavailable::new(taken)),
            Self::Unavailable(unavailable) => Err(unavailable),
        }
    }
}

/// What may exist once only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unique {
    /// A domain, over all tenants.
    Domain,
    /// An address, by its key, in a tenant.
    Email,
    /// What the installation settles once.
    Installation,
    /// A key, by its `kid`.
    Key,
    /// A tenant's name and schema name, by their keys, over all tenants.
    Tenant,
    /// A username, by its key, in a tenant.
    Username,
}

impl fmt::Display for Unique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Domain => "domain",
            Self::Email => "e-mail address",
            Self::Installation => "installation",
            Self::Key => "key",
            Self::Tenant => "tenant's name or schema",
            Self::Username => "username",
        })
    }
}

/// Why requests cannot be served yet.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// It lacks tables, or has those of another version.
    #[error("not migrated: run `tessera migrate`")]
    NotMigrated,
    /// It takes no writes (a standby, say).
    #[error("read-only")]
    ReadOnly,
    /// Tenants are to share tables, or do, in which it would not keep them apart from those who
    /// connect as this does.
    #[error(
        "tenants that share tables are kept apart by row-level security, which does not bind a \
         superuser or a role with BYPASSRLS: connect as another role"
    )]
    Unbound,
    /// It cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
