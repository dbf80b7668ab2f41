//! What somebody types to find users by.

use crate::EmailAddress;
use crate::fold::fold;

/// The beginning of an address or a username, folded as their keys are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamePrefix(String);

impl NamePrefix {
    /// Reads what was typed; none when it is blank.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(email) = EmailAddress::parse(text) {
            return Some(Self(email.key().to_owned()));
        }
        let text = text.trim();
        (!text.is_empty()).then(|| Self(fold(text)))
    }

    /// What keys begin with.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is right after all keys that begin so, in the order of their bytes.
    pub fn end(&self) -> String {
        let mut end = self.0.clone();
        while let Some(last) = end.pop() {
            if let Some(next) = (last..=char::MAX).nth(1) {
                end.push(next);
                return end;
            }
        }
        // Nothing is after U+10FFFF, which is no character: no name begins with two of them.
        format!("{}{}", self.0, char::MAX)
    }

    /// Whether the key begins so.
    pub fn begins(&self, key: &str) -> bool {
        key.starts_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Username;

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
        let abroad = EmailAddress::parse("zoe@bücher.example").unwrap();
        assert!(typed("Zoe@BÜCHER.example").begins(abroad.key()));
        assert_eq!(NamePrefix::parse(" \t"), None);
    }

    proptest! {
        #[test]
        fn what_begins_so_is_what_lies_between_the_prefix_and_its_end(
            prefix in "[a-c\u{d7ff}][a-c\u{d7ff}\u{10ffff}]{0,2}",
            key in "[a-c\u{d7ff}\u{e000}\u{10ffff}]{0,5}",
        ) {
            let prefix = NamePrefix(prefix);
            let between = key.as_str() >= prefix.as_str() && key < prefix.end();
            prop_assert_eq!(prefix.begins(&key), between);
        }
    }
}
