//! Ids that know what they identify.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::str::FromStr;

use uuid::{Builder, Uuid};

use crate::Timestamp;

/// The id of a `T`: a UUID, version 7 where Tessera made it (RFC 9562).
pub struct Id<T> {
    uuid: Uuid,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// A new id from the moment and from 80 random bits; ids sort by the moment they were made.
    pub fn new(now: Timestamp, entropy: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_micros().div_euclid(1_000)).unwrap_or(0);
        Self::from(Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid())
    }

    /// The bare value, for what lies outside (a column, a claim).
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<T> From<Uuid> for Id<T> {
    fn from(uuid: Uuid) -> Self {
        Self {
            uuid,
            of: PhantomData,
        }
    }
}

impl<T> FromStr for Id<T> {
    type Err = IdError;

    /// Reads the hyphenated form alone, so that one id has one spelling.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != HYPHENATED {
            return Err(IdError);
        }
        Uuid::parse_str(text).map(Self::from).map_err(|_| IdError)
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

/// The text is not an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a UUID")]
pub struct IdError;

const HYPHENATED: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_version_7_uuid_and_sorts_by_its_moment() {
        let early = Id::<()>::new(Timestamp::from_secs(1_000), [0xff; 10]);
        let late = Id::<()>::new(Timestamp::from_secs(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(early.uuid().get_version_num(), 7);
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = Id::<()>::new(Timestamp::from_secs(1_000), [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        let bare = id.to_string().replace('-', "");
        assert_eq!(bare.parse::<Id<()>>(), Err(IdError));
    }
}
