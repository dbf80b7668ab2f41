//! Every way a request can fail, and what its client is told (RFC 9457).

use core::error::Error;
use core::fmt;
use core::time::Duration;
use std::borrow::Cow;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};

use self::document::Document;

mod document;

/// Why a request is not answered as its client hoped.
///
/// A handler returns one as its error. The outermost middleware writes the body, because it alone
/// knows the request.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The access token is forged, over, or of another kind.
    AccessTokenNotValid,
    /// Hints at the tenant that exclude each other.
    ContradictoryTenants,
    /// The host is not one of those allowed.
    DisallowedHost,
    /// The header section is too large, in whole or in one field.
    HeadersTooLarge,
    /// Fields with wrong values.
    Input(Vec<FieldError>),
    /// The log in is older than this, which what is asked does not allow (RFC 9470).
    InsufficientAuthentication(Duration),
    /// A fault of ours; the log has its cause.
    Internal(Cause),
    /// No such account, or the wrong password, or an account that may not log in.
    InvalidCredentials,
    /// Accounts come by invitation here.
    InvitationOnly,
    /// A body that cannot be read; the text says why.
    MalformedBody(&'static str),
    /// Header fields that cannot be read; the text says why.
    MalformedHeaders(&'static str),
    /// The resource has other methods.
    MethodNotAllowed(HeaderValue),
    /// No token was sent.
    NotAuthenticated,
    /// There is nothing there, or nothing that the client may know of.
    NotFound,
    /// Too much waits already; nothing was done.
    Overloaded,
    /// The body is larger than the limit.
    PayloadTooLarge,
    /// The client is known and may not do this.
    PermissionDenied,
    /// A setting that administrators of the platform alone change.
    PlatformSetting(&'static str),
    /// The refresh token is forged, over, replaced, or of another kind.
    RefreshTokenNotValid,
    /// Nobody may sign up here.
    RegistrationClosed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// Too many requests; the seconds until the next may come.
    TooManyRequests(u32),
    /// Something that the answer needs cannot be reached; the log has the cause.
    Unavailable(Cause),
    /// The body has a type or an encoding that is not read here.
    UnsupportedMediaType,
    /// The target is longer than the limit.
    UriTooLong,
}

/// What went wrong inside, for the log alone.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// What is wrong with one field of the input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FieldError {
    field: Option<&'static str>,
    text: Cow<'static, str>,
}

impl FieldError {
    /// `text` is wrong with `field`.
    pub(crate) fn new(field: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: Some(field),
            text: text.into(),
        }
    }

    /// `text` is wrong with the input as a whole.
    pub(crate) fn whole(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: None,
            text: text.into(),
        }
    }

    /// The member that holds the texts of this field.
    fn member(&self) -> &'static str {
        self.field.unwrap_or("non_field_errors")
    }
}

impl Problem {
    /// A fault of ours, because of `cause`.
    pub(crate) fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    /// The wrong fields alone.
    pub(crate) fn field(field: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self::Input(vec![FieldError::new(field, text)])
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::AccessTokenNotValid
            | Self::InsufficientAuthentication(_)
            | Self::InvalidCredentials
            | Self::NotAuthenticated
            | Self::RefreshTokenNotValid => StatusCode::UNAUTHORIZED,
            Self::ContradictoryTenants
            | Self::DisallowedHost
            | Self::Input(_)
            | Self::MalformedBody(_)
            | Self::MalformedHeaders(_) => StatusCode::BAD_REQUEST,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Overloaded | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::InvitationOnly
            | Self::PermissionDenied
            | Self::PlatformSetting(_)
            | Self::RegistrationClosed => StatusCode::FORBIDDEN,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
        }
    }

    /// The stable name.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::AccessTokenNotValid | Self::RefreshTokenNotValid => "token_not_valid",
            Self::ContradictoryTenants => "contradictory_tenants",
            Self::DisallowedHost => "disallowed_host",
            Self::HeadersTooLarge => "headers_too_large",
            Self::Input(_) => "invalid_input",
            Self::InsufficientAuthentication(_) => "insufficient_user_authentication",
            Self::Internal(_) => "internal_error",
            Self::InvalidCredentials => "invalid_credentials",
            Self::InvitationOnly => "invitation_only",
            Self::MalformedBody(_) => "malformed_body",
            Self::MalformedHeaders(_) => "malformed_headers",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::NotAuthenticated => "not_authenticated",
            Self::NotFound => "not_found",
            Self::Overloaded => "overloaded",
            Self::PayloadTooLarge => "payload_too_large",
            Self::PermissionDenied | Self::PlatformSetting(_) => "permission_denied",
            Self::RegistrationClosed => "registration_closed",
            Self::RequestTimeout => "request_timeout",
            Self::TooManyRequests(_) => "too_many_requests",
            Self::Unavailable(_) => "unavailable",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::UriTooLong => "uri_too_long",
        }
    }

    /// What the client reads.
    pub(crate) fn detail(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::AccessTokenNotValid => "Given token not valid for any token type",
            Self::ContradictoryTenants => "The request names more than one tenant.",
            Self::DisallowedHost => "The host of the request is not served here.",
            Self::HeadersTooLarge => "The header fields are too large.",
            Self::Input(_) => "The request has invalid fields.",
            Self::InsufficientAuthentication(_) => "This needs a recent log in: log in again.",
            Self::Internal(_) => "Something went wrong on our side.",
            Self::InvalidCredentials => "No active account found with the given credentials",
            Self::InvitationOnly => "Accounts come by invitation here.",
            Self::MalformedBody(why) | Self::MalformedHeaders(why) => why,
            Self::MethodNotAllowed(_) => "The resource does not have this method.",
            Self::NotAuthenticated => "Authentication credentials were not provided.",
            Self::NotFound => "Not found.",
            Self::Overloaded => "Too much to do at the moment; try again soon.",
            Self::PayloadTooLarge => "The body is too large.",
            Self::PermissionDenied => "You do not have permission to perform this action.",
            Self::PlatformSetting(name) => return Cow::Owned(of_platform(name)),
            Self::RefreshTokenNotValid => "Token is invalid or expired",
            Self::RegistrationClosed => "Nobody may sign up here.",
            Self::RequestTimeout => "The request did not arrive in time.",
            Self::TooManyRequests(seconds) => return Cow::Owned(throttled(*seconds)),
            Self::Unavailable(_) => "Not available at the moment; try again soon.",
            Self::UnsupportedMediaType => "The type or the encoding of the body is not supported.",
            Self::UriTooLong => "The target of the request is too long.",
        })
    }

    /// What only the log may read.
    pub(crate) fn cause(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Internal(cause) | Self::Unavailable(cause) => Some(cause.as_ref()),
            Self::AccessTokenNotValid
            | Self::ContradictoryTenants
            | Self::DisallowedHost
            | Self::HeadersTooLarge
            | Self::Input(_)
            | Self::InsufficientAuthentication(_)
            | Self::InvalidCredentials
            | Self::InvitationOnly
            | Self::MalformedBody(_)
            | Self::MalformedHeaders(_)
            | Self::MethodNotAllowed(_)
            | Self::NotAuthenticated
            | Self::NotFound
            | Self::Overloaded
            | Self::PayloadTooLarge
            | Self::PermissionDenied
            | Self::PlatformSetting(_)
            | Self::RefreshTokenNotValid
            | Self::RegistrationClosed
            | Self::RequestTimeout
            | Self::TooManyRequests(_)
            | Self::UnsupportedMediaType
            | Self::UriTooLong => None,
        }
    }

    /// The whole answer to a request for that path.
    pub(crate) fn answer(&self, path: &str) -> HttpResponse {
        self.error_response()
            .set_body(BoxBody::new(self.body(path)))
    }

    /// The body of the answer to a request for that path.
    pub(crate) fn body(&self, path: &str) -> Vec<u8> {
        // Names and texts alone: that cannot fail.
        serde_json::to_vec(&Document::new(self, path)).unwrap_or_default()
    }

    fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match self {
            Self::AccessTokenNotValid => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(INVALID_TOKEN));
            }
            Self::InsufficientAuthentication(max_age) => {
                let age = max_age.as_secs();
                let challenge = format!("{INSUFFICIENT}, max_age={age}");
                if let Ok(challenge) = HeaderValue::try_from(challenge) {
                    headers.insert(WWW_AUTHENTICATE, challenge);
                }
            }
            Self::InvalidCredentials | Self::NotAuthenticated | Self::RefreshTokenNotValid => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(REALM));
            }
            Self::MethodNotAllowed(allowed) => {
                headers.insert(ALLOW, allowed.clone());
            }
            Self::Overloaded | Self::Unavailable(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::TooManyRequests(seconds) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            Self::ContradictoryTenants
            | Self::DisallowedHost
            | Self::HeadersTooLarge
            | Self::Input(_)
            | Self::Internal(_)
            | Self::InvitationOnly
            | Self::MalformedBody(_)
            | Self::MalformedHeaders(_)
            | Self::NotFound
            | Self::PayloadTooLarge
            | Self::PermissionDenied
            | Self::PlatformSetting(_)
            | Self::RegistrationClosed
            | Self::RequestTimeout
            | Self::UnsupportedMediaType
            | Self::UriTooLong => {}
        }
    }

    /// Whether what else the client sends on this connection is not worth reading.
    fn ends_connection(&self) -> bool {
        let status = self.status();
        status == StatusCode::PAYLOAD_TOO_LARGE || status == StatusCode::REQUEST_TIMEOUT
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    /// Status and header fields; the body follows in the outermost middleware.
    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status());
        if self.ends_connection() {
            answer.force_close();
        }
        let mut answer = answer.finish();
        self.write_headers(answer.headers_mut());
        answer
    }
}

/// The text for the log.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<tessera_app::Unavailable> for Problem {
    fn from(unavailable: tessera_app::Unavailable) -> Self {
        Self::Unavailable(unavailable.0)
    }
}

impl From<tessera_app::Overloaded> for Problem {
    fn from(_: tessera_app::Overloaded) -> Self {
        Self::Overloaded
    }
}

const INSUFFICIENT: &str = r#"Bearer realm="tessera", error="insufficient_user_authentication""#;
fn of_platform(setting: &str) -> String {
    format!("The setting {setting} is for administrators of the platform to change.")
}

/// As Django REST framework says it.
fn throttled(seconds: u32) -> String {
    let unit = if seconds == 1 { "second" } else { "seconds" };
    format!("Request was throttled. Expected available in {seconds} {unit}.")
}

const INVALID_TOKEN: &str = r#"Bearer realm="tessera", error="invalid_token""#;
const MEDIA_TYPE: &str = "application/problem+json";
const REALM: &str = r#"Bearer realm="tessera""#;

#[cfg(test)]
mod tests;
