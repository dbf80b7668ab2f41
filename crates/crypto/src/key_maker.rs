//! Makes keys for the key ring, sealed.

use core::cmp::Reverse;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tessera_app::{Entropy, KeyError};
use tessera_domain::{Algorithm, Id, Key, KeyId, KeyOrigin, KeyPurpose, Timestamp};

use crate::configured::ConfiguredKey;
use crate::key_encryption::{KeyEncryptionKey, SealLabel};
use crate::private_key::PrivateKey;
use crate::public_key::publish;
use crate::ring::private;

/// Knows which keys the configuration asks for.
pub(crate) struct KeyMaker {
    /// The algorithm that was asked for, or the one of the configured key.
    algorithm: Option<Algorithm>,
    configured: Option<ConfiguredKey>,
    key_encryption_key: KeyEncryptionKey,
    entropy: Arc<dyn Entropy>,
}

impl KeyMaker {
    pub(crate) fn new(
        algorithm: Option<Algorithm>,
        configured: Option<ConfiguredKey>,
        key_encryption_key: KeyEncryptionKey,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, KeyError> {
        let algorithm = match &configured {
            Some(key) => Some(key.algorithm(algorithm)?),
            None => algorithm,
        };
        Ok(Self {
            algorithm,
            configured,
            key_encryption_key,
            entropy,
        })
    }

    pub(crate) fn key_encryption_key(&self) -> &KeyEncryptionKey {
        &self.key_encryption_key
    }

    /// The keys that `ring` lacks; they sign from `now` on.
    ///
    /// A key that the configuration names again comes back under the id and version that the ring
    /// has for it, to be updated: there cannot be two of one `kid`.
    pub(crate) fn missing(
        &self,
        ring: &[Key],
        now: Timestamp,
        id: &mut dyn FnMut() -> Id<Key>,
    ) -> Result<Vec<Key>, KeyError> {
        let mut missing = Vec::new();
        let access = Key::signing(ring, KeyPurpose::Access, now);
        if let (Some(configured), Some(algorithm)) = (&self.configured, self.algorithm) {
            missing.extend(self.configured_key(configured, algorithm, ring, now, id)?);
        } else if access.is_none_or(|key| self.algorithm.is_some_and(|own| own != key.algorithm)) {
            let current = access.map(|key| key.algorithm);
            missing.push(self.generate(KeyPurpose::Access, current, id(), now, now)?);
        }
        if Key::signing(ring, KeyPurpose::Refresh, now).is_none() {
            missing.push(self.generate(KeyPurpose::Refresh, None, id(), now, now)?);
        }
        Ok(missing)
    }

    /// A new random key; `current` is the algorithm of the key that signs access tokens.
    pub(crate) fn generate(
        &self,
        purpose: KeyPurpose,
        current: Option<Algorithm>,
        id: Id<Key>,
        now: Timestamp,
        signs_from: Timestamp,
    ) -> Result<Key, KeyError> {
        let algorithm = match (purpose, &self.configured) {
            (KeyPurpose::Access, Some(key)) => return Err(KeyError::Configured(key.setting())),
            (KeyPurpose::Access, None) => self.algorithm.or(current).unwrap_or(Algorithm::Es256),
            (KeyPurpose::Refresh, _) => Algorithm::Hs256,
        };
        let private = PrivateKey::generate(algorithm, &*self.entropy)?;
        let kid = self.kid(&private, algorithm)?;
        self.seal(
            &private,
            Key {
                id,
                kid,
                purpose,
                algorithm,
                origin: KeyOrigin::Generated,
                public: None,
                sealed: Vec::new(),
                created_at: now,
                signs_from,
                verifies_until: None,
                events: 0,
                version: 0,
            },
        )
    }

    /// The configured key, unless it is the one that signs.
    fn configured_key(
        &self,
        configured: &ConfiguredKey,
        algorithm: Algorithm,
        ring: &[Key],
        now: Timestamp,
        id: &mut dyn FnMut() -> Id<Key>,
    ) -> Result<Option<Key>, KeyError> {
        let same = self.kept(configured, ring, now)?;
        let signing = Key::signing(ring, KeyPurpose::Access, now);
        let signs = |kept: &Key| signing.is_some_and(|key| key.id == kept.id);
        if same.is_some_and(|kept| signs(kept) && kept.algorithm == algorithm) {
            return Ok(None);
        }
        let key = match same {
            Some(kept) => Key {
                algorithm,
                origin: KeyOrigin::Configured,
                signs_from: now,
                verifies_until: None,
                ..kept.clone()
            },
            None => Key {
                id: id(),
                kid: self.kid(configured.key(), algorithm)?,
                purpose: KeyPurpose::Access,
                algorithm,
                origin: KeyOrigin::Configured,
                public: None,
                sealed: Vec::new(),
                created_at: now,
                signs_from: now,
                verifies_until: None,
                events: 0,
                version: 0,
            },
        };
        self.seal(configured.key(), key).map(Some)
    }

    /// The record of the configured key in `ring`: that of its `kid`, or the youngest that holds
    /// the same secret and verifies.
    fn kept<'r>(
        &self,
        configured: &ConfiguredKey,
        ring: &'r [Key],
        now: Timestamp,
    ) -> Result<Option<&'r Key>, KeyError> {
        let access = ring.iter().filter(|key| key.purpose == KeyPurpose::Access);
        if let Some(public) = publish(configured.key(), configured.usual_algorithm())? {
            let mut access = access;
            return Ok(access.find(|key| key.kid == public.kid));
        }
        let mut secrets: Vec<&Key> = access
            .filter(|key| key.algorithm == Algorithm::Hs256 && key.verifies(now))
            .collect();
        secrets.sort_by_key(|key| Reverse((key.signs_from, key.id)));
        for key in secrets {
            if configured.shares_secret_with(&private(key, &self.key_encryption_key)?) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// What tokens name a key by: its thumbprint (RFC 7638), or for a shared secret a random name,
    /// which tells nothing of it.
    fn kid(&self, private: &PrivateKey, algorithm: Algorithm) -> Result<KeyId, KeyError> {
        if let Some(public) = publish(private, algorithm)? {
            return Ok(public.kid);
        }
        let mut random = [0; 16];
        self.entropy.fill(&mut random);
        Ok(KeyId::new(BASE64_URL_SAFE_NO_PAD.encode(random)))
    }

    /// The record with both parts of the key in it.
    fn seal(&self, private: &PrivateKey, record: Key) -> Result<Key, KeyError> {
        let label = SealLabel {
            kid: &record.kid,
            purpose: record.purpose,
            algorithm: record.algorithm,
        };
        let sealed = self.key_encryption_key.seal(&private.to_bytes()?, &label)?;
        let public = publish(private, record.algorithm)?;
        Ok(Key {
            public: public.map(|public| public.jwk),
            sealed,
            ..record
        })
    }
}

#[cfg(test)]
mod tests;
