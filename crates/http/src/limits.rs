//! What of a request's head is taken, and the token that it bears.

use actix_web::dev::RequestHead;
use actix_web::http::header::{
    AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN, TRANSFER_ENCODING,
};
use actix_web::http::uri::Authority;

use crate::problem::Problem;
use crate::request_id::X_REQUEST_ID;

/// What every request is asked, found in one pass over its header fields.
#[derive(Default)]
pub(crate) struct Head<'a> {
    /// Whether its body comes in chunks: the only transfer coding that there is (RFC 9112).
    pub(crate) chunked: bool,
    /// The first thing that is wrong with it.
    pub(crate) fault: Option<Problem>,
    /// The page's origin.
    pub(crate) origin: Option<&'a HeaderValue>,
    /// The id that the client gave.
    pub(crate) request_id: Option<&'a HeaderValue>,
}

impl<'a> Head<'a> {
    /// Looks at every field once.
    pub(crate) fn read(head: &'a RequestHead) -> Self {
        let mut read = Self::default();
        let (mut size, mut authorizations) = (0_usize, 0_u8);
        for (name, value) in &head.headers {
            let field = name.as_str().len().saturating_add(value.len());
            size = size.saturating_add(field).saturating_add(SEPARATORS);
            if name == ORIGIN {
                read.origin = Some(value);
            } else if name == AUTHORIZATION {
                authorizations = authorizations.saturating_add(1);
            } else if name == TRANSFER_ENCODING {
                read.chunked = true;
            } else if *name == X_REQUEST_ID {
                read.request_id = Some(value);
            }
        }
        let target = head
            .uri
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        read.fault = if target > MAX_TARGET {
            Some(Problem::UriTooLong)
        } else if size > MAX_HEADERS {
            Some(Problem::HeadersTooLarge)
        } else if authorizations > 1 {
            Some(Problem::MalformedHeaders(
                "The request has two Authorization fields.",
            ))
        } else {
            None
        };
        read
    }
}

/// The host that a request is for, with its port: the target's, which overrides the field (RFC 9112,
/// section 3.2.2). The library refuses a request that has two.
pub(crate) fn host(head: &RequestHead) -> Option<&str> {
    let target = head.uri.authority().map(Authority::as_str);
    target.or_else(|| head.headers.get(&HOST)?.to_str().ok())
}

/// The access token that a request bears (RFC 6750, section 2.1), if it bears one.
///
/// Another scheme is no token; a `Bearer` without a token, or with what can be none, is a bad one.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(&AUTHORIZATION) else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let (scheme, rest) = match bytes.iter().position(|byte| *byte == b' ') {
        Some(blank) => bytes.split_at_checked(blank).unwrap_or((bytes, &[])),
        None => (bytes, &[][..]),
    };
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    let token = core::str::from_utf8(rest.trim_ascii()).unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(allowed) {
        return Err(Problem::AccessTokenNotValid);
    }
    Ok(Some(token))
}

/// The most bytes of all header fields: nginx takes as many by default.
const MAX_HEADERS: usize = 32 * 1024;

/// The most bytes of a target.
const MAX_TARGET: usize = 8 * 1024;

/// The colon, the blank and the line end of a field.
const SEPARATORS: usize = 4;

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn token(value: &[u8]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        match bearer(&headers) {
            Ok(token) => Ok(token.map(str::to_owned)),
            Err(problem) => Err(problem.code()),
        }
    }

    fn fault(request: TestRequest) -> Option<&'static str> {
        let request = request.to_http_request();
        Head::read(request.head())
            .fault
            .map(|problem| problem.code())
    }

    #[test]
    fn a_bearer_token_is_found_however_its_scheme_is_spelt() {
        for spelling in [
            "Bearer a.b-c_d~+/==",
            "bearer a.b-c_d~+/==",
            "BEARER   a.b-c_d~+/== ",
        ] {
            assert_eq!(
                token(spelling.as_bytes()),
                Ok(Some("a.b-c_d~+/==".to_owned()))
            );
        }
        assert!(matches!(bearer(&HeaderMap::new()), Ok(None)));
    }

    #[test]
    fn another_scheme_is_no_token() {
        for other in [
            "Basic dXNlcjpwYXNz",
            "JWT abc",
            "Bearerabc",
            "Token abc",
            "",
        ] {
            assert_eq!(token(other.as_bytes()), Ok(None), "{other}");
        }
    }

    #[test]
    fn a_bearer_that_can_be_no_token_is_a_bad_one() {
        for bad in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer a b",
            b"Bearer a,Bearer b",
            b"Bearer \xff\xfe",
            b"Bearer a\tb",
        ] {
            assert_eq!(token(bad), Err("token_not_valid"), "{bad:?}");
        }
    }

    #[test]
    fn a_request_bears_one_token() {
        let two = |name: &'static str| {
            TestRequest::default()
                .append_header((name, "Bearer a"))
                .append_header((name, "Bearer a"))
        };
        assert_eq!(fault(two("authorization")), Some("malformed_headers"));
        assert_eq!(fault(two("accept")), None);
    }

    #[test]
    fn header_fields_have_a_limit_together() {
        let sized = |size: usize| {
            let half = "x".repeat(size / 2);
            TestRequest::default()
                .append_header(("a", half.clone()))
                .append_header(("b", half))
        };
        assert_eq!(fault(sized(MAX_HEADERS)), Some("headers_too_large"));
        assert_eq!(fault(sized(MAX_HEADERS - 2 * (1 + SEPARATORS))), None);
    }

    #[test]
    fn a_target_has_a_limit() {
        let sized = |size: usize| TestRequest::with_uri(&format!("/{}", "x".repeat(size - 1)));
        assert_eq!(fault(sized(MAX_TARGET + 1)), Some("uri_too_long"));
        assert_eq!(fault(sized(MAX_TARGET)), None);
    }
}
