//! What tokens are like, as the configuration says it.

use core::str::FromStr;

use tessera_domain::Algorithm;

use crate::configured::ConfiguredKey;
use crate::key_encryption::KeyEncryptionKey;

/// What tokens are like.
pub struct TokenSettings {
    /// How access tokens are signed: where not said, as the configured key is, or the ring's.
    pub algorithm: Option<Algorithm>,
    /// The key that the configuration names.
    pub configured: Option<ConfiguredKey>,
    /// Whom access tokens are for.
    pub audience: Audience,
    /// What access tokens call themselves.
    pub typ: TokenTyp,
    /// What opens the key ring.
    pub key_encryption_key: KeyEncryptionKey,
}

/// Whom access tokens are for (`aud`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Audience {
    /// The issuer itself.
    Issuer,
    /// Someone with a name.
    Named(String),
    /// Nobody says: the claim is not there, and a token that has it is refused.
    Unsaid,
}

/// What access tokens call themselves (`typ` of the header).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TokenTyp {
    /// `at+jwt` (RFC 9068).
    AtJwt,
    /// `JWT`, which every library accepts.
    #[default]
    Jwt,
}

impl TokenTyp {
    /// How it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
            Self::Jwt => "JWT",
        }
    }
}

impl FromStr for TokenTyp {
    type Err = TokenTypError;

    fn from_str(text: &str) -> Result<Self, TokenTypError> {
        [Self::AtJwt, Self::Jwt]
            .into_iter()
            .find(|typ| typ.as_str().eq_ignore_ascii_case(text))
            .ok_or(TokenTypError)
    }
}

/// The text is not one of those that access tokens may call themselves.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("neither JWT nor at+jwt")]
pub struct TokenTypError;
