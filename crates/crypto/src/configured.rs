//! The signing key that the configuration names.

use aws_lc_rs::constant_time;
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use tessera_app::KeyError;
use tessera_domain::Algorithm;
use zeroize::Zeroizing;

use crate::private_key::PrivateKey;
use crate::public_key::spki;

/// A private key or a shared secret, and the setting it comes from.
pub struct ConfiguredKey {
    key: PrivateKey,
    setting: &'static str,
}

impl ConfiguredKey {
    /// Reads a private key in PEM (PKCS#8, PKCS#1 or SEC 1), the content of what `setting` names;
    /// `public`, where there is one, must be its public part (`SubjectPublicKeyInfo` or PKCS#1).
    pub fn from_pem(
        setting: &'static str,
        private: &str,
        public: Option<&str>,
    ) -> Result<Self, KeyError> {
        let unusable = |reason: &str| KeyError::Unusable(format!("{setting}: {reason}"));
        let key = private_key(private).map_err(unusable)?;
        match public.map(|public| belongs(public, &key)) {
            None | Some(Ok(true)) => Ok(Self { key, setting }),
            Some(Ok(false)) => Err(unusable("the public key is not that of the private key")),
            Some(Err(reason)) => Err(unusable(reason)),
        }
    }

    /// A secret that is shared with those who verify, the value of `setting`.
    pub fn from_secret(setting: &'static str, secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < LEAST_SECRET_BYTES {
            let (least, length) = (LEAST_SECRET_BYTES, secret.len());
            return Err(KeyError::Unusable(format!(
                "{setting}: a secret that signs tokens has {least} bytes or more, this one {length}"
            )));
        }
        let key = PrivateKey::secret(Zeroizing::new(secret.to_vec()));
        Ok(Self { key, setting })
    }

    /// The algorithm it signs with when none is named.
    pub fn usual_algorithm(&self) -> Algorithm {
        self.key.usual_algorithm()
    }

    pub(crate) fn key(&self) -> &PrivateKey {
        &self.key
    }

    pub(crate) fn setting(&self) -> &'static str {
        self.setting
    }

    /// The algorithm it signs with: `named`, where that suits.
    pub(crate) fn algorithm(&self, named: Option<Algorithm>) -> Result<Algorithm, KeyError> {
        let algorithm = named.unwrap_or(self.usual_algorithm());
        if self.key.suits(algorithm) {
            return Ok(algorithm);
        }
        let (setting, kind, usual) = (self.setting, self.key.kind(), self.usual_algorithm());
        Err(KeyError::Unusable(format!(
            "{setting} is {kind}, which signs with {usual}, but the algorithm is set to {algorithm}"
        )))
    }

    /// Whether `other` is the same shared secret; takes as long wherever they differ.
    pub(crate) fn shares_secret_with(&self, other: &PrivateKey) -> bool {
        match (&self.key, other) {
            (PrivateKey::Secret(own), PrivateKey::Secret(other)) => {
                constant_time::verify_slices_are_equal(&own.bytes, &other.bytes).is_ok()
            }
            (
                PrivateKey::Ec(_) | PrivateKey::Ed(_) | PrivateKey::Rsa(_) | PrivateKey::Secret(_),
                _,
            ) => false,
        }
    }
}

fn private_key(text: &str) -> Result<PrivateKey, &'static str> {
    let (tag, der) = block(text)?;
    match tag.as_str() {
        "EC PRIVATE KEY" => elliptic(&der).ok_or("not a private key on the curve P-256"),
        "ENCRYPTED PRIVATE KEY" => Err("the key is encrypted; decrypt it first"),
        "PRIVATE KEY" => match RsaKeyPair::from_pkcs8(&der) {
            Ok(pair) => Ok(PrivateKey::Rsa(pair)),
            Err(rejected) if rejected.description_() == "TooSmall" => Err(TOO_SMALL),
            Err(_) => elliptic(&der)
                .or_else(|| edwards(&der))
                .ok_or("neither an RSA key, nor one on the curve P-256, nor an Ed25519 key"),
        },
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der)
            .map(PrivateKey::Rsa)
            .map_err(why_not_rsa),
        "CERTIFICATE" | "PUBLIC KEY" | "RSA PUBLIC KEY" => {
            Err("this is a public key; the private one is needed")
        }
        _ => Err(NOT_PEM),
    }
}

fn why_not_rsa(rejected: KeyRejected) -> &'static str {
    if rejected.description_() == "TooSmall" {
        TOO_SMALL
    } else {
        "not an RSA private key"
    }
}

fn elliptic(der: &[u8]) -> Option<PrivateKey> {
    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
        .ok()
        .map(PrivateKey::Ec)
}

fn edwards(der: &[u8]) -> Option<PrivateKey> {
    Ed25519KeyPair::from_pkcs8(der).ok().map(PrivateKey::Ed)
}

/// Whether the PEM `text` is the public part of `key`.
fn belongs(text: &str, key: &PrivateKey) -> Result<bool, &'static str> {
    let (tag, der) = block(text)?;
    let own = match (tag.as_str(), key) {
        ("PUBLIC KEY", _) => spki(key).ok().flatten(),
        ("RSA PUBLIC KEY", PrivateKey::Rsa(pair)) => Some(pair.public_key().as_ref().to_vec()),
        _ => return Err("the public key is not in PEM (PUBLIC KEY or RSA PUBLIC KEY)"),
    };
    Ok(own.is_some_and(|own| own == *der))
}

/// The first block that is a key; `openssl ecparam` puts the name of the curve before it.
fn block(text: &str) -> Result<(String, Zeroizing<Vec<u8>>), &'static str> {
    let blocks = pem::parse_many(text).map_err(|_| NOT_PEM)?;
    let key = blocks
        .into_iter()
        .find(|block| block.tag() != "EC PARAMETERS")
        .ok_or(NOT_PEM)?;
    let tag = key.tag().to_owned();
    if key.headers().get("DEK-Info").is_some() {
        return Err("the key is encrypted; decrypt it first");
    }
    Ok((tag, Zeroizing::new(key.into_contents())))
}

/// As many as an HMAC with SHA-256 puts out (RFC 7518, section 3.2).
const LEAST_SECRET_BYTES: usize = 32;
const NOT_PEM: &str = "not a private key in PEM (PKCS#8, PKCS#1 or SEC 1)";
const TOO_SMALL: &str = "an RSA key that signs tokens has 2048 bits or more";

#[cfg(test)]
mod tests;
