//! Verify an address: whoever shows the token has read the mail.

use tessera_app::{MailedTokenError, Settings, UnverifiedLogIn};
use tessera_domain::{EventKind, MailKind, MailedTokenPurpose, Subject};

use crate::world::{PASSWORD, World, ask, settings, shown};

#[tokio::test]
async fn whoever_shows_the_token_has_proved_the_address() {
    let world = World::new().await;
    let (before, letter) = world.sign_up().await;
    let grant = world.try_log_in("grace", PASSWORD).await.unwrap();
    let verifying = world.tessera.verify_email(shown(&letter));
    let (answer, done) = world.watch(verifying).await;
    answer.unwrap();
    assert_eq!((done.verified, done.hashed, done.commits), (0, 0, 1));
    assert_eq!(done.kinds(), [EventKind::UserEmailVerified]);
    assert_eq!(done.subjects(), [Subject::User(before.id)]);
    let after = world.grace().await;
    assert!(after.email_verified);
    assert_eq!((after.email, after.epoch), (before.email, before.epoch));
    world.assert_works(&grant).await;
    assert_eq!(world.letters().await, []);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn of_two_letters_to_verify_either_works_and_then_neither() {
    let world = World::new().await;
    let (_, first) = world.sign_up().await;
    let again = ask("grace@example.com");
    world.tessera.resend_verification(again).await.unwrap();
    let second = world.letter(MailKind::VerifyEmail).await;
    for (letter, works) in [(&second, true), (&first, false), (&second, false)] {
        let shown = shown(letter);
        let succeeded = world.show(MailedTokenPurpose::VerifyEmail, &shown).await;
        assert_eq!(succeeded, works);
    }
}

#[tokio::test]
async fn a_proved_address_gets_no_more_mails_to_prove_it() {
    let world = World::new().await;
    let (_, letter) = world.sign_up().await;
    let waiting = ask("grace@example.com");
    world.tessera.resend_verification(waiting).await.unwrap();
    world.tessera.verify_email(shown(&letter)).await.unwrap();
    let later = ask("grace@example.com");
    world.tessera.resend_verification(later).await.unwrap();
    assert_eq!(world.letters().await, []);
}

#[tokio::test]
async fn where_log_in_needs_it_a_proved_address_opens_it() {
    let world = World::with(Settings {
        unverified_log_in: UnverifiedLogIn::Refused,
        ..settings()
    })
    .await;
    let (_, letter) = world.sign_up().await;
    world.try_log_in("grace", PASSWORD).await.unwrap_err();
    world.tessera.verify_email(shown(&letter)).await.unwrap();
    world.try_log_in("grace", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn without_the_store_no_address_is_proved_and_the_token_stays() {
    let world = World::new().await;
    let (_, letter) = world.sign_up().await;
    world.store.memory().unavailable(true);
    let answer = world.tessera.verify_email(shown(&letter)).await;
    assert!(matches!(answer, Err(MailedTokenError::Unavailable(_))));
    world.store.memory().unavailable(false);
    world.tessera.verify_email(shown(&letter)).await.unwrap();
}
