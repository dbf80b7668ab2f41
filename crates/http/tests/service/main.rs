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
mod audit;
mod conversation;
mod cookie;
mod documentation;
mod pages;
mod rate_limits;
mod sockets;
mod tenants;
mod world;
