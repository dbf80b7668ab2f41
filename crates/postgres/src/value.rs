//! Counts and moments as Postgres keeps them: 64 bits with a sign.

use tessera_domain::Timestamp;

/// A count as it is stored. None of ours gets near the end.
pub(crate) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A stored count.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A moment as it is stored.
pub(crate) fn to_micros(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::as_micros)
}

/// A stored moment.
pub(crate) fn of_micros(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(Timestamp::from_micros)
}
