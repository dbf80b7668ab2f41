//! The key ring as loaded: each key parsed once, and what is published of it.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Serialize;
use tessera_app::{KeyError, KeyRing, PublicKey, PublicKeys};
use tessera_domain::{Algorithm, Key, KeyId, KeyPurpose, Timestamp};

use crate::cache::Cache;
use crate::key_encryption::{KeyEncryptionKey, SealLabel};
use crate::private_key::PrivateKey;
use crate::public_key::{publish, verifier};

/// A key ring, never changed: another one takes its place, and what is remembered goes with it.
pub(crate) struct LoadedRing {
    pub(crate) issuer: Arc<str>,
    pub(crate) public: Arc<PublicKeys>,
    pub(crate) cache: Cache,
    records: Vec<Key>,
    /// One for each record, none for a key that no longer verified.
    keys: Vec<Option<Arc<LoadedKey>>>,
}

/// A key that was opened and parsed.
pub(crate) struct LoadedKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) private: PrivateKey,
    pub(crate) verifier: DecodingKey,
    public: Option<PublicKey>,
    /// The header of the tokens it signs, as it stands in them.
    header: String,
}

impl LoadedRing {
    /// Opens the keys of `ring` that verify; those that `before` has are not opened again.
    pub(crate) fn load(
        ring: &KeyRing,
        now: Timestamp,
        before: Option<&Self>,
        opener: &Opener<'_>,
    ) -> Result<Self, KeyError> {
        let keys = ring
            .keys
            .iter()
            .map(
                |record| match before.and_then(|before| before.same(record)) {
                    _ if !record.verifies(now) => Ok(None),
                    Some(key) => Ok(Some(key)),
                    None => opener.open(record).map(Arc::new).map(Some),
                },
            )
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            issuer: Arc::from(ring.issuer.as_str()),
            public: Arc::new(published(&keys)),
            cache: Cache::new(),
            records: ring.keys.clone(),
            keys,
        })
    }

    /// Whether loading `ring` would change nothing.
    pub(crate) fn is(&self, ring: &KeyRing, now: Timestamp) -> bool {
        *self.issuer == *ring.issuer
            && self.records == ring.keys
            && self
                .all()
                .all(|(record, key)| record.verifies(now) == key.is_some())
    }

    /// The record of the key that is named `kid`, and the key, unless it no longer verified.
    pub(crate) fn find(&self, kid: &str) -> Option<(&Key, Option<&LoadedKey>)> {
        self.all().find(|(record, _)| record.kid.as_str() == kid)
    }

    /// The key that signs tokens of this `purpose` now.
    pub(crate) fn signing(
        &self,
        purpose: KeyPurpose,
        now: Timestamp,
    ) -> Option<(&KeyId, &LoadedKey)> {
        let record = Key::signing(&self.records, purpose, now)?;
        let (_, key) = self.all().find(|(other, _)| other.id == record.id)?;
        Some((&record.kid, key?))
    }

    fn all(&self) -> impl Iterator<Item = (&Key, Option<&LoadedKey>)> {
        self.records
            .iter()
            .zip(self.keys.iter().map(Option::as_deref))
    }

    fn same(&self, record: &Key) -> Option<Arc<LoadedKey>> {
        let (_, key) = self.records.iter().zip(&self.keys).find(|(own, _)| {
            own.id == record.id
                && own.kid == record.kid
                && own.purpose == record.purpose
                && own.algorithm == record.algorithm
                && own.sealed == record.sealed
        })?;
        key.clone()
    }
}

/// What keys are opened with.
pub(crate) struct Opener<'o> {
    pub(crate) key_encryption_key: &'o KeyEncryptionKey,
    /// The `typ` of access tokens.
    pub(crate) typ: &'static str,
}

impl Opener<'_> {
    fn open(&self, record: &Key) -> Result<LoadedKey, KeyError> {
        let private = private(record, self.key_encryption_key)?;
        let public = match record.purpose {
            KeyPurpose::Access => publish(&private, record.algorithm)?,
            KeyPurpose::Refresh => None,
        };
        if public
            .as_ref()
            .is_some_and(|public| public.kid != record.kid)
        {
            let kid = record.kid.as_str();
            return Err(KeyError::Unusable(format!(
                "the key {kid} of the key ring is not the one it is named by"
            )));
        }
        let typ = match record.purpose {
            KeyPurpose::Access => self.typ,
            // Its bytes are the same whatever is configured.
            KeyPurpose::Refresh => "JWT",
        };
        Ok(LoadedKey {
            algorithm: record.algorithm,
            verifier: verifier(&private),
            private,
            public,
            header: header(record.algorithm, &record.kid, typ)?,
        })
    }
}

impl LoadedKey {
    /// A compact JWS (RFC 7515, section 7.1) of `payload`.
    pub(crate) fn sign(&self, payload: &[u8]) -> Option<String> {
        let mut token = String::with_capacity(self.header.len() + payload.len() * 4 / 3 + 360);
        token.push_str(&self.header);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.private.sign(self.algorithm, token.as_bytes())?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(token)
    }
}

/// The secret part of `record`, opened and parsed.
pub(crate) fn private(record: &Key, opener: &KeyEncryptionKey) -> Result<PrivateKey, KeyError> {
    let label = SealLabel {
        kid: &record.kid,
        purpose: record.purpose,
        algorithm: record.algorithm,
    };
    PrivateKey::from_bytes(record.algorithm, opener.open(&record.sealed, &label)?)
}

fn published(keys: &[Option<Arc<LoadedKey>>]) -> PublicKeys {
    let keys: Vec<PublicKey> = keys
        .iter()
        .flatten()
        .filter_map(|key| key.public.clone())
        .collect();
    let members: Vec<&str> = keys.iter().map(|key| key.jwk.as_str()).collect();
    let jwks = format!(r#"{{"keys":[{}]}}"#, members.join(","));
    let tag = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, jwks.as_bytes()));
    PublicKeys {
        etag: format!("\"{tag}\""),
        jwks,
        keys,
    }
}

#[derive(Serialize)]
struct Header<'h> {
    alg: &'static str,
    kid: &'h str,
    typ: &'static str,
}

fn header(algorithm: Algorithm, kid: &KeyId, typ: &'static str) -> Result<String, KeyError> {
    let header = Header {
        alg: algorithm.as_str(),
        kid: kid.as_str(),
        typ,
    };
    let json = serde_json::to_vec(&header)
        .map_err(|_| KeyError::Unusable("a token's header could not be written".to_owned()))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(json))
}
