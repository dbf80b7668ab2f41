//! Passwords, hashed by Argon2id.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use tessera_app::{Entropy, Overloaded, Passwords};
use tessera_domain::{Password, PasswordRecord, Verdict};

use crate::cost::{Argon2Ceiling, Argon2Cost};
use crate::phc::{DIGEST_BYTES, Phc, SALT_BYTES};
use crate::pool::{Arena, HashPool};

/// Hashes with Argon2id in a [`HashPool`] of its own.
pub struct Argon2Passwords {
    pool: Arc<HashPool>,
    cost: Argon2Cost,
    ceiling: Argon2Ceiling,
    dummy: Arc<Phc>,
    entropy: Arc<dyn Entropy>,
}

/// How much is hashed at a time, and how hard.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Threads that hash: one a core, where log ins have the machine for themselves.
    pub threads: usize,
    /// The most jobs that wait for a thread; more are refused.
    pub queue: usize,
    /// What a hash costs.
    pub cost: Argon2Cost,
}

impl Argon2Passwords {
    /// Starts the threads.
    pub fn start(settings: PoolSettings, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        let mut random = [0; SALT_BYTES + DIGEST_BYTES];
        entropy.fill(&mut random);
        let blocks = usize::try_from(settings.cost.memory_kib()).unwrap_or(usize::MAX);
        Ok(Self {
            pool: HashPool::start(settings.threads, settings.queue, blocks)?,
            cost: settings.cost,
            ceiling: Argon2Ceiling::over(settings.cost),
            dummy: Arc::new(Phc::dummy(random, settings.cost)),
            entropy,
        })
    }

    /// The pool, to be watched.
    pub fn pool(&self) -> Arc<HashPool> {
        Arc::clone(&self.pool)
    }
}

impl Drop for Argon2Passwords {
    fn drop(&mut self) {
        self.pool.close();
    }
}

#[async_trait]
impl Passwords for Argon2Passwords {
    async fn hash(&self, password: Password) -> Result<PasswordRecord, Overloaded> {
        let mut salt = [0; SALT_BYTES];
        self.entropy.fill(&mut salt);
        let cost = self.cost;
        let hash = self
            .pool
            .run(move |arena| Phc::hash(password.as_str().as_bytes(), salt, cost, arena))
            .await?;
        // There is a hash at every cost that can be configured.
        let hash = hash.ok_or(Overloaded)?;
        Ok(PasswordRecord::new(hash.to_string()))
    }

    async fn verify(
        &self,
        record: Option<PasswordRecord>,
        password: Password,
    ) -> Result<Verdict, Overloaded> {
        let (dummy, ceiling) = (Arc::clone(&self.dummy), self.ceiling);
        self.pool
            .run(move |arena| check(record.as_ref(), &password, &dummy, ceiling, arena))
            .await
    }
}

/// Verifies against `dummy` where there is no record that can be verified, for the same work.
fn check(
    record: Option<&PasswordRecord>,
    password: &Password,
    dummy: &Phc,
    ceiling: Argon2Ceiling,
    arena: &mut Arena,
) -> Verdict {
    let known = record.and_then(|record| Phc::parse(record.as_str(), ceiling));
    let hash = known.as_ref().unwrap_or(dummy);
    if hash.verify(password.as_str().as_bytes(), arena) && known.is_some() {
        Verdict::Match
    } else {
        Verdict::Mismatch
    }
}

#[cfg(test)]
mod tests;
