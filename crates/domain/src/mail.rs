//! Mails that are to be sent.
//!
//! A [`Mail`] is an order: what it is about and to whom. It is committed with what caused it, and
//! holds no token: that is made when the mail goes out, so no token waits anywhere.

use core::fmt;
use core::str::FromStr;

use crate::{EmailAddress, Id, Tenant, Timestamp, User};

/// A mail that is to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mail {
    /// Its id.
    pub id: Id<Mail>,
    /// In which tenant.
    pub tenant: Id<Tenant>,
    /// What it is about.
    pub kind: MailKind,
    /// To whom it goes.
    pub to: Addressee,
    /// When it was asked for.
    pub at: Timestamp,
}

/// To whom a mail goes. The address is that of the account, never the one that somebody typed.
/// `Debug` shows nothing of it.
#[derive(Clone, Eq, PartialEq)]
pub enum Addressee {
    /// Whoever has an account under this key of an address, if anybody has.
    Account(String),
    /// This address, about the user where that one still is.
    Address {
        /// Where it goes.
        email: EmailAddress,
        /// Whom it is about.
        user: Id<User>,
    },
    /// The user, at the address that the account has when the mail goes out.
    User(Id<User>),
}

impl fmt::Debug for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(_) => f.write_str("Account(..)"),
            Self::Address { user, .. } => write!(f, "Address({user:?})"),
            Self::User(user) => write!(f, "User({user:?})"),
        }
    }
}

/// What a mail is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MailKind {
    /// That the account is no more.
    AccountDeleted,
    /// That somebody signed up with the address of an account that exists.
    AlreadyRegistered,
    /// Confirm that this is to be the address of the account; to the new one.
    ChangeEmail,
    /// That another address was asked for; to the old one.
    ChangeEmailRequested,
    /// That the account has another address; to the old one.
    EmailChanged,
    /// That there is an account, and how to set its password.
    Invitation,
    /// That the password was changed.
    PasswordChanged,
    /// How to set another password.
    ResetPassword,
    /// Confirm that this is the address of whoever signed up.
    VerifyEmail,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::AccountDeleted,
        Self::AlreadyRegistered,
        Self::ChangeEmail,
        Self::ChangeEmailRequested,
        Self::EmailChanged,
        Self::Invitation,
        Self::PasswordChanged,
        Self::ResetPassword,
        Self::VerifyEmail,
    ];

    /// Its name, also that of its template.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountDeleted => "account_deleted",
            Self::AlreadyRegistered => "already_registered",
            Self::ChangeEmail => "change_email",
            Self::ChangeEmailRequested => "change_email_requested",
            Self::EmailChanged => "email_changed",
            Self::Invitation => "invitation",
            Self::PasswordChanged => "password_changed",
            Self::ResetPassword => "reset_password",
            Self::VerifyEmail => "verify_email",
        }
    }
}

impl fmt::Display for MailKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MailKind {
    type Err = UnknownMailKind;

    fn from_str(name: &str) -> Result<Self, UnknownMailKind> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == name)
            .ok_or(UnknownMailKind)
    }
}

/// There is no mail of that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no mail of that name")]
pub struct UnknownMailKind;
