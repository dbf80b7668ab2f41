//! What the tests of several files are made of.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tessera_app::{Entropy, Expiry, KeyRing, TokenError, Tokens};
use tessera_domain::{
    AccessClaims, Algorithm, Generation, Id, Key, KeyPurpose, RefreshClaims, SchemaName, Timestamp,
    TokenIssuer,
};

use crate::private_key::PrivateKey;
use crate::ring::private;
use crate::{Audience, JwtTokens, KeyEncryptionKey, SystemEntropy, TokenSettings, TokenTyp};

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
pub(crate) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::EdDsa,
    Algorithm::Es256,
    Algorithm::Hs256,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

pub(crate) fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

pub(crate) fn settings(algorithm: Option<Algorithm>) -> TokenSettings {
    TokenSettings {
        algorithm,
        configured: None,
        audience: Audience::Issuer,
        typ: TokenTyp::Jwt,
        key_encryption_key: KeyEncryptionKey::generate(&SystemEntropy),
    }
}

/// A service that made and loaded the keys it lacked.
pub(crate) struct Service {
    pub(crate) tokens: JwtTokens,
    pub(crate) keys: Vec<Key>,
    pub(crate) key_encryption_key: KeyEncryptionKey,
}

impl Service {
    pub(crate) fn of(algorithm: Algorithm) -> Self {
        Self::with(settings(Some(algorithm)))
    }

    pub(crate) fn with(settings: TokenSettings) -> Self {
        let key_encryption_key = settings.key_encryption_key.clone();
        let tokens = JwtTokens::new(settings, entropy()).unwrap();
        let keys = tokens.missing(&[], NOW, &mut new_id).unwrap();
        let service = Self {
            tokens,
            keys,
            key_encryption_key,
        };
        service.load(&service.keys);
        service
    }

    pub(crate) fn load(&self, keys: &[Key]) {
        self.tokens.load(&ring(keys), NOW).unwrap();
    }

    pub(crate) fn key(&self, purpose: KeyPurpose) -> &Key {
        Key::signing(&self.keys, purpose, NOW).unwrap()
    }

    pub(crate) fn private(&self, purpose: KeyPurpose) -> PrivateKey {
        private(self.key(purpose), &self.key_encryption_key).unwrap()
    }

    pub(crate) fn access(&self) -> String {
        self.tokens.sign_access(&access_claims(), NOW).unwrap()
    }

    pub(crate) fn refresh(&self) -> String {
        self.tokens.sign_refresh(&self.refresh_claims()).unwrap()
    }

    pub(crate) fn refresh_claims(&self) -> RefreshClaims {
        let access = access_claims();
        RefreshClaims {
            session: access.session,
            generation: Generation::new(7),
            tenant_id: access.tenant_id,
            tenant_schema: access.tenant_schema,
            issued_at: access.issued_at,
            expires_at: access.expires_at,
            key: self.tokens.refresh_key(NOW).unwrap(),
        }
    }

    /// A token of these parts under the key that signs tokens of this purpose.
    pub(crate) fn forge(&self, purpose: KeyPurpose, header: &str, payload: &str) -> String {
        let key = self.private(purpose);
        let signed = unsigned(header, payload);
        let signature = key.sign(self.key(purpose).algorithm, signed.as_bytes());
        join(&signed, &signature.unwrap())
    }

    pub(crate) fn header(&self, purpose: KeyPurpose) -> Value {
        let key = self.key(purpose);
        json!({"alg": key.algorithm.as_str(), "kid": key.kid.as_str(), "typ": "JWT"})
    }
}

pub(crate) fn ring(keys: &[Key]) -> KeyRing {
    KeyRing {
        issuer: ISSUER.to_owned(),
        keys: keys.to_vec(),
    }
}

pub(crate) fn new_id<T>() -> Id<T> {
    let mut random = [0; 10];
    SystemEntropy.fill(&mut random);
    Id::new(NOW, random)
}

pub(crate) fn access_claims() -> AccessClaims {
    AccessClaims {
        issuer: TokenIssuer::Installation,
        token: Id::new(NOW, [1; 10]),
        user: Id::new(NOW, [2; 10]),
        session: Id::new(NOW, [3; 10]),
        user_id: "42".to_owned(),
        email: Some("ada@example.com".to_owned()),
        username: None,
        roles: vec!["editor".to_owned(), "tenant-admin".to_owned()],
        tenant_id: "t-1".to_owned(),
        tenant_schema: SchemaName::of_default_tenant(),
        issued_at: NOW,
        expires_at: Timestamp::from_secs(NOW.as_secs() + 900),
    }
}

/// The payload of a token, as JSON.
pub(crate) fn payload(token: &str) -> Value {
    part(token, 1)
}

/// The header (0) or the payload (1) of a token, as JSON.
pub(crate) fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub(crate) fn unsigned(header: &str, payload: &str) -> String {
    let encode = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
    format!("{}.{}", encode(header), encode(payload))
}

pub(crate) fn join(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Whether an access token is accepted.
pub(crate) fn read(service: &Service, token: &str) -> Result<(), TokenError> {
    let read = service.tokens.read_access(token, NOW, Expiry::Enforced);
    read.map(|_| ())
}

/// Whether a refresh token is accepted.
pub(crate) fn read_refresh(service: &Service, token: &str) -> Result<(), TokenError> {
    service.tokens.read_refresh(token, NOW).map(|_| ())
}

/// An object without one of its members, as text.
pub(crate) fn without(object: &Value, name: &str) -> String {
    let mut object = object.clone();
    let removed = object.as_object_mut().unwrap().remove(name);
    assert!(removed.is_some(), "{name} was never there");
    object.to_string()
}
