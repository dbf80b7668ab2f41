//! What one password hash costs, and how little and how much it may.

use core::str::FromStr;

/// The parameters of Argon2id, written `m=19456,t=2,p=1`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Argon2Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Cost {
    /// Memory in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes of the memory; one thread computes all of them.
    pub const fn lanes(self) -> u32 {
        self.lanes
    }

    /// The time it takes, in KiB filled.
    const fn work(self) -> u64 {
        widen(self.memory_kib) * widen(self.passes)
    }
}

impl Default for Argon2Cost {
    /// The second choice of OWASP, and the default of the `argon2` crate.
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
        }
    }
}

impl FromStr for Argon2Cost {
    type Err = Argon2CostError;

    fn from_str(text: &str) -> Result<Self, Argon2CostError> {
        let cost = notation(text).ok_or(Argon2CostError::Malformed)?;
        let enough = FLOOR
            .iter()
            .any(|&(memory_kib, passes)| cost.memory_kib >= memory_kib && cost.passes >= passes);
        if !enough {
            return Err(Argon2CostError::Weak);
        }
        let too_much = cost.memory_kib > MOST_MEMORY_KIB
            || cost.passes > MOST_PASSES
            || cost.lanes > MOST_LANES;
        if cost.lanes == 0 || too_much {
            return Err(Argon2CostError::Excessive);
        }
        Ok(cost)
    }
}

/// Why a text is not a cost to hash passwords with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Argon2CostError {
    /// It asks for more than a log in may cost.
    #[error("at most m=1048576 (1 GiB), t=32 and p from 1 to 16")]
    Excessive,
    /// It is not in the notation.
    #[error("not of the form m=19456,t=2,p=1 (memory in KiB, passes, lanes)")]
    Malformed,
    /// It is weaker than each of OWASP's recommendations.
    #[error(
        "too weak: at least m=47104,t=1, m=19456,t=2, m=12288,t=3, m=9216,t=4 or m=7168,t=5 \
         (memory in KiB, passes)"
    )]
    Weak,
}

/// The most that verifying a stored hash may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Argon2Ceiling {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    work: u64,
}

impl Argon2Ceiling {
    /// A ceiling that lets through what `cost` makes, and what common services made before.
    pub(crate) fn over(cost: Argon2Cost) -> Self {
        Self {
            memory_kib: cost.memory_kib.max(FOREIGN.memory_kib),
            passes: cost.passes.max(FOREIGN.passes),
            lanes: cost.lanes.max(FOREIGN.lanes),
            work: cost.work().max(FOREIGN.work),
        }
    }

    /// Whether `cost` can be computed at all, and is not above the ceiling.
    pub(crate) fn admits(self, cost: Argon2Cost) -> bool {
        let sound = (1..=self.lanes).contains(&cost.lanes)
            && (1..=self.passes).contains(&cost.passes)
            && cost.memory_kib >= 8 * cost.lanes;
        sound && cost.memory_kib <= self.memory_kib && cost.work() <= self.work
    }
}

/// Reads `m=..,t=..,p=..`: these three, in this order, in plain decimals.
pub(crate) fn notation(text: &str) -> Option<Argon2Cost> {
    let mut parts = text.split(',');
    let cost = Argon2Cost {
        memory_kib: decimal(parts.next()?.strip_prefix("m=")?)?,
        passes: decimal(parts.next()?.strip_prefix("t=")?)?,
        lanes: decimal(parts.next()?.strip_prefix("p=")?)?,
    };
    parts.next().is_none().then_some(cost)
}

/// A number in its one spelling: digits alone, no zero in front.
pub(crate) fn decimal(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    let shortest = digits == "0" || !digits.starts_with('0');
    if plain && shortest {
        digits.parse().ok()
    } else {
        None
    }
}

#[expect(
    clippy::as_conversions,
    reason = "`u64::from` cannot be called in a constant"
)]
const fn widen(number: u32) -> u64 {
    number as u64
}

/// The choices of equal strength in OWASP's Password Storage Cheat Sheet: memory in KiB, passes.
const FLOOR: [(u32, u32); 5] = [
    (47_104, 1),
    (19_456, 2),
    (12_288, 3),
    (9_216, 4),
    (7_168, 5),
];

const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 32;
const MOST_LANES: u32 = 16;

/// Room for the defaults of Django (m=102400,t=2,p=8) and of argon2-cffi (m=65536,t=3,p=4).
const FOREIGN: Argon2Ceiling = Argon2Ceiling {
    memory_kib: 131_072,
    passes: 16,
    lanes: 16,
    work: 262_144,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_read_in_its_one_notation() {
        assert_eq!("m=19456,t=2,p=1".parse(), Ok(Argon2Cost::default()));
        for malformed in [
            "",
            "m=19456,t=2",
            "t=2,m=19456,p=1",
            "m=19456,t=2,p=1,x=1",
            "m=19456,t=2,p=1,",
            "m=+19456,t=2,p=1",
            "m=019456,t=2,p=1",
            "m= 19456,t=2,p=1",
            "m=4294967296,t=2,p=1",
            "m=19456,t=-2,p=1",
        ] {
            let read = malformed.parse::<Argon2Cost>();
            assert_eq!(read, Err(Argon2CostError::Malformed), "{malformed}");
        }
    }

    #[test]
    fn a_cost_is_never_weaker_than_a_recommended_one() {
        for good in ["m=47104,t=1,p=1", "m=7168,t=5,p=1", "m=65536,t=3,p=4"] {
            assert!(good.parse::<Argon2Cost>().is_ok(), "{good}");
        }
        for weak in [
            "m=19455,t=2,p=1",
            "m=7167,t=9,p=1",
            "m=19456,t=1,p=1",
            "m=0,t=0,p=0",
        ] {
            let read = weak.parse::<Argon2Cost>();
            assert_eq!(read, Err(Argon2CostError::Weak), "{weak}");
        }
    }

    #[test]
    fn a_cost_is_bounded_above() {
        for excessive in [
            "m=4294967295,t=2,p=1",
            "m=1048577,t=2,p=1",
            "m=19456,t=33,p=1",
            "m=19456,t=2,p=0",
            "m=19456,t=2,p=17",
        ] {
            let read = excessive.parse::<Argon2Cost>();
            assert_eq!(read, Err(Argon2CostError::Excessive), "{excessive}");
        }
    }

    #[test]
    fn the_ceiling_lets_through_what_is_configured_and_what_others_made() {
        let ceiling = Argon2Ceiling::over("m=1048576,t=4,p=1".parse().unwrap());
        assert!(ceiling.admits(stored("m=1048576,t=4,p=1")));
        let ceiling = Argon2Ceiling::over(Argon2Cost::default());
        for good in ["m=102400,t=2,p=8", "m=65536,t=3,p=4", "m=8,t=1,p=1"] {
            assert!(ceiling.admits(stored(good)), "{good}");
        }
        for bad in [
            "m=131073,t=1,p=1",
            "m=131072,t=3,p=1",
            "m=8,t=17,p=1",
            "m=4096,t=1,p=17",
            "m=7,t=1,p=1",
            "m=8,t=1,p=2",
            "m=8,t=0,p=1",
            "m=8,t=1,p=0",
            "m=4294967295,t=4294967295,p=4294967295",
        ] {
            assert!(!ceiling.admits(stored(bad)), "{bad}");
        }
    }

    fn stored(text: &str) -> Argon2Cost {
        notation(text).unwrap()
    }
}
