//! Mails to a server that is not ours.

use core::time::Duration;
use std::net::TcpListener;

use serde_json::{Value, json};
use tessera_app::{MailError, Mailer};
use tessera_domain::MailKind;
use tessera_mail::{Credentials, Encryption, SmtpMailer, SmtpSettings, SmtpSettingsError};
use tokio::net::TcpSocket;

use crate::letters::{URL, email, letter, profile, stationery};
use crate::server::{Server, mailer, settings};

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let mut server = Server::start(&[]);
    let mailer = mailer(server.settings(Encryption::None), stationery());
    let letter = letter(MailKind::VerifyEmail);
    mailer.send(&letter).await.unwrap();
    let mail = server.mail();
    assert_eq!(mail["sender"], "id@example.org");
    assert_eq!(mail["recipients"], json!(["ada@example.org"]));
    assert_eq!(mail["options"], json!([]));
    assert_eq!(mail["hello"], "example.org");
    assert_eq!(mail["id"], format!("<{}@example.org>", letter.copy));
    assert_eq!(mail["from"], json!([["Tessera", "id@example.org"]]));
    assert_eq!(mail["to"], json!([["Ada Lovelace", "ada@example.org"]]));
    assert_eq!(
        mail["types"],
        json!(["multipart/alternative", "text/plain", "text/html"])
    );
    assert_eq!(mail["defects"], json!([]));
    assert!(mail["text"].as_str().unwrap().contains(URL), "{mail}");
    // Each has a connection of its own.
    mailer.send(&letter).await.unwrap();
    assert_eq!(server.mail()["id"], mail["id"]);
}

#[tokio::test]
async fn a_mail_is_encrypted_as_the_settings_ask() {
    for (like, encryption) in [("starttls", Encryption::StartTls), ("tls", Encryption::Tls)] {
        let mut server = Server::start(&[like]);
        let mailer = mailer(server.settings(encryption), stationery());
        mailer.send(&letter(MailKind::ResetPassword)).await.unwrap();
        assert_eq!(server.mail()["encrypted"], true, "{like}");
    }
}

#[tokio::test]
async fn a_server_without_starttls_is_told_nothing_where_the_settings_ask_for_it() {
    let server = Server::start(&[]);
    let settings = SmtpSettings {
        credentials: Some(ada("secret word")),
        ..settings_with_system_authorities(&server, Encryption::StartTls)
    };
    let said = unavailable(settings).await;
    assert!(said.contains("offers no STARTTLS"), "{said}");
    assert_eq!(server.end(), 0);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_told_nothing() {
    for (like, encryption) in [("starttls", Encryption::StartTls), ("tls", Encryption::Tls)] {
        let server = Server::start(&[like]);
        let of_another = SmtpSettings {
            authorities: Some(server.file("another.pem")),
            ..server.settings(encryption)
        };
        let by_address = SmtpSettings {
            host: "127.0.0.1".to_owned(),
            ..server.settings(encryption)
        };
        let by_the_system = settings_with_system_authorities(&server, encryption);
        for settings in [of_another, by_address, by_the_system] {
            let said = unavailable(settings).await;
            assert!(said.contains("certificate"), "{said}");
        }
        assert_eq!(server.end(), 0, "{like}");
    }
}

#[tokio::test]
async fn who_has_to_log_in_does() {
    for (like, encryption) in [
        (&["login"][..], Encryption::None),
        (&["starttls", "login"], Encryption::StartTls),
    ] {
        let mut server = Server::start(like);
        let settings = SmtpSettings {
            credentials: Some(ada("secret word")),
            ..server.settings(encryption)
        };
        let mailer = mailer(settings, stationery());
        mailer.send(&letter(MailKind::Invitation)).await.unwrap();
        assert_eq!(server.mail()["user"], "ada");
    }
}

#[tokio::test]
async fn a_mail_waits_for_who_cannot_log_in() {
    let server = Server::start(&["login"]);
    let wrong = SmtpSettings {
        credentials: Some(ada("another")),
        ..server.settings(Encryption::None)
    };
    let said = unavailable(wrong).await;
    assert_eq!(
        said,
        "the mail server refuses EMAIL_HOST_USER: 535, for good"
    );
    let said = unavailable(server.settings(Encryption::None)).await;
    assert!(said.contains("530"), "{said}");

    let without = Server::start(&[]);
    let needless = SmtpSettings {
        credentials: Some(ada("secret word")),
        ..without.settings(Encryption::None)
    };
    let said = unavailable(needless).await;
    assert!(said.contains("no way to log in"), "{said}");
}

#[tokio::test]
async fn what_a_server_refuses_is_told_by_its_code_and_without_the_address() {
    for (like, expected) in [
        (
            "refuse",
            MailError::Rejected("the mail server refuses the recipient: 550, for good".to_owned()),
        ),
        (
            "content",
            MailError::Rejected("the mail server refuses the mail: 554, for good".to_owned()),
        ),
        (
            "busy",
            MailError::Held("the mail server refuses the recipient: 451, for now".to_owned()),
        ),
        (
            "full",
            MailError::Held("the mail server refuses the mail: 452, for now".to_owned()),
        ),
        (
            "leaving",
            MailError::Unavailable(
                "the mail server refuses the recipient: 421, for now".to_owned(),
            ),
        ),
        (
            "late",
            MailError::Unavailable(
                "the mail server refuses the recipient: 530, for good".to_owned(),
            ),
        ),
        (
            "sender",
            MailError::Unavailable("the mail server refuses the sender: 553, for good".to_owned()),
        ),
    ] {
        let server = Server::start(&[like]);
        let mailer = mailer(server.settings(Encryption::None), stationery());
        let sent = mailer.send(&letter(MailKind::VerifyEmail)).await;
        assert_eq!(sent, Err(expected));
    }
}

#[tokio::test]
async fn a_server_that_is_silent_costs_no_more_than_the_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at_once = settings(listener.local_addr().unwrap().port());
    let server = Server::start(&["silent"]);
    let at_the_end = server.settings(Encryption::None);
    for settings in [at_once, at_the_end] {
        let said = unavailable(SmtpSettings {
            time_out: Duration::from_millis(500),
            ..settings
        })
        .await;
        assert_eq!(said, "the mail server was not done within 500ms");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_told_as_such() {
    // Nobody else gets the port of a socket, and one that does not listen refuses.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let deaf = SmtpSettings {
        host: "127.0.0.1".to_owned(),
        ..settings(port)
    };
    let said = unavailable(deaf).await;
    assert!(said.contains("refused"), "{said}");
    let nowhere = SmtpSettings {
        // No name, so no name server is asked.
        host: "mail\0".to_owned(),
        ..settings(port)
    };
    let said = unavailable(nowhere).await;
    assert!(
        said.starts_with("the mail server cannot be spoken to: "),
        "{said}"
    );
}

#[tokio::test]
async fn letters_that_are_not_ascii_reach_servers_old_and_new() {
    let written = |mail: &Value| mail["text"].as_str().unwrap().to_owned();
    let mut letter = letter(MailKind::VerifyEmail);
    letter.profile = profile("Zoë", "李");
    let mut server = Server::start(&[]);
    mailer(server.settings(Encryption::None), stationery())
        .send(&letter)
        .await
        .unwrap();
    let new = server.mail();
    assert_eq!(new["options"], json!(["BODY=8BITMIME"]));
    let mut server = Server::start(&["old"]);
    mailer(server.settings(Encryption::None), stationery())
        .send(&letter)
        .await
        .unwrap();
    let old = server.mail();
    assert_eq!(old["options"], json!([]));
    assert_eq!(
        (&new["ascii"], &old["ascii"]),
        (&json!(false), &json!(true))
    );
    for mail in [&new, &old] {
        assert_eq!(mail["to"], json!([["Zoë 李", "ada@example.org"]]));
        assert!(
            written(mail).contains("Hello Zoë,") && written(mail).contains(URL),
            "{mail}"
        );
        assert_eq!(mail["defects"], json!([]));
    }
}

#[tokio::test]
async fn an_international_domain_is_spelt_in_ascii_and_a_local_part_needs_a_server_that_knows_it() {
    let mut letter = letter(MailKind::VerifyEmail);
    letter.to = email("ada@bücher.example");
    let mut server = Server::start(&["old"]);
    let old = mailer(server.settings(Encryption::None), stationery());
    old.send(&letter).await.unwrap();
    let mail = server.mail();
    assert_eq!(mail["recipients"], json!(["ada@xn--bcher-kva.example"]));
    assert_eq!(mail["to"][0][1], "ada@xn--bcher-kva.example");

    letter.to = email("zoë@bücher.example");
    let sent = old.send(&letter).await;
    let Err(MailError::Rejected(said)) = sent else {
        panic!("{sent:?}");
    };
    assert!(said.contains("SMTPUTF8") && !said.contains("zo"), "{said}");

    let mut server = Server::start(&[]);
    mailer(server.settings(Encryption::None), stationery())
        .send(&letter)
        .await
        .unwrap();
    let mail = server.mail();
    assert_eq!(mail["recipients"], json!(["zoë@xn--bcher-kva.example"]));
    assert_eq!(mail["options"], json!(["SMTPUTF8", "BODY=8BITMIME"]));
}

#[test]
fn authorities_that_cannot_be_read_are_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for path in [empty, folder.path().join("missing.pem")] {
        let settings = SmtpSettings {
            encryption: Encryption::Tls,
            authorities: Some(path.clone()),
            ..settings(465)
        };
        let made = SmtpMailer::new(settings, stationery());
        let Err(error @ SmtpSettingsError::Authorities { .. }) = made else {
            panic!("{made:?}");
        };
        assert!(
            error.to_string().starts_with(path.to_str().unwrap()),
            "{error}"
        );
    }
}

async fn unavailable(settings: SmtpSettings) -> String {
    let sent = mailer(settings, stationery())
        .send(&letter(MailKind::VerifyEmail))
        .await;
    let Err(MailError::Unavailable(said)) = sent else {
        panic!("{sent:?}");
    };
    assert!(!said.contains('@'), "{said}");
    said
}

fn settings_with_system_authorities(server: &Server, encryption: Encryption) -> SmtpSettings {
    SmtpSettings {
        authorities: None,
        ..server.settings(encryption)
    }
}

fn ada(password: &str) -> Credentials {
    Credentials {
        user: "ada".to_owned(),
        password: password.to_owned(),
    }
}
