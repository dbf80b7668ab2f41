//! The use cases, over the adapters in memory and real tokens.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod account;
mod administer_events;
mod administer_users;
mod audit;
mod change_email;
mod change_password;
mod events;
mod forgot_password;
mod fresh_log_in;
mod interleavings;
mod keys;
mod lockout;
mod log_in;
mod log_out;
mod mail_relay;
mod mail_steps;
mod mailed_token;
mod prepare;
mod prune;
mod races;
mod refresh;
mod refresh_races;
mod register;
mod relay;
mod reset_password;
mod resolve_tenant;
mod session_limit;
mod sessions;
mod tenant_life;
mod tenant_settings;
mod tenants;
mod users;
mod validate;
mod verify_email;
mod world;
