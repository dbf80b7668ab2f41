//! One line a request.

use core::error::Error;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use actix_web::http::{Method, StatusCode};
use tessera_domain::Timestamp;
use tracing::{error, info, warn};

use crate::problem::Problem;

/// Takes down the line of each request that was answered.
///
/// A port, as each request has this line: whoever knows where it goes can write it for a fraction of
/// what an event costs.
pub trait AccessLog: Send + Sync {
    /// Takes it down, if events of the level info are wanted at [`Answered::TARGET`].
    fn answered(&self, request: &Answered<'_>);
}

/// A request that was answered, as its line tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// When.
    pub at: Timestamp,
    /// The method: a token (RFC 9110, section 9.1).
    pub method: &'a str,
    /// The pattern of its route: a path may hold an address.
    pub route: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// How long it took.
    pub micros: u64,
    /// Who asked.
    pub client: Option<IpAddr>,
    /// The id of the request: letters, digits, dots, hyphens and underscores.
    pub id: &'a str,
}

impl Answered<'_> {
    /// The target of the line.
    pub const TARGET: &'static str = "tessera_http::access";
}

/// Lines as events: whoever takes those down adds the moment and the id.
#[derive(Clone, Copy, Debug)]
pub struct AccessEvents;

impl AccessLog for AccessEvents {
    fn answered(&self, request: &Answered<'_>) {
        info!(
            target: Answered::TARGET,
            method = request.method,
            route = request.route,
            status = request.status,
            micros = request.micros,
            client = request.client.as_ref().map(tracing::field::display),
            "request"
        );
    }
}

/// The line of a request whose client did not wait for the answer.
pub(crate) fn abandoned(method: &Method, took: Duration, client: Option<IpAddr>) {
    info!(
        target: Answered::TARGET,
        method = method.as_str(),
        micros = micros(took),
        client = client.as_ref().map(tracing::field::display),
        "request abandoned by its client"
    );
}

/// The line with the cause of a problem that the client is told nothing of.
pub(crate) fn failed(problem: &Problem) {
    let Some(cause) = problem.cause() else {
        return;
    };
    let cause = Chain(cause);
    if problem.status() == StatusCode::INTERNAL_SERVER_ERROR {
        error!(%cause, "request failed");
    } else {
        warn!(%cause, "request refused, as something is unavailable");
    }
}

/// A number: wider ones become texts in JSON.
pub(crate) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// An error with all that caused it.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
