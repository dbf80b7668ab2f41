//! Templates of an operator.

use std::fs;

use tessera_app::{MailError, Mailer};
use tessera_domain::MailKind;

use crate::files::{filed, mailer};
use crate::letters::{letter, profile, stationery_of};

const SENDER: &str = "id@example.org";

#[tokio::test]
async fn a_file_of_the_operator_replaces_ours_and_what_is_missing_stays_ours() {
    let folder = folder(&[
        (
            "verify_email.subject.txt",
            "{{ first_name }}, welcome to {{ tenant }}",
        ),
        (
            "verify_email.txt",
            "{% include '_head.txt' %}\n{{ kind }} {{ email }} {{ uid }} {{ token }}: {{ link }}",
        ),
        ("_head.txt", "Ahoy {{ first_name }} {{ last_name }}"),
        ("README.md", "{{ what is no template is not read"),
    ]);
    let stationery = stationery_of(SENDER, Some(folder.path())).unwrap();
    let mail = filed(&letter(MailKind::VerifyEmail), stationery).await;
    assert!(
        mail.contains("\r\nSubject: Ada, welcome to Acme\r\n"),
        "{mail}"
    );
    let text =
        "Ahoy Ada Lovelace\r\nverify_email ada@example.org MDE5 tessera_public.0123:\r\nhttps://";
    assert!(mail.contains(text), "{mail}");
    assert!(mail.contains(">Confirm address</a>"), "{mail}");
}

#[tokio::test]
async fn a_layout_of_the_operator_is_that_of_all_mails() {
    let folder = folder(&[(
        "layout.html",
        "<h1>Ours</h1>{% block content %}{% endblock %}",
    )]);
    for kind in MailKind::ALL {
        let stationery = stationery_of(SENDER, Some(folder.path())).unwrap();
        let mail = filed(&letter(kind), stationery).await;
        assert!(
            mail.contains("<h1>Ours</h1>") && !mail.contains("<body"),
            "{mail}"
        );
    }
}

#[test]
fn a_template_with_a_fault_is_found_at_the_start() {
    for (name, source, says) in [
        (
            "verify_email.txt",
            "one\n{{ fist_name }}",
            "verify_email.txt, line 2: undefined value",
        ),
        (
            "reset_password.html",
            "\n\n{% if link %}",
            "reset_password.html, line 3: syntax error",
        ),
        (
            "invitation.txt",
            "{% include '_none.txt' %}",
            "invitation.txt, line 1: template not found",
        ),
        (
            "layout.txt",
            "x\n{{ link }}",
            "layout.txt, line 2: undefined value",
        ),
        (
            "account_deleted.txt",
            "{{ link }}",
            "account_deleted.txt, line 1: undefined value",
        ),
        (
            "change_email_requested.txt",
            "{{ new_email }}",
            "change_email_requested.txt, line 1: undefined value",
        ),
        (
            "email_changed.html",
            "{{ new_email }}",
            "email_changed.html, line 1: undefined value",
        ),
        (
            "email_changed.txt",
            "{{ email|nofilter }}",
            "email_changed.txt, line 1: unknown filter",
        ),
        (
            "email_changed.subject.txt",
            "\n",
            "email_changed.subject.txt makes no subject",
        ),
        (
            "verify-email.txt",
            "x",
            "verify-email.txt is the template of no mail",
        ),
        ("verify_email.htm.html", "x", "is the template of no mail"),
    ] {
        let folder = folder(&[(name, source)]);
        let error = stationery_of(SENDER, Some(folder.path()))
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error}");
    }
    let missing = folder(&[]).path().join("missing");
    let error = stationery_of(SENDER, Some(&missing))
        .unwrap_err()
        .to_string();
    assert!(error.contains("missing: No such file"), "{error}");
}

#[tokio::test]
async fn a_fault_that_shows_only_with_a_letter_rejects_it_and_repeats_nothing_of_it() {
    let folder = folder(&[(
        "invitation.txt",
        "{% if first_name == 'Zoe' %}{{ token|int }}{% endif %}",
    )]);
    let stationery = stationery_of(SENDER, Some(folder.path())).unwrap();
    let mut letter = letter(MailKind::Invitation);
    letter.profile = profile("Zoe", "");
    let sent = mailer(folder.path(), stationery).send(&letter).await;
    assert_eq!(
        sent,
        Err(MailError::Rejected(
            "the mail template invitation.txt, line 1, cannot be spelt out".to_owned()
        ))
    );
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        fs::write(folder.path().join(name), source).unwrap();
    }
    folder
}
