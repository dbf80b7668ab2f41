//! The refresh token in a cookie, for pages that must not hold it themselves.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{HeaderValue, ORIGIN};
use actix_web::web::Data;
use tessera_app::{Grant, Tessera};
use url::Url;

use crate::client::{Client, Scheme};
use crate::cors::{self, split_tenant};
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

/// The refresh token of the request's cookie, if cookies are on and its path is the cookie's.
///
/// A browser sends the cookie whoever asks it to, so it counts only from a page of an origin that
/// is ours or allowed.
pub(crate) async fn token(
    request: &HttpRequest,
    tessera: &Tessera,
    shown: &Presentation,
) -> Result<Option<String>, Problem> {
    let path = request.uri().path();
    let (_, of_tenant) = split_tenant(path);
    let cookie = match shown.refresh_cookie {
        RefreshCookie::On if of_tenant.starts_with(PATH) => request.cookie(NAME),
        RefreshCookie::Off | RefreshCookie::On => None,
    };
    match cookie {
        None => Ok(None),
        Some(_) if !from_a_known_origin(request, tessera).await => Err(Problem::PermissionDenied),
        Some(cookie) => Ok(Some(cookie.value().to_owned()).filter(|token| !token.is_empty())),
    }
}

/// Ours is the origin of the public URL, and the one that the request itself was sent to; allowed is
/// one that may call anywhere, or this tenant.
async fn from_a_known_origin(request: &HttpRequest, tessera: &Tessera) -> bool {
    let origin = request.headers().get(ORIGIN).map(HeaderValue::to_str);
    let Some(Ok(origin)) = origin else {
        return false;
    };
    let edge = request.app_data::<Data<Edge>>();
    let allowed = edge.is_some_and(|edge| edge.allowed_origins.allows(origin.as_bytes()));
    let scheme = match Client::of(request).scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let asked = host(request.head()).map(|host| format!("{scheme}://{host}"));
    let issuer = tessera.ports().tokens.issuer();
    let ours = [asked, issuer.map(|issuer| issuer.to_string())];
    let written = |url: String| Some(Url::parse(&url).ok()?.origin().ascii_serialization());
    let mut ours = ours.into_iter().flatten().filter_map(written);
    allowed
        || ours.any(|it| it == origin)
        || cors::allows(tessera, &cors::hints(request.head()), origin).await
}

fn cookie(token: String, request: &HttpRequest, left: Duration) -> Cookie<'static> {
    let (prefix, _) = split_tenant(request.uri().path());
    let path = format!("{prefix}{PATH}");
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
