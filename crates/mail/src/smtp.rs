//! Mails by SMTP: a connection for each, so that none waits for one that died unnoticed.

use core::error::Error as _;
use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::{fs, io};

use async_trait::async_trait;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tessera_app::{Letter, MailError, Mailer};
use tokio::time::timeout;

use crate::message::{Message, SenderOf, Transfer};
use crate::stationery::Stationery;

/// Where the mail server is, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How what is sent is kept from others.
    pub encryption: Encryption,
    /// A PEM file of the authorities to trust; none is the system's.
    pub authorities: Option<PathBuf>,
    /// Who logs in, where the server asks for it.
    pub credentials: Option<Credentials>,
    /// How long one mail may take at most, from the search for the host to the server's receipt.
    pub time_out: Duration,
}

impl SmtpSettings {
    /// The time-out unless something else is wanted.
    pub const TIME_OUT: Duration = Duration::from_secs(10);
}

/// How what is sent is kept from others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encryption {
    /// It is not.
    None,
    /// By TLS that begins before anything of the mail is said. A server that does not offer it gets
    /// none.
    StartTls,
    /// By TLS from the first byte.
    Tls,
}

/// Who logs in.
#[derive(Clone)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Sends mails by SMTP.
pub struct SmtpMailer {
    settings: SmtpSettings,
    tls: Option<TlsParameters>,
    stationery: Stationery,
}

impl SmtpMailer {
    /// A mailer that connects once there is a mail.
    pub fn new(settings: SmtpSettings, stationery: Stationery) -> Result<Self, SmtpSettingsError> {
        let tls = match settings.encryption {
            Encryption::None => None,
            Encryption::StartTls | Encryption::Tls => Some(tls(&settings)?),
        };
        Ok(Self {
            settings,
            tls,
            stationery,
        })
    }

    async fn deliver(&self, mail: &Message) -> Result<AsyncSmtpConnection, MailError> {
        let mut server = self.connect().await?;
        let offers = |extension| server.server_info().supports_feature(extension);
        let transfer = if offers(Extension::EightBitMime) {
            Transfer::EightBit
        } else {
            Transfer::SevenBit
        };
        let mut parameters = Vec::new();
        if mail.is_international() {
            if !offers(Extension::SmtpUtfEight) {
                return Err(MailError::Rejected(
                    "the server takes no address that is not ASCII (it has no SMTPUTF8)".to_owned(),
                ));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let bytes = mail.bytes(transfer)?;
        if !bytes.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let from = Mail::new(Some(mail.sender().clone()), parameters);
        let to = Rcpt::new(mail.recipient().clone(), Vec::new());
        let said = |step: Step| move |error: Error| step.failed(&error);
        let sender = match mail.sender_of {
            SenderOf::Installation => Step::Sender,
            SenderOf::Tenant => Step::SenderOfTenant,
        };
        server.command(from).await.map_err(said(sender))?;
        server.command(to).await.map_err(said(Step::Recipient))?;
        server.command(Data).await.map_err(said(Step::Content))?;
        server.message(&bytes).await.map_err(said(Step::Content))?;
        Ok(server)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, MailError> {
        let SmtpSettings {
            host,
            port,
            encryption,
            time_out,
            ..
        } = &self.settings;
        // A server that knows its clients by name hears that of the mails.
        let hello = ClientId::Domain(self.stationery.domain().to_owned());
        let from_the_start = match encryption {
            Encryption::Tls => self.tls.clone(),
            Encryption::None | Encryption::StartTls => None,
        };
        let address = (host.as_str(), *port);
        let reached = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(*time_out),
            &hello,
            from_the_start,
            None,
        );
        let mut server = reached
            .await
            .map_err(|error| Step::Greeting.failed(&error))?;
        if let (Encryption::StartTls, Some(tls)) = (encryption, &self.tls) {
            if !server.can_starttls() {
                return Err(MailError::Unavailable(
                    "the server offers no STARTTLS, which EMAIL_USE_TLS asks for".to_owned(),
                ));
            }
            let begun = server.starttls(tls.clone(), &hello).await;
            begun.map_err(|error| Step::StartTls.failed(&error))?;
        }
        if let Some(Credentials { user, password }) = &self.settings.credentials {
            let credentials = (user.clone(), password.clone()).into();
            let admitted = server.auth(&MECHANISMS, &credentials).await;
            admitted.map_err(|error| Step::LogIn.failed(&error))?;
        }
        Ok(server)
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let mail = self.stationery.write(letter)?;
        let time_out = self.settings.time_out;
        let Ok(delivered) = timeout(time_out, self.deliver(&mail)).await else {
            return Err(MailError::Unavailable(format!(
                "the mail server was not done within {time_out:?}"
            )));
        };
        // The mail is the server's now, whether it says good-bye or not.
        let _parted = timeout(PARTING, delivered?.quit()).await;
        Ok(())
    }
}

/// How far a conversation with the server came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Greeting,
    StartTls,
    LogIn,
    Sender,
    SenderOfTenant,
    Recipient,
    Content,
}

impl Step {
    /// What it means that it failed. A refusal is one of this mail where it comes after its recipient
    /// was named; before, the next mail would not fare better, but for one of another tenant.
    fn failed(self, error: &Error) -> MailError {
        let said = format!("{}: {}", self.name(), reason(error));
        let of_this_mail = match self {
            Self::Greeting | Self::StartTls | Self::LogIn | Self::Sender => false,
            Self::Recipient | Self::Content | Self::SenderOfTenant => !is_of_the_server(error),
        };
        if self == Self::SenderOfTenant && of_this_mail && error.status().is_some() {
            return MailError::Held(said);
        }
        if of_this_mail && error.is_permanent() {
            MailError::Rejected(said)
        } else if of_this_mail && error.is_transient() {
            MailError::Held(said)
        } else {
            MailError::Unavailable(said)
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Greeting => "the mail server cannot be spoken to",
            Self::StartTls => "STARTTLS failed",
            Self::LogIn => "the mail server refuses EMAIL_HOST_USER",
            Self::Sender => "the mail server refuses the sender",
            Self::SenderOfTenant => "the mail server refuses the sender of the tenant",
            Self::Recipient => "the mail server refuses the recipient",
            Self::Content => "the mail server refuses the mail",
        }
    }
}

/// Whether what was answered has nothing to do with the mail.
fn is_of_the_server(error: &Error) -> bool {
    error
        .status()
        .is_some_and(|code| [LOG_IN_FIRST, SHUTTING_DOWN].contains(&u16::from(code)))
}

/// The code, or what happened to the connection. The server's own words stay out: they often name the
/// recipient.
fn reason(error: &Error) -> String {
    if let Some(code) = error.status() {
        let class = if error.is_permanent() {
            "for good"
        } else {
            "for now"
        };
        return format!("{code}, {class}");
    }
    if error.is_response() {
        return "what it answers is not SMTP, or it hung up".to_owned();
    }
    if error.is_client() {
        return "it offers no way to log in that is known here (PLAIN, LOGIN)".to_owned();
    }
    // Of the operating system, or of the TLS library.
    let source = error.source().map(ToString::to_string);
    source.unwrap_or_else(|| error.to_string())
}

fn tls(settings: &SmtpSettings) -> Result<TlsParameters, SmtpSettingsError> {
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.authorities {
        let certificate = authorities(path)?;
        parameters = parameters
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificate);
    }
    parameters
        .build()
        .map_err(|error| SmtpSettingsError::Tls(reason(&error)))
}

fn authorities(path: &Path) -> Result<Certificate, SmtpSettingsError> {
    let unreadable = |error| SmtpSettingsError::Authorities {
        path: path.to_owned(),
        error,
    };
    let pem = fs::read(path).map_err(unreadable)?;
    // A file without any would make a mailer that trusts nobody.
    let begins = pem.windows(BEGIN.len()).any(|window| window == BEGIN);
    let certificates = begins.then(|| Certificate::from_pem(&pem).ok()).flatten();
    certificates.ok_or_else(|| unreadable(io::Error::other("it has no certificates in PEM form")))
}

/// Why the settings can never be right.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSettingsError {
    /// The file of authorities.
    #[error("{}: {error}", path.display())]
    Authorities {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// The host is none that a certificate could name, or no certificate is one.
    #[error("TLS cannot be used: {0}")]
    Tls(String),
}

const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
const LOG_IN_FIRST: u16 = 530;
const SHUTTING_DOWN: u16 = 421;
const PARTING: Duration = Duration::from_secs(1);
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
