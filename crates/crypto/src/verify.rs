//! The one place where a token is found genuine, or is not.
//!
//! Which key, and so which algorithm, is decided by our own ring; a token only names it. What the
//! header says beside that is either checked here or has no influence: keys that a token brings
//! along (`jku x5u jwk x5c`) are never looked at, and an extension that must be understood (`crit`)
//! is not.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use tessera_app::TokenError;
use tessera_domain::{Key, KeyPurpose, Timestamp};

use crate::json::{not_null, present, strict};
use crate::public_key::jose;
use crate::ring::{LoadedKey, LoadedRing};

/// A token whose header and signature are in order; what it says is still to be checked.
pub(crate) struct Signed<'r> {
    pub(crate) record: &'r Key,
    pub(crate) key: &'r LoadedKey,
    pub(crate) payload: Vec<u8>,
}

/// Checks the form, the header and the signature of a compact JWS (RFC 7515, RFC 8725).
pub(crate) fn verify<'r>(
    ring: &'r LoadedRing,
    purpose: KeyPurpose,
    token: &str,
    now: Timestamp,
) -> Result<Signed<'r>, TokenError> {
    if token.len() > MOST_BYTES {
        return Err(TokenError::Invalid);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Invalid)?;
    let header: Header = decode(header)
        .and_then(|json| strict(&json))
        .ok_or(TokenError::Invalid)?;
    let typ = header.typ.as_deref().unwrap_or("JWT");
    if header.crit || header.b64 || !is_a_jwt(typ) {
        return Err(TokenError::Invalid);
    }
    let (record, key) = ring.find(&header.kid).ok_or(TokenError::UnknownKey)?;
    let key = key
        .filter(|_| record.purpose == purpose && record.verifies(now))
        .filter(|key| key.algorithm.as_str() == header.alg)
        .ok_or(TokenError::Invalid)?;
    let payload = decode(payload).ok_or(TokenError::Invalid)?;
    if !genuine(key, signed, signature) {
        return Err(TokenError::Invalid);
    }
    Ok(Signed {
        record,
        key,
        payload,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one verify function checks signatures with it"
)]
fn genuine(key: &LoadedKey, signed: &str, signature: &str) -> bool {
    let algorithm = jose(key.algorithm);
    jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.verifier, algorithm)
        .unwrap_or(false)
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default, deserialize_with = "not_null")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    b64: bool,
}

/// Whether a `typ` is `JWT` or `at+jwt`, in any case, in full or short (RFC 7515, section 4.1.9).
fn is_a_jwt(typ: &str) -> bool {
    const PREFIX: &str = "application/";
    let short = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, short)) if prefix.eq_ignore_ascii_case(PREFIX) => short,
        Some(_) | None => typ,
    };
    short.eq_ignore_ascii_case("JWT") || short.eq_ignore_ascii_case("at+jwt")
}

/// Base64url as a JWS has it: no padding, no bits left over.
fn decode(part: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part).ok()
}

const MOST_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests;
