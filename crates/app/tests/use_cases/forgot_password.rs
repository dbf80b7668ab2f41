//! Ask for a mail, to set another password or to prove an address: nobody learns who is there.

use tessera_app::{AskForMail, AskForMailError, CommitError, TenantHints, Unavailable};
use tessera_domain::{Actor, EventKind, MailKind, MailedTokenPolicy, MailedTokenPurpose, Subject};

use crate::world::{OTHER, World, ask, explicit, new_user, registration, shown};

#[tokio::test]
async fn a_mail_leads_to_another_password() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    let (letters, done) = world.watch(world.letters()).await;
    let ada = world.ada().await;
    assert_eq!(done.kinds(), [EventKind::PasswordResetRequested]);
    assert_eq!(done.subjects(), [Subject::User(ada.id)]);
    let [letter] = &letters[..] else {
        panic!("{letters:?}");
    };
    assert_eq!(letter.kind, MailKind::ResetPassword);
    world.reset(&shown(letter)).await.unwrap();
    world.try_log_in("ada", OTHER).await.unwrap();
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn mail_goes_to_the_stored_address_never_to_the_typed_one() {
    let world = World::new().await;
    for typed in ["ADA@EXAMPLE.COM", " ada@example.com. ", "ａda@example.com"] {
        world.forgot(typed).await;
        let letter = world.letter(MailKind::ResetPassword).await;
        assert_eq!(letter.to.as_str(), "Ada@Example.com", "{typed:?}");
    }
}

#[tokio::test]
async fn whatever_there_is_of_the_address_the_answer_and_its_cost_are_the_same() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    let dora = world
        .create_user(&tenant, "dora@example.com", "dora")
        .await
        .id;
    world.tessera.disable_user(&tenant, dora).await.unwrap();
    let unproved = registration("grace@example.com");
    world.tessera.register(unproved).await.unwrap();
    world.letter(MailKind::VerifyEmail).await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    let away = new_user("away@acme.example", "away");
    world
        .tessera
        .create_user(&Actor::Operator, &acme, away)
        .await
        .unwrap();
    world.suspend("Acme").await;
    let here = TenantHints::default;
    for (hints, email, reset, verify) in [
        (here(), "ada@example.com", true, false),
        (here(), "grace@example.com", true, true),
        (here(), "nobody@example.com", false, false),
        (here(), "dora@example.com", false, false),
        (here(), "away@acme.example", false, false),
        (explicit(&["Acme"]), "away@acme.example", false, false),
        (explicit(&["nowhere"]), "ada@example.com", false, false),
        (explicit(&["\0"]), "ada@example.com", false, false),
    ] {
        for (kind, goes_out) in [
            (MailKind::ResetPassword, reset),
            (MailKind::VerifyEmail, verify),
        ] {
            let command = AskForMail {
                hints: hints.clone(),
                ..ask(email)
            };
            let waiting = || world.store.memory().mails().len();
            let before = waiting();
            let asking = ask_for(&world, command, kind);
            let (answer, done) = world.watch(asking).await;
            answer.unwrap();
            assert_eq!((done.verified, done.hashed, done.commits), (0, 0, 1));
            assert!(done.events.is_empty());
            assert_eq!(waiting(), before + 1, "{email} {kind}");
            let (letters, done) = world.watch(world.letters()).await;
            let kinds: Vec<MailKind> = letters.iter().map(|letter| letter.kind).collect();
            let expected: &[MailKind] = if goes_out { &[kind] } else { &[] };
            assert_eq!(kinds, expected, "{email} {hints:?}");
            assert_eq!(done.commits, usize::from(goes_out));
            // Those of a suspended tenant wait.
            let waits = email == "away@acme.example";
            assert_eq!(waiting(), before + usize::from(waits), "{email} {kind}");
        }
    }
}

#[tokio::test]
async fn a_locked_account_gets_its_mail() {
    let world = World::new().await;
    for _ in 0..5 {
        world.try_log_in("ada", "wrong").await.unwrap_err();
    }
    world.forgot("ada@example.com").await;
    world.letter(MailKind::ResetPassword).await;
}

#[tokio::test]
async fn a_mail_is_about_the_user_of_its_tenant_alone() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &[]).await;
    let twin = world.create_user(&acme, "ADA@example.com", "ada").await;
    let command = AskForMail {
        hints: explicit(&["Acme"]),
        ..ask("ada@example.com")
    };
    world.tessera.forgot_password(command).await.unwrap();
    let letter = world.letter(MailKind::ResetPassword).await;
    assert_eq!(
        (letter.to.as_str(), &*letter.tenant),
        ("ADA@example.com", "Acme")
    );
    world.reset(&shown(&letter)).await.unwrap();
    let twin_now = world.tessera.user(&acme, &twin.id.to_string()).await;
    assert_ne!(twin_now.unwrap().unwrap().password, twin.password);
    world.log_in().await;
}

#[tokio::test]
async fn contradictory_hints_are_told_and_nothing_is_written_down() {
    let world = World::new().await;
    world.create_tenant("Acme", &[]).await;
    for kind in [MailKind::ResetPassword, MailKind::VerifyEmail] {
        let command = AskForMail {
            hints: explicit(&["public", "Acme"]),
            ..ask("ada@example.com")
        };
        let answer = ask_for(&world, command, kind).await;
        assert!(matches!(answer, Err(AskForMailError::Contradiction(_))));
    }
    assert_eq!(world.store.memory().mails(), []);
}

#[tokio::test]
async fn what_could_not_be_written_down_is_not_answered_well() {
    let world = World::new().await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let gone = CommitError::Unavailable(Unavailable::new("gone"));
        world.store.memory().fail_next_commit(gone);
        let answer = world.tessera.forgot_password(ask(email)).await;
        assert!(matches!(answer, Err(AskForMailError::Unavailable(_))));
    }
    assert_eq!(world.letters().await, []);
}

#[tokio::test]
async fn a_flood_of_requests_is_a_few_mails_and_kills_no_link() {
    let most = MailedTokenPolicy::default().most;
    for kind in [
        MailKind::ResetPassword,
        MailKind::VerifyEmail,
        MailKind::AlreadyRegistered,
    ] {
        let world = World::new().await;
        let (grace, first) = world.sign_up().await;
        let purpose = if kind == MailKind::VerifyEmail {
            MailedTokenPurpose::VerifyEmail
        } else {
            MailedTokenPurpose::ResetPassword
        };
        let mut leads = vec![first];
        if kind != MailKind::VerifyEmail {
            leads.clear();
        }
        for _ in 0..4 * most {
            ask_for(&world, ask("grace@example.com"), kind)
                .await
                .unwrap();
            leads.extend(world.letters().await);
        }
        assert_eq!(leads.len(), most, "{kind}");
        let kept = world.mailed_tokens(&world.tenant().await, &grace).await;
        let live = kept
            .iter()
            .filter(|token| token.works(purpose, &grace, world.now()));
        assert_eq!(live.count(), most);
        assert!(world.show(purpose, &shown(&leads[0])).await, "{kind}");
    }
}

#[tokio::test]
async fn a_flood_that_waited_is_a_few_mails_also_with_several_relays() {
    for kind in [
        MailKind::ResetPassword,
        MailKind::VerifyEmail,
        MailKind::AlreadyRegistered,
    ] {
        let world = World::new().await;
        let unproved = registration("grace@example.com");
        world.tessera.register(unproved).await.unwrap();
        for _ in 0..40 {
            let command = ask("grace@example.com");
            ask_for(&world, command, kind).await.unwrap();
        }
        let (one, two) = (world.restarted().await, world.restarted().await);
        tokio::join!(world.letters(), one.letters(), two.letters());
        let sent = world.mailer.sent();
        let of_kind = sent.iter().filter(|letter| letter.kind == kind);
        assert_eq!(of_kind.count(), MailedTokenPolicy::default().most, "{kind}");
        assert_eq!(world.store.memory().mails(), []);
        world.assert_events_are_gapless();
    }
}

#[tokio::test]
async fn after_a_flood_mails_come_again_once_the_links_are_over() {
    let world = World::new().await;
    let policy = MailedTokenPolicy::default();
    for _ in 0..9 {
        world.forgot("ada@example.com").await;
    }
    assert_eq!(world.letters().await.len(), policy.most);
    world.wait(policy.reset_password.as_secs());
    world.forgot("ada@example.com").await;
    world.letter(MailKind::ResetPassword).await;
}

#[tokio::test]
async fn a_flood_for_one_purpose_leaves_room_for_another() {
    let world = World::new().await;
    world.sign_up().await;
    for _ in 0..9 {
        world.forgot("grace@example.com").await;
    }
    world.letters().await;
    let command = ask("grace@example.com");
    world.tessera.resend_verification(command).await.unwrap();
    world.letter(MailKind::VerifyEmail).await;
}

async fn ask_for(
    world: &World,
    command: AskForMail,
    kind: MailKind,
) -> Result<(), AskForMailError> {
    if kind == MailKind::AlreadyRegistered {
        let mut signing_up = registration(command.email.as_str());
        signing_up.username = None;
        world.tessera.register(signing_up).await.unwrap();
        Ok(())
    } else if kind == MailKind::VerifyEmail {
        world.tessera.resend_verification(command).await
    } else {
        world.tessera.forgot_password(command).await
    }
}
