//! The publisher to `RabbitMQ` does what every publisher must do, and what only `RabbitMQ` asks of it.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod contract;
mod faults;
mod messages;
mod permissions;
mod routes;
mod server;
mod settings;
mod slow;
mod topology;
