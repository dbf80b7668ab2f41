//! The store in one `SQLite` file.
//!
//! One thread writes and a few read, each with its own connection; async code hands them work and
//! awaits the answer. Everything of every tenant is in the same tables, each key led by the tenant.
//! A second process may use the same file: its commits are seen, and the writers take turns.

mod claim;
mod columns;
mod commit;
mod connection;
mod emptying;
mod erasure;
mod event_log;
mod log;
mod log_rows;
mod mail;
mod mail_queue;
mod mail_rows;
mod mailed_token;
mod migrations;
mod open;
#[cfg(test)]
mod plans;
mod progress;
mod queue;
mod read;
mod reader;
mod rows;
mod schema;
mod settle;
mod store;
mod trail;
mod writer;

pub use migrations::{MigrateError, MigrationStatus};
pub use open::OpenError;
pub use store::{SqliteSettings, SqliteStore};
