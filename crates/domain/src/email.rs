//! An e-mail address and the key that decides whose it is.

use core::fmt;

use crate::fold::{composed, fold, invisible};

/// An address as its owner wrote it, and the `email_key` that identifies it.
///
/// Two addresses are one account when their keys are equal: case and compatibility forms of the
/// local part do not matter, nor how an international domain is spelled; dots and plus signs do.
/// Mail goes to the address as it was given, compatibility forms of the local part replaced: no mail
/// server would take them for what they stand for. `Debug` shows nothing of it.
#[derive(Clone, Eq, PartialEq)]
pub struct EmailAddress {
    address: String,
    key: String,
}

impl EmailAddress {
    /// Reads an address; white space around it does not count.
    pub fn parse(text: &str) -> Result<Self, EmailAddressError> {
        let address = text.trim();
        if address.is_empty() {
            return Err(EmailAddressError::Empty);
        }
        if address.len() > MAX_ADDRESS {
            return Err(EmailAddressError::TooLong);
        }
        let (local, domain) = address
            .rsplit_once('@')
            .ok_or(EmailAddressError::Malformed)?;
        let folded = fold(local);
        if !well_formed(local) || !well_formed(&folded) {
            return Err(EmailAddressError::Malformed);
        }
        let key = ascii_domain(domain).ok_or(EmailAddressError::Malformed)?;
        Ok(Self {
            address: format!("{}@{domain}", composed(local)),
            key: format!("{folded}@{key}"),
        })
    }

    /// Reads an address that somebody says is theirs, to make an account of it.
    ///
    /// Refuses one whose key is that of another mailbox: `straße@` would be the account of
    /// `strasse@`, whose owner would never get a mail of it.
    pub fn parse_claimed(text: &str) -> Result<Self, EmailAddressError> {
        let address = Self::parse(text)?;
        let local = |text: &str| text.rsplit_once('@').map(|(local, _)| local.is_ascii());
        if local(&address.key) == Some(true) && local(&address.address) == Some(false) {
            return Err(EmailAddressError::Malformed);
        }
        Ok(address)
    }

    /// An address that a store kept, with the key it was kept under.
    pub fn restore(address: String, key: String) -> Self {
        Self { address, key }
    }

    /// The address as it was given: where mail goes.
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// What identifies the account.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The domain in its ASCII form.
    pub fn domain(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(..)")
    }
}

/// Why a text is not an address that mail could go to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EmailAddressError {
    /// There is nothing in it.
    #[error("This field may not be blank.")]
    Empty,
    /// It has not the form of an address.
    #[error("Enter a valid email address.")]
    Malformed,
    /// It is longer than 254 bytes (RFC 5321).
    #[error("Ensure this field has no more than 254 characters.")]
    TooLong,
}

/// The domain in lower-case ASCII (UTS 46), without a final dot; none when it is not a domain.
pub(crate) fn ascii_domain(domain: &str) -> Option<String> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let ascii = idna::domain_to_ascii_strict(domain).ok()?;
    let fits = !ascii.is_empty() && ascii.len() <= MAX_DOMAIN;
    let labels = ascii
        .split('.')
        .all(|label| !label.is_empty() && label.len() <= 63);
    (fits && labels).then_some(ascii)
}

fn well_formed(local: &str) -> bool {
    let forbidden = |c: char| invisible(c) || c.is_whitespace() || "\"(),:;<>@[\\]".contains(c);
    !local.is_empty()
        && local.len() <= MAX_LOCAL
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && !local.contains(forbidden)
}

const MAX_ADDRESS: usize = 254;
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 253;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> String {
        EmailAddress::parse(text).unwrap().key().to_owned()
    }

    #[test]
    fn spellings_of_one_address_have_one_key() {
        assert_eq!(key(" Ada@Example.COM "), key("ada@example.com"));
        assert_eq!(
            key("straße@bücher.example"),
            key("STRASSE@xn--bcher-kva.example.")
        );
        assert_ne!(key("a.da@example.com"), key("ada@example.com"));
        assert_ne!(key("ada+x@example.com"), key("ada@example.com"));
    }

    #[test]
    fn the_spelling_given_is_kept() {
        assert_eq!(
            EmailAddress::parse(" Ada@Example.COM ").unwrap().as_str(),
            "Ada@Example.COM"
        );
    }

    #[test]
    fn compatibility_forms_are_kept_as_what_they_stand_for() {
        let kept = |text| EmailAddress::parse(text).unwrap().as_str().to_owned();
        assert_eq!(kept("ｖictim@example.com"), "victim@example.com");
        assert_eq!(kept("Rene\u{301}@Example.com"), "Ren\u{e9}@Example.com");
    }

    #[test]
    fn nobody_claims_an_address_whose_key_is_that_of_another_mailbox() {
        for text in ["straße@example.com", "jeßica@example.com"] {
            let claimed = EmailAddress::parse_claimed(text);
            assert_eq!(claimed, Err(EmailAddressError::Malformed), "{text}");
        }
        for text in [
            "ｖictim@example.com",
            "größe@example.com",
            "Ada@bücher.example",
        ] {
            assert_eq!(EmailAddress::parse_claimed(text), EmailAddress::parse(text));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "ada",
            "@x.de",
            "ada@",
            "a b@x.de",
            "a\r\nbcc:c@x.de",
            "a@x..de",
            "a＠b@x.de",
            "ada@x_y.de",
            "a\u{200b}da@x.de",
            ".a@x.de",
            "a@-x.de",
        ] {
            assert_eq!(
                EmailAddress::parse(text),
                Err(EmailAddressError::Malformed),
                "{text:?}"
            );
        }
        assert_eq!(EmailAddress::parse("  "), Err(EmailAddressError::Empty));
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(text in "[a-zA-ZäÖßİıſﬁ.+-]{1,12}@[a-zA-Zäß]{1,8}\\.[a-z]{2}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(key(address.key()), address.key());
            }
        }
    }
}
