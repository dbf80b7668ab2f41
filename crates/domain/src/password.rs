//! Passwords as typed, as accepted, and as stored.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::fold::fold;

/// A password as it was typed: never trimmed, folded or cut, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// Takes what was typed, whatever it is.
    pub fn new(typed: String) -> Self {
        Self(typed)
    }

    /// What was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What is kept of a password: a hash in its own notation (PHC string, or that of an import).
#[derive(Clone, Eq, PartialEq)]
pub struct PasswordRecord(String);

impl PasswordRecord {
    /// A record that a hasher made or a store kept.
    pub fn new(notation: String) -> Self {
        Self(notation)
    }

    /// The notation.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordRecord(..)")
    }
}

/// Which new passwords are accepted. There are no composition rules.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PasswordPolicy {
    /// The fewest characters (Unicode scalar values).
    pub min_chars: usize,
    /// The most characters; a longer one is refused, never cut.
    pub max_chars: usize,
}

impl PasswordPolicy {
    /// Whether a new password is accepted for an owner who goes by `names`.
    pub fn accept(&self, password: &Password, names: &[&str]) -> Result<(), PasswordWeakness> {
        let chars = password.as_str().chars().count();
        if chars < self.min_chars {
            return Err(PasswordWeakness::TooShort {
                min: self.min_chars,
            });
        }
        if chars > self.max_chars {
            return Err(PasswordWeakness::TooLong {
                max: self.max_chars,
            });
        }
        let typed = fold(password.as_str());
        let made_of_name = names
            .iter()
            .map(|name| fold(name))
            .filter(|name| name.chars().count() >= NAME_MIN_CHARS)
            .any(|name| typed.replace(&name, "").chars().count() < self.min_chars.div_ceil(2));
        if made_of_name {
            return Err(PasswordWeakness::MadeOfName);
        }
        Ok(())
    }
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_chars: 8,
            max_chars: 256,
        }
    }
}

/// Why a new password is refused, and what would be better.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PasswordWeakness {
    /// Little is left of it without a name of its owner, tenant or product.
    #[error("This password is too similar to a name. Choose one that does not contain it.")]
    MadeOfName,
    /// It has more characters than are kept.
    #[error("This password is too long. It may have at most {max} characters.")]
    TooLong {
        /// The most characters.
        max: usize,
    },
    /// It has fewer characters than are safe.
    #[error("This password is too short. It must contain at least {min} characters.")]
    TooShort {
        /// The fewest characters.
        min: usize,
    },
}

/// A name shorter than this is in too many good passwords to count.
const NAME_MIN_CHARS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(password: &str) -> Result<(), PasswordWeakness> {
        PasswordPolicy::default().accept(
            &Password::new(password.to_owned()),
            &["ada@example.com", "Ada", "Lovelace", "tessera"],
        )
    }

    #[test]
    fn length_is_counted_in_characters_and_never_cut() {
        assert_eq!(accept("ääääääää"), Ok(()));
        assert_eq!(
            accept("1234567"),
            Err(PasswordWeakness::TooShort { min: 8 })
        );
        assert_eq!(accept(&"x".repeat(256)), Ok(()));
        assert_eq!(
            accept(&"x".repeat(257)),
            Err(PasswordWeakness::TooLong { max: 256 })
        );
    }

    #[test]
    fn a_password_made_of_a_name_is_refused() {
        assert_eq!(accept("Lovelace1"), Err(PasswordWeakness::MadeOfName));
        assert_eq!(accept("adaADAada"), Err(PasswordWeakness::MadeOfName));
        assert_eq!(accept("lovelace likes engines"), Ok(()));
    }

    #[test]
    fn nothing_of_a_password_is_shown() {
        let shown = format!("{:?}", Password::new("secret".to_owned()));
        assert!(!shown.contains("secret"));
    }
}
