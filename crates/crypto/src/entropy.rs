//! The randomness of the operating system.

#![expect(
    clippy::disallowed_methods,
    reason = "the one legal place of ambient randomness"
)]

use aws_lc_rs::rand::{self, SystemRandom};
use tessera_app::Entropy;

/// The generator of aws-lc, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// Ends the process when there is no randomness: nothing it makes could be trusted.
    fn fill(&self, bytes: &mut [u8]) {
        if rand::fill(bytes).is_err() {
            tracing::error!("the operating system gives no random bytes");
            std::process::abort();
        }
    }
}

/// What signing functions ask for; aws-lc draws from the same generator whatever it is given.
pub(crate) fn signing_randomness() -> SystemRandom {
    SystemRandom::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        SystemEntropy.fill(&mut one);
        SystemEntropy.fill(&mut two);
        assert_ne!(one, two);
    }
}
