//! Random bytes that anybody can foretell.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use tessera_app::Entropy;

/// Gives the same bytes in the same order for the same seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct SeededEntropy(Arc<AtomicU64>);

impl SeededEntropy {
    /// Entropy from that seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    fn next(&self) -> u64 {
        let before = self.0.fetch_add(STEP, Ordering::SeqCst);
        let mut mixed = before.wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Default for SeededEntropy {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(size_of::<u64>()) {
            for (byte, random) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    fn filled<const N: usize>(entropy: &SeededEntropy) -> [u8; N] {
        let mut bytes = [0; N];
        entropy.fill(&mut bytes);
        bytes
    }

    #[test]
    fn one_seed_gives_the_same_bytes_and_another_gives_others() {
        let [one, same, other] = [7, 7, 8].map(SeededEntropy::new);
        let first: [u8; 19] = filled(&one);
        assert_eq!(first, filled(&same));
        assert_ne!(first, filled(&other));
        assert_ne!(first, filled(&one));
    }

    #[test]
    fn the_bytes_are_those_of_split_mix_64() {
        let entropy = SeededEntropy::new(1_234_567);
        let first = u64::from_le_bytes(filled(&entropy));
        assert_eq!(first, 6_457_827_717_110_365_317);
    }
}
