//! The store on Postgres does what every store must do, and what only Postgres can get wrong.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod audit;
mod cluster;
mod contract;
mod faults;
mod gaps;
mod isolation;
mod later_mails;
mod layouts;
mod migrations;
mod news;
mod partitions;
mod placement;
mod proxy;
mod publishers;
mod regulars;
mod relay;
mod replica;
mod round_trips;
mod server;
mod threads;
mod tls;
