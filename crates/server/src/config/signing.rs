//! What signs tokens, and what they say of themselves.

use std::path::{Path, PathBuf};

use tessera_crypto::{Audience, KeyEncryptionKey, TokenTyp};
use tessera_domain::Algorithm;

use super::value::Setting;
use super::weak::{self, Weakness};
use super::{ConfigError, Environment, Notice, Secret, key_file};

/// What signs tokens, and what they say of themselves.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    /// What signs access tokens.
    pub(crate) key: SigningKey,
    /// Who access tokens are for.
    pub(crate) audience: Audience,
    /// Their `typ`.
    pub(crate) typ: TokenTyp,
    /// What the key ring is sealed with; none is a key made in the data folder.
    pub(crate) key_encryption_key: Option<KeyEncryptionKey>,
}

/// What signs access tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum SigningKey {
    /// A key of the ring, made here; of the algorithm that the ring has where none is said.
    Generated(Option<Algorithm>),
    /// A private key in PEM, and its public key where that is given too.
    Pem {
        algorithm: Option<Algorithm>,
        private: Secret,
        public: Option<String>,
    },
    /// A secret that others share, and the setting it came from.
    Secret(&'static str, Secret),
}

pub(crate) fn read(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<Signing, ConfigError> {
    let debug = environment.switch("DEBUG", false)?;
    if debug {
        notices.push(Notice::new(
            "DEBUG is on: secrets that anybody can guess are accepted".to_owned(),
        ));
    }
    let key = key(environment, debug, notices)?;
    let audience = match environment.setting("TESSERA_AUDIENCE") {
        Some(audience) if audience.value.eq_ignore_ascii_case("none") => Audience::Unsaid,
        Some(audience) => Audience::Named(audience.value.to_owned()),
        None if matches!(key, SigningKey::Secret(..)) => Audience::Unsaid,
        None => Audience::Issuer,
    };
    Ok(Signing {
        key,
        audience,
        typ: environment
            .parse("TESSERA_TOKEN_TYP", |typ| {
                typ.value.parse().map_err(|_| typ.wrong("JWT or at+jwt"))
            })?
            .unwrap_or_default(),
        key_encryption_key: key_encryption_key(environment, debug, notices)?,
    })
}

fn key(
    environment: &Environment,
    debug: bool,
    notices: &mut Vec<Notice>,
) -> Result<SigningKey, ConfigError> {
    let said = environment.first(&["JWT_ALGORITHM", "ALGORITHM"]);
    let algorithm = said.map(algorithm).transpose()?;
    let secret = secret(environment, debug, notices)?;
    let file = environment.first(&["JWT_PRIVATE_KEY_PATH", "JWT_PUBLIC_KEY_PATH"]);
    match (algorithm, file, secret) {
        (Some(Algorithm::Hs256), Some(file), _) => Err(ConfigError::new(format!(
            "{} is set, but HS256 signs with a secret: keep one of them",
            file.name
        ))),
        (Some(Algorithm::Hs256), None, Some((name, secret))) => {
            Ok(SigningKey::Secret(name, secret))
        }
        (Some(Algorithm::Hs256), None, None) => Err(ConfigError::new(format!(
            "{} is HS256, but there is no secret to sign with: set JWT_SECRET_KEY",
            said.map_or("JWT_ALGORITHM", |said| said.name)
        ))),
        (algorithm, Some(_), _) => pem(environment, algorithm, notices),
        (algorithm, None, None) | (algorithm @ Some(_), None, _) => {
            Ok(SigningKey::Generated(algorithm))
        }
        (None, None, Some((name, secret))) => {
            notices.push(Notice::new(format!(
                "{name} is set and JWT_ALGORITHM is not: tokens are signed with HS256"
            )));
            Ok(SigningKey::Secret(name, secret))
        }
    }
}

fn algorithm(setting: Setting<'_>) -> Result<Algorithm, ConfigError> {
    [
        Algorithm::EdDsa,
        Algorithm::Es256,
        Algorithm::Hs256,
        Algorithm::Ps256,
        Algorithm::Rs256,
    ]
    .into_iter()
    .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(setting.value))
    .ok_or_else(|| setting.wrong("one of ES256, RS256, PS256, EdDSA and HS256"))
}

/// The secret that counts. A weak one is refused wherever it stands: what signs nothing today
/// signs tomorrow, when a key file is gone.
fn secret(
    environment: &Environment,
    debug: bool,
    notices: &mut Vec<Notice>,
) -> Result<Option<(&'static str, Secret)>, ConfigError> {
    let mut first = None;
    for name in ["JWT_SECRET_KEY", "SECRET_KEY", "DJANGO_SECRET_KEY"] {
        if let Some(secret) = environment.one_secret(name, notices)? {
            judge(name, &secret, debug)?;
            first = first.or(Some((name, secret)));
        }
    }
    Ok(first)
}

fn judge(name: &'static str, secret: &Secret, debug: bool) -> Result<(), ConfigError> {
    let refused = |why: &str| Err(ConfigError::new(format!("{name} {why}")));
    match weak::weakness(secret.as_str()) {
        Some(Weakness::Short) => refused("is shorter than the 32 bytes that HS256 needs"),
        Some(Weakness::Placeholder) if !debug => {
            refused("is a placeholder: set a random secret, or DEBUG=true on your own machine")
        }
        Some(Weakness::Plain) if !debug => {
            refused("is easy to guess: set a random secret, or DEBUG=true on your own machine")
        }
        Some(Weakness::Placeholder | Weakness::Plain) | None => Ok(()),
    }
}

fn pem(
    environment: &Environment,
    algorithm: Option<Algorithm>,
    notices: &mut Vec<Notice>,
) -> Result<SigningKey, ConfigError> {
    let Some(private) = environment.setting("JWT_PRIVATE_KEY_PATH") else {
        return Err(ConfigError::new(
            "JWT_PUBLIC_KEY_PATH is set, but JWT_PRIVATE_KEY_PATH is not: there is no key to sign \
             with",
        ));
    };
    let private = key_file::read(private.name, Path::new(private.value), notices)?;
    let public = environment
        .setting("JWT_PUBLIC_KEY_PATH")
        .map(|file| (file.name, PathBuf::from(file.value)));
    Ok(SigningKey::Pem {
        algorithm,
        private: Secret::new(private),
        public: public
            // That others read a public key is what it is for.
            .map(|(name, path)| key_file::read(name, &path, &mut Vec::new()))
            .transpose()?,
    })
}

fn key_encryption_key(
    environment: &Environment,
    debug: bool,
    notices: &mut Vec<Notice>,
) -> Result<Option<KeyEncryptionKey>, ConfigError> {
    let Some((name, text)) = environment.secret(&["TESSERA_KEY_ENCRYPTION_KEY"], notices)? else {
        return Ok(None);
    };
    let text = text.as_str().trim();
    let key = text
        .parse()
        .map_err(|_| ConfigError::new(format!("{name} must be 32 bytes, in base64 or hex")))?;
    if weak::is_plain(text.trim_end_matches('=').as_bytes()) && !debug {
        return Err(ConfigError::new(format!(
            "{name} is easy to guess: make one by `openssl rand -hex 32`"
        )));
    }
    Ok(Some(key))
}
