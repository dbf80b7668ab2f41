//! The secret part of a key, parsed once, and how it signs.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use tessera_app::{Entropy, KeyError};
use tessera_domain::Algorithm;
use zeroize::Zeroizing;

use crate::entropy::signing_randomness;

/// A parsed key that signs.
pub(crate) enum PrivateKey {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
    Secret(Box<SharedSecret>),
}

/// Bytes that sign and verify alike.
pub(crate) struct SharedSecret {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) key: hmac::Key,
}

impl PrivateKey {
    /// A new key for `algorithm`.
    pub(crate) fn generate(algorithm: Algorithm, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let failed = |_| KeyError::Unusable(format!("no key for {algorithm} could be made"));
        Ok(match algorithm {
            Algorithm::EdDsa => Self::Ed(Ed25519KeyPair::generate().map_err(failed)?),
            Algorithm::Es256 => {
                Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?)
            }
            Algorithm::Hs256 => {
                let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES]);
                entropy.fill(&mut bytes);
                Self::secret(bytes)
            }
            Algorithm::Ps256 | Algorithm::Rs256 => {
                Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?)
            }
        })
    }

    /// A shared secret.
    pub(crate) fn secret(bytes: Zeroizing<Vec<u8>>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Self::Secret(Box::new(SharedSecret { bytes, key }))
    }

    /// The key that [`to_bytes`](Self::to_bytes) wrote.
    pub(crate) fn from_bytes(
        algorithm: Algorithm,
        bytes: Zeroizing<Vec<u8>>,
    ) -> Result<Self, KeyError> {
        let foreign = |_| KeyError::Unusable(format!("a stored key is not one for {algorithm}"));
        Ok(match algorithm {
            Algorithm::EdDsa => Self::Ed(Ed25519KeyPair::from_pkcs8(&bytes).map_err(foreign)?),
            Algorithm::Es256 => Self::Ec(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &bytes)
                    .map_err(foreign)?,
            ),
            Algorithm::Hs256 => Self::secret(bytes),
            Algorithm::Ps256 | Algorithm::Rs256 => {
                Self::Rsa(RsaKeyPair::from_pkcs8(&bytes).map_err(foreign)?)
            }
        })
    }

    /// The key as PKCS#8 (RFC 5208), or the bare bytes of a shared secret.
    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let failed = |_| KeyError::Unusable("a key could not be written".to_owned());
        Ok(match self {
            Self::Ec(pair) => written(pair.to_pkcs8v1().map_err(failed)?.as_ref()),
            Self::Ed(pair) => written(pair.to_pkcs8v1().map_err(failed)?.as_ref()),
            Self::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                written(der.as_ref())
            }
            Self::Secret(secret) => written(&secret.bytes),
        })
    }

    /// The algorithm that a key of this kind is used with when none is named.
    pub(crate) fn usual_algorithm(&self) -> Algorithm {
        match self {
            Self::Ec(_) => Algorithm::Es256,
            Self::Ed(_) => Algorithm::EdDsa,
            Self::Rsa(_) => Algorithm::Rs256,
            Self::Secret(_) => Algorithm::Hs256,
        }
    }

    /// Whether `algorithm` signs with keys of this kind.
    pub(crate) fn suits(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::EdDsa => matches!(self, Self::Ed(_)),
            Algorithm::Es256 => matches!(self, Self::Ec(_)),
            Algorithm::Hs256 => matches!(self, Self::Secret(_)),
            Algorithm::Ps256 | Algorithm::Rs256 => matches!(self, Self::Rsa(_)),
        }
    }

    /// What it is, in a sentence.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Ec(_) => "an elliptic curve key (P-256)",
            Self::Ed(_) => "an Ed25519 key",
            Self::Rsa(_) => "an RSA key",
            Self::Secret(_) => "a shared secret",
        }
    }

    /// The signature of `message` as a JWS has it (RFC 7518), none when `algorithm` does not suit.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        if !self.suits(algorithm) {
            return None;
        }
        Some(match self {
            Self::Ec(pair) => {
                let signature = pair.sign(&signing_randomness(), message).ok()?;
                signature.as_ref().to_vec()
            }
            Self::Ed(pair) => pair.try_sign(message).ok()?.as_ref().to_vec(),
            Self::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Hs256 | Algorithm::Rs256 => {
                        &RSA_PKCS1_SHA256
                    }
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &signing_randomness(), message, &mut signature)
                    .ok()?;
                signature
            }
            Self::Secret(secret) => hmac::sign(&secret.key, message).as_ref().to_vec(),
        })
    }
}

fn written(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

const SECRET_BYTES: usize = 32;

#[cfg(test)]
mod tests;
