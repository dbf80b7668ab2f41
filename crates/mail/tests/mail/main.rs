//! What mails say, and how they are put into a folder and sent to a server that is not ours.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod files;
mod hostile;
mod letters;
mod server;
mod smtp;
mod spelt;
mod templates;
mod tenants;
