//! Names and addresses that are meant to be more than that.

use std::fs;

use serde_json::json;
use tessera_app::{MailError, Mailer};
use tessera_domain::{EmailAddress, MailKind};
use tessera_mail::Encryption;

use crate::files::{self, filed};
use crate::letters::{letter, profile, stationery, stationery_of};
use crate::server::{Server, mailer, read};

const HEADERS: [&str; 8] = [
    "Message-ID",
    "Date",
    "From",
    "To",
    "Subject",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
];

#[tokio::test]
async fn no_name_makes_a_header_a_recipient_a_part_or_markup() {
    let folder = tempfile::tempdir().unwrap();
    let subject = folder.path().join("invitation.subject.txt");
    fs::write(subject, "{{ tenant }} invites you").unwrap();
    for hostile in [
        "Eve\r\nBcc: eve@example.net",
        "Eve\nSubject: other\n\nbody",
        "Eve\0",
        "Eve\u{85}X: y\u{2028}X: y",
        "Eve <eve@example.net>, ",
        "\"Eve\" <eve@example.net>",
        "=?utf-8?q?=0D=0ABcc=3A_eve=40example.net?=",
        "<img src=x onerror=alert(1)>",
        "{{ token }}{% include 'verify_email.txt' %}",
        "--tessera-boundary--",
        "Visit https://evil.example now",
        ".",
    ] {
        let mut letter = letter(MailKind::Invitation);
        letter.profile = profile(hostile, hostile);
        letter.tenant = hostile.to_owned();
        let stationery = stationery_of("id@example.org", Some(folder.path())).unwrap();
        let seen = read(&filed(&letter, stationery).await);
        assert_eq!(seen["headers"], json!(HEADERS), "{hostile:?}");
        assert_eq!(seen["defects"], json!([]), "{hostile:?}");
        assert_eq!(seen["to"].as_array().unwrap().len(), 1, "{hostile:?}");
        assert_eq!(seen["to"][0][1], "ada@example.org", "{hostile:?}");
        assert!(
            !seen["to"][0][0].as_str().unwrap().contains("evil"),
            "{seen}"
        );
        assert_eq!(seen["types"].as_array().unwrap().len(), 3, "{hostile:?}");
        let subject = seen["subject"].as_str().unwrap();
        assert!(subject.ends_with(" invites you"), "{subject}");
        assert!(!subject.contains(char::is_control), "{subject}");
        let html = seen["html"].as_str().unwrap();
        assert!(!html.contains("<img"), "{html}");
    }
}

#[tokio::test]
async fn an_address_that_no_mail_goes_to_reaches_no_server() {
    let mut server = Server::start(&[]);
    let mailer = mailer(server.settings(Encryption::None), stationery());
    for hostile in [
        "ada@example.org>\r\nRCPT TO:<eve@example.net",
        "ada\r\n@example.org",
        "ada> <eve@example.org",
        "ada\0@example.org",
        "no address",
    ] {
        let mut letter = letter(MailKind::VerifyEmail);
        // As a store might give it back that others wrote to.
        letter.to = EmailAddress::restore(hostile.to_owned(), hostile.to_owned());
        for sent in [
            mailer.send(&letter).await,
            files::mailer("/nowhere".as_ref(), stationery())
                .send(&letter)
                .await,
        ] {
            let Err(MailError::Rejected(said)) = sent else {
                panic!("{hostile:?}: {sent:?}");
            };
            assert_eq!(said, "the address is none that mail goes to");
        }
    }
    mailer.send(&letter(MailKind::VerifyEmail)).await.unwrap();
    assert_eq!(server.mail()["recipients"], json!(["ada@example.org"]));
    assert_eq!(server.end(), 0);
}
