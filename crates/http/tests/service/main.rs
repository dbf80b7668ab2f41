//! The real application over memory, as its clients see it.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accounts;
mod administer_tenants;
mod administer_users;
mod administration;
mod apart;
mod audit;
mod conversation;
mod cookie;
mod documentation;
mod foreign_tenant;
mod leaving;
mod origins;
mod own_issuer;
mod pages;
mod rate_limits;
mod sockets;
mod tenant_settings;
mod tenants;
mod world;
