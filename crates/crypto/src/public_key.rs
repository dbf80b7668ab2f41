//! The public part of a key: what others verify with, and what tokens name it by.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{KeyPair, RsaPublicKeyComponents};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use pem::{EncodeConfig, LineEnding, Pem};
use tessera_app::{KeyError, PublicKey};
use tessera_domain::{Algorithm, KeyId};

use crate::private_key::PrivateKey;

/// What verifies the signatures of `key`.
pub(crate) fn verifier(key: &PrivateKey) -> DecodingKey {
    match key {
        PrivateKey::Ec(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
        PrivateKey::Ed(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
        PrivateKey::Rsa(pair) => {
            let components = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
            DecodingKey::from_rsa_raw_components(&components.n, &components.e)
        }
        PrivateKey::Secret(secret) => DecodingKey::from_secret(&secret.bytes),
    }
}

/// What is published of `key`; nothing of a shared secret, whose hash even would tell of it.
pub(crate) fn publish(
    key: &PrivateKey,
    algorithm: Algorithm,
) -> Result<Option<PublicKey>, KeyError> {
    let Some(spki) = spki(key).map_err(|_| unusable())? else {
        return Ok(None);
    };
    let (mut jwk, kid) = thumbprint(&verifier(key), algorithm)?;
    jwk.common.key_id = Some(kid.clone());
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    Ok(Some(PublicKey {
        kid: KeyId::new(kid),
        algorithm,
        jwk: serde_json::to_string(&jwk).map_err(|_| unusable())?,
        pem: pem::encode_config(&Pem::new("PUBLIC KEY", spki), lines),
    }))
}

/// The `SubjectPublicKeyInfo` (RFC 5280) of `key`, none of a shared secret.
pub(crate) fn spki(key: &PrivateKey) -> Result<Option<Vec<u8>>, Unspecified> {
    let der: PublicKeyX509Der<'_> = match key {
        PrivateKey::Ec(pair) => pair.public_key().as_der()?,
        PrivateKey::Ed(pair) => pair.public_key().as_der()?,
        PrivateKey::Rsa(pair) => pair.public_key().as_der()?,
        PrivateKey::Secret(_) => return Ok(None),
    };
    Ok(Some(der.as_ref().to_vec()))
}

/// `algorithm` as `jsonwebtoken` calls it.
pub(crate) fn jose(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Ps256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
    }
}

/// The JWK of a public key, and its thumbprint (RFC 7638).
fn thumbprint(key: &DecodingKey, algorithm: Algorithm) -> Result<(Jwk, String), KeyError> {
    let jwk = Jwk::from_decoding_key(key, Some(jose(algorithm))).map_err(|_| unusable())?;
    let kid = jwk
        .thumbprint(ThumbprintHash::SHA256)
        .map_err(|_| unusable())?;
    Ok((jwk, kid))
}

fn unusable() -> KeyError {
    KeyError::Unusable("the public part of a key could not be written".to_owned())
}

#[cfg(test)]
mod tests;
