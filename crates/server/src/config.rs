//! The settings of the service: read once, judged as a whole, typed from then on.
//!
//! What is wrong ends the start with one sentence that names the setting. What is merely worth
//! knowing becomes a [`Notice`], told once the log is there.

use core::fmt;
use core::time::Duration;
use std::path::PathBuf;

use tessera_crypto::Argon2Cost;
use tessera_domain::{LockoutPolicy, TenantLayout, TenantOrder, TokenPolicy};

mod accounts;
mod database;
mod environment;
mod events;
mod key_file;
mod later;
mod lifetimes;
mod listen;
mod log;
mod mail;
mod names;
mod signing;
mod value;
mod weak;
mod web;

pub(crate) use accounts::Accounts;
pub(crate) use database::{Database, REPLICA};
pub(crate) use environment::{Environment, without_final_newline};
pub(crate) use events::{Destination, Events};
pub(crate) use key_file::read as read_key_file;
pub(crate) use listen::Listen;
pub(crate) use log::{Format, Log};
pub(crate) use mail::{Mails, Post};
pub(crate) use signing::{Signing, SigningKey};
pub(crate) use value::Secret;
use value::Setting;
pub(crate) use web::Web;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Who may make an account.
    pub(crate) accounts: Accounts,
    /// How long the audit trail is kept.
    pub(crate) audit_retention: Duration,
    /// The folder of what the service keeps beside its database.
    pub(crate) data_dir: PathBuf,
    /// Where tenants, users, sessions and keys are kept.
    pub(crate) database: Database,
    /// Connections to Postgres that this process keeps.
    pub(crate) db_pool: usize,
    /// Where events go.
    pub(crate) events: Events,
    /// How passwords are hashed.
    pub(crate) hashing: Hashing,
    /// Where it listens.
    pub(crate) listen: Listen,
    /// How guessing is slowed down.
    pub(crate) lockout: LockoutPolicy,
    /// What is logged, how and where.
    pub(crate) log: Log,
    /// How mails are sent.
    pub(crate) mails: Mails,
    /// What signs tokens, and what they say.
    pub(crate) signing: Signing,
    /// In which order a request's hints at its tenant count.
    pub(crate) tenant_order: TenantOrder,
    /// How the data of new tenants is kept apart.
    pub(crate) tenant_layout: TenantLayout,
    /// How long tokens and sessions live.
    pub(crate) tokens: TokenPolicy,
    /// How it answers requests.
    pub(crate) web: Web,
    /// What is worth knowing.
    pub(crate) notices: Vec<Notice>,
}

/// How passwords are hashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashing {
    /// Threads that hash; none is one a core.
    pub(crate) threads: Option<usize>,
    /// Hashes that may wait for a thread.
    pub(crate) queue: usize,
    /// What one costs.
    pub(crate) cost: Argon2Cost,
}

impl Config {
    /// Reads the environment of the process and `.env`.
    pub(crate) fn load() -> Result<Self, ConfigError> {
        Self::read(&Environment::read()?)
    }

    /// Judges the settings as a whole.
    pub(crate) fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let mut notices = Vec::new();
        names::check(environment, &mut notices)?;
        later::check(environment, &mut notices)?;
        let data_dir = environment.setting("TESSERA_DATA_DIR");
        let data_dir = PathBuf::from(data_dir.map_or("./data", |setting| setting.value));
        let audit_retention = environment.parse("TESSERA_AUDIT_RETENTION", Setting::days)?;
        let database = database::read(environment, &data_dir, &mut notices)?;
        let mut config = Self {
            accounts: accounts::read(environment)?,
            audit_retention: audit_retention.unwrap_or(Duration::from_hours(24 * 365)),
            tenant_layout: tenant_layout(environment, &database)?,
            database,
            db_pool: environment
                .parse("TESSERA_DB_POOL", |pool| pool.number(1..=1_000))?
                .unwrap_or(16),
            events: events::read(environment, &mut notices)?,
            hashing: hashing(environment)?,
            listen: listen::read(environment, &mut notices)?,
            lockout: lockout(environment, &mut notices)?,
            log: log::read(environment)?,
            mails: mail::read(environment, &mut notices)?,
            signing: signing::read(environment, &mut notices)?,
            tenant_order: environment
                .parse("TESSERA_TENANT_ORDER", |order| {
                    let wrong = |error| order.refused(format_args!("but {error}"));
                    order.value.parse().map_err(wrong)
                })?
                .unwrap_or_default(),
            tokens: lifetimes::read(environment, &mut notices)?,
            web: web::read(environment, &mut notices)?,
            data_dir,
            notices,
        };
        config.notice_of_public_url();
        Ok(config)
    }

    /// Other machines cannot reach what a first start on Postgres would settle for good.
    fn notice_of_public_url(&mut self) {
        let unset = self.listen.public_url.is_none();
        if unset && matches!(self.database, Database::Postgres { .. }) {
            self.notices.push(Notice::new(
                "TESSERA_PUBLIC_URL is not set: the issuer of tokens is http://localhost:PORT of \
                 the first start"
                    .to_owned(),
            ));
        }
    }
}

fn hashing(environment: &Environment) -> Result<Hashing, ConfigError> {
    Ok(Hashing {
        threads: environment.parse("TESSERA_HASH_THREADS", |threads| threads.number(1..=256))?,
        queue: environment
            .parse("TESSERA_HASH_QUEUE", |queue| queue.number(1..=65_536))?
            .unwrap_or(64),
        cost: environment
            .parse("TESSERA_ARGON2", |cost| {
                let wrong = |error| ConfigError::new(format!("TESSERA_ARGON2 is {error}"));
                cost.value.parse().map_err(wrong)
            })?
            .unwrap_or_default(),
    })
}

fn tenant_layout(
    environment: &Environment,
    database: &Database,
) -> Result<TenantLayout, ConfigError> {
    let layout = environment.parse("TESSERA_TENANT_LAYOUT", |setting| {
        let choices = TenantLayout::ALL.map(|layout| (layout.as_str(), layout));
        let layout = setting.one_of(&choices)?;
        match (layout, database) {
            (TenantLayout::Shared, Database::Sqlite { .. }) => {
                Err(setting.refused("which is for Postgres: a SQLite file has one layout"))
            }
            (TenantLayout::Schema, _) | (TenantLayout::Shared, Database::Postgres { .. }) => {
                Ok(layout)
            }
        }
    })?;
    Ok(layout.unwrap_or_default())
}

fn lockout(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<LockoutPolicy, ConfigError> {
    let policy = LockoutPolicy::default();
    if environment.switch("TESSERA_LOCKOUT", true)? {
        return Ok(policy);
    }
    notices.push(Notice::new(
        "TESSERA_LOCKOUT is off: nothing slows down guessing at an account".to_owned(),
    ));
    Ok(LockoutPolicy {
        free: None,
        ..policy
    })
}

/// Why the settings cannot be used: one sentence that names one of them, and holds no secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// Something about the settings that whoever runs the service should know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Notice(String);

impl Notice {
    pub(crate) fn new(sentence: String) -> Self {
        Self(sentence)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
