//! The service over HTTP.

mod access_log;
mod answer;
mod audit_query;
mod body;
mod caller;
mod client;
mod connection;
mod cookie;
mod cors;
mod docs;
mod envelope;
mod even;
mod headers;
mod hosts;
mod input;
mod json;
mod limits;
mod metrics;
mod openapi;
mod pages;
mod paging;
mod problem;
mod query;
mod rate_limits;
mod request_id;
mod requests;
mod routes;
mod service;
mod spawn;
mod state;
mod tenants_query;
mod unread;
mod user_query;
mod views;

pub use access_log::{AccessEvents, AccessLog, Answered};
pub use body::BodyLimits;
pub use client::{Scheme, TrustedProxies, TrustedProxiesError};
pub use cors::AllowedOrigins;
pub use envelope::{Edge, Envelope, Enveloped};
pub use hosts::AllowedHosts;
pub use metrics::{Gauge, Metrics, MetricsError, Reading};
pub use openapi::document;
pub use rate_limits::RateLimits;
pub use request_id::current_request_id;
pub use routes::Surface;
pub use service::{ServerLimits, Service};
pub use state::{Draining, LaggingTenants, Presentation, RefreshCookie};
pub use views::{
    AuditEntryView, DomainAddedView, EventView, PublisherView, RetriedView, SessionView,
    TenantSettingsView, TenantView, UserView, WaitingEventView, moment, rfc3339,
};
