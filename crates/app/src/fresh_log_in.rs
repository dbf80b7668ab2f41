//! What only somebody may do who logged in a moment ago.

use core::time::Duration;

use crate::Tessera;
use crate::validate::Caller;

/// The session began too long ago for what is asked: log in again (RFC 9470).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this needs a log in of the last {} s", .max_age.as_secs())]
pub struct NotFresh {
    /// How old a session may be.
    pub max_age: Duration,
}

impl Tessera {
    /// Whether the caller logged in a moment ago; a refresh does not make a session younger.
    pub(crate) fn check_fresh(&self, caller: &Caller) -> Result<(), NotFresh> {
        let fresh = self.now() < caller.session.created_at + FRESH;
        fresh.then_some(()).ok_or(NotFresh { max_age: FRESH })
    }
}

/// How long a log in is fresh.
const FRESH: Duration = Duration::from_mins(10);
