//! Passwords as typed, as accepted, and as stored.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use self::common::is_common;
use self::names::is_made_of;
use crate::fold::{fold, invisible};

mod common;
mod names;

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

/// Which new passwords are accepted, wherever they come from. There are no composition rules.
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
        let seen = password.as_str().chars().filter(|c| !invisible(*c));
        let folded = Zeroizing::new(fold(&Zeroizing::new(seen.collect::<String>())));
        if folded.trim().is_empty() {
            return Err(PasswordWeakness::Common);
        }
        if is_common(&folded) {
            return Err(PasswordWeakness::Common);
        }
        if is_made_of(&folded, names) {
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

/// The fewest characters that a tenant asks of a new password: 8 to 64.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PasswordChars(u8);

impl PasswordChars {
    /// Takes a number from 8 to 64.
    pub fn new(chars: u8) -> Option<Self> {
        (8..=64).contains(&chars).then_some(Self(chars))
    }

    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Why a new password is refused, and what would be better.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PasswordWeakness {
    /// It is one of those that are tried first.
    #[error(
        "This password is too common. It is among the first that others try. Choose several words \
         that do not belong together."
    )]
    Common,
    /// Little is left of it without the names of its owner, tenant and product.
    #[error(
        "This password is too similar to a name. Your names and those of this service are among \
         the first that others try. Choose several words that have nothing to do with them."
    )]
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
        assert_eq!(accept("öäüöäüöä"), Ok(()));
        assert_eq!(
            accept("öäüöäüö"),
            Err(PasswordWeakness::TooShort { min: 8 })
        );
        assert_eq!(accept(&"öx".repeat(128)), Ok(()));
        assert_eq!(
            accept(&("öx".repeat(128) + "ö")),
            Err(PasswordWeakness::TooLong { max: 256 })
        );
    }

    #[test]
    fn length_is_that_of_what_was_typed_and_not_of_its_folded_form() {
        assert_eq!(accept("ﬃﬃﬃﬃ"), Err(PasswordWeakness::TooShort { min: 8 }));
        assert_eq!(accept(&"ﬃ".repeat(256)), Ok(()));
        assert_eq!(accept(" \t7\u{200b}x\n? "), Ok(()));
    }

    #[test]
    fn what_cannot_be_seen_makes_no_password_of_blanks_or_of_a_common_one() {
        for typed in [
            "        ",
            "\t\t\t\t\t\t\t\t",
            "\u{3000} \u{200b}     ",
            "pass\u{ad}word1",
        ] {
            assert_eq!(accept(typed), Err(PasswordWeakness::Common), "{typed:?}");
        }
    }

    #[test]
    fn a_policy_may_ask_for_more_characters() {
        let policy = PasswordPolicy {
            min_chars: 12,
            ..PasswordPolicy::default()
        };
        let accept = |typed: &str| policy.accept(&Password::new(typed.to_owned()), &[]);
        assert_eq!(
            accept("horse stapl"),
            Err(PasswordWeakness::TooShort { min: 12 })
        );
        assert_eq!(accept("horse staple"), Ok(()));
    }

    #[test]
    fn a_common_password_is_refused_however_it_is_spelled() {
        for password in [
            "password123",
            "PassWord123",
            "ｐａｓｓｗｏｒｄ１２３",
            "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝",
            "PASSWORD",
            "Pa\u{17f}sword",
            "12345678",
            "qwertyuiop",
            "  dragon  ",
            "\tiloveyou1\u{3000}",
        ] {
            assert_eq!(
                accept(password),
                Err(PasswordWeakness::Common),
                "{password}"
            );
        }
    }

    #[test]
    fn what_only_begins_with_a_common_password_is_accepted() {
        assert_eq!(accept("password123 of a horse"), Ok(()));
        assert_eq!(accept("correct horse battery staple"), Ok(()));
    }

    #[test]
    fn there_are_no_composition_rules() {
        for password in [
            "zwölfboxkämpfer",
            "70318264",
            "🐎🔋📎🐌🦆🐙🦀🌵",
            "ALL CAPITALS",
        ] {
            assert_eq!(accept(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn a_password_made_of_a_name_is_refused() {
        for password in ["Lovelace1815", "adaADAada", "Tessera!", "ADA@example.com"] {
            assert_eq!(
                accept(password),
                Err(PasswordWeakness::MadeOfName),
                "{password}"
            );
        }
        assert_eq!(accept("lovelace likes engines"), Ok(()));
    }

    #[test]
    fn a_refusal_says_why_and_what_would_be_better() {
        let begins = [
            (PasswordWeakness::Common, "This password is too common. "),
            (
                PasswordWeakness::MadeOfName,
                "This password is too similar to a name. ",
            ),
        ];
        for (weakness, why) in begins {
            let said = weakness.to_string();
            let better = said.strip_prefix(why).unwrap();
            assert!(better.contains("Choose "), "{said}");
        }
    }

    #[test]
    fn nothing_of_a_password_is_shown() {
        let shown = format!("{:?}", Password::new("secret".to_owned()));
        assert!(!shown.contains("secret"));
    }
}
