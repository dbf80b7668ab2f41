//! What is a tenant's own in its mails: the sender, and templates.

use core::sync::atomic::{AtomicI64, Ordering};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tessera_app::{Clock, Letter, MailError, Mailer};
use tessera_domain::{MailKind, MailSender, SchemaName, Timestamp};
use tessera_mail::{Encryption, Stationery, StationerySettings};

use crate::files::{filed, mailer};
use crate::letters::{NOW, letter, profile, stationery, stationery_of};
use crate::server::{self, Server};

const SENDER: &str = "id@example.org";

#[tokio::test]
async fn a_mail_is_from_the_sender_of_its_tenant() {
    for (sender, header) in [
        ("post@acme.example", "post@acme.example"),
        ("Acme <post@acme.example>", "Acme <post@acme.example>"),
        (
            "Acme, Inc. <post@acme.example>",
            "=?utf-8?b?QWNtZSwgSW5jLg==?= <post@acme.example>",
        ),
    ] {
        let mail = filed(&from(sender), stationery()).await;
        assert!(mail.contains(&format!("\r\nFrom: {header}\r\n")), "{mail}");
        assert!(mail.contains("@acme.example>\r\n"), "{mail}");
        assert!(!mail.contains("id@example.org"), "{mail}");
    }
    let mail = filed(&letter(MailKind::VerifyEmail), stationery()).await;
    assert!(
        mail.contains("\r\nFrom: Tessera <id@example.org>\r\n"),
        "{mail}"
    );
}

#[tokio::test]
async fn a_server_hears_of_the_sender_and_a_refused_one_holds_up_no_mail_of_another_tenant() {
    let mut server = Server::start(&[]);
    let mailer = server::mailer(server.settings(Encryption::None), stationery());
    mailer
        .send(&from("Acme <post@acme.example>"))
        .await
        .unwrap();
    let mail = server.mail();
    assert_eq!(mail["sender"], "post@acme.example");
    assert_eq!(mail["hello"], "example.org");

    let server = Server::start(&["sender"]);
    let mailer = server::mailer(server.settings(Encryption::None), stationery());
    let refused = "the mail server refuses the sender of the tenant: 553, for good";
    assert_eq!(
        mailer.send(&from("Acme <post@acme.example>")).await,
        Err(MailError::Held(refused.to_owned()))
    );
}

#[tokio::test]
async fn a_template_of_a_tenant_is_used_for_its_mails_and_what_is_missing_is_that_of_all() {
    let folder = folder(&[
        ("verify_email.subject.txt", "for all"),
        ("verify_email.txt", "All {{ first_name }}"),
        (
            "tenants/acme/verify_email.txt",
            "{% include '_head.txt' %} {{ tenant }}",
        ),
        ("tenants/acme/_head.txt", "Acme's own,"),
        ("tenants/Acme/verify_email.txt", "of another one"),
    ]);
    let of_acme = written(&folder, &letter(MailKind::VerifyEmail)).await;
    assert!(of_acme.contains("Subject: for all\r\n"), "{of_acme}");
    assert!(of_acme.contains("\r\nAcme's own, Acme\r\n"), "{of_acme}");
    assert!(of_acme.contains(">Confirm address</a>"), "{of_acme}");
    let of_other = written(&folder, &of("other")).await;
    assert!(of_other.contains("\r\nAll Ada\r\n"), "{of_other}");
}

#[tokio::test]
async fn a_tenant_whose_templates_have_a_fault_has_those_of_all_and_ends_no_start() {
    for (name, source) in [
        ("invitation.txt", "{{ fist_name }}"),
        ("invitation.subject.txt", ""),
        ("verify_email.html", "{% if %}"),
        ("verify_emial.txt", "a slip in the name"),
    ] {
        let broken = format!("tenants/acme/{name}");
        let folder = folder(&[
            ("verify_email.txt", "All {{ first_name }}"),
            ("tenants/acme/verify_email.txt", "Acme's own"),
            (&broken, source),
        ]);
        let mail = written(&folder, &letter(MailKind::VerifyEmail)).await;
        assert!(mail.contains("\r\nAll Ada\r\n"), "{name}: {mail}");
    }
}

#[tokio::test]
async fn a_template_of_a_tenant_that_fails_with_one_letter_gives_way_to_that_of_all() {
    let folder = folder(&[
        ("verify_email.txt", "All {{ first_name }}"),
        (
            "tenants/acme/verify_email.txt",
            "{% if first_name == 'Zoe' %}{{ token|int }}{% endif %}Acme's own",
        ),
    ]);
    let mut letter = letter(MailKind::VerifyEmail);
    let mail = written(&folder, &letter).await;
    assert!(mail.contains("\r\nAcme's own\r\n"), "{mail}");
    letter.profile = profile("Zoe", "");
    let mail = written(&folder, &letter).await;
    assert!(mail.contains("\r\nAll Zoe\r\n"), "{mail}");
}

#[tokio::test]
async fn no_schema_name_leads_out_of_the_folder_of_tenants() {
    let folder = folder(&[
        ("verify_email.txt", "All"),
        ("other/verify_email.txt", "outside"),
        ("tenants/verify_email.txt", "outside"),
        ("tenants/a/b/verify_email.txt", "outside"),
    ]);
    let absolute = folder.path().join("other");
    for schema in [
        "../other",
        "a/b",
        ".",
        "./a/../../other",
        "",
        absolute.to_str().unwrap(),
    ] {
        let mail = written(&folder, &of(schema)).await;
        assert!(mail.contains("\r\nAll\r\n"), "{schema}: {mail}");
    }
}

#[tokio::test]
async fn what_changes_in_the_folder_of_a_tenant_counts_a_minute_later() {
    let folder = folder(&[("tenants/acme/verify_email.txt", "first")]);
    let clock = Arc::new(Hands(AtomicI64::new(NOW.as_secs())));
    let settings = StationerySettings {
        app_name: "Tessera".to_owned(),
        sender: SENDER.parse().unwrap(),
        templates: Some(folder.path().to_owned()),
    };
    let stationery = Stationery::new(&settings, clock.clone()).unwrap();
    let mails = tempfile::tempdir().unwrap();
    let mailer = mailer(mails.path(), stationery);
    for (wait, source, expected) in [
        (0, "first", "\r\nfirst\r\n"),
        (59, "second", "\r\nfirst\r\n"),
        (1, "second", "\r\nsecond\r\n"),
        (60, "{{ wrong", ">Confirm address</a>"),
        (60, "third", "\r\nthird\r\n"),
    ] {
        put(folder.path(), "tenants/acme/verify_email.txt", source);
        clock.0.fetch_add(wait, Ordering::SeqCst);
        mailer.send(&letter(MailKind::VerifyEmail)).await.unwrap();
        let mail = only_file(mails.path());
        assert!(mail.contains(expected), "{expected}: {mail}");
    }
}

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }
}

async fn written(folder: &tempfile::TempDir, letter: &Letter) -> String {
    let stationery = stationery_of(SENDER, Some(folder.path())).unwrap();
    filed(letter, stationery).await
}

fn from(sender: &str) -> Letter {
    Letter {
        from: Some(MailSender::parse(sender).unwrap()),
        ..letter(MailKind::VerifyEmail)
    }
}

fn of(schema: &str) -> Letter {
    Letter {
        schema: SchemaName::restore(schema.to_owned()),
        ..letter(MailKind::VerifyEmail)
    }
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        put(folder.path(), name, source);
    }
    folder
}

fn put(folder: &Path, name: &str, source: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, source).unwrap();
}

fn only_file(folder: &Path) -> String {
    let file = fs::read_dir(folder).unwrap().next().unwrap();
    fs::read_to_string(file.unwrap().path()).unwrap()
}
