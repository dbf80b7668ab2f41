//! What mails say.

use tessera_app::Letter;
use tessera_domain::{MailKind, Timestamp};

use crate::files::filed;
use crate::letters::{NOW, URL, letter, profile, stationery};

#[tokio::test]
async fn each_kind_says_what_it_is_about_and_what_to_do_if_it_was_not_you() {
    for kind in MailKind::ALL {
        let (subject, says): (&str, &[&str]) = match kind {
            MailKind::AccountDeleted => ("was deleted", &["ada@example.org", "did not expect"]),
            MailKind::AlreadyRegistered => (
                "already have an account",
                &[
                    "There is an account with this address",
                    "set a new one",
                    URL,
                ],
            ),
            MailKind::ChangeEmail => (
                "Confirm your new address",
                &["ada@example.net", URL, "keeps the address that it has"],
            ),
            MailKind::ChangeEmailRequested => (
                "Another address was asked for",
                &["ada@example.org", "If it was not you", "change it at once"],
            ),
            MailKind::EmailChanged => (
                "address at Tessera was changed",
                &["ada@example.net", "If it was not you", "at once"],
            ),
            MailKind::Invitation => ("Your account at Tessera", &["Acme", URL]),
            MailKind::PasswordChanged => (
                "password at Tessera was changed",
                &["If it was not you", "Ask for a new password"],
            ),
            MailKind::ResetPassword => ("Set a new password", &[URL, "stays as it is"]),
            MailKind::VerifyEmail => (
                "Confirm your address",
                &[
                    URL,
                    "If it was not you",
                    "ignore this mail",
                    "24 hours",
                    "27 November 2026, 00:45 UTC",
                ],
            ),
        };
        let mail = filed(&letter(kind), stationery()).await;
        let (text, html) = parts(&mail);
        let line = mail
            .lines()
            .find(|line| line.starts_with("Subject: "))
            .unwrap();
        assert!(line.contains(subject), "{kind}: {line}");
        let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let page = html
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace("&amp;", "&");
        for words in says {
            assert!(flowing.contains(words), "{kind}: {words}: {text}");
            assert!(page.contains(words), "{kind}: {words}: {html}");
        }
        assert!(text.starts_with("Hello Ada,\r\n\r\n"), "{text}");
        assert!(text.contains("\r\n-- \r\nTessera, Acme\r\n"), "{text}");
        assert!(!html.contains("src="), "{html}");
    }
}

#[tokio::test]
async fn a_mail_has_the_headers_of_one_that_nobody_wrote() {
    let letter = letter(MailKind::VerifyEmail);
    let mail = filed(&letter, stationery()).await;
    let (head, _) = mail.split_once("\r\n\r\n").unwrap();
    let id = letter.copy;
    assert_eq!(
        head.replace("\r\n", "\n"),
        format!(
            "Message-ID: <{id}@example.org>\n\
             Date: Thu, 26 Nov 2026 00:45:36 +0000\n\
             From: Tessera <id@example.org>\n\
             To: \"Ada Lovelace\" <ada@example.org>\n\
             Subject: Confirm your address for Tessera\n\
             Auto-Submitted: auto-generated\n\
             MIME-Version: 1.0\n\
             Content-Type: multipart/alternative;\n \
             boundary=\"tessera-{id}\""
        )
    );
}

#[tokio::test]
async fn an_address_in_the_text_stays_whole_beside_letters_that_are_not_ascii() {
    let letter = Letter {
        profile: profile("Zoë", "Ångström"),
        ..letter(MailKind::ResetPassword)
    };
    let mail = filed(&letter, stationery()).await;
    let (text, _) = parts(&mail);
    assert!(text.starts_with("Hello Zoë,"), "{text}");
    assert!(text.lines().any(|line| line.trim() == URL), "{text}");
    let longest = text
        .lines()
        .filter(|line| !line.contains(URL))
        .map(|line| line.chars().count());
    assert!(longest.max().unwrap() <= 76, "{text}");
}

#[tokio::test]
async fn who_has_no_name_is_greeted_without_and_the_default_tenant_is_not_named() {
    let letter = Letter {
        profile: profile("", ""),
        tenant: "public".to_owned(),
        ..letter(MailKind::Invitation)
    };
    let mail = filed(&letter, stationery()).await;
    assert!(mail.contains("\r\nTo: ada@example.org\r\n"), "{mail}");
    assert!(parts(&mail).0.starts_with("Hello,\r\n"), "{mail}");
    assert!(
        !mail.contains("public,") && !mail.contains("by public"),
        "{mail}"
    );
}

#[tokio::test]
async fn a_mail_that_waited_tells_how_long_its_link_works_from_now() {
    let mut letter = letter(MailKind::ResetPassword);
    letter.at = Timestamp::from_secs(NOW.as_secs() - 7_200);
    letter.link.as_mut().unwrap().expires_at = Timestamp::from_secs(NOW.as_secs() + 3_600);
    let mail = filed(&letter, stationery()).await;
    assert!(
        parts(&mail)
            .0
            .contains("works once, within 1 hour (until 26 November 2026, 01:45 UTC)"),
        "{mail}"
    );
}

/// The text and the HTML, where no encoding hides them.
fn parts(mail: &str) -> (&str, &str) {
    let body = |kind: &str| {
        let (_, part) = mail
            .split_once(&format!("Content-Type: {kind}; charset=utf-8"))
            .unwrap();
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("8bit") || head.contains("7bit"), "{head}");
        body.split("\r\n--tessera-").next().unwrap()
    };
    (body("text/plain"), body("text/html"))
}
