//! Tokens as JWTs (RFC 7519).

use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::crypto::aws_lc;
use tessera_app::{Entropy, Expiry, KeyError, KeyRing, PublicKeys, TokenError, Tokens};
use tessera_domain::{AccessClaims, Id, Key, KeyId, KeyPurpose, RefreshClaims, Timestamp};

use crate::cache::{Fingerprint, Remembered};
use crate::claims::{Parties, read_access, read_refresh, write_access, write_refresh};
use crate::key_maker::KeyMaker;
use crate::ring::{LoadedRing, Opener};
use crate::settings::{Audience, TokenSettings, TokenTyp};
use crate::verify::verify;

/// Signs and verifies with a key ring that it opens, parses and keeps.
pub struct JwtTokens {
    maker: KeyMaker,
    audience: Audience,
    typ: TokenTyp,
    ring: RwLock<Option<Arc<LoadedRing>>>,
}

impl JwtTokens {
    /// Refuses a configured key that the algorithm does not suit; has no keys until it is given
    /// some by [`Tokens::load`].
    pub fn new(settings: TokenSettings, entropy: Arc<dyn Entropy>) -> Result<Self, KeyError> {
        // Fails when it is installed already, which is as good.
        let _installed = aws_lc::DEFAULT_PROVIDER.install_default();
        Ok(Self {
            maker: KeyMaker::new(
                settings.algorithm,
                settings.configured,
                settings.key_encryption_key,
                entropy,
            )?,
            audience: settings.audience,
            typ: settings.typ,
            ring: RwLock::new(None),
        })
    }

    fn loaded(&self) -> Option<Arc<LoadedRing>> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.clone()
    }

    fn ring(&self) -> Result<Arc<LoadedRing>, TokenError> {
        self.loaded().ok_or(TokenError::NoKey)
    }

    fn parties<'a>(&'a self, ring: &'a LoadedRing) -> Parties<'a> {
        Parties {
            issuer: &ring.issuer,
            audience: &self.audience,
        }
    }

    /// What a genuine access token says, verified now or a while ago, even if it is over.
    fn genuine_access(&self, token: &str, now: Timestamp) -> Result<Arc<AccessClaims>, TokenError> {
        let ring = self.ring()?;
        let fingerprint = Fingerprint::of(token).ok_or(TokenError::Invalid)?;
        if let Some(known) = ring.cache.find(&fingerprint) {
            let key_verifies = known.key_until.is_none_or(|until| now < until);
            let counts = key_verifies && now >= known.counts_from;
            return counts.then_some(known.claims).ok_or(TokenError::Invalid);
        }
        let signed = verify(&ring, KeyPurpose::Access, token, now)?;
        let (claims, counts_from) =
            read_access(&signed.payload, self.parties(&ring), now).ok_or(TokenError::Invalid)?;
        let claims = Arc::new(claims);
        if now < claims.expires_at {
            let remembered = Remembered {
                claims: Arc::clone(&claims),
                counts_from,
                key_until: signed.record.verifies_until,
            };
            ring.cache.keep(fingerprint, remembered);
        }
        Ok(claims)
    }
}

impl Tokens for JwtTokens {
    fn load(&self, ring: &KeyRing, now: Timestamp) -> Result<(), KeyError> {
        let before = self.loaded();
        if before.as_ref().is_some_and(|before| before.is(ring, now)) {
            return Ok(());
        }
        let opener = Opener {
            key_encryption_key: self.maker.key_encryption_key(),
            typ: self.typ.as_str(),
        };
        let loaded = LoadedRing::load(ring, now, before.as_deref(), &opener)?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(loaded));
        Ok(())
    }

    fn missing(
        &self,
        ring: &[Key],
        now: Timestamp,
        id: &mut dyn FnMut() -> Id<Key>,
    ) -> Result<Vec<Key>, KeyError> {
        self.maker.missing(ring, now, id)
    }

    fn generate(
        &self,
        purpose: KeyPurpose,
        id: Id<Key>,
        now: Timestamp,
        signs_from: Timestamp,
    ) -> Result<Key, KeyError> {
        let ring = self.loaded();
        let current = ring
            .as_ref()
            .and_then(|ring| ring.signing(KeyPurpose::Access, now))
            .map(|(_, key)| key.algorithm);
        self.maker.generate(purpose, current, id, now, signs_from)
    }

    fn public_keys(&self) -> Arc<PublicKeys> {
        let ring = self.loaded();
        ring.map_or_else(Arc::default, |ring| Arc::clone(&ring.public))
    }

    fn issuer(&self) -> Option<Arc<str>> {
        self.loaded().map(|ring| Arc::clone(&ring.issuer))
    }

    fn check(&self, now: Timestamp) -> Result<(), TokenError> {
        let ring = self.ring()?;
        [KeyPurpose::Access, KeyPurpose::Refresh]
            .into_iter()
            .all(|purpose| ring.signing(purpose, now).is_some())
            .then_some(())
            .ok_or(TokenError::NoKey)
    }

    fn refresh_key(&self, now: Timestamp) -> Result<KeyId, TokenError> {
        let ring = self.ring()?;
        let (kid, _) = ring
            .signing(KeyPurpose::Refresh, now)
            .ok_or(TokenError::NoKey)?;
        Ok(kid.clone())
    }

    fn sign_access(&self, claims: &AccessClaims, now: Timestamp) -> Result<String, TokenError> {
        let ring = self.ring()?;
        let (_, key) = ring
            .signing(KeyPurpose::Access, now)
            .ok_or(TokenError::NoKey)?;
        write_access(claims, self.parties(&ring))
            .and_then(|payload| key.sign(&payload))
            .ok_or(TokenError::NoKey)
    }

    fn sign_refresh(&self, claims: &RefreshClaims) -> Result<String, TokenError> {
        let ring = self.ring()?;
        let (record, key) = ring
            .find(claims.key.as_str())
            .ok_or(TokenError::UnknownKey)?;
        let key = key
            .filter(|_| record.purpose == KeyPurpose::Refresh)
            .ok_or(TokenError::NoKey)?;
        write_refresh(claims, &key.private)
            .and_then(|payload| key.sign(&payload))
            .ok_or(TokenError::NoKey)
    }

    fn read_access(
        &self,
        token: &str,
        now: Timestamp,
        expiry: Expiry,
    ) -> Result<AccessClaims, TokenError> {
        let claims = self.genuine_access(token, now)?;
        match expiry {
            Expiry::Enforced if now >= claims.expires_at => Err(TokenError::Expired),
            Expiry::Enforced | Expiry::Ignored => Ok(AccessClaims::clone(&claims)),
        }
    }

    fn read_refresh(&self, token: &str, now: Timestamp) -> Result<RefreshClaims, TokenError> {
        let ring = self.ring()?;
        let signed = verify(&ring, KeyPurpose::Refresh, token, now)?;
        read_refresh(&signed, now).ok_or(TokenError::Invalid)
    }
}

#[cfg(test)]
mod tests;
