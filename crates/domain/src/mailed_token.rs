//! Tokens that a mail carries: whoever shows one has read the mail.
//!
//! What is mailed is a [`MailedSecret`]; what is stored is a [`MailedToken`] with its digest. It is
//! bound to one purpose, user and tenant, to the address that the account had, and to the user's
//! epoch: it dies when the password or the address changes, and when all sessions are ended.

use core::fmt::{self, Write};
use core::str::FromStr;
use core::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{EmailAddress, Epoch, Id, SchemaName, Timestamp, User};

/// A token as it is mailed: the tenant's schema name, a dot, and 256 random bits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MailedSecret {
    #[zeroize(skip)]
    schema: SchemaName,
    random: [u8; 32],
}

impl MailedSecret {
    /// A token of the tenant that lives in `schema`.
    pub fn new(schema: SchemaName, random: [u8; 32]) -> Self {
        Self { schema, random }
    }

    /// Reads what somebody shows; none when it can be no token.
    pub fn parse(text: &str) -> Option<Self> {
        let (schema, hex) = text.trim().rsplit_once('.')?;
        if schema.is_empty() || hex.len() != 64 || !hex.bytes().all(is_digit) {
            return None;
        }
        let mut random = [0; 32];
        for (byte, pair) in random.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = core::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        let schema = SchemaName::restore(schema.to_owned());
        Some(Self { schema, random })
    }

    /// Where its tenant lives, as far as the token says.
    pub fn schema(&self) -> &SchemaName {
        &self.schema
    }

    /// The text that is mailed.
    pub fn reveal(&self) -> String {
        let mut text = format!("{}.", self.schema.as_str());
        for byte in &self.random {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// What is stored of it.
    pub fn digest(&self) -> MailedDigest {
        MailedDigest(Sha256::digest(self.random).into())
    }
}

impl fmt::Debug for MailedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailedSecret(..)")
    }
}

/// The SHA-256 of a mailed token's random part.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct MailedDigest([u8; 32]);

impl MailedDigest {
    /// A digest that a store kept.
    pub const fn restore(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What is stored of a token that was mailed. `Debug` shows nothing of where.
#[derive(Clone, Eq, PartialEq)]
pub struct MailedToken {
    /// Its id: one of those that the mail has [places](MailedToken::places) for.
    pub id: Id<MailedToken>,
    /// What identifies it.
    pub digest: MailedDigest,
    /// What it is good for.
    pub purpose: MailedTokenPurpose,
    /// Whose it is.
    pub user: Id<User>,
    /// Where it was sent: the address that it proves.
    pub email: EmailAddress,
    /// The key of the account's address when it was made.
    pub account_key: Option<String>,
    /// The user's epoch when it was made.
    pub epoch: Epoch,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl MailedToken {
    /// A token for `user`, sent to `email`.
    pub fn new(
        id: Id<Self>,
        digest: MailedDigest,
        purpose: MailedTokenPurpose,
        user: &User,
        email: EmailAddress,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            id,
            digest,
            purpose,
            user: user.id,
            email,
            account_key: key_of(user),
            epoch: user.epoch,
            expires_at,
        }
    }

    /// The ids that tokens of one mail have, by its id or by that of any of them: a mail that comes
    /// again has another token, and the link of the copy before goes on working.
    pub fn places<T>(of: Id<T>) -> [Id<Self>; 4] {
        let first = of.uuid().as_u128() & !3;
        [0, 1, 2, 3].map(|place| Id::from(Uuid::from_u128(first | place)))
    }

    /// Whether it works for `purpose` and `user`, as the account is now.
    pub fn works(&self, purpose: MailedTokenPurpose, user: &User, now: Timestamp) -> bool {
        self.purpose == purpose
            && self.user == user.id
            && self.account_key == key_of(user)
            && self.epoch == user.epoch
            && now < self.expires_at
    }
}

impl fmt::Debug for MailedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailedToken")
            .field("id", &self.id)
            .field("digest", &self.digest)
            .field("purpose", &self.purpose)
            .field("user", &self.user)
            .field("epoch", &self.epoch)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What a mailed token is good for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MailedTokenPurpose {
    /// To make the address it was sent to that of the account.
    ChangeEmail,
    /// To set a password.
    ResetPassword,
    /// To prove the account's address.
    VerifyEmail,
}

impl MailedTokenPurpose {
    const ALL: [Self; 3] = [Self::ChangeEmail, Self::ResetPassword, Self::VerifyEmail];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
            Self::VerifyEmail => "verify_email",
        }
    }
}

impl FromStr for MailedTokenPurpose {
    type Err = UnknownPurpose;

    fn from_str(name: &str) -> Result<Self, UnknownPurpose> {
        let mut all = Self::ALL.into_iter();
        all.find(|purpose| purpose.as_str() == name)
            .ok_or(UnknownPurpose)
    }
}

/// There is no purpose of that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("mailed tokens have no purpose of that name")]
pub struct UnknownPurpose;

/// How long mailed tokens live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MailedTokenPolicy {
    /// To change an address.
    pub change_email: Duration,
    /// To set the password of an account that somebody was invited to.
    pub invitation: Duration,
    /// To set another password.
    pub reset_password: Duration,
    /// To prove an address.
    pub verify_email: Duration,
    /// How many of one purpose a user may have at a time: who asks for more gets no mail.
    pub most: usize,
}

impl Default for MailedTokenPolicy {
    fn default() -> Self {
        Self {
            change_email: Duration::from_hours(1),
            invitation: Duration::from_hours(7 * 24),
            reset_password: Duration::from_hours(1),
            verify_email: Duration::from_hours(24),
            most: 5,
        }
    }
}

fn key_of(user: &User) -> Option<String> {
    user.email.as_ref().map(|email| email.key().to_owned())
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewUser, PasswordRecord};

    const PURPOSE: MailedTokenPurpose = MailedTokenPurpose::ResetPassword;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn secret() -> MailedSecret {
        let schema = SchemaName::restore("Acme-2".to_owned());
        MailedSecret::new(schema, core::array::from_fn(|_| 0xa5))
    }

    fn user() -> User {
        let new = NewUser {
            email: EmailAddress::parse("ada@example.com").ok(),
            ..NewUser::default()
        };
        User::create(new, Id::new(at(0), [1; 10]), at(0)).0
    }

    fn token(user: &User) -> MailedToken {
        let email = user.email.clone().unwrap();
        let (id, digest) = (Id::new(at(0), [2; 10]), secret().digest());
        MailedToken::new(id, digest, PURPOSE, user, email, at(60))
    }

    #[test]
    fn what_is_mailed_can_be_read_again_and_is_not_shown() {
        let text = secret().reveal();
        let read = MailedSecret::parse(&format!(" {text}\n")).unwrap();
        assert_eq!(read.digest(), secret().digest());
        assert_eq!(read.schema().as_str(), "Acme-2");
        assert!(!format!("{read:?}").contains("a5"));
    }

    #[test]
    fn of_a_stored_token_no_address_is_shown() {
        let shown = format!("{:?}", token(&user()));
        assert!(!shown.contains("ada"), "{shown}");
    }

    #[test]
    fn the_tokens_of_one_mail_are_known_by_any_of_their_ids() {
        let mail: Id<crate::Mail> = Id::new(at(0), [2; 10]);
        let places = MailedToken::places(mail);
        for (number, place) in places.into_iter().enumerate() {
            assert_eq!(MailedToken::places(place), places);
            assert!(!places[..number].contains(&place));
        }
        let other: Id<crate::Mail> = Id::new(at(0), [3; 10]);
        assert!(!MailedToken::places(other).contains(&places[0]));
    }

    #[test]
    fn a_token_has_one_spelling() {
        let text = secret().reveal();
        for bad in [
            text.to_uppercase(),
            text.replacen('.', "", 1),
            text.replacen("Acme-2", "", 1),
            format!("{text}0"),
            text.replacen("a5", "+5", 1),
            text.replacen("a5", "é", 1),
            String::new(),
        ] {
            assert!(MailedSecret::parse(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_token_dies_with_what_it_is_bound_to() {
        let ada = user();
        let token = token(&ada);
        assert!(token.works(PURPOSE, &ada, at(59)));
        assert!(!token.works(PURPOSE, &ada, at(60)));
        assert!(!token.works(MailedTokenPurpose::VerifyEmail, &ada, at(1)));
        let (with_password, _) = ada.set_password(PasswordRecord::new("other".to_owned()));
        assert!(!token.works(PURPOSE, &with_password, at(1)));
        let elsewhere = EmailAddress::parse("lovelace@example.com").unwrap();
        assert!(!token.works(PURPOSE, &ada.change_email(elsewhere).0, at(1)));
        let other = User {
            id: Id::new(at(0), [3; 10]),
            ..ada
        };
        assert!(!token.works(PURPOSE, &other, at(1)));
    }
}
