//! The notation that Argon2 hashes are kept in (PHC string format), read with every part bounded.

use core::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use crate::cost::{Argon2Ceiling, Argon2Cost, decimal, notation};
use crate::pool::Arena;

/// A hash with all that is needed to compute it again.
#[derive(Clone)]
pub(crate) struct Phc {
    algorithm: Algorithm,
    version: Version,
    cost: Argon2Cost,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Phc {
    /// The Argon2id hash of `password` at `cost`, which must be one that can be computed.
    pub(crate) fn hash(
        password: &[u8],
        salt: [u8; SALT_BYTES],
        cost: Argon2Cost,
        arena: &mut Arena,
    ) -> Option<Self> {
        let mut made = Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            cost,
            salt: salt.to_vec(),
            digest: vec![0; DIGEST_BYTES],
        };
        made.digest = made.compute(password, arena)?;
        Some(made)
    }

    /// A hash that no password is known for, to work on where there is none.
    pub(crate) fn dummy(random: [u8; SALT_BYTES + DIGEST_BYTES], cost: Argon2Cost) -> Self {
        let (salt, digest) = random.split_at(SALT_BYTES);
        Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            cost,
            salt: salt.to_vec(),
            digest: digest.to_vec(),
        }
    }

    /// Reads a stored hash, none when it cannot be read or would cost more than `ceiling`.
    pub(crate) fn parse(text: &str, ceiling: Argon2Ceiling) -> Option<Self> {
        if text.len() > MOST_CHARS {
            return None;
        }
        let mut fields = text.strip_prefix('$')?.split('$');
        let algorithm = match fields.next()? {
            "argon2d" => Algorithm::Argon2d,
            "argon2i" => Algorithm::Argon2i,
            "argon2id" => Algorithm::Argon2id,
            _ => return None,
        };
        let mut field = fields.next()?;
        let version = match field.strip_prefix("v=") {
            Some(number) => {
                field = fields.next()?;
                Version::try_from(decimal(number)?).ok()?
            }
            None => Version::V0x10,
        };
        let cost = notation(field).filter(|&cost| ceiling.admits(cost))?;
        let salt = BASE64_STANDARD_NO_PAD.decode(fields.next()?).ok()?;
        let digest = BASE64_STANDARD_NO_PAD.decode(fields.next()?).ok()?;
        let sound = fields.next().is_none()
            && (8..=64).contains(&salt.len())
            && (16..=64).contains(&digest.len());
        sound.then_some(Self {
            algorithm,
            version,
            cost,
            salt,
            digest,
        })
    }

    /// Whether it is the hash of `password`.
    pub(crate) fn verify(&self, password: &[u8], arena: &mut Arena) -> bool {
        self.compute(password, arena).is_some_and(|digest| {
            constant_time::verify_slices_are_equal(&digest, &self.digest).is_ok()
        })
    }

    fn compute(&self, password: &[u8], arena: &mut Arena) -> Option<Vec<u8>> {
        let mut digest = vec![0; self.digest.len()];
        let params = Params::new(
            self.cost.memory_kib(),
            self.cost.passes(),
            self.cost.lanes(),
            Some(digest.len()),
        )
        .ok()?;
        let blocks = arena.blocks(params.block_count());
        Argon2::new(self.algorithm, self.version, params)
            .hash_password_into_with_memory(password, &self.salt, &mut digest, blocks)
            .ok()?;
        Some(digest)
    }
}

impl fmt::Display for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "${}$v={}$m={},t={},p={}${}${}",
            self.algorithm.as_str(),
            u32::from(self.version),
            self.cost.memory_kib(),
            self.cost.passes(),
            self.cost.lanes(),
            BASE64_STANDARD_NO_PAD.encode(&self.salt),
            BASE64_STANDARD_NO_PAD.encode(&self.digest),
        )
    }
}

pub(crate) const SALT_BYTES: usize = 16;
pub(crate) const DIGEST_BYTES: usize = 32;
const MOST_CHARS: usize = 300;
