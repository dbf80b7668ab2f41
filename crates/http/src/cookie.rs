//! The refresh token in a cookie, for pages that must not hold it themselves.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{HeaderValue, ORIGIN};
use actix_web::web::Data;
use tessera_app::Grant;
use url::Url;

use crate::envelope::Edge;
use crate::limits::host;
use crate::problem::Problem;
use crate::state::{Presentation, RefreshCookie};

/// The cookie that keeps the refresh token of `grant`, if cookies are on and it has one.
pub(crate) fn keep(
    grant: &Grant,
    request: &HttpRequest,
    shown: &Presentation,
) -> Option<Cookie<'static>> {
    let token = match shown.refresh_cookie {
        RefreshCookie::Off => return None,
        RefreshCookie::On => grant.refresh.clone()?,
    };
    let session = &grant.session;
    let left = session.idle_end.since(session.refreshed_at).as_secs();
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    Some(cookie(token, request, Duration::seconds(left)))
}

/// The cookie that makes a browser forget the refresh token, if cookies are on.
pub(crate) fn forget(request: &HttpRequest, shown: &Presentation) -> Option<Cookie<'static>> {
    match shown.refresh_cookie {
        RefreshCookie::Off => None,
        RefreshCookie::On => Some(cookie(String::new(), request, Duration::ZERO)),
    }
}

/// The refresh token of the request's cookie, if cookies are on.
///
/// A browser sends the cookie whoever asks it to, so it counts only from a page of an origin that
/// is ours or allowed.
pub(crate) fn token(
    request: &HttpRequest,
    shown: &Presentation,
) -> Result<Option<String>, Problem> {
    let cookie = match shown.refresh_cookie {
        RefreshCookie::Off => None,
        RefreshCookie::On => request.cookie(NAME),
    };
    match cookie {
        None => Ok(None),
        Some(_) if !from_a_known_origin(request) => Err(Problem::PermissionDenied),
        Some(cookie) => Ok(Some(cookie.value().to_owned()).filter(|token| !token.is_empty())),
    }
}

fn from_a_known_origin(request: &HttpRequest) -> bool {
    let origin = request.headers().get(ORIGIN).map(HeaderValue::to_str);
    let Some(Ok(origin)) = origin else {
        return false;
    };
    let edge = request.app_data::<Data<Edge>>();
    let allowed = edge.is_some_and(|edge| edge.allowed_origins.allows(origin.as_bytes()));
    let ours = match (Url::parse(origin), host(request.head())) {
        (Ok(url), Some(host)) => url.authority() == host.to_ascii_lowercase(),
        (Ok(_) | Err(_), _) => false,
    };
    allowed || ours
}

fn cookie(token: String, request: &HttpRequest, left: Duration) -> Cookie<'static> {
    let tenant = request.uri().path().strip_prefix("/t/");
    let path = match tenant.and_then(|rest| rest.split('/').next()) {
        Some(tenant) => format!("/t/{tenant}{PATH}"),
        None => PATH.to_owned(),
    };
    Cookie::build(NAME, token)
        .path(path)
        .http_only(true)
        .secure(true)
        .same_site(SameSite::Strict)
        .max_age(left)
        .finish()
}

const NAME: &str = "refresh_token";
const PATH: &str = "/api/auth/";
