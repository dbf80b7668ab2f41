//! Which pages of other sites may call (CORS).

use core::str::FromStr;

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, VARY,
};
use tessera_domain::{Origin, OriginError};

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

    /// The answer to a preflight; `None` when the request is none.
    pub(crate) fn preflight(
        &self,
        head: &RequestHead,
        origin: Option<&HeaderValue>,
    ) -> Option<HttpResponse> {
        let asked = |_: &&HeaderValue| {
            head.method == Method::OPTIONS
                && head.headers().contains_key(&ACCESS_CONTROL_REQUEST_METHOD)
        };
        let origin = origin.filter(asked)?;
        let mut answer = HttpResponse::NoContent().finish();
        if self.allows(origin.as_bytes()) {
            let headers = answer.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS.clone());
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE.clone());
            if let Some(names) = head.headers().get(&ACCESS_CONTROL_REQUEST_HEADERS) {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
        }
        Some(answer)
    }

    /// What every answer says: a cache must not hand the answer for one origin to another.
    pub(crate) fn write(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        headers.append(VARY, ORIGIN.clone());
        if let Some(origin) = origin.filter(|origin| self.allows(origin.as_bytes())) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED.clone());
        }
    }
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
