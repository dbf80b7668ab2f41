//! Letters, and what mails are made of them with.

use std::path::Path;
use std::sync::Arc;

use tessera_app::{Clock, Letter, Link};
use tessera_domain::{EmailAddress, Id, MailKind, Profile, SchemaName, Timestamp};
use tessera_mail::{Sender, Stationery, StationerySettings, TemplateError};

/// 26 November 2026, 00:45:36 UTC.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_795_653_936);

pub(crate) const URL: &str = "https://app.example.org/account/confirm/?uid=MDE5OTAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAx&token=tessera_public.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A letter with all that one of its kind can have.
pub(crate) fn letter(kind: MailKind) -> Letter {
    let leads_nowhere = matches!(
        kind,
        MailKind::AccountDeleted
            | MailKind::ChangeEmailRequested
            | MailKind::EmailChanged
            | MailKind::PasswordChanged
    );
    let has_new_email = matches!(kind, MailKind::ChangeEmail | MailKind::EmailChanged);
    Letter {
        id: Id::new(NOW, [7; 10]),
        copy: Id::new(NOW, [8; 10]),
        at: NOW,
        kind,
        to: email("ada@example.org"),
        profile: profile("Ada", "Lovelace"),
        tenant: "Acme".to_owned(),
        schema: SchemaName::parse("acme").unwrap(),
        from: None,
        new_email: has_new_email.then(|| email("ada@example.net")),
        link: (!leads_nowhere).then(|| Link {
            url: URL.to_owned(),
            uid: "MDE5".to_owned(),
            token: "tessera_public.0123".to_owned(),
            expires_at: Timestamp::from_secs(NOW.as_secs() + 86_400),
        }),
    }
}

pub(crate) fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub(crate) fn profile(first_name: &str, last_name: &str) -> Profile {
    Profile {
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        job_role: String::new(),
    }
}

pub(crate) fn stationery() -> Stationery {
    stationery_of("Tessera <id@example.org>", None).unwrap()
}

pub(crate) fn stationery_of(
    sender: &str,
    templates: Option<&Path>,
) -> Result<Stationery, TemplateError> {
    let settings = StationerySettings {
        app_name: "Tessera".to_owned(),
        sender: sender.parse().unwrap(),
        templates: templates.map(Path::to_owned),
    };
    Stationery::new(&settings, Arc::new(Stopped))
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }
}

#[test]
fn a_sender_is_an_address_with_or_without_a_name() {
    for (text, header) in [
        ("webmaster@localhost", "webmaster@localhost"),
        (" Tessera <id@example.org> ", "Tessera <id@example.org>"),
        (
            "\"Tessera, Inc.\" <id@example.org>",
            "\"Tessera, Inc.\" <id@example.org>",
        ),
        ("<id@bücher.example>", "id@xn--bcher-kva.example"),
        ("Zoë <id@example.org>", "Zoë <id@example.org>"),
    ] {
        let sender: Sender = text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(sender.to_string(), header);
    }
    assert_eq!(Sender::default().to_string(), "webmaster@localhost");
    for text in [
        "",
        "nobody",
        "Tessera <id@example.org",
        "Tessera id@example.org>",
        "a\r\nb@c.de",
        "<>",
    ] {
        assert!(text.parse::<Sender>().is_err(), "{text:?}");
    }
}
