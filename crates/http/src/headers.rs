//! What every answer tells the browser that shows it.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::client::Scheme;

/// Writes them, once; a handler that set `Cache-Control` or `Content-Security-Policy` knew better,
/// and none sets another. So nothing is replaced, which would take longer.
pub(crate) fn write(headers: &mut HeaderMap, scheme: Scheme) {
    if !headers.contains_key(&CACHE_CONTROL) {
        headers.append(CACHE_CONTROL, NO_STORE.clone());
    }
    if !headers.contains_key(&CONTENT_SECURITY_POLICY) {
        headers.append(CONTENT_SECURITY_POLICY, NOTHING.clone());
    }
    headers.append(REFERRER_POLICY, NO_REFERRER.clone());
    headers.append(X_CONTENT_TYPE_OPTIONS, NO_SNIFF.clone());
    headers.append(X_FRAME_OPTIONS, DENY.clone());
    match scheme {
        Scheme::Http => {}
        Scheme::Https => {
            headers.append(STRICT_TRANSPORT_SECURITY, TWO_YEARS.clone());
        }
    }
}

static DENY: HeaderValue = HeaderValue::from_static("DENY");
static NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
static NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
static NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
static TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");
