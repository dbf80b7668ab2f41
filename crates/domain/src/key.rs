//! The key ring: which key signs, which ones verify, and from when to when.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::event::{EventKind, Fact, Subject};
use crate::{Id, Timestamp};

/// A key that signs tokens, its secret part sealed.
#[derive(Clone, Eq, PartialEq)]
pub struct Key {
    /// Its id.
    pub id: Id<Key>,
    /// What tokens name it by.
    pub kid: KeyId,
    /// Which kind of token it signs.
    pub purpose: KeyPurpose,
    /// How it signs.
    pub algorithm: Algorithm,
    /// Where it came from.
    pub origin: KeyOrigin,
    /// Its public part, a JWK (RFC 7517) as JSON; none for a shared secret.
    pub public: Option<String>,
    /// Its secret part, encrypted with the key encryption key.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs; it verifies, and is published, from the start.
    pub signs_from: Timestamp,
    /// Until when it verifies.
    pub verifies_until: Option<Timestamp>,
    /// How many events it has had.
    pub events: u64,
    /// The version this value was read at; a write of a stale one is refused.
    pub version: u64,
}

impl Key {
    /// The key that signs tokens of this `purpose` at the moment: of those that may, the youngest.
    pub fn signing(keys: &[Self], purpose: KeyPurpose, now: Timestamp) -> Option<&Self> {
        keys.iter()
            .filter(|key| key.purpose == purpose && key.signs_from <= now && key.verifies(now))
            .max_by_key(|key| (key.signs_from, key.id))
    }

    /// Whether it verifies what it signed.
    pub fn verifies(&self, now: Timestamp) -> bool {
        self.verifies_until.is_none_or(|until| now < until)
    }

    /// What becomes of the ring when `new` joins it, or comes back to it: the keys of its purpose
    /// stop verifying once the last token they could have signed is over, `lifetime` after `new`
    /// starts to sign. One that would start later than `new` does never signs.
    pub fn rotate(keys: &[Self], mut new: Self, lifetime: Duration) -> KeyRotation {
        let last = new.signs_from + lifetime + LEEWAY;
        let older = keys
            .iter()
            .filter(|key| key.purpose == new.purpose && key.id != new.id)
            .filter(|key| key.verifies_until.is_none_or(|until| until > last))
            .map(|key| Self {
                signs_from: if key.signs_from > new.signs_from {
                    last
                } else {
                    key.signs_from
                },
                verifies_until: Some(last),
                ..key.clone()
            })
            .collect();
        let fact = new.record(EventKind::SigningKeyRotated {
            key: new.kid.clone(),
            algorithm: new.algorithm,
            signs_from: new.signs_from,
        });
        KeyRotation { new, older, fact }
    }

    /// The key, verifying nothing from now on; none when it does not already.
    pub fn retire(&self, now: Timestamp) -> Option<(Self, Fact)> {
        self.verifies(now).then(|| {
            let mut key = self.clone();
            key.verifies_until = Some(now);
            let fact = key.record(EventKind::SigningKeyRetired {
                key: key.kid.clone(),
            });
            (key, fact)
        })
    }

    /// The keys of this `purpose` that go on signing when there are only these: the one that signs
    /// now, and the one that has no end; where none has none, the one that signs now is given none.
    /// None when none signs now.
    pub fn heirs(keys: &[Self], purpose: KeyPurpose, now: Timestamp) -> Option<Vec<Self>> {
        let signing = Self::signing(keys, purpose, now)?;
        let endless = keys
            .iter()
            .find(|key| key.purpose == purpose && key.verifies_until.is_none());
        Some(match endless {
            Some(key) if key.id == signing.id => vec![signing.clone()],
            Some(key) => vec![signing.clone(), key.clone()],
            None => vec![Self {
                verifies_until: None,
                ..signing.clone()
            }],
        })
    }

    fn record(&mut self, kind: EventKind) -> Fact {
        self.events += 1;
        Fact {
            subject: Subject::Key(self.id),
            sequence: self.events,
            kind,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("purpose", &self.purpose)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// What a rotation changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRotation {
    /// The key that joins.
    pub new: Key,
    /// The keys whose end is now known.
    pub older: Vec<Key>,
    /// That it happened.
    pub fact: Fact,
}

/// What a token names its key by (`kid`).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(String);

impl KeyId {
    /// A `kid` that was computed, stored or read from a token.
    pub fn new(kid: String) -> Self {
        Self(kid)
    }

    /// The `kid`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which kind of token a key signs; it verifies no other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyPurpose {
    /// Access tokens, which everyone verifies.
    Access,
    /// Refresh tokens, which only Tessera verifies.
    Refresh,
}

/// Where a key came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyOrigin {
    /// The configuration names it: a key file or a shared secret.
    Configured,
    /// Tessera made it.
    Generated,
}

/// How a token is signed (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// Its name in a JOSE header (`alg`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        [
            Self::EdDsa,
            Self::Es256,
            Self::Hs256,
            Self::Ps256,
            Self::Rs256,
        ]
        .into_iter()
        .find(|algorithm| algorithm.as_str() == name)
        .ok_or(UnknownAlgorithm)
    }
}

/// The name is not one of an algorithm that Tessera signs with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not one of ES256, RS256, PS256, EdDSA and HS256")]
pub struct UnknownAlgorithm;

/// What verifiers allow a clock to be off by.
const LEEWAY: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, signs_from: i64) -> Key {
        Key {
            id: Id::new(Timestamp::from_secs(signs_from), [0; 10]),
            kid: KeyId::new(name.to_owned()),
            purpose: KeyPurpose::Access,
            algorithm: Algorithm::Es256,
            origin: KeyOrigin::Generated,
            public: None,
            sealed: Vec::new(),
            created_at: Timestamp::from_secs(0),
            signs_from: Timestamp::from_secs(signs_from),
            verifies_until: None,
            events: 0,
            version: 0,
        }
    }

    #[test]
    fn a_new_key_signs_from_its_moment_and_the_old_one_verifies_what_it_signed() {
        let lifetime = Duration::from_mins(15);
        let rotation = Key::rotate(&[key("old", 0)], key("new", 600), lifetime);
        let ring = [rotation.older[0].clone(), rotation.new];
        let signing = |secs| {
            let now = Timestamp::from_secs(secs);
            Key::signing(&ring, KeyPurpose::Access, now).map(|key| key.kid.as_str())
        };
        assert_eq!(signing(599), Some("old"));
        assert_eq!(signing(600), Some("new"));
        assert!(ring[0].verifies(Timestamp::from_secs(600 + 900)));
        assert!(!ring[0].verifies(Timestamp::from_secs(600 + 900 + 60)));
    }

    #[test]
    fn a_key_that_a_later_one_overtakes_never_signs() {
        let lifetime = Duration::from_mins(15);
        let announced = Key::rotate(&[key("old", 0)], key("announced", 600), lifetime);
        let ring = [announced.older[0].clone(), announced.new];
        let overtaking = Key::rotate(&ring, key("at once", 60), lifetime);
        let ring = [overtaking.older, vec![overtaking.new]].concat();
        for secs in (60..3_600).step_by(10) {
            let signing = Key::signing(&ring, KeyPurpose::Access, Timestamp::from_secs(secs));
            assert_eq!(signing.map(|key| key.kid.as_str()), Some("at once"));
        }
    }

    #[test]
    fn a_key_that_comes_back_is_not_older_than_itself() {
        let ring = [key("one", 0), key("other", 60)];
        let back = Key {
            signs_from: Timestamp::from_secs(120),
            ..ring[0].clone()
        };
        let rotation = Key::rotate(&ring, back, Duration::from_mins(15));
        let older: Vec<&str> = rotation.older.iter().map(|key| key.kid.as_str()).collect();
        assert_eq!(older, ["other"]);
    }

    #[test]
    fn when_the_youngest_key_is_retired_the_one_before_signs_without_end() {
        let lifetime = Duration::from_mins(15);
        for announced in [10, 600] {
            let now = Timestamp::from_secs(10);
            let rotation = Key::rotate(&[key("old", 0)], key("new", announced), lifetime);
            let heirs = Key::heirs(&rotation.older, KeyPurpose::Access, now).unwrap();
            assert_eq!(heirs[0].kid.as_str(), "old");
            assert_eq!(heirs[0].verifies_until, None);
        }
    }

    #[test]
    fn a_retired_key_neither_signs_nor_verifies() {
        let now = Timestamp::from_secs(10);
        let (retired, fact) = key("old", 0).retire(now).unwrap();
        assert!(!retired.verifies(now));
        assert_eq!(
            Key::signing(core::slice::from_ref(&retired), KeyPurpose::Access, now),
            None
        );
        assert_eq!(fact.sequence, 1);
        assert!(retired.retire(now).is_none());
    }
}
