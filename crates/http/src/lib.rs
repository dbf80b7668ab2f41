//! The service over HTTP.

#![expect(dead_code, reason = "the routes that use all of it follow")]

mod access_log;
mod body;
mod client;
mod cors;
mod envelope;
mod headers;
mod input;
mod json;
mod limits;
mod metrics;
mod problem;
mod request_id;
mod spawn;

pub use body::BodyLimits;
pub use client::{Scheme, TrustedProxies, TrustedProxiesError};
pub use cors::{AllowedHosts, AllowedOrigins, AllowedOriginsError};
pub use envelope::{Edge, Envelope, Enveloped};
pub use metrics::{Gauge, Metrics, MetricsError, Reading};
pub use spawn::Spawner;
