//! The public keys, and where everything is.

use core::cell::RefCell;
use core::hash::{Hash, Hasher};
use std::hash::DefaultHasher;
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use paperclip::actix::{Apiv2Schema, api_v2_operation};
use serde::{Deserialize, Serialize};
use tessera_app::{OwnIssuerError, PublicKeys, Tessera, TokenError};

use crate::answer::Kept;
use crate::problem::Problem;

/// Public keys
///
/// The keys that verify access tokens, as a JWK Set (RFC 7517). Empty where tokens are signed with a
/// shared secret.
#[api_v2_operation(operation_id = "jwks", tags("Keys"))]
pub(crate) async fn jwks(
    request: HttpRequest,
    tessera: Data<Tessera>,
) -> Result<Kept<KeySetView>, Problem> {
    let keys = tessera.ports().tokens.public_keys();
    if keys.jwks.is_empty() {
        return Err(Problem::Unavailable("no key ring is loaded".into()));
    }
    let (etag, body) = written(&keys)?;
    Ok(cacheable(&request, "application/jwk-set+json", etag, || body).into())
}

/// The entity tag and the body for these keys: made once in each thread, as long as they stay.
fn written(keys: &Arc<PublicKeys>) -> Result<(HeaderValue, Bytes), Problem> {
    WRITTEN.with_borrow_mut(|written| {
        if let Some((of, etag, body)) = written
            && Arc::ptr_eq(of, keys)
        {
            return Ok((etag.clone(), body.clone()));
        }
        let etag = HeaderValue::try_from(&keys.etag).map_err(Problem::internal)?;
        let body = Bytes::from(keys.jwks.clone());
        *written = Some((Arc::clone(keys), etag.clone(), body.clone()));
        Ok((etag, body))
    })
}

thread_local! {
    static WRITTEN: RefCell<Option<(Arc<PublicKeys>, HeaderValue, Bytes)>> =
        const { RefCell::new(None) };
}

/// Discovery
///
/// What exists here, as OpenID Connect Discovery and RFC 8414 name it. Under `/t/{tenant}/` it is that
/// of a tenant with an issuer of its own.
#[api_v2_operation(operation_id = "discovery", tags("Keys"))]
pub(crate) async fn discovery(
    request: HttpRequest,
    tessera: Data<Tessera>,
) -> Result<Kept<DiscoveryView>, Problem> {
    let issuer = if let Some(tenant) = request.match_info().get("tenant") {
        tessera.own_issuer(tenant).await?.issuer
    } else {
        let issuer = tessera.ports().tokens.issuer();
        issuer
            .ok_or(OwnIssuerError::NotReady(TokenError::NoKey))?
            .to_string()
    };
    discovered(&request, &tessera, issuer)
}

/// Discovery of a tenant
///
/// The same of a tenant with an issuer of its own, where RFC 8414 looks for it (sections 3 and 5): the
/// path of the issuer comes last.
#[api_v2_operation(operation_id = "tenantDiscovery", tags("Keys"))]
pub(crate) async fn tenant_discovery(
    request: HttpRequest,
    tessera: Data<Tessera>,
    path: Path<IssuerPath>,
) -> Result<Kept<DiscoveryView>, Problem> {
    let own = tessera.own_issuer(&path.schema).await?;
    let mut named = request.match_info().get("tenant").into_iter();
    if named.any(|tenant| tenant != path.schema) {
        return Err(Problem::NotFound);
    }
    discovered(&request, &tessera, own.issuer)
}

/// The end of an issuer.
#[derive(Apiv2Schema, Deserialize)]
pub(crate) struct IssuerPath {
    /// The tenant's schema name.
    schema: String,
}

fn discovered(
    request: &HttpRequest,
    tessera: &Tessera,
    issuer: String,
) -> Result<Kept<DiscoveryView>, Problem> {
    let tokens = &tessera.ports().tokens;
    let mut algorithms: Vec<String> = Vec::new();
    for key in &tokens.public_keys().keys {
        let algorithm = key.algorithm.as_str();
        if !algorithms.iter().any(|known| known == algorithm) {
            algorithms.push(algorithm.to_owned());
        }
    }
    let base = issuer.trim_end_matches('/');
    let document = DiscoveryView {
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        service_documentation: format!("{base}/api/docs/"),
        issuer,
        response_types_supported: Vec::new(),
        grant_types_supported: Vec::new(),
        subject_types_supported: vec!["public".to_owned()],
        access_token_signing_alg_values_supported: algorithms,
        claims_supported: CLAIMS.map(str::to_owned).to_vec(),
    };
    let body = serde_json::to_string(&document).map_err(Problem::internal)?;
    let etag = HeaderValue::try_from(entity_tag(&body)).map_err(Problem::internal)?;
    Ok(cacheable(request, "application/json", etag, || body.into()).into())
}

/// The JWK Set.
#[derive(Apiv2Schema)]
pub(crate) struct KeySetView {
    #[expect(dead_code, reason = "read by the documentation alone")]
    keys: Vec<KeyView>,
}

/// One key; a key of each type has members of its own.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
pub(crate) struct KeyView {
    kty: String,
    kid: String,
    alg: String,
    r#use: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// What exists and nothing else.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct DiscoveryView {
    issuer: String,
    jwks_uri: String,
    service_documentation: String,
    response_types_supported: Vec<String>,
    grant_types_supported: Vec<String>,
    subject_types_supported: Vec<String>,
    access_token_signing_alg_values_supported: Vec<String>,
    claims_supported: Vec<String>,
}

/// An answer that may be kept for a while and asked for by its entity tag.
pub(super) fn cacheable(
    request: &HttpRequest,
    media_type: &'static str,
    etag: HeaderValue,
    body: impl FnOnce() -> Bytes,
) -> HttpResponse {
    let kept = request.headers().get_all(IF_NONE_MATCH).any(|tags| {
        let tags = tags.to_str().unwrap_or_default();
        tags.split(',').any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
        })
    });
    let mut answer = if kept {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .append_header((
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=300"),
        ))
        .append_header((ETAG, etag));
    if kept {
        return answer.finish();
    }
    answer
        .append_header((CONTENT_TYPE, HeaderValue::from_static(media_type)))
        .body(body())
}

impl From<OwnIssuerError> for Problem {
    fn from(error: OwnIssuerError) -> Self {
        match error {
            OwnIssuerError::NotFound => Self::NotFound,
            OwnIssuerError::NotReady(not_ready) => Self::Unavailable(not_ready.into()),
            OwnIssuerError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

/// An entity tag for a text that the service itself wrote: nobody gains by a collision.
pub(super) fn entity_tag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

const CLAIMS: [&str; 15] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "jti",
    "sid",
    "token_type",
    "user_id",
    "email",
    "username",
    "role",
    "roles",
    "tenant_id",
    "tenant_schema",
];
