//! One line a request.

use core::error::Error;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use actix_web::http::{Method, StatusCode};
use tracing::{error, info, warn};

use crate::problem::Problem;

/// The line of a request that was answered. The route is the pattern: a path may hold an address.
pub(crate) fn answered(
    method: &Method,
    route: &str,
    status: StatusCode,
    took: Duration,
    client: Option<IpAddr>,
) {
    info!(
        target: "tessera_http::access",
        method = method.as_str(),
        route,
        status = status.as_u16(),
        micros = micros(took),
        client = client.as_ref().map(tracing::field::display),
        "request"
    );
}

/// The line of a request whose client did not wait for the answer.
pub(crate) fn abandoned(method: &Method, took: Duration, client: Option<IpAddr>) {
    info!(
        target: "tessera_http::access",
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
fn micros(took: Duration) -> u64 {
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
