//! The real application over memory, as its clients see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod openapi;
