//! Secrets that somebody could guess, because they stand in an example or are too plain.

/// What is wrong with a secret, where something is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Weakness {
    /// Few different characters, or a short text again and again.
    Plain,
    /// A text as examples have it.
    Placeholder,
    /// Shorter than the 32 bytes that HMAC with SHA-256 needs (RFC 7518, 3.2).
    Short,
}

/// Why `secret` is too weak to sign with; a short one above all.
pub(crate) fn weakness(secret: &str) -> Option<Weakness> {
    if secret.len() < SHORTEST {
        return Some(Weakness::Short);
    }
    let letters: String = secret
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    if PLACEHOLDERS.iter().any(|word| letters.contains(word)) {
        return Some(Weakness::Placeholder);
    }
    is_plain(secret.as_bytes()).then_some(Weakness::Plain)
}

/// Whether bytes have few different values, or repeat.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    let mut different = bytes.to_vec();
    different.sort_unstable();
    different.dedup();
    let repeats = (1..=bytes.len() / 2).any(|period| bytes.iter().eq(repeated(bytes, period)));
    different.len() < FEWEST_DIFFERENT || repeats
}

fn repeated(bytes: &[u8], period: usize) -> impl Iterator<Item = &u8> {
    bytes.iter().take(period).cycle().take(bytes.len())
}

const SHORTEST: usize = 32;
const FEWEST_DIFFERENT: usize = 8;

/// Long enough that none of them comes up in a random secret.
const PLACEHOLDERS: [&str; 23] = [
    "0123456789",
    "1234567890",
    "abcdefghij",
    "changeit",
    "changeme",
    "changethis",
    "defaultkey",
    "defaultsecret",
    "donotuse",
    "dontuse",
    "example",
    "insecure",
    "jwtsecret",
    "notsecure",
    "password",
    "placeholder",
    "qwertyui",
    "replaceme",
    "replacethis",
    "secretkey",
    "supersecret",
    "testsecret",
    "yoursecret",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_examples_have_is_weak() {
        for secret in [
            "django-insecure-3k$9q!x7v@m2w#p5z8r1t6y4u0i",
            "your-secret-key-keep-it-out-of-the-repo",
            "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
            "please-replace-me-in-production-x7k2p9q4",
        ] {
            assert_eq!(weakness(secret), Some(Weakness::Placeholder), "{secret}");
        }
        for secret in [
            "a".repeat(64),
            "k7Qp9xZ2".repeat(5),
            "01010101".repeat(4) + "1",
        ] {
            assert_eq!(weakness(&secret), Some(Weakness::Plain), "{secret}");
        }
        assert_eq!(
            weakness("k7Qp9xZ2vN4mB6tR8wL1cY3jH5gF0dS"),
            Some(Weakness::Short)
        );
    }

    #[test]
    fn what_is_random_is_not() {
        for secret in [
            "f3a9c1e07b4d82569e0f1a3c5d7b9e24",
            "k7Qp9xZ2vN4mB6tR8wL1cY3jH5gF0dSa",
            "8Jx2+Lq0Zr5vN1mT7yWcK4hPdE9sGbUa6fRiOo3tXlQ=",
        ] {
            assert_eq!(weakness(secret), None, "{secret}");
        }
    }
}
