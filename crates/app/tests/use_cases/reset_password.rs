//! Reset a password: what ends with it, what it proves, and what it leaves alone.

use std::sync::Arc;

use tessera_app::{ResetPassword, ResetPasswordError};
use tessera_domain::{
    EventKind, Lockout, MailKind, MailedTokenPurpose, PasswordWeakness, SessionEnd, Subject,
};

use crate::world::{OTHER, PASSWORD, PURPOSES, WRONG, World, command, cut, shown, typed};

#[tokio::test]
async fn a_reset_ends_all_sessions_and_tells_by_mail() {
    let world = World::new().await;
    let sessions = [world.log_in().await, world.log_in().await];
    world.forgot("ada@example.com").await;
    let letter = world.letter(MailKind::ResetPassword).await;
    let (answer, done) = world.watch(world.reset(&shown(&letter))).await;
    answer.unwrap();
    assert_eq!((done.verified, done.hashed, done.commits), (0, 1, 1));
    let ada = world.ada().await;
    assert_eq!(done.kinds()[0], EventKind::PasswordChanged);
    assert_eq!(done.subjects()[0], Subject::User(ada.id));
    let mut ended = done.ended();
    ended.sort_by_key(|(subject, _)| format!("{subject:?}"));
    let mut expected = sessions.each_ref().map(|grant| {
        (
            Subject::Session(grant.session.id),
            SessionEnd::PasswordChange,
        )
    });
    expected.sort_by_key(|(subject, _)| format!("{subject:?}"));
    assert_eq!(ended, expected);
    assert_eq!(done.events.len(), 3);
    for grant in &sessions {
        world.assert_dead(grant).await;
    }
    let notice = world.letter(MailKind::PasswordChanged).await;
    assert_eq!(notice.to.as_str(), "Ada@Example.com");
    assert_eq!(notice.link, None);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn after_a_reset_the_new_password_alone_logs_in() {
    let world = World::new().await;
    reset_ada(&world).await;
    world.try_log_in("ada", PASSWORD).await.unwrap_err();
    world.try_log_in("ada", OTHER).await.unwrap();
}

#[tokio::test]
async fn a_reset_logs_nobody_in() {
    let world = World::new().await;
    reset_ada(&world).await;
    let (tenant, ada) = (world.tenant().await, world.ada().await);
    let sessions = world.tessera.user_sessions(&tenant, &ada).await.unwrap();
    assert_eq!(sessions, []);
    assert_eq!(ada.last_login, None);
}

#[tokio::test]
async fn a_lock_does_not_keep_the_owner_from_a_reset_which_ends_it() {
    let world = World::new().await;
    lock(&world).await;
    reset_ada(&world).await;
    assert_eq!(world.ada().await.lockout, Lockout::default());
    world.try_log_in("ada", OTHER).await.unwrap();
}

#[tokio::test]
async fn a_reset_proves_the_address() {
    let world = World::new().await;
    world.sign_up().await;
    let shown = world.mailed(MailedTokenPurpose::ResetPassword).await;
    let (answer, done) = world.watch(world.reset(&shown)).await;
    answer.unwrap();
    assert_eq!(
        done.kinds(),
        [EventKind::PasswordChanged, EventKind::UserEmailVerified]
    );
    assert!(world.grace().await.email_verified);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_weak_password_leaves_the_token_usable() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    let shown = shown(&world.letter(MailKind::ResetPassword).await);
    for (password, weakness) in [
        ("short", PasswordWeakness::TooShort { min: 8 }),
        (&*"x".repeat(257), PasswordWeakness::TooLong { max: 256 }),
        ("iloveyou1", PasswordWeakness::Common),
        ("ada@example.com", PasswordWeakness::MadeOfName),
        ("Public12", PasswordWeakness::MadeOfName),
    ] {
        let command = ResetPassword {
            shown: shown.clone(),
            password: typed(password),
        };
        let resetting = world.tessera.reset_password(command);
        let (answer, done) = world.watch(resetting).await;
        let Err(ResetPasswordError::WeakPassword(why)) = answer else {
            panic!("{password:?}: {answer:?}");
        };
        assert_eq!(why, weakness);
        assert_eq!((done.hashed, done.commits), (0, 0));
    }
    world.log_in().await;
    world.reset(&shown).await.unwrap();
    world.try_log_in("ada", OTHER).await.unwrap();
}

#[tokio::test]
async fn of_a_token_that_does_not_work_nothing_is_told_of_the_password() {
    let world = World::new().await;
    reset_ada(&world).await;
    let used = shown(&world.mailer.sent()[0]);
    for password in ["short", "ada@example.com", PASSWORD] {
        let command = ResetPassword {
            shown: used.clone(),
            password: typed(password),
        };
        let resetting = world.tessera.reset_password(command);
        let (answer, done) = world.watch(resetting).await;
        assert!(matches!(answer, Err(ResetPasswordError::Invalid)));
        assert_eq!((done.hashed, done.commits), (0, 0));
    }
}

#[tokio::test]
async fn too_much_to_hash_leaves_the_token_usable() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    let shown = shown(&world.letter(MailKind::ResetPassword).await);
    world.passwords.overloaded(true);
    let answer = world.reset(&shown).await;
    assert!(matches!(answer, Err(ResetPasswordError::Overloaded(_))));
    world.passwords.overloaded(false);
    world.log_in().await;
    world.reset(&shown).await.unwrap();
}

#[tokio::test]
async fn a_session_begun_while_the_password_is_reset_ends_too() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    let shown = shown(&world.letter(MailKind::ResetPassword).await);
    let tessera = Arc::clone(&world.tessera);
    world.store.before_next_commit(async move {
        tessera.log_in(command("ada", PASSWORD)).await.unwrap();
    });
    let (answer, done) = world.watch(world.reset(&shown)).await;
    answer.unwrap();
    assert_eq!(done.hashed, 1, "once, however often it is tried");
    assert_eq!(
        done.names(),
        ["UserLoggedIn", "PasswordChanged", "SessionEnded"]
    );
}

#[tokio::test]
async fn a_log_in_with_the_old_password_that_a_reset_overtakes_is_refused() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    let shown = shown(&world.letter(MailKind::ResetPassword).await);
    let tessera = Arc::clone(&world.tessera);
    world.store.before_next_commit(async move {
        let password = typed(OTHER);
        let command = ResetPassword { shown, password };
        tessera.reset_password(command).await.unwrap();
    });
    world.try_log_in("ada", PASSWORD).await.unwrap_err();
}

#[tokio::test]
async fn a_reset_that_is_dropped_at_any_await_is_whole_or_nothing() {
    for polls in 1.. {
        let world = World::new().await;
        let grant = world.log_in().await;
        world.forgot("ada@example.com").await;
        let shown = shown(&world.letter(MailKind::ResetPassword).await);
        let whole = cut(world.reset(&shown), polls).is_some();
        if world.ada().await.password == grant.user.password {
            assert!(!whole);
            world.assert_works(&grant).await;
            assert_eq!(world.letters().await, []);
            world.reset(&shown).await.unwrap();
        } else {
            world.assert_dead(&grant).await;
            world.letter(MailKind::PasswordChanged).await;
            world.reset(&shown).await.unwrap_err();
        }
        world.assert_events_are_gapless();
        if whole {
            break;
        }
    }
}

#[tokio::test]
async fn an_account_never_verified_gives_its_creator_nothing_after_the_owners_reset() {
    let world = World::new().await;
    let (_, verify) = world.sign_up().await;
    // What somebody has who signed up with the address of another: two sessions, one refreshed, a
    // change of address to their own, mailed and not yet mailed, and all links of before.
    let old = world.try_log_in("grace", PASSWORD).await.unwrap();
    let live = world.refresh(&old).await.unwrap();
    let caller = world.caller(&live).await;
    let mut links = vec![(MailedTokenPurpose::VerifyEmail, shown(&verify))];
    for purpose in PURPOSES {
        links.push((purpose, world.mailed(purpose).await));
    }
    world.forgot("grace@example.com").await;
    let owners = shown(&world.letter(MailKind::ResetPassword).await);
    let other = world.log_in_as("grace").await;
    let evil = "creator@example.com";
    world.ask_to_change(&other, evil).await.unwrap();

    world.reset(&owners).await.unwrap();
    let owned = world.grace().await;

    world.try_log_in("grace", PASSWORD).await.unwrap_err();
    world
        .try_log_in("Grace@Example.com", PASSWORD)
        .await
        .unwrap_err();
    world.assert_gone(&live, &caller).await;
    world.assert_dead(&old).await;
    for letter in world.letters().await {
        assert_ne!(letter.to.as_str(), evil, "{letter:?}");
        assert_eq!(letter.link, None);
    }
    for (purpose, link) in links {
        assert!(!world.show(purpose, &link).await, "{purpose:?}");
    }
    let deleted = world.tessera.delete_account(&caller).await;
    assert!(deleted.is_err());
    assert_eq!(world.grace().await.email, owned.email);
    assert_eq!(world.grace().await.password, owned.password);
    world.try_log_in("grace", OTHER).await.unwrap();
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn who_signs_up_with_an_address_that_somebody_took_gets_the_account() {
    let world = World::new().await;
    world.sign_up().await;
    let grant = world.try_log_in("grace", PASSWORD).await.unwrap();
    let mut own = crate::world::registration("grace@example.com");
    own.username = None;
    own.password = typed("first horse battery");
    world.tessera.register(own).await.unwrap();
    let letter = world.letter(MailKind::AlreadyRegistered).await;
    world.reset(&shown(&letter)).await.unwrap();
    world.assert_dead(&grant).await;
    world.try_log_in("grace", PASSWORD).await.unwrap_err();
    world.try_log_in("grace@example.com", OTHER).await.unwrap();
}

async fn reset_ada(world: &World) {
    world.forgot("ada@example.com").await;
    let letter = world.letter(MailKind::ResetPassword).await;
    world.reset(&shown(&letter)).await.unwrap();
}

async fn lock(world: &World) {
    for _ in 0..5 {
        world.try_log_in("ada", WRONG).await.unwrap_err();
    }
    world.try_log_in("ada", PASSWORD).await.unwrap_err();
}
