//! What somebody types to find users by.

use crate::fold::fold;

/// The beginning of an address or a username, folded as their keys are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamePrefix(String);

impl NamePrefix {
    /// Reads what was typed; none when it is blank.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(fold(text)))
    }

    /// What keys begin with.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the key begins so.
    pub fn begins(&self, key: &str) -> bool {
        key.starts_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmailAddress, Username};

    #[test]
    fn a_prefix_finds_what_it_is_the_beginning_of_whatever_the_case() {
        let typed = |text: &str| NamePrefix::parse(text).unwrap();
        let email = EmailAddress::parse("Ada.Lovelace@Example.com").unwrap();
        for text in ["A", " ADA", "ada.lovelace@EX"] {
            assert!(typed(text).begins(email.key()), "{text}");
        }
        assert!(!typed("lovelace").begins(email.key()));
        let username = Username::parse("Straße").unwrap();
        assert!(typed("STRASS").begins(username.key()));
        assert_eq!(NamePrefix::parse(" \t"), None);
    }
}
