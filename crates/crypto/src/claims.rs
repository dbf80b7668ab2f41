//! What tokens say, as JSON: members in a fixed order when written, every one checked when read.

use core::fmt::Display;
use core::time::Duration;
use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize, Serializer};
use tessera_domain::{
    AccessClaims, Algorithm, Generation, Id, RefreshClaims, SchemaName, Session, Timestamp,
    TokenIssuer, User, issuer_of_tenant,
};

use crate::json::{not_absent, not_null, strict};
use crate::private_key::PrivateKey;
use crate::settings::Audience;
use crate::verify::Signed;

/// Who issues access tokens, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct Parties<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a Audience,
}

impl<'a> Parties<'a> {
    fn issuer(self, issuer: TokenIssuer, schema: &SchemaName) -> Cow<'a, str> {
        match issuer {
            TokenIssuer::Installation => Cow::Borrowed(self.issuer),
            TokenIssuer::Tenant => Cow::Owned(issuer_of_tenant(self.issuer, schema)),
        }
    }

    fn audience<'i>(self, issuer: &'i str) -> Option<&'i str>
    where
        'a: 'i,
    {
        match self.audience {
            Audience::Issuer => Some(issuer),
            Audience::Named(name) => Some(name),
            Audience::Unsaid => None,
        }
    }
}

/// Writes an access token's payload.
pub(crate) fn write_access(claims: &AccessClaims, parties: Parties<'_>) -> Option<Vec<u8>> {
    let issuer = parties.issuer(claims.issuer, &claims.tenant_schema);
    let payload = AccessOut {
        iss: &issuer,
        sub: claims.user,
        aud: parties.audience(&issuer),
        exp: claims.expires_at.as_secs(),
        iat: claims.issued_at.as_secs(),
        jti: claims.token,
        sid: claims.session,
        token_type: ACCESS,
        user_id: &claims.user_id,
        email: claims.email.as_deref(),
        username: claims.username.as_deref(),
        role: claims.roles.first().map(String::as_str),
        roles: &claims.roles,
        tenant_id: &claims.tenant_id,
        tenant_schema: claims.tenant_schema.as_str(),
    };
    serde_json::to_vec(&payload).ok()
}

/// Reads an access token's payload, and from when on it counts; none when anything is amiss.
pub(crate) fn read_access(
    payload: &[u8],
    parties: Parties<'_>,
    now: Timestamp,
) -> Option<(AccessClaims, Timestamp)> {
    let payload: AccessIn = strict(payload)?;
    let schema = SchemaName::restore(payload.tenant_schema);
    let issuer = TokenIssuer::ALL
        .into_iter()
        .find(|issuer| payload.iss == parties.issuer(*issuer, &schema))?;
    let ours = payload.aud.as_deref() == parties.audience(&payload.iss)
        && payload.token_type == ACCESS
        && payload.role.as_ref() == payload.roles.first();
    let counts_from = payload.iat.max(payload.nbf.unwrap_or(i64::MIN));
    let counts_from = Timestamp::from_secs(counts_from) - LEEWAY;
    if !ours || now < counts_from {
        return None;
    }
    let claims = AccessClaims {
        issuer,
        token: id(&payload.jti)?,
        user: id::<User>(&payload.sub)?,
        session: id::<Session>(&payload.sid)?,
        user_id: payload.user_id,
        email: payload.email,
        username: payload.username,
        roles: payload.roles,
        tenant_id: payload.tenant_id,
        tenant_schema: schema,
        issued_at: Timestamp::from_secs(payload.iat),
        expires_at: Timestamp::from_secs(payload.exp),
    };
    Some((claims, counts_from))
}

/// Writes a refresh token's payload, to be signed with `key`: the same bytes for the same claims.
pub(crate) fn write_refresh(claims: &RefreshClaims, key: &PrivateKey) -> Option<Vec<u8>> {
    let payload = RefreshOut {
        token_type: REFRESH,
        sid: claims.session,
        generation: claims.generation.number(),
        tenant_id: &claims.tenant_id,
        tenant_schema: claims.tenant_schema.as_str(),
        exp: claims.expires_at.as_secs(),
        iat: claims.issued_at.as_secs(),
        jti: refresh_jti(key, claims.session, claims.generation)?,
    };
    serde_json::to_vec(&payload).ok()
}

/// Reads what a refresh token says; none when anything is amiss.
pub(crate) fn read_refresh(signed: &Signed<'_>, now: Timestamp) -> Option<RefreshClaims> {
    let payload: RefreshIn = strict(&signed.payload)?;
    let counts_from = payload.iat.max(payload.nbf.unwrap_or(i64::MIN));
    let claims = RefreshClaims {
        session: id(&payload.sid)?,
        generation: Generation::new(payload.generation),
        tenant_id: payload.tenant_id,
        tenant_schema: SchemaName::restore(payload.tenant_schema),
        issued_at: Timestamp::from_secs(payload.iat),
        expires_at: Timestamp::from_secs(payload.exp),
        key: signed.record.kid.clone(),
    };
    let jti = refresh_jti(&signed.key.private, claims.session, claims.generation)?;
    let ours = payload.token_type == REFRESH
        && payload.jti == jti
        && now >= Timestamp::from_secs(counts_from) - LEEWAY;
    ours.then_some(claims)
}

/// The name of a refresh token: a function of what it is for, and of a key nobody else has.
fn refresh_jti(key: &PrivateKey, session: Id<Session>, generation: Generation) -> Option<String> {
    let mut input = REFRESH_JTI.to_vec();
    input.extend_from_slice(session.uuid().as_bytes());
    input.extend_from_slice(&generation.number().to_be_bytes());
    let name = key.sign(Algorithm::Hs256, &input)?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(name))
}

#[derive(Serialize)]
struct AccessOut<'c> {
    iss: &'c str,
    #[serde(serialize_with = "shown")]
    sub: Id<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'c str>,
    exp: i64,
    iat: i64,
    #[serde(serialize_with = "shown")]
    jti: Id<AccessClaims>,
    #[serde(serialize_with = "shown")]
    sid: Id<Session>,
    token_type: &'static str,
    user_id: &'c str,
    email: Option<&'c str>,
    username: Option<&'c str>,
    role: Option<&'c str>,
    roles: &'c [String],
    tenant_id: &'c str,
    tenant_schema: &'c str,
}

#[derive(Deserialize)]
struct AccessIn {
    iss: String,
    sub: String,
    #[serde(default, deserialize_with = "not_null")]
    aud: Option<String>,
    exp: i64,
    iat: i64,
    #[serde(default, deserialize_with = "not_null")]
    nbf: Option<i64>,
    jti: String,
    sid: String,
    token_type: String,
    user_id: String,
    #[serde(deserialize_with = "not_absent")]
    email: Option<String>,
    #[serde(deserialize_with = "not_absent")]
    username: Option<String>,
    #[serde(deserialize_with = "not_absent")]
    role: Option<String>,
    roles: Vec<String>,
    tenant_id: String,
    tenant_schema: String,
}

#[derive(Serialize)]
struct RefreshOut<'c> {
    token_type: &'static str,
    #[serde(serialize_with = "shown")]
    sid: Id<Session>,
    #[serde(rename = "gen")]
    generation: u64,
    tenant_id: &'c str,
    tenant_schema: &'c str,
    exp: i64,
    iat: i64,
    jti: String,
}

#[derive(Deserialize)]
struct RefreshIn {
    token_type: String,
    sid: String,
    #[serde(rename = "gen")]
    generation: u64,
    tenant_id: String,
    tenant_schema: String,
    exp: i64,
    iat: i64,
    #[serde(default, deserialize_with = "not_null")]
    nbf: Option<i64>,
    jti: String,
}

fn shown<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// An id in its one spelling: hyphens, lower case.
fn id<T>(text: &str) -> Option<Id<T>> {
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    text.parse().ok().filter(|_| lower)
}

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

/// No token's signed part begins like this, so that the name cannot serve as a signature.
const REFRESH_JTI: &[u8] = b"tessera refresh jti\0";

/// How far ahead of ours a clock may be that made a token.
const LEEWAY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
