//! Mails in a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tessera_app::{Letter, MailError, Mailer};
use tessera_domain::MailKind;
use tessera_mail::{FolderMailer, FolderSettings, Stationery};
use tokio::runtime::Handle;

use crate::letters::{letter, stationery};

/// The mail that the letter becomes, as its file has it.
pub(crate) async fn filed(letter: &Letter, stationery: Stationery) -> String {
    let folder = tempfile::tempdir().unwrap();
    mailer(folder.path(), stationery)
        .send(letter)
        .await
        .unwrap();
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap();
    fs::read_to_string(file.unwrap().path()).unwrap()
}

pub(crate) fn mailer(path: &Path, stationery: Stationery) -> FolderMailer {
    let settings = FolderSettings {
        path: path.to_owned(),
        runtime: Handle::current(),
    };
    FolderMailer::new(settings, stationery)
}

#[tokio::test]
async fn a_mail_is_a_file_for_its_owner_alone_and_the_same_mail_again_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/mail");
    let mailer = mailer(&path, stationery());
    let letter = letter(MailKind::VerifyEmail);
    mailer.send(&letter).await.unwrap();
    mailer.send(&letter).await.unwrap();
    let names: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, [format!("20261126T004536Z-{}.eml", letter.id)]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join(&names[0])), 0o600);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_told_without_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail");
    fs::write(&path, "a file").unwrap();
    let sent = mailer(&path, stationery())
        .send(&letter(MailKind::VerifyEmail))
        .await;
    let Err(MailError::Unavailable(said)) = sent else {
        panic!("{sent:?}");
    };
    assert!(!said.contains("ada@"), "{said}");
}
