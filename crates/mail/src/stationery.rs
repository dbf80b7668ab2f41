//! What all mails have in common: from whom they are, and how a letter becomes one.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use lettre::Address;
use lettre::message::Mailbox;
use minijinja::value::Value;
use tessera_app::{Clock, Letter, Link, MailError};
use tessera_domain::{
    EmailAddress, EmailAddressError, Id, MailKind, Profile, SchemaName, Timestamp,
};

use crate::message::{Message, SenderOf};
use crate::names::{name, one_line};
use crate::templates::{TemplateError, Templates, Texts};
use crate::tenant_templates::TenantTemplates;
use crate::words::{moment, span};

/// What all mails have in common.
#[derive(Clone, Debug)]
pub struct StationerySettings {
    /// What the service calls itself.
    pub app_name: String,
    /// From whom mails are.
    pub sender: Sender,
    /// A folder of templates that are used instead of ours; in `tenants/` of it may be one for each
    /// tenant, by its schema name.
    pub templates: Option<PathBuf>,
}

/// Makes mails of letters.
pub struct Stationery {
    app_name: String,
    sender: Mailbox,
    templates: Templates,
    of_tenants: Option<TenantTemplates>,
    clock: Arc<dyn Clock>,
}

impl Stationery {
    /// Reads the templates, and tries each: with all that a letter can have, and without.
    pub fn new(
        settings: &StationerySettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TemplateError> {
        let stationery = Self {
            app_name: one_line(&settings.app_name),
            sender: settings.sender.0.clone(),
            templates: Templates::load(settings.templates.as_deref())?,
            of_tenants: settings.templates.clone().map(TenantTemplates::new),
            clock,
        };
        stationery.check(&stationery.templates)?;
        Ok(stationery)
    }

    /// Tries each template: with all that a letter can have, and without.
    fn check(&self, templates: &Templates) -> Result<(), TemplateError> {
        for kind in MailKind::ALL {
            let full = sample(kind, sample_profile("Ada", "Lovelace"));
            let mut bare = sample(kind, sample_profile("", ""));
            // The account may be gone before its former address is told.
            if kind == MailKind::EmailChanged {
                bare.new_email = None;
            }
            for letter in [full, bare] {
                templates.render(kind, &self.values(&letter))?;
            }
        }
        Ok(())
    }

    /// The domain that mails are from, where their tenant does not say otherwise.
    pub(crate) fn domain(&self) -> &str {
        self.sender.email.domain()
    }

    /// Makes a mail of the letter; what is wrong then is wrong with this letter alone.
    pub(crate) fn write(&self, letter: &Letter) -> Result<Message, MailError> {
        let texts = self.spell_out(letter);
        let texts = texts.map_err(|error| MailError::Rejected(error.place()))?;
        let (from, sender_of) = self.sender(letter);
        let address = address(&letter.to).ok_or_else(|| {
            MailError::Rejected("the address is none that mail goes to".to_owned())
        })?;
        let Profile {
            first_name,
            last_name,
            ..
        } = &letter.profile;
        let called = name(&format!("{first_name} {last_name}"));
        Ok(Message {
            id: letter.copy,
            at: letter.at,
            from,
            sender_of,
            to: Mailbox::new((!called.is_empty()).then_some(called), address),
            texts,
        })
    }

    fn spell_out(&self, letter: &Letter) -> Result<Texts, TemplateError> {
        let values = self.values(letter);
        let (tenant, now) = (&letter.schema, self.clock.now());
        let of_tenants = self.of_tenants.as_ref();
        let own = of_tenants.and_then(|all| all.of(tenant, now, |own| self.check(own)));
        if let Some(own) = own {
            match own.render(letter.kind, &values) {
                Ok(texts) => return Ok(texts),
                Err(error) => {
                    let (tenant, why) = (tenant.as_str(), error.place());
                    tracing::error!(tenant, why, "a mail template of a tenant is not used");
                }
            }
        }
        self.templates.render(letter.kind, &values)
    }

    /// From whom the mail is: the tenant's sender, where it has one.
    fn sender(&self, letter: &Letter) -> (Mailbox, SenderOf) {
        let own = letter.from.as_ref().map(|own| own.to_string().parse());
        match own {
            Some(Ok(Sender(own))) => (own, SenderOf::Tenant),
            Some(Err(error)) => {
                let (tenant, why): (_, SenderError) = (letter.schema.as_str(), error);
                tracing::error!(tenant, %why, "the mail sender of a tenant is not used");
                (self.sender.clone(), SenderOf::Installation)
            }
            None => (self.sender.clone(), SenderOf::Installation),
        }
    }

    /// What templates may name. What a letter has not is not defined, so that a template which names
    /// it without a question is found.
    fn values(&self, letter: &Letter) -> Value {
        let mut values = BTreeMap::from([
            ("app_name", self.app_name.clone()),
            ("email", one_line(letter.to.as_str())),
            ("first_name", name(&letter.profile.first_name)),
            ("kind", letter.kind.to_string()),
            ("last_name", name(&letter.profile.last_name)),
            ("tenant", one_line(&letter.tenant)),
        ]);
        if let Some(email) = &letter.new_email {
            values.insert("new_email", one_line(email.as_str()));
        }
        if let Some(link) = &letter.link {
            let left = link.expires_at.since(self.clock.now());
            values.extend([
                ("expires_at", moment(link.expires_at)),
                ("expires_in", span(left)),
                ("link", one_line(&link.url)),
                ("token", link.token.clone()),
                ("uid", link.uid.clone()),
            ]);
        }
        Value::from(values)
    }
}

impl fmt::Debug for Stationery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stationery").finish_non_exhaustive()
    }
}

/// From whom mails are: `Name <address>`, or an address alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sender(Mailbox);

impl Default for Sender {
    /// Who sends where nobody is named, as Django has it: `webmaster@localhost`.
    fn default() -> Self {
        let address = Address::new_dangerous("webmaster", "localhost");
        Self(Mailbox::new(None, address))
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Sender {
    type Err = SenderError;

    fn from_str(text: &str) -> Result<Self, SenderError> {
        let text = text.trim();
        let (called, email) = match text.strip_suffix('>') {
            Some(inner) => inner.rsplit_once('<').ok_or(SenderError::Brackets)?,
            None => ("", text),
        };
        let called = one_line(called.trim().trim_matches('"'));
        let email = EmailAddress::parse(email)?;
        let email = address(&email).ok_or(EmailAddressError::Malformed)?;
        let mailbox = Mailbox::new((!called.is_empty()).then_some(called), email);
        // The headers of a mail are read again when it is put together.
        let again: Result<Mailbox, _> = mailbox.to_string().parse();
        if again.is_ok_and(|again| again == mailbox) {
            Ok(Self(mailbox))
        } else {
            Err(SenderError::Name)
        }
    }
}

/// Why a text names no sender.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SenderError {
    /// It is not of the form `Name <address>`.
    #[error("has a `>` without a `<`")]
    Brackets,
    /// No mail could come from the address.
    #[error("has no address that mail could come from")]
    Address(#[from] EmailAddressError),
    /// The name has signs that a header has no room for.
    #[error("has a name that mail cannot carry")]
    Name,
}

/// The address as mail servers know it: the domain in ASCII, the rest as its owner wrote it.
fn address(email: &EmailAddress) -> Option<Address> {
    let (local, _) = email.as_str().rsplit_once('@')?;
    Address::new(local, email.domain()).ok()
}

/// A letter that has all that letters of its kind have.
fn sample(kind: MailKind, profile: Profile) -> Letter {
    let (new_email, leads_somewhere) = match kind {
        MailKind::AccountDeleted | MailKind::ChangeEmailRequested | MailKind::PasswordChanged => {
            (None, false)
        }
        MailKind::AlreadyRegistered
        | MailKind::Invitation
        | MailKind::ResetPassword
        | MailKind::VerifyEmail => (None, true),
        MailKind::ChangeEmail => (sample_email("new@example.org"), true),
        MailKind::EmailChanged => (sample_email("new@example.org"), false),
    };
    let key = || "ada@example.org".to_owned();
    Letter {
        id: Id::new(Timestamp::from_secs(0), [0; 10]),
        copy: Id::new(Timestamp::from_secs(0), [0; 10]),
        at: Timestamp::from_secs(0),
        kind,
        to: EmailAddress::restore(key(), key()),
        profile,
        tenant: "Example".to_owned(),
        schema: SchemaName::of_default_tenant(),
        from: None,
        new_email,
        link: leads_somewhere.then(|| Link {
            url: "https://example.org/?uid=uid&token=token".to_owned(),
            uid: "uid".to_owned(),
            token: "token".to_owned(),
            expires_at: Timestamp::from_secs(86_400),
        }),
    }
}

fn sample_email(text: &str) -> Option<EmailAddress> {
    EmailAddress::parse(text).ok()
}

fn sample_profile(first_name: &str, last_name: &str) -> Profile {
    Profile {
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        job_role: String::new(),
    }
}
