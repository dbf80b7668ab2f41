//! Password hashing in a bounded pool, and the signing and verifying of tokens.
//!
//! [`Argon2Passwords`] and [`JwtTokens`] are what a service puts into `tessera_app::Ports`.
//! Randomness comes from outside, [`SystemEntropy`] in a running service; what the cryptographic
//! library draws for itself (key pairs, the nonces of signatures and seals) it draws from the same
//! place.

mod cache;
mod claims;
mod configured;
mod cost;
mod entropy;
mod json;
mod key_encryption;
mod key_maker;
mod passwords;
mod phc;
mod pool;
mod private_key;
mod public_key;
mod ring;
mod settings;
#[cfg(test)]
mod testing;
mod tokens;
mod verify;

pub use configured::ConfiguredKey;
pub use cost::{Argon2Cost, Argon2CostError};
pub use entropy::SystemEntropy;
pub use key_encryption::{KeyEncryptionKey, KeyEncryptionKeyError};
pub use passwords::{Argon2Passwords, PoolSettings};
pub use pool::HashPool;
pub use settings::{Audience, TokenSettings, TokenTyp, TokenTypError};
pub use tokens::JwtTokens;
