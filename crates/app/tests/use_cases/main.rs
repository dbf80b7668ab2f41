//! The use cases, over the adapters in memory and real tokens.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod administer_events;
mod audit;
mod change_password;
mod events;
mod interleavings;
mod keys;
mod lockout;
mod log_in;
mod log_out;
mod prepare;
mod prune;
mod races;
mod refresh;
mod refresh_races;
mod relay;
mod resolve_tenant;
mod session_limit;
mod sessions;
mod tenants;
mod users;
mod validate;
mod world;
