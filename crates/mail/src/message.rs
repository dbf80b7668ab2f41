//! A mail as it is sent: RFC 5322 and MIME.

use core::time::Duration;
use std::time::SystemTime;

use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use tessera_app::{Letter, MailError};
use tessera_domain::{Id, Timestamp};

use crate::templates::Texts;

/// A mail that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: Id<Letter>,
    pub(crate) at: Timestamp,
    pub(crate) from: Mailbox,
    pub(crate) sender_of: SenderOf,
    pub(crate) to: Mailbox,
    pub(crate) texts: Texts,
}

/// Whose the sender is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SenderOf {
    /// That of all mails but those of tenants with one of their own.
    Installation,
    /// That of one tenant.
    Tenant,
}

/// What may be in the lines of a mail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transfer {
    /// UTF-8 as it is.
    EightBit,
    /// ASCII alone.
    SevenBit,
}

impl Message {
    /// Who may be told that it could not be delivered.
    pub(crate) fn sender(&self) -> &Address {
        &self.from.email
    }

    /// To whom it goes.
    pub(crate) fn recipient(&self) -> &Address {
        &self.to.email
    }

    /// Whether a server has to know of addresses that are not ASCII.
    pub(crate) fn is_international(&self) -> bool {
        let addresses = [self.sender(), self.recipient()];
        addresses
            .iter()
            .any(|address| !AsRef::<str>::as_ref(address).is_ascii())
    }

    /// The same bytes each time.
    pub(crate) fn bytes(&self, transfer: Transfer) -> Result<Vec<u8>, MailError> {
        let Texts {
            subject,
            text,
            html,
        } = &self.texts;
        let part = |kind, text: &str| {
            let body = body(text, transfer);
            SinglePart::builder().header(kind).body(body)
        };
        let parts = MultiPart::alternative()
            .boundary(format!("tessera-{}", self.id))
            .singlepart(part(ContentType::TEXT_PLAIN, text))
            .singlepart(part(ContentType::TEXT_HTML, html));
        let built = lettre::Message::builder()
            .message_id(Some(format!("<{}@{}>", self.id, self.from.email.domain())))
            .date(date(self.at))
            .from(self.from.clone())
            .to(self.to.clone())
            .subject(subject.clone())
            // RFC 3834: nobody is on holiday for a mail that nobody wrote.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(parts);
        match built {
            Ok(built) => Ok(built.formatted()),
            Err(_) => Err(MailError::Rejected(
                "the mail cannot be put together".to_owned(),
            )),
        }
    }
}

/// Lines as they are wherever SMTP has room for them (RFC 5322, 2.1.1), so that an address in them
/// stays whole.
fn body(text: &str, transfer: Transfer) -> Body {
    let plain = if text.is_ascii() {
        ContentTransferEncoding::SevenBit
    } else {
        ContentTransferEncoding::EightBit
    };
    let fits = text.lines().all(|line| line.len() <= LONGEST_LINE);
    if fits && (text.is_ascii() || transfer == Transfer::EightBit) {
        Body::dangerous_pre_encoded(text.replace('\n', "\r\n").into_bytes(), plain)
    } else {
        Body::new(text.to_owned())
    }
}

/// Moments that the header has no room for become its first or last.
fn date(at: Timestamp) -> SystemTime {
    let seconds = u64::try_from(at.as_secs()).unwrap_or(0).min(END_OF_9999);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

const END_OF_9999: u64 = 253_402_300_799;
const LONGEST_LINE: usize = 998;
