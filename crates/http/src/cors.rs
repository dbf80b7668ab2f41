//! Which pages of other sites may call (CORS), and under which names we answer.

use core::str::FromStr;

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, VARY,
};
use url::Url;

/// The origins whose pages may call, with credentials.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// Whether pages of that origin may call.
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.0.iter().any(|allowed| allowed.as_bytes() == origin)
    }

    /// The answer to a preflight; `None` when the request is none.
    pub(crate) fn preflight(
        &self,
        head: &RequestHead,
        origin: Option<&HeaderValue>,
    ) -> Option<HttpResponse> {
        let asked = head.headers().contains_key(&ACCESS_CONTROL_REQUEST_METHOD);
        let origin = origin.filter(|_| asked && head.method == Method::OPTIONS)?;
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
    type Err = AllowedOriginsError;

    fn from_str(text: &str) -> Result<Self, AllowedOriginsError> {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        parts.map(origin).collect::<Result<_, _>>().map(Self)
    }
}

/// Why a list of origins is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AllowedOriginsError {
    /// `*` would let every page act for its visitor.
    #[error("\"*\" is not possible, as our answers allow credentials: name each origin")]
    Any,
    /// Not as a browser would write it.
    #[error("{0:?} is no origin (as https://app.example.com, with nothing behind it)")]
    Malformed(String),
}

/// Browsers compare origins byte by byte, so one that no browser would write is a mistake.
fn origin(text: &str) -> Result<String, AllowedOriginsError> {
    if text.contains('*') {
        return Err(AllowedOriginsError::Any);
    }
    let malformed = || AllowedOriginsError::Malformed(text.to_owned());
    let url = Url::parse(text).map_err(|_| malformed())?;
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(malformed)?;
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let written = format!("{}://{host}{port}", url.scheme());
    if written == text {
        Ok(written)
    } else {
        Err(malformed())
    }
}

/// The names under which we answer, as Django's setting of that name.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Option<Vec<Pattern>>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Pattern {
    Any,
    Exactly(String),
    /// The domain and all below it.
    Within(String),
}

impl AllowedHosts {
    /// Whether a request for `host`, with or without a port, is answered.
    pub(crate) fn allow(&self, host: Option<&str>) -> bool {
        let Some(patterns) = &self.0 else {
            return true;
        };
        let Some(name) = host.and_then(host_name) else {
            return false;
        };
        let name = name.to_ascii_lowercase();
        patterns.iter().any(|pattern| match pattern {
            Pattern::Any => true,
            Pattern::Exactly(host) => name == *host,
            Pattern::Within(domain) => name
                .strip_suffix(domain.as_str())
                .is_some_and(|below| below.is_empty() || below.ends_with('.')),
        })
    }
}

/// Names separated by commas or blanks; no name at all allows all.
impl From<&str> for AllowedHosts {
    fn from(text: &str) -> Self {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        let patterns: Vec<_> = parts.map(pattern).collect();
        Self(Some(patterns).filter(|patterns| !patterns.is_empty()))
    }
}

fn pattern(text: &str) -> Pattern {
    let text = text.to_ascii_lowercase();
    match text.strip_prefix('.') {
        None if text == "*" => Pattern::Any,
        None => Pattern::Exactly(text),
        Some(domain) => Pattern::Within(domain.to_owned()),
    }
}

/// The name in `host`, without its port and the dot of the root; `None` when it is malformed.
pub(crate) fn host_name(host: &str) -> Option<&str> {
    let name = match host.strip_prefix('[').map(|_| host.rfind(']')) {
        Some(end) => host.split_at_checked(end?.checked_add(1)?)?.0,
        None => host.split(':').next()?,
    };
    let port = host.strip_prefix(name)?;
    let port_is_one = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.strip_suffix('.').unwrap_or(name);
    (port_is_one && !name.is_empty()).then_some(name)
}

static EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, Retry-After, WWW-Authenticate, X-Request-Id");
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

    #[test]
    fn what_no_browser_would_send_is_no_origin() {
        let parse = |text: &str| text.parse::<AllowedOrigins>().unwrap_err();
        assert_eq!(parse("https://a.example,*"), AllowedOriginsError::Any);
        assert_eq!(parse("https://*.example"), AllowedOriginsError::Any);
        for bad in [
            "https://a.example/",
            "a.example",
            "https://a.example:443",
            "https://A.example",
            "null",
            "https://u@a.example",
            "mailto:x",
        ] {
            assert_eq!(parse(bad), AllowedOriginsError::Malformed(bad.to_owned()));
        }
        assert!("capacitor://localhost".parse::<AllowedOrigins>().is_ok());
    }

    #[test]
    fn hosts_are_matched_as_django_does() {
        let hosts = AllowedHosts::from("api.example.com, .example.org [::1]");
        for good in [
            "api.example.com",
            "API.example.com:8000",
            "api.example.com.",
            "example.org",
            "a.b.example.org",
            "[::1]:8000",
            "[::1]",
        ] {
            assert!(hosts.allow(Some(good)), "{good}");
        }
        for bad in [
            "example.com",
            "badexample.org",
            "api.example.com:x",
            "api.example.com@evil",
            "",
            ":80",
            "[::1]x",
            "[::1",
        ] {
            assert!(!hosts.allow(Some(bad)), "{bad}");
        }
        assert!(!hosts.allow(None));
    }

    #[test]
    fn without_a_list_or_with_a_star_every_host_is_allowed() {
        assert!(AllowedHosts::default().allow(None));
        assert!(AllowedHosts::from(" ").allow(Some("x")));
        assert!(AllowedHosts::from("*").allow(Some("anything.example:80")));
    }
}
