//! The other name an account may log in with.

use crate::fold::{fold, invisible};

/// A name of a user, unique per tenant whatever its case, and never an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Username {
    name: String,
    key: String,
}

impl Username {
    /// Reads a name; white space around it does not count.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        let name = text.trim();
        if name.is_empty() {
            return Err(UsernameError::Empty);
        }
        if name.chars().count() > MAX_CHARS {
            return Err(UsernameError::TooLong);
        }
        let key = fold(name);
        if name.contains(invisible) || key.contains('@') {
            return Err(UsernameError::Malformed);
        }
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// A name that a store kept, with the key it was kept under.
    pub fn restore(name: String, key: String) -> Self {
        Self { name, key }
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What identifies the account.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Why a text is not a username.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UsernameError {
    /// There is nothing in it.
    #[error("This field may not be blank.")]
    Empty,
    /// It has an `@`, or a character that cannot be seen.
    #[error("Enter a valid username. It may not contain @ or invisible characters.")]
    Malformed,
    /// It has more than 150 characters.
    #[error("Ensure this field has no more than 150 characters.")]
    TooLong,
}

const MAX_CHARS: usize = 150;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_never_an_address() {
        assert_eq!(Username::parse("ada@x"), Err(UsernameError::Malformed));
        assert_eq!(Username::parse("ada＠x"), Err(UsernameError::Malformed));
    }

    #[test]
    fn case_does_not_make_another_username() {
        let (upper, lower) = (Username::parse("ADA"), Username::parse(" ada "));
        assert_eq!(upper.unwrap().key(), lower.unwrap().key());
    }
}
