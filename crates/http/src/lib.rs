//! The service over HTTP.

#![expect(dead_code, reason = "the routes that use all of it follow")]

mod body;
mod input;
mod json;
mod problem;

pub use body::BodyLimits;
