//! What every handler works with.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How the service shows itself over HTTP.
#[derive(Clone, Debug, Default)]
pub struct Presentation {
    /// The `AsyncAPI` document, as JSON.
    pub asyncapi: Arc<str>,
    /// Whether the login dialect also keeps the refresh token in a cookie.
    pub refresh_cookie: RefreshCookie,
    /// The version shown in the documentation.
    pub version: String,
}

/// Whether the login dialect keeps the refresh token in a cookie.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RefreshCookie {
    /// The body alone has it.
    #[default]
    Off,
    /// The body and a cookie have it.
    On,
}

/// Whether the process is about to end: it still answers, and says that it is not ready.
#[derive(Debug, Default)]
pub struct Draining(AtomicBool);

impl Draining {
    /// From now on it is not ready.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is about to end.
    pub(crate) fn began(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The tenants whose tables are not those of this version, as they were counted last: what they ask
/// for may fail, and all others are served.
#[derive(Debug, Default)]
pub struct LaggingTenants(Mutex<(usize, Vec<String>)>);

impl LaggingTenants {
    /// So many there are, in these schemas the first few.
    pub fn replace(&self, count: usize, first: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (count, first);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// How many there are, and the schemas of the first few; nothing where there are none.
    pub(crate) fn some(&self) -> Option<(usize, Vec<String>)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (known.0 > 0).then(|| known.clone())
    }
}
