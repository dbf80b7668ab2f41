//! The use cases, over the adapters in memory and real tokens.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod lockout;
mod log_in;
mod refresh;
mod refresh_races;
mod resolve_tenant;
mod validate;
mod world;
