//! Access tokens that were found genuine a short while ago.
//!
//! Remembered is what a token says, under its SHA-256. A digest is uniform and nobody can choose
//! one, so its first bits name the only few slots a token can be in: no hashing, no list of what
//! was used last, and a lock that is held for one comparison.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use tessera_domain::{AccessClaims, Timestamp};

/// A bounded number of genuine tokens.
pub(crate) struct Cache {
    sets: Box<[Mutex<[Option<Slot>; WAYS]>]>,
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

/// What a genuine token says, and the moments between which that counts.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub(crate) claims: Arc<AccessClaims>,
    /// From when on the token is not from the future.
    pub(crate) counts_from: Timestamp,
    /// Until when its key verifies.
    pub(crate) key_until: Option<Timestamp>,
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self {
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
        }
    }

    /// What the token says, when it is remembered.
    pub(crate) fn find(&self, token: &Fingerprint) -> Option<Remembered> {
        let set = self
            .set(token)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        set.iter()
            .flatten()
            .find(|slot| slot.token == *token)
            .map(|slot| slot.remembered.clone())
    }

    /// Remembers a token instead of the one of its slots that is over first.
    pub(crate) fn keep(&self, token: Fingerprint, remembered: Remembered) {
        let Some(set) = self.set(&token) else { return };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = set.iter_mut().min_by_key(|slot| {
            slot.as_ref()
                .filter(|slot| slot.token != token)
                .map(|slot| slot.remembered.claims.expires_at)
        });
        if let Some(slot) = slot {
            *slot = Some(Slot { token, remembered });
        }
    }

    fn set(&self, token: &Fingerprint) -> Option<&Mutex<[Option<Slot>; WAYS]>> {
        let [low, high, ..] = token.0;
        self.sets
            .get(usize::from(u16::from_le_bytes([low, high])) % SETS)
    }
}

impl Fingerprint {
    pub(crate) fn of(token: &str) -> Option<Self> {
        let digest = digest(&SHA256, token.as_bytes());
        digest.as_ref().try_into().ok().map(Self)
    }
}

struct Slot {
    token: Fingerprint,
    remembered: Remembered,
}

const WAYS: usize = 4;
const SETS: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, access_claims};

    fn remembered(secs: i64) -> Remembered {
        let mut claims = access_claims();
        claims.expires_at = Timestamp::from_secs(secs);
        Remembered {
            claims: Arc::new(claims),
            counts_from: NOW,
            key_until: None,
        }
    }

    fn fingerprint(last: u8) -> Fingerprint {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes[31] = last;
        Fingerprint(bytes)
    }

    #[test]
    fn of_too_many_the_one_that_is_over_first_is_forgotten() {
        let cache = Cache::new();
        for (token, end) in [(1, 50), (2, 20), (3, 90), (4, 70), (3, 90), (5, 60)] {
            cache.keep(fingerprint(token), remembered(end));
        }
        let known = |token| cache.find(&fingerprint(token)).is_some();
        assert_eq!(
            [1, 2, 3, 4, 5, 6].map(known),
            [true, false, true, true, true, false]
        );
    }

    #[test]
    fn a_token_is_known_by_all_of_its_fingerprint() {
        let cache = Cache::new();
        let token = Fingerprint::of("a.b.c").unwrap();
        cache.keep(token, remembered(100));
        assert!(cache.find(&token).is_some());
        for place in 0..SHA256_OUTPUT_LEN {
            let mut other = token;
            other.0[place] ^= 1;
            assert!(cache.find(&other).is_none());
        }
    }
}
