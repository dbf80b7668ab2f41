//! The built binary, as operators start it and clients see it.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accounts;
mod audit;
mod broker;
mod client;
mod commands;
mod conversation;
mod crash;
mod database;
mod end;
mod events;
mod fail_over;
mod foreign;
mod foreign_tenant;
mod fresh_install;
mod guessing;
mod hashes;
mod killed_tenants;
mod migrations;
mod moves;
mod one_address;
mod outage;
mod promises;
mod rate_limits;
mod refresh;
mod resets;
mod same_answer;
mod service;
mod smtp;
mod started;
mod tally;
mod tenant_names;
mod tenants;
mod users;
mod wrong_settings;
