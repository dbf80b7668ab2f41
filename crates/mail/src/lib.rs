//! The mailers: by SMTP, and into a folder where no mail server is configured.
//!
//! Both send what a [`Stationery`] makes of a [`Letter`](tessera_app::Letter): a text and the same as
//! HTML, by templates of ours or of the operator. All templates are tried when it is made, so one that
//! cannot be spelt out ends the start and not a mail. Those of single tenants are read when there is a
//! mail, and one that cannot be spelt out leaves the tenant with those of all.
//!
//! What comes from outside (names, addresses, what a tenant is called) reaches a mail in one line and
//! without control characters. A name that is more than a name, say one with a web address in it, is
//! left out: whoever signs up with somebody else's address decides what that one is called.
//!
//! Nothing that is said of a mail which was not sent has an address in it. What a mail server answers
//! often repeats the recipient, so only its code is told.

#![warn(missing_docs)]

mod folder;
mod message;
mod names;
mod smtp;
mod stationery;
mod templates;
mod tenant_templates;
mod words;

pub use folder::{FolderMailer, FolderSettings};
pub use smtp::{Credentials, Encryption, SmtpMailer, SmtpSettings, SmtpSettingsError};
pub use stationery::{Sender, SenderError, Stationery, StationerySettings};
pub use templates::TemplateError;
