//! The key that the secret parts of the key ring are sealed with.

use core::fmt;
use core::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use tessera_app::{Entropy, KeyError};
use tessera_domain::{Algorithm, KeyId, KeyPurpose};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// 32 bytes that open the key ring; replicas share them.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KeyEncryptionKey([u8; KEY_BYTES]);

impl KeyEncryptionKey {
    /// A new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut key = Self([0; KEY_BYTES]);
        entropy.fill(&mut key.0);
        key
    }

    /// The key in base64, as it is written into a file.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_STANDARD.encode(self.0))
    }

    /// `secret`, readable with this key alone, and only as the secret of the same `label`.
    ///
    /// Written are a version, the nonce, the text of AES-256-GCM and its tag.
    pub(crate) fn seal(&self, secret: &[u8], label: &SealLabel<'_>) -> Result<Vec<u8>, KeyError> {
        let mut text = Zeroizing::new(secret.to_vec());
        let nonce = self
            .cipher()
            .and_then(|cipher| {
                cipher
                    .seal_in_place_append_tag(Aad::from(label.bytes()), &mut *text)
                    .ok()
            })
            .ok_or_else(|| KeyError::Unusable("a key could not be sealed".to_owned()))?;
        let mut sealed = vec![SEAL_VERSION];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// What was sealed with this key under the same `label`.
    pub(crate) fn open(
        &self,
        sealed: &[u8],
        label: &SealLabel<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (&[SEAL_VERSION], rest) = sealed.split_first_chunk().ok_or(KeyError::Sealed)? else {
            return Err(KeyError::Sealed);
        };
        let (nonce, text) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(KeyError::Sealed)?;
        let mut text = Zeroizing::new(text.to_vec());
        let cipher = self.cipher().ok_or(KeyError::Sealed)?;
        let length = cipher
            .open_in_place(Nonce::from(nonce), Aad::from(label.bytes()), &mut text)
            .map_err(|_| KeyError::Sealed)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    fn cipher(&self) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.0).ok()
    }
}

impl FromStr for KeyEncryptionKey {
    type Err = KeyEncryptionKeyError;

    /// Reads 64 hexadecimal digits, or base64 of either alphabet, padded or not.
    fn from_str(text: &str) -> Result<Self, KeyEncryptionKeyError> {
        let bytes = Zeroizing::new(
            if text.len() == 2 * KEY_BYTES {
                hexadecimal(text)
            } else {
                let bare = text.strip_suffix('=').unwrap_or(text);
                BASE64_STANDARD_NO_PAD
                    .decode(bare)
                    .or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(bare))
                    .ok()
            }
            .ok_or(KeyEncryptionKeyError)?,
        );
        let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice());
        key.map(Self).map_err(|_| KeyEncryptionKeyError)
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(..)")
    }
}

/// The text is not a key encryption key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a key encryption key is 32 bytes, as 64 hexadecimal digits or in base64")]
pub struct KeyEncryptionKeyError;

/// Whose secret it is that is sealed: a sealed secret cannot take the place of another.
pub(crate) struct SealLabel<'l> {
    pub(crate) kid: &'l KeyId,
    pub(crate) purpose: KeyPurpose,
    pub(crate) algorithm: Algorithm,
}

impl SealLabel<'_> {
    fn bytes(&self) -> Vec<u8> {
        let purpose = match self.purpose {
            KeyPurpose::Access => "access",
            KeyPurpose::Refresh => "refresh",
        };
        let (algorithm, kid) = (self.algorithm, self.kid.as_str());
        format!("tessera key\0{purpose}\0{algorithm}\0{kid}").into_bytes()
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.as_bytes()
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

const KEY_BYTES: usize = 32;
const SEAL_VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;

    fn label(kid: &KeyId) -> SealLabel<'_> {
        SealLabel {
            kid,
            purpose: KeyPurpose::Access,
            algorithm: Algorithm::Es256,
        }
    }

    #[test]
    fn a_key_is_read_in_hexadecimal_and_in_base64() {
        let key = KeyEncryptionKey::generate(&SystemEntropy);
        let hex = key.0.map(|byte| format!("{byte:02X}")).concat();
        let padded = key.to_base64();
        let bare = padded.trim_end_matches('=');
        let url = bare.replace('+', "-").replace('/', "_");
        for text in [hex.as_str(), &hex.to_lowercase(), &padded, bare, &url] {
            assert_eq!(text.parse::<KeyEncryptionKey>().unwrap().0, key.0);
        }
        let foreign_digit = format!("g{}", &hex[1..]);
        for wrong in [
            "",
            "a",
            &hex[1..],
            &padded[1..],
            &foreign_digit,
            &"é".repeat(32),
        ] {
            assert!(wrong.parse::<KeyEncryptionKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_seal_opens_with_its_key_and_label_alone() {
        let (one, other) = (
            KeyEncryptionKey::generate(&SystemEntropy),
            KeyEncryptionKey::generate(&SystemEntropy),
        );
        let (kid, another) = (KeyId::new("a".to_owned()), KeyId::new("b".to_owned()));
        let sealed = one.seal(b"secret", &label(&kid)).unwrap();
        assert_ne!(sealed, one.seal(b"secret", &label(&kid)).unwrap());
        assert_eq!(*one.open(&sealed, &label(&kid)).unwrap(), b"secret");

        let refused = |opened: Result<_, KeyError>| matches!(opened, Err(KeyError::Sealed));
        assert!(refused(other.open(&sealed, &label(&kid))));
        assert!(refused(one.open(&sealed, &label(&another))));
        let purpose = KeyPurpose::Refresh;
        assert!(refused(one.open(
            &sealed,
            &SealLabel {
                purpose,
                ..label(&kid)
            }
        )));
        let algorithm = Algorithm::EdDsa;
        assert!(refused(one.open(
            &sealed,
            &SealLabel {
                algorithm,
                ..label(&kid)
            }
        )));
        for place in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[place] ^= 1;
            assert!(refused(one.open(&flipped, &label(&kid))));
            assert!(refused(one.open(&sealed[..place], &label(&kid))));
        }
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let key = KeyEncryptionKey::generate(&SystemEntropy);
        assert_eq!(format!("{key:?}"), "KeyEncryptionKey(..)");
    }
}
