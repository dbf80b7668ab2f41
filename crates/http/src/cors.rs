//! Which pages of other sites may call (CORS).

use core::future::Future;
use core::pin::Pin;
use core::str::FromStr;
use core::task::{Context, Poll};
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, VARY,
};
use percent_encoding::percent_decode_str;
use tessera_app::{TenantHints, Tessera};
use tessera_domain::{Origin, OriginError};

use crate::limits::host;

/// The origins whose pages may call, with credentials.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<Origin>);

impl AllowedOrigins {
    /// Whether pages of that origin may call.
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.0
            .iter()
            .any(|allowed| allowed.as_str().as_bytes() == origin)
    }
}

/// The page that a request comes from.
pub(crate) struct Page {
    origin: HeaderValue,
    standing: Standing,
    preflight: Option<Preflight>,
}

/// Whether a page may call.
enum Standing {
    Allowed,
    /// Not by the installation; the tenant may allow it.
    Asked(Question),
    Refused,
}

/// Whether the tenant of a request allows a page to call.
type Question = Pin<Box<dyn Future<Output = bool>>>;

/// What a page asks before it calls.
struct Preflight {
    headers: Option<HeaderValue>,
}

impl Page {
    /// The page of `origin`. Only where the installation does not allow it, the tenant will be asked.
    pub(crate) fn of(
        origin: &HeaderValue,
        head: &RequestHead,
        installation: &AllowedOrigins,
        tessera: impl FnOnce() -> Option<Arc<Tessera>>,
    ) -> Self {
        let preflight = head.method == Method::OPTIONS
            && head.headers().contains_key(&ACCESS_CONTROL_REQUEST_METHOD);
        let standing = if installation.allows(origin.as_bytes()) {
            Standing::Allowed
        } else {
            let named = origin.to_str().ok().zip(tessera());
            named.map_or(Standing::Refused, |(origin, tessera)| {
                let (hints, origin) = (hints(head), origin.to_owned());
                Standing::Asked(Box::pin(
                    async move { allows(&tessera, &hints, &origin).await },
                ))
            })
        };
        Self {
            origin: origin.clone(),
            standing,
            preflight: preflight.then(|| Preflight {
                headers: head.headers().get(&ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
            }),
        }
    }

    /// The answer to a preflight, before anything is written; `None` when the request is none.
    pub(crate) fn preflight(&self) -> Option<HttpResponse> {
        let preflight = self.preflight.as_ref();
        preflight.map(|_| HttpResponse::NoContent().finish())
    }

    /// Ready as soon as it is known whether the page may call.
    pub(crate) fn poll_known(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Standing::Asked(question) = &mut self.standing {
            self.standing = match question.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(true) => Standing::Allowed,
                Poll::Ready(false) => Standing::Refused,
            };
        }
        Poll::Ready(())
    }

    fn write(&self, headers: &mut HeaderMap) {
        match self.standing {
            Standing::Allowed => {}
            Standing::Asked(_) | Standing::Refused => return,
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED.clone());
        if let Some(preflight) = &self.preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS.clone());
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE.clone());
            if let Some(names) = &preflight.headers {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
        }
    }
}

/// What every answer says: a cache must not hand the answer for one origin to another.
pub(crate) fn write(headers: &mut HeaderMap, page: Option<&Page>) {
    headers.append(VARY, ORIGIN.clone());
    if let Some(page) = page {
        page.write(headers);
    }
}

/// Whether the tenant that the hints name allows pages of that origin. One that cannot be asked
/// allows none.
pub(crate) async fn allows(tessera: &Tessera, hints: &TenantHints, origin: &str) -> bool {
    let allowed = tessera.allows_origin(hints, origin).await;
    allowed.unwrap_or_else(|unavailable| {
        tracing::debug!(%unavailable, "a tenant cannot be asked for its origins");
        false
    })
}

/// What a request says of its tenant to whoever knows its target and its host alone, as it is with a
/// preflight.
pub(crate) fn hints(head: &RequestHead) -> TenantHints {
    let (prefix, _) = split_tenant(head.uri.path());
    let named = prefix.strip_prefix("/t/");
    let named = named.map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned());
    TenantHints {
        explicit: named.into_iter().collect(),
        host: host(head).map(str::to_owned),
    }
}

/// A path as `/t/{tenant}`, or nothing, and the rest.
pub(crate) fn split_tenant(path: &str) -> (&str, &str) {
    let tenant = path.strip_prefix("/t/").and_then(|rest| rest.find('/'));
    let end = tenant.map_or(0, |length| length.saturating_add("/t/".len()));
    path.split_at_checked(end).unwrap_or(("", path))
}

/// Origins as a browser writes them, separated by commas or blanks.
impl FromStr for AllowedOrigins {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        parts.map(Origin::parse).collect::<Result<_, _>>().map(Self)
    }
}

static EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id",
);
static MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
static METHODS: HeaderValue =
    HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
static ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
static TRUE: HeaderValue = HeaderValue::from_static("true");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_allowed_byte_by_byte() {
        let allowed: AllowedOrigins = "https://app.example, http://localhost:3000"
            .parse()
            .unwrap();
        assert!(allowed.allows(b"https://app.example"));
        assert!(allowed.allows(b"http://localhost:3000"));
        for other in [
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil",
        ] {
            assert!(!allowed.allows(other.as_bytes()), "{other}");
        }
        assert!(!allowed.allows(b"null"));
        assert!(!AllowedOrigins::default().allows(b"https://app.example"));
    }
}
