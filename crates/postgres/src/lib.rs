//! The store on Postgres, a schema per tenant.
//!
//! Shared tables live in the schema `tessera` and are always named in full; a tenant's tables live
//! in its own schema. A connection has an empty search path, and only inside a transaction the schema
//! of one tenant is on it, so a statement that forgets to say of which tenant it is fails, and one
//! tenant's statement cannot meet another's rows. Two statements name the schema instead, for tenants
//! that come often (see `regulars`): they find only rows of the tenant with that id, at the version
//! that was known.
//!
//! The events of all tenants are one table, a partition per million. A publisher comes along with
//! it by a cursor, and has rows only for what it went past: what waits, and positions whose commits
//! had not ended (see `claim`).
//!
//! Where connections are scarce, tenants take turns (see `turns`).
//!
//! A read of a tenant is one round trip, and so is a commit that writes no tenant: what makes up a
//! transaction is sent at once (see `pipeline`).

mod claim;
mod commit;
mod connect;
mod erasure;
mod error;
mod event;
mod expire;
mod homes;
mod hosts;
mod key;
mod levels;
mod log;
mod mail;
mod mail_queue;
mod mailed_token;
mod migrate;
mod migration;
mod news;
mod pipeline;
#[cfg(test)]
mod plans;
mod pool;
mod progress;
mod queue;
mod regulars;
mod replica;
mod runner;
mod schema;
mod sent;
mod session;
mod settle;
mod share;
mod statement;
mod store;
mod survey;
mod tenant;
mod tls;
mod trail;
mod transaction;
mod turns;
mod url;
mod user;
mod value;
mod worker;

#[cfg(test)]
#[expect(dead_code, reason = "most of it is for the tests from outside")]
#[path = "../tests/postgres/relay.rs"]
mod relay;
#[cfg(test)]
#[expect(dead_code, reason = "most of it is for the tests from outside")]
#[path = "../tests/postgres/server.rs"]
mod server;
#[cfg(test)]
extern crate self as tessera_postgres;

pub use migrate::{
    Damage, Fault, Laggards, Migrate, MigrateError, Migrated, Milestone, Standing, Step, Told,
};
pub use pool::PoolStatus;
pub use store::{PostgresSettings, PostgresStore};
pub use url::UrlError;
